//! The values of a profile's tokens for one pod: lifetimes and audiences.

use super::{
    account::Known,
    effect::GivenToken,
    entry::OutOfRange,
    pod::Head,
    profile::{Profile, Token},
    why::{Hindrance, Refused, Whose},
};
use crate::reference::{fnv, token::EXTENDED};

/// Where values of a profile may come from.
pub(super) struct Values<'a, 'v> {
    pub(super) profile: &'a Profile,
    pub(super) head: &'v Head<'v>,
    /// None if it is not known.
    pub(super) account: Option<&'v Known<'v>>,
    /// What differs from pod to pod.
    pub(super) seed: &'v str,
}

impl<'a> Values<'a, '_> {
    /// The tokens with the values that hold for this pod: its own word, then that of its account, then the profile's. An
    /// error if somebody's word is not one that the profile allows.
    pub(super) fn tokens(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<GivenToken>, Refused<'a>> {
        let asked = self.lifetime(warnings)?;
        let mut tokens: Vec<GivenToken> = self
            .profile
            .tokens
            .iter()
            .map(|token| GivenToken {
                audience: token.audience.clone(),
                seconds: asked.unwrap_or_else(|| self.varied(token)),
                path: token.path.clone(),
            })
            .collect();
        if let [only] = &mut *tokens
            && let Some(audience) = self.audience(&only.audience)?
        {
            only.audience = audience;
        }
        Ok(tokens)
    }

    /// What an annotation says, and whose it is.
    fn given(&self, key: &str) -> Option<(String, Whose)> {
        let own = self.head.annotation(key);
        let own = own.map(|value| (value.to_string(), Whose::Pod));
        let of_account = || {
            let value = self.account?.get(key).filter(|value| !value.is_empty())?;
            Some((value.to_owned(), Whose::Account))
        };
        own.or_else(of_account)
    }

    fn refused(&self, why: Hindrance<'a>) -> Refused<'a> {
        let profile = self.profile;
        Refused { profile, why }
    }

    /// The lifetime in seconds that somebody asks for.
    fn lifetime(&self, warnings: &mut Vec<String>) -> Result<Option<i64>, Refused<'a>> {
        let Profile {
            overrides,
            bounds,
            tokens,
            ..
        } = self.profile;
        let key = &*overrides.seconds;
        let Some((text, of)) = self.given(key) else {
            return Ok(None);
        };
        let Ok(wanted) = text.parse::<i64>() else {
            return Err(self.refused(Hindrance::Lifetime { text, key, of }));
        };
        let mut seconds = wanted.clamp(*bounds.seconds.start(), *bounds.seconds.end());
        if seconds == EXTENDED && tokens.iter().any(|token| token.audience.is_empty()) {
            // Exactly this many would live for a year.
            seconds = seconds.saturating_sub(7);
        }
        if wanted != seconds {
            let refused = self.refused(Hindrance::Bounds {
                seconds: wanted,
                key,
                of,
            });
            match bounds.out_of_range {
                OutOfRange::Refuse => return Err(refused),
                OutOfRange::Clamp => warnings.push(format!("{refused}; it is {seconds} s")),
            }
        }
        Ok(Some(seconds))
    }

    /// The lifetime in seconds that the profile gives, different for each pod.
    fn varied(&self, token: &Token) -> i64 {
        let texts = [self.seed, &self.profile.name, &token.path];
        let seconds = token.seconds - vary(token.jitter, &texts);
        if token.audience.is_empty() && seconds == EXTENDED {
            seconds.saturating_sub(1)
        } else {
            seconds
        }
    }

    /// The audience that somebody asks for instead of this one.
    fn audience(&self, own: &str) -> Result<Option<String>, Refused<'a>> {
        let Profile {
            overrides, bounds, ..
        } = self.profile;
        let Some(key) = overrides.audience.as_deref() else {
            return Ok(None);
        };
        let Some((audience, of)) = self.given(key).filter(|(audience, _)| audience != own) else {
            return Ok(None);
        };
        let mut allowed = bounds.audiences.iter();
        if allowed.any(|allowed| allowed.matches(&audience)) {
            Ok(Some(audience))
        } else {
            Err(self.refused(Hindrance::Audience { audience, key, of }))
        }
    }
}

/// A number from 0 to `most` that is always the same for the same texts.
fn vary(most: i64, texts: &[&str]) -> i64 {
    // What ends a text keeps "ab" and "c" from "a" and "bc".
    let hash = fnv(texts.iter().flat_map(|text| text.bytes().chain([0])));
    i64::from(hash) % most.saturating_add(1).max(1)
}
