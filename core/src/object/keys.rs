//! Keys of a pod spec that are written with other capitals than the API writes them: Go's `encoding/json` reads them all the same,
//! and no view does.

use std::{cell::Cell, collections::HashMap, sync::LazyLock};

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

/// Part of a pod spec: the keys that some view or table reads there, and what is below them.
#[derive(Debug, Default)]
struct Part {
    /// By how they are spelled in small letters.
    keys: HashMap<String, (String, Part)>,
    /// The items of the list, if it is one, or the values of a map with keys of any name.
    each: Option<Box<Part>>,
}

/// A pod spec, with every part that is read.
static POD_SPEC: LazyLock<Part> = LazyLock::new(|| {
    let token = "volumes[].projected.sources[]";
    let views = [
        (String::new(), keys_of::<PodSpec<'_>>()),
        ("tolerations[]".to_owned(), keys_of::<Toleration<'_>>()),
        ("volumes[]".to_owned(), keys_of::<Volume<'_>>()),
        ("volumes[].projected".to_owned(), keys_of::<Projected<'_>>()),
        (token.to_owned(), keys_of::<Source<'_>>()),
        (
            format!("{token}.serviceAccountToken"),
            keys_of::<TokenSource<'_>>(),
        ),
        (
            format!("{token}.podCertificate"),
            keys_of::<PodCertificateSource<'_>>(),
        ),
    ];
    let mut all = Part::default();
    for (path, keys) in views {
        let steps = path.split('.').filter(|step| !step.is_empty());
        let part = steps.fold(&mut all, |part, step| match step.strip_suffix("[]") {
            Some(list) => part.below(list).each.get_or_insert_default(),
            None => part.below(step),
        });
        for key in keys {
            part.below(key);
        }
    }
    for row in PATHS.iter() {
        row.path
            .steps()
            .iter()
            .fold(&mut all, |part, step| match step {
                Step::Key(key) => part.below(key),
                Step::Items | Step::Values => part.each.get_or_insert_default(),
            });
    }
    all
});

impl Part {
    fn below(&mut self, key: &str) -> &mut Self {
        let part = self.keys.entry(folded(key));
        &mut part.or_insert_with(|| (key.to_owned(), Self::default())).1
    }

    /// The first key that is not spelled as it should be, with the way to it.
    fn misspelled(&self, value: &Value) -> Option<String> {
        match value {
            Value::Object(map) => map.iter().find_map(|(key, value)| {
                let below = match self.keys.get(&folded(key)) {
                    Some((spelled, _)) if spelled != key => return Some(format!(".{key}")),
                    Some((_, part)) => part,
                    None => self.each.as_deref()?,
                };
                Some(format!(".{key}{}", below.misspelled(value)?))
            }),
            Value::Array(items) => {
                let each = self.each.as_deref()?;
                let mut items = items.iter().enumerate();
                items.find_map(|(index, item)| Some(format!("[{index}]{}", each.misspelled(item)?)))
            }
            _ => None,
        }
    }
}

/// The first key of a pod spec that has other capitals than the API gives it, with the way to it: `.tolerations[0].Key`.
pub(crate) fn misspelled(spec: &Value) -> Option<String> {
    POD_SPEC.misspelled(spec)
}

/// The same of whatever holds the fields of a pod spec, at any depth.
pub(crate) fn misspelled_anywhere(value: &Value) -> Option<String> {
    let below = |step: String, value| Some(format!("{step}{}", misspelled_anywhere(value)?));
    misspelled(value).or_else(|| match value {
        Value::Object(map) => map
            .iter()
            .find_map(|(key, value)| below(format!(".{key}"), value)),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| below(format!("[{index}]"), item))
        }
        _ => None,
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
    // From nothing it cannot be read.
    let _ = T::deserialize(Asked(&keys));
    keys.get()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_view_says_what_it_reads() {
        let views = [
            keys_of::<PodSpec<'_>>(),
            keys_of::<Toleration<'_>>(),
            keys_of::<Volume<'_>>(),
            keys_of::<Projected<'_>>(),
            keys_of::<Source<'_>>(),
            keys_of::<TokenSource<'_>>(),
            keys_of::<PodCertificateSource<'_>>(),
        ];
        assert!(views.iter().all(|keys| !keys.is_empty()), "{views:?}");
    }

    #[test]
    fn a_key_with_other_capitals_is_found_wherever_it_is_read() {
        for (spec, path) in [
            (json!({"ServiceAccountName": "a"}), ".ServiceAccountName"),
            (
                json!({"\u{17f}erviceAccount": "a"}),
                ".\u{17f}erviceAccount",
            ),
            (json!({"to\u{212a}en": 1, "nodename": "n"}), ".nodename"),
            (
                json!({"tolerations": [{}, {"TolerationSeconds": 1}]}),
                ".tolerations[1].TolerationSeconds",
            ),
            (
                json!({"volumes": [{"projected": {"sources": [{"serviceAccountToken": {"Audience": "a"}}]}}]}),
                ".volumes[0].projected.sources[0].serviceAccountToken.Audience",
            ),
            (
                json!({"volumes": [{"secret": {"SecretName": "s"}}]}),
                ".volumes[0].secret.SecretName",
            ),
            (
                json!({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"Name": "s"}}}]}]}),
                ".containers[0].env[0].valueFrom.secretKeyRef.Name",
            ),
        ] {
            assert_eq!(misspelled(&spec).as_deref(), Some(path), "{spec}");
            let held = json!([{"template": {"spec": spec}}]);
            let path = format!("[0].template.spec{path}");
            assert_eq!(misspelled_anywhere(&held), Some(path), "{held}");
            assert_eq!(misspelled(&held), None);
        }
        // Names of labels, of resources and of whatever a later Kubernetes has are nobody's affair.
        for spec in [
            json!({"nodeSelector": {"Name": "a", "Key": "b"}, "hostnameOverride": "h", "Later": [{"Key": 1}]}),
            json!({"containers": [{"name": "c", "resources": {"limits": {"Secret": 1}}}], "tolerations": [null]}),
            json!({"metadata": {"labels": {"Name": "a", "Path": "b"}}}),
        ] {
            assert_eq!(misspelled_anywhere(&spec), None, "{spec}");
        }
    }
}
