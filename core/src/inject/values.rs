//! The values of a profile for one pod: lifetimes, audiences, variables.

use super::{
    account::Known,
    entry::OutOfRange,
    place::Maker,
    profile::{Profile, Token},
};
use crate::reference::{fnv, token::EXTENDED};

impl Maker<'_, '_> {
    /// The tokens with the values that hold for this pod: its own word, then that of its account, then the profile's.
    pub(super) fn tokens(
        &self,
        account: Option<&Known<'_>>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Token>, String> {
        let Profile {
            name,
            overrides,
            bounds,
            ..
        } = self.profile;
        let given = |key: &str| {
            let own = self.head.annotation(key);
            let own = own.map(|value| (value.to_string(), "the pod"));
            let of_account = || {
                let value = account?.get(key).filter(|value| !value.is_empty())?;
                Some((value.to_owned(), "the service account"))
            };
            own.or_else(of_account)
        };
        let mut tokens = self.profile.tokens.clone();
        let (least, most) = (*bounds.seconds.start(), *bounds.seconds.end());
        if let Some((text, of)) = given(&overrides.seconds) {
            let key = &overrides.seconds;
            let shown: String = text.chars().take(40).collect();
            let wanted: i64 = text.parse().map_err(|_| {
                format!(
                    "profile \"{name}\": the lifetime \"{}\" is no number of seconds (annotation {key} of {of}); write a \
                     whole number from {least} to {most}",
                    shown.escape_debug()
                )
            })?;
            let mut seconds = wanted.clamp(least, most);
            let api = self
                .profile
                .tokens
                .iter()
                .any(|token| token.audience.is_empty());
            if api && seconds == EXTENDED {
                // Exactly this many would live for a year.
                seconds = seconds.saturating_sub(7);
            }
            if wanted != seconds {
                let what = format!(
                    "profile \"{name}\": a lifetime of {wanted} s is not within {least} to {most} s (annotation {key} of {of})"
                );
                match bounds.out_of_range {
                    OutOfRange::Refuse => return Err(what),
                    OutOfRange::Clamp => warnings.push(format!("{what}; it is {seconds} s")),
                }
            }
            for token in &mut tokens {
                token.seconds = seconds;
            }
        } else {
            for token in &mut tokens {
                token.seconds -= vary(token.jitter, &[self.subject.seed, name, &token.path]);
                if token.audience.is_empty() && token.seconds == EXTENDED {
                    token.seconds -= 1;
                }
            }
        }
        if let (Some(key), [token]) = (&overrides.audience, &mut *tokens)
            && let Some((audience, of)) = given(key)
            && audience != token.audience
        {
            if !bounds
                .audiences
                .iter()
                .any(|allowed| allowed.matches(&audience))
            {
                let shown: String = audience.chars().take(200).collect();
                return Err(format!(
                    "profile \"{name}\": the audience \"{}\" is not one that it allows (annotation {key} of {of})",
                    shown.escape_debug()
                ));
            }
            token.audience = audience;
        }
        Ok(tokens)
    }
}

/// A number from 0 to `most` that is always the same for the same texts.
fn vary(most: i64, texts: &[&str]) -> i64 {
    // What ends a text keeps "ab" and "c" from "a" and "bc".
    let hash = fnv(texts.iter().flat_map(|text| text.bytes().chain([0])));
    i64::from(hash) % most.saturating_add(1).max(1)
}
