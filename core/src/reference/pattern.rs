//! Names with stars, as the configuration writes them.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A name, in which every `*` stands for any text, also none. Nothing else is special.
///
/// ```
/// use usher_core::reference::Pattern;
/// assert!(Pattern::parse("team-*").unwrap().matches("team-a"));
/// assert!(!Pattern::parse("team-*").unwrap().matches("my-team-a"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Reads a pattern. An empty one, or one with blanks, matches nothing that Kubernetes has: it is an error.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(BadPattern(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// Whether the name fits one of these.
    pub(crate) fn any(patterns: &[Self], name: &str) -> bool {
        patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether every name fits.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    /// Whether the whole name fits. Takes time in proportion to pattern times name at the worst.
    pub fn matches(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else {
            return *self.0 == *name;
        };
        let Some(mut name) = name.strip_prefix(head) else {
            return false;
        };
        // The parts between stars are found from the left, each as early as it can be; the last one must end the name.
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some((_, after)) = name.split_once(part) else {
                return false;
            };
            name = after;
        }
        name.ends_with(tail)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^\\S+$", "description": "a name; every * stands for any text"})
    }
}

/// The text is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a name or pattern: it is empty or has a blank")]
pub struct BadPattern(String);

#[cfg(test)]
mod tests {
    use super::*;

    /// The obvious matcher: slow, and right by inspection.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                slow(rest, name) || name.split_first().is_some_and(|(_, n)| slow(pattern, n))
            }
            (Some((p, pattern)), Some((n, name))) => p == n && slow(pattern, name),
            _ => false,
        }
    }

    /// Every word over an alphabet, up to a length.
    fn words(alphabet: &str, longest: u32) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut last = words.clone();
        for _ in 0..longest {
            let longer = last
                .iter()
                .flat_map(|word| alphabet.chars().map(move |c| format!("{word}{c}")));
            last = longer.collect();
            words.extend_from_slice(&last);
        }
        words
    }

    #[test]
    fn matches_as_the_obvious_matcher() {
        let names = words("ab", 6);
        for pattern in words("ab*", 6).iter().skip(1) {
            let parsed = Pattern::parse(pattern).unwrap();
            for name in &names {
                let wanted = slow(pattern.as_bytes(), name.as_bytes());
                assert_eq!(parsed.matches(name), wanted, "{pattern} {name}");
            }
        }
    }

    #[test]
    fn blanks_and_nothing_are_refused() {
        for text in ["", " ", "a b", "a\t"] {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
    }
}
