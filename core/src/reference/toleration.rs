//! Tolerations, and the names of the sets of taints that they stand for.

use std::{borrow::Cow, fmt};

use serde::Deserialize;

use super::{
    Text,
    names::{is_label_key, is_label_value},
};

/// A toleration as it stands in a pod spec. It describes a set of taints.
///
/// Rules: `k8s.io/api/core/v1/toleration.go` (`ToleratesTaint`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Toleration<'a> {
    /// The key of the taint; empty means every key.
    #[serde(borrow, default)]
    pub key: Text<'a>,
    /// `Exists`, `Equal`, `Lt`, `Gt`; empty means `Equal`.
    #[serde(borrow, default)]
    pub operator: Text<'a>,
    /// The value that the operator compares with.
    #[serde(borrow, default)]
    pub value: Text<'a>,
    /// The effect of the taint; empty means every effect.
    #[serde(borrow, default)]
    pub effect: Text<'a>,
    /// How long a `NoExecute` taint is tolerated; absent means for ever.
    #[serde(default, rename = "tolerationSeconds")]
    pub seconds: Option<i64>,
}

/// Why a toleration cannot be named, and is therefore refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The effect is none that Kubernetes has.
    #[error("toleration has the effect \"{0}\", which Kubernetes does not have")]
    Effect(String),
    /// The key is no label key, so that a name made of it could mean something else.
    #[error("toleration has the key \"{0}\", which is not a legal label key")]
    Key(String),
    /// The text is not one of the forms of [`Toleration::names`].
    #[error(
        "\"{0}\" names no set of taints: the forms are key=value:Effect, key=value, key:Effect, key, *:Effect and *"
    )]
    Name(String),
    /// The value is no label value, so that a name made of it could mean something else.
    #[error("toleration has the value \"{0}\", which is not a legal label value")]
    Value(String),
}

impl<'a> Toleration<'a> {
    /// The toleration of exactly the set of taints that this name stands for: [`Toleration::names`] begins with it.
    ///
    /// ```
    /// use usher_core::reference::Toleration;
    /// assert_eq!(Toleration::named("gpu:NoSchedule").unwrap().names().unwrap()[0], "gpu:NoSchedule");
    /// assert!(Toleration::named("gpu:Never").is_err());
    /// ```
    pub fn named(name: &'a str) -> Result<Self, Malformed> {
        let (taint, effect) = name.split_once(':').unwrap_or((name, ""));
        let (key, operator, value) = match taint.split_once('=') {
            Some((key, value)) => (key, "Equal", value),
            None if taint == "*" => ("", "Exists", ""),
            None => (taint, "Exists", ""),
        };
        let toleration = Self {
            key: key.into(),
            operator: operator.into(),
            value: value.into(),
            effect: effect.into(),
            seconds: None,
        };
        let names = toleration.names()?;
        if names.first().is_none_or(|first| **first != *name) {
            return Err(Malformed::Name(name.to_owned()));
        }
        Ok(toleration)
    }
}

impl Toleration<'_> {
    /// The same toleration with a life of its own.
    pub(crate) fn into_owned(self) -> Toleration<'static> {
        Toleration {
            key: self.key.into_owned(),
            operator: self.operator.into_owned(),
            value: self.value.into_owned(),
            effect: self.effect.into_owned(),
            seconds: self.seconds,
        }
    }

    /// Whether two tolerations say the same; an operator left out is `Equal`.
    pub(crate) fn same(&self, other: &Toleration<'_>) -> bool {
        fn operator<'t>(toleration: &'t Toleration<'_>) -> &'t str {
            let written = &*toleration.operator;
            if written.is_empty() { "Equal" } else { written }
        }
        self.key == other.key
            && self.value == other.value
            && self.effect == other.effect
            && self.seconds == other.seconds
            && operator(self) == operator(other)
    }

    /// The names of all sets of taints that hold this one, the narrowest first: a grant of any of them covers the
    /// toleration. Forms: `key=value:Effect`, `key=value`, `key:Effect`, `key`, `*:Effect`, `*`.
    ///
    /// `Lt` and `Gt` are covered only by every value of the key, an operator that we do not know only by `*`.
    ///
    /// ```
    /// use usher_core::reference::Toleration;
    /// let gpu = Toleration { key: "gpu".into(), value: "a".into(), effect: "NoSchedule".into(), ..Default::default() };
    /// assert_eq!(
    ///     gpu.names().unwrap(),
    ///     ["gpu=a:NoSchedule", "gpu=a", "gpu:NoSchedule", "gpu", "*:NoSchedule", "*"]
    /// );
    /// ```
    pub fn names(&self) -> Result<Vec<Cow<'static, str>>, Malformed> {
        let effect = &*self.effect;
        if !matches!(effect, "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            return Err(Malformed::Effect(effect.to_owned()));
        }
        if !self.key.is_empty() && !is_label_key(&self.key) {
            return Err(Malformed::Key(self.key.to_string()));
        }
        let mut names = Vec::with_capacity(6);
        let mut push = |set: String| {
            if !effect.is_empty() {
                names.push(Cow::Owned([&*set, ":", effect].concat()));
            }
            names.push(Cow::Owned(set));
        };
        match (&*self.operator, &*self.key) {
            (_, "") => {}
            ("" | "Equal", key) => {
                if !is_label_value(&self.value) {
                    return Err(Malformed::Value(self.value.to_string()));
                }
                push([key, "=", &*self.value].concat());
                push(key.to_owned());
            }
            ("Exists" | "Lt" | "Gt", key) => push(key.to_owned()),
            _ => return Ok(vec![Cow::Borrowed("*")]),
        }
        if !effect.is_empty() {
            names.push(Cow::Owned(format!("*:{effect}")));
        }
        names.push(Cow::Borrowed("*"));
        Ok(names)
    }
}

/// In words: `toleration "gpu=a:NoSchedule"`, `every taint`.
impl fmt::Display for Toleration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.key, &*self.operator) {
            ("", _) => f.write_str("every taint")?,
            (key, "Exists") => write!(f, "taint \"{key}\"")?,
            (key, "" | "Equal") => write!(f, "taint \"{key}={}\"", self.value)?,
            (key, operator) => write!(f, "taint \"{key} {operator} {}\"", self.value)?,
        }
        if !self.effect.is_empty() {
            write!(f, " with effect {}", self.effect)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration<'a>(
        key: &'a str,
        operator: &'a str,
        value: &'a str,
        effect: &'a str,
    ) -> Toleration<'a> {
        Toleration {
            key: key.into(),
            operator: operator.into(),
            value: value.into(),
            effect: effect.into(),
            seconds: None,
        }
    }

    #[test]
    fn a_wide_toleration_needs_a_wide_grant() {
        for ((key, operator, value, effect), names) in [
            (("", "Exists", "", ""), &["*"][..]),
            (("", "Exists", "", "NoExecute"), &["*:NoExecute", "*"]),
            // An empty key matches every key whatever the operator; validation refuses it, we do not rely on that.
            (("", "Equal", "v", "NoExecute"), &["*:NoExecute", "*"]),
            (("k", "Exists", "", ""), &["k", "*"]),
            (
                ("k", "Exists", "", "NoSchedule"),
                &["k:NoSchedule", "k", "*:NoSchedule", "*"],
            ),
            (("k", "", "v", ""), &["k=v", "k", "*"]),
            (("k", "Equal", "", ""), &["k=", "k", "*"]),
            (
                ("k", "Lt", "5", "NoSchedule"),
                &["k:NoSchedule", "k", "*:NoSchedule", "*"],
            ),
            (("k", "Gt", "5", ""), &["k", "*"]),
            (("k", "NotIn", "5", "NoSchedule"), &["*"]),
            (("a.b/k", "", "v", ""), &["a.b/k=v", "a.b/k", "*"]),
        ] {
            let found = toleration(key, operator, value, effect).names().unwrap();
            assert_eq!(found, names, "{key} {operator} {value} {effect}");
        }
    }

    #[test]
    fn every_name_reads_back() {
        let all = toleration("example.org/gpu", "Equal", "a.b", "NoExecute")
            .names()
            .unwrap();
        let empty = toleration("k", "", "", "NoSchedule").names().unwrap();
        assert_eq!(all.len(), 6);
        for names in [all, empty] {
            for (index, name) in names.iter().enumerate() {
                let read = Toleration::named(name).unwrap();
                assert_eq!(read.names().unwrap()[0], *name);
                // What a name covers, all wider names cover.
                for wider in &names[index..] {
                    let covered = read.names().unwrap().contains(wider);
                    let key_over_effect =
                        name.starts_with('*') || !wider.starts_with("*:") || name.contains(':');
                    let value_over_effect = !wider.contains(':') || name.contains(':');
                    assert_eq!(
                        covered,
                        key_over_effect && value_over_effect,
                        "{name} {wider}"
                    );
                }
            }
        }
        for name in [
            "",
            ":",
            "=",
            "k:",
            "k:*",
            "k:Never",
            "=v",
            "*=v",
            "*:",
            "**",
            "k=v=w",
            "k:NoSchedule:NoSchedule",
            "a/b/c",
            "k ",
            "k=v:",
            " *",
        ] {
            assert!(Toleration::named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_is_built_of_validated_parts_only() {
        for (key, value, effect) in [
            ("k=v:NoSchedule", "", ""),
            ("k", "v:NoSchedule", ""),
            ("*", "", ""),
            ("A.b/k", "", ""),
            ("a/b/c", "", ""),
            ("/k", "", ""),
            ("k/", "", ""),
            ("-k", "", ""),
            ("k", "v ", ""),
            ("k", "", "NoSchedul"),
            ("k", "", "*"),
        ] {
            assert!(
                toleration(key, "", value, effect).names().is_err(),
                "{key} {value} {effect}"
            );
        }
        assert!(toleration(&"k".repeat(64), "", "", "").names().is_err());
        assert!(toleration("k", "", &"v".repeat(64), "").names().is_err());
    }
}
