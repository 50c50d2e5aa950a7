//! The keys that views of objects read, and whoever reads them without regard to capital letters.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use serde::{
    Deserialize, Deserializer, de,
    de::{Error as _, Visitor},
    forward_to_deserialize_any,
};
use serde_json::Value;

use super::{
    field_path::Step,
    listed::PATHS,
    pod::PodSpec,
    projection::{PodCertificateSource, Projected, Source, TokenSource, Volume},
};
use crate::reference::Toleration;

/// Every key of a pod spec, and below, that some view or table reads, by how it is spelled without regard to capital letters.
static KEYS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let views = [
        keys_of::<PodSpec<'_>>(),
        keys_of::<Toleration<'_>>(),
        keys_of::<Volume<'_>>(),
        keys_of::<Projected<'_>>(),
        keys_of::<Source<'_>>(),
        keys_of::<TokenSource<'_>>(),
        keys_of::<PodCertificateSource<'_>>(),
    ];
    let steps = PATHS.iter().flat_map(|row| row.path.steps());
    let steps = steps.filter_map(|step| match step {
        Step::Key(key) => Some(&**key),
        Step::Items | Step::Values => None,
    });
    let keys = views.into_iter().flatten().copied().chain(steps);
    keys.map(|key| (folded(key), key)).collect()
});

/// Spells the keys of an object as the API does, at any depth, for whoever reads it without regard to capital letters, as Go's
/// `encoding/json` does. An error names a key that is there twice then: nobody can tell which of them counts.
pub(crate) fn spelled(value: Value) -> Result<Value, String> {
    Ok(match value {
        Value::Object(map) => {
            let mut seen = HashSet::new();
            let mut known = serde_json::Map::new();
            for (key, value) in map {
                let folded = folded(&key);
                let spelling = KEYS.get(&folded).map(|key| (*key).to_owned());
                if spelling.is_some() && !seen.insert(folded) {
                    return Err(key);
                }
                known.insert(spelling.unwrap_or(key), spelled(value)?);
            }
            Value::Object(known)
        }
        Value::Array(items) => {
            let items: Result<_, _> = items.into_iter().map(spelled).collect();
            Value::Array(items?)
        }
        value => value,
    })
}

/// As `encoding/json` compares: two letters beyond ASCII are taken for one of it.
fn folded(key: &str) -> String {
    let fold = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    key.chars().map(fold).collect()
}

/// The keys that a view reads.
fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    struct Asked<'k>(&'k Cell<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = de::value::Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            self.0.set(fields);
            Err(Self::Error::custom("only the keys are asked for"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("no view of an object"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let keys = Cell::default();
    // It cannot be read, from nothing.
    let _ = T::deserialize(Asked(&keys));
    keys.get()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_view_of_a_pod_spec_says_what_it_reads() {
        for key in [
            "serviceAccountName",
            "serviceAccount",
            "tolerations",
            "tolerationSeconds",
            "expirationSeconds",
            "signerName",
            "sources",
            "secretKeyRef",
            "matchFields",
            "nodeSelector",
        ] {
            assert_eq!(KEYS.get(&key.to_lowercase()), Some(&key));
        }
        // Two keys of one spelling would hide each other.
        let spelled: HashSet<&str> = KEYS.values().copied().collect();
        assert_eq!(spelled.len(), KEYS.len());
    }

    #[test]
    fn keys_are_spelled_as_the_api_does() {
        let value = json!({"\u{17f}erviceaccountname": "a", "Tolerations": [{"OPERATOR": "Exists"}], "Other": 1,
            "Volumes": [{"Secret": {"secretname": "s"}}]});
        let said = json!({"serviceAccountName": "a", "tolerations": [{"operator": "Exists"}], "Other": 1,
            "volumes": [{"secret": {"secretName": "s"}}]});
        assert_eq!(spelled(value), Ok(said));
        let twice = json!({"spec": [{"nodeName": "a", "NODENAME": "b"}]});
        assert!(spelled(twice).is_err());
        let other = json!({"A": 1, "a": 2});
        assert_eq!(spelled(other.clone()), Ok(other));
    }
}
