//! Limits on the tokens of service accounts.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::reference::{
    Pattern,
    token::{EXTENDED, LIFETIME, LIFETIMES},
};

/// Limits on the tokens of some service accounts, wherever they are asked for. Of the entries that match, the first
/// counts; tokens of other accounts are not limited.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TokenLimit {
    /// In which namespaces.
    pub namespaces: Vec<Pattern>,
    /// The accounts whose tokens they are; left out, all.
    #[serde(default = "everything")]
    pub service_accounts: Vec<Pattern>,
    /// Audiences that everybody may ask for. Any other needs the right to use tokenaudiences.usher.dev/AUDIENCE. Left
    /// out, every audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<Pattern>>,
    /// Whether tokens of the API server may be asked for: those without an audience, or with one of apiAudiences. What
    /// Kubernetes itself mounts into a pod is not meant.
    #[serde(default)]
    pub api_tokens: Access,
    /// The shortest lifetime in seconds, 600 or more; left out, 600.
    #[serde(
        default,
        deserialize_with = "legal_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub min_seconds: Option<i64>,
    /// The longest lifetime in seconds, 4294967296 (2^32) or less; left out, that.
    #[serde(
        default,
        deserialize_with = "legal_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_seconds: Option<i64>,
    /// What happens to a longer one. refuse: it is refused. shorten: the mutating webhook writes maxSeconds into the pod
    /// or TokenRequest; a template may then ask for more, and a pod that nobody shortened is refused.
    #[serde(default)]
    pub too_long: TooLong,
    /// What happens to a lifetime of exactly 3607 seconds, written by hand: the API server makes such a token of its own
    /// last a year. allow: nothing. refuse: it is refused. rewrite: the mutating webhook writes 3600.
    #[serde(default)]
    pub extended_api_token: ExtendedApiToken,
    /// Signers of pod certificates that everybody may ask for. Any other needs the right to use
    /// signers.certificates.k8s.io/SIGNER. Left out, every signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signers: Option<Vec<Pattern>>,
    /// Whether a token may be requested that is bound to no object, and so outlives everything that it was made for.
    #[serde(default)]
    pub unbound: Access,
    /// What happens to the tokens that kubelets request for the pods on their nodes. pass: nothing. shorten: the
    /// mutating webhook writes maxSeconds where it is exceeded, and 3600 for 3607 unless extendedApiToken allows that.
    /// Kubelets are never refused.
    #[serde(default)]
    pub kubelets: Kubelets,
}

/// Whether something may be asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// It may.
    #[default]
    Allow,
    /// It may not, whoever asks.
    Refuse,
}

/// What happens to a lifetime that is too long.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLong {
    /// It is refused.
    #[default]
    Refuse,
    /// The mutating webhook shortens it.
    Shorten,
}

/// What happens to a lifetime that the API server extends to a year.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtendedApiToken {
    /// Nothing.
    Allow,
    /// It is refused.
    #[default]
    Refuse,
    /// The mutating webhook writes another.
    Rewrite,
}

/// What happens to the tokens that kubelets request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kubelets {
    /// Nothing.
    #[default]
    Pass,
    /// The mutating webhook shortens them.
    Shorten,
}

/// What is wrong with a lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Fault {
    /// The API server would make it a year.
    Extended,
    TooLong,
    TooShort,
}

fn everything() -> Vec<Pattern> {
    Pattern::parse("*").into_iter().collect()
}

impl TokenLimit {
    /// What is wrong with this lifetime. `bound` says whether the token is bound to a pod: only such a one is extended.
    pub(in crate::engine) fn fault(&self, seconds: i64, bound: bool) -> Option<Fault> {
        if bound && seconds == EXTENDED && self.extended_api_token != ExtendedApiToken::Allow {
            return Some(Fault::Extended);
        }
        let range = self.range();
        if seconds > *range.end() {
            Some(Fault::TooLong)
        } else if seconds < *range.start() {
            Some(Fault::TooShort)
        } else {
            None
        }
    }

    /// Whether the mutating side takes away what is wrong.
    pub(in crate::engine) fn corrects(&self, fault: Fault) -> bool {
        match fault {
            Fault::Extended => self.extended_api_token == ExtendedApiToken::Rewrite,
            Fault::TooLong => self.too_long == TooLong::Shorten,
            Fault::TooShort => false,
        }
    }

    /// What the mutating side writes in place of this lifetime, if anything.
    pub(in crate::engine) fn corrected(&self, seconds: i64, bound: bool) -> Option<i64> {
        let fault = self.fault(seconds, bound)?;
        self.corrects(fault).then(|| self.nearest(seconds))
    }

    /// What the mutating side writes in place of the lifetime that a kubelet asks for, if anything.
    pub(in crate::engine) fn corrected_for_kubelet(
        &self,
        seconds: i64,
        bound: bool,
    ) -> Option<i64> {
        let fault = self.fault(seconds, bound);
        (self.kubelets == Kubelets::Shorten
            && matches!(fault, Some(Fault::Extended | Fault::TooLong)))
        .then(|| self.nearest(seconds))
    }

    /// The longest lifetime that is allowed and no longer than this one, and is not extended: that would be no shorter.
    fn nearest(&self, seconds: i64) -> i64 {
        match seconds.min(*self.range().end()) {
            EXTENDED => LIFETIME,
            shorter => shorter,
        }
    }

    /// The lifetimes that are allowed, in words.
    pub(in crate::engine) fn allowed(&self) -> String {
        let range = self.range();
        format!("{} to {} s", range.start(), range.end())
    }

    fn range(&self) -> RangeInclusive<i64> {
        self.min_seconds.unwrap_or(*LIFETIMES.start())
            ..=self.max_seconds.unwrap_or(*LIFETIMES.end())
    }
}

fn legal_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    if LIFETIMES.contains(&seconds) {
        return Ok(Some(seconds));
    }
    Err(D::Error::custom(format_args!(
        "no token lives {seconds} s: the API server accepts {} to {}",
        LIFETIMES.start(),
        LIFETIMES.end()
    )))
}

/// Reads the entries of `tokens`, and refuses one that would not do what it says.
pub(crate) fn legal<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<TokenLimit>, D::Error> {
    struct Legal(TokenLimit);

    impl<'de> Deserialize<'de> for Legal {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let limit = TokenLimit::deserialize(deserializer)?;
            match contradiction(&limit) {
                None => Ok(Self(limit)),
                Some(why) => Err(D::Error::custom(why)),
            }
        }
    }

    let limits: Vec<Legal> = Vec::deserialize(deserializer)?;
    Ok(limits.into_iter().map(|Legal(limit)| limit).collect())
}

fn contradiction(limit: &TokenLimit) -> Option<&'static str> {
    let range = limit.range();
    if limit.namespaces.is_empty() || limit.service_accounts.is_empty() {
        Some("an entry without namespaces or without serviceAccounts limits nothing")
    } else if range.is_empty() {
        Some("maxSeconds is less than minSeconds: no lifetime is allowed")
    } else if limit.extended_api_token == ExtendedApiToken::Rewrite && !range.contains(&LIFETIME) {
        Some("extendedApiToken: rewrite writes 3600, which minSeconds or maxSeconds does not allow")
    } else if limit.too_long == TooLong::Shorten && limit.max_seconds.is_none() {
        Some("tooLong: shorten needs maxSeconds")
    } else if limit.kubelets == Kubelets::Shorten
        && limit.max_seconds.is_none()
        && limit.extended_api_token == ExtendedApiToken::Allow
    {
        Some("kubelets: shorten needs maxSeconds or extendedApiToken")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(yaml: &str) -> TokenLimit {
        crate::yaml::read_text("f", &format!("{{namespaces: ['*'], {yaml}}}")).unwrap()
    }

    #[test]
    fn a_lifetime_is_judged_and_corrected() {
        use Fault::{Extended, TooLong, TooShort};
        for (yaml, seconds, bound, fault, written) in [
            ("", 600, true, None, None),
            ("", 599, true, Some(TooShort), None),
            ("", 1 << 32, true, None, None),
            ("", (1 << 32) + 1, true, Some(TooLong), None),
            ("", i64::MIN, true, Some(TooShort), None),
            ("", EXTENDED, true, Some(Extended), None),
            ("extendedApiToken: allow", EXTENDED, true, None, None),
            ("minSeconds: 700", 699, true, Some(TooShort), None),
            ("maxSeconds: 700", 701, true, Some(TooLong), None),
            ("maxSeconds: 700", EXTENDED, false, Some(TooLong), None),
            (
                "maxSeconds: 700, tooLong: shorten",
                701,
                true,
                Some(TooLong),
                Some(700),
            ),
            ("maxSeconds: 700, tooLong: shorten", 700, true, None, None),
            (
                "maxSeconds: 700, tooLong: shorten",
                1,
                true,
                Some(TooShort),
                None,
            ),
            (
                "maxSeconds: 700, tooLong: shorten",
                i64::MAX,
                false,
                Some(TooLong),
                Some(700),
            ),
            // A shortened one must not become a year either.
            (
                "maxSeconds: 3607, tooLong: shorten",
                9000,
                true,
                Some(TooLong),
                Some(3600),
            ),
            (
                "extendedApiToken: refuse",
                EXTENDED,
                true,
                Some(Extended),
                None,
            ),
            ("extendedApiToken: refuse", EXTENDED, false, None, None),
            ("extendedApiToken: refuse", 3608, true, None, None),
            (
                "extendedApiToken: rewrite",
                EXTENDED,
                true,
                Some(Extended),
                Some(3600),
            ),
            ("extendedApiToken: rewrite", EXTENDED, false, None, None),
            (
                "extendedApiToken: rewrite, maxSeconds: 3600",
                3608,
                true,
                Some(TooLong),
                None,
            ),
        ] {
            let limit = limit(yaml);
            assert_eq!(limit.fault(seconds, bound), fault, "{yaml}: {seconds}");
            assert_eq!(
                limit.corrected(seconds, bound),
                written,
                "{yaml}: {seconds}"
            );
            assert_eq!(limit.corrected_for_kubelet(seconds, bound), None, "{yaml}");
        }
    }

    #[test]
    fn what_a_kubelet_asks_for_is_shortened_only_if_the_limit_says_so() {
        for (yaml, seconds, written) in [
            ("maxSeconds: 700", EXTENDED, Some(700)),
            ("maxSeconds: 86400", EXTENDED, Some(3600)),
            ("maxSeconds: 86400, extendedApiToken: allow", EXTENDED, None),
            ("extendedApiToken: rewrite", EXTENDED, Some(3600)),
            ("maxSeconds: 700", 700, None),
            ("maxSeconds: 700, minSeconds: 650", 600, None),
        ] {
            let limit = limit(&format!("{yaml}, kubelets: shorten"));
            let corrected = limit.corrected_for_kubelet(seconds, true);
            assert_eq!(corrected, written, "{yaml}: {seconds}");
        }
    }
}
