//! Parts of an object by their keys, read without looking at the rest.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess},
};
use serde_json::value::RawValue;

use super::strict::Strict;
use crate::reference::Text;

/// A part of an object is not what the API says it is.
#[derive(Debug, thiserror::Error)]
#[error("the object cannot be read: {0}")]
pub struct BadObject(#[from] serde_json::Error);

impl BadObject {
    /// What is wrong, and how many bytes of the text lead up to it, if the text is one line.
    pub fn detail(&self) -> (String, usize) {
        let (what, line, column) = (self.0.to_string(), self.0.line(), self.0.column());
        let place = format!(" at line {line} column {column}");
        (what.replacen(&place, "", 1), column)
    }
}

/// Reads an object as a view: only the fields that the view names, borrowed from the text. What the view does not
/// name is skipped, however deep it nests.
pub fn parse<'a, T: Deserialize<'a>>(object: &'a RawValue) -> Result<T, BadObject> {
    let json = &mut serde_json::Deserializer::from_str(object.get());
    Ok(T::deserialize(Strict(json))?)
}

/// Reads the part of an object at a path of keys. `None` if a key on the way is absent or `null`; an error if it
/// stands there twice, or if the way does not lead through maps.
pub fn at<'a, T: Deserialize<'a>>(
    object: &'a RawValue,
    keys: &[Box<str>],
) -> Result<Option<T>, BadObject> {
    let (found, _) = at_beside::<T, IgnoredAny>(object, keys, "")?;
    Ok(found)
}

/// The same, and what stands beside the first of the keys under another one, in one walk. `None` as well if that is absent or
/// `null`, and an error if it stands there twice.
pub(crate) fn at_beside<'a, T: Deserialize<'a>, B: Deserialize<'a>>(
    object: &'a RawValue,
    keys: &[Box<str>],
    key: &str,
) -> Result<(Option<T>, Option<B>), BadObject> {
    let mut beside = Beside {
        key,
        is_met: false,
        value: None,
    };
    let seek = Seek {
        keys,
        beside: Some(&mut beside).filter(|_| !key.is_empty()),
        found: PhantomData,
    };
    let json = &mut serde_json::Deserializer::from_str(object.get());
    let found = seek.deserialize(Strict(json))?;
    Ok((found, beside.value))
}

/// Takes an object apart, field by field. An error if a field stands there twice.
pub fn fields(object: &RawValue) -> Result<BTreeMap<Text<'_>, &RawValue>, BadObject> {
    struct Fields;

    impl<'de> de::Visitor<'de> for Fields {
        type Value = BTreeMap<Text<'de>, &'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<Text<'de>, _>()? {
                if fields.contains_key(&key) {
                    return Err(twice(&key));
                }
                fields.insert(key, value);
            }
            Ok(fields)
        }
    }

    let json = &mut serde_json::Deserializer::from_str(object.get());
    Ok(json.deserialize_map(Fields)?)
}

fn twice<E: de::Error>(key: &str) -> E {
    E::custom(format_args!("\"{key}\" stands there twice"))
}

/// Another key beside the first one, and its value.
struct Beside<'k, B> {
    key: &'k str,
    is_met: bool,
    value: Option<B>,
}

struct Seek<'k, 'b, T, B> {
    keys: &'k [Box<str>],
    beside: Option<&'b mut Beside<'k, B>>,
    found: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, B: Deserialize<'de>> DeserializeSeed<'de> for Seek<'_, '_, T, B> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.keys.is_empty() {
            Option::<T>::deserialize(deserializer)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de, T: Deserialize<'de>, B: Deserialize<'de>> de::Visitor<'de> for Seek<'_, '_, T, B> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((first, rest)) = self.keys.split_first() else {
            return Ok(None);
        };
        let mut found = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if *key != **first {
                match &mut self.beside {
                    Some(beside) if *key == *beside.key => {
                        if std::mem::replace(&mut beside.is_met, true) {
                            return Err(twice(&key));
                        }
                        beside.value = map.next_value()?;
                    }
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                continue;
            }
            let seek = Seek::<T, B> {
                keys: rest,
                beside: None,
                found: PhantomData,
            };
            if found.replace(map.next_value_seed(seek)?).is_some() {
                return Err(twice(first));
            }
        }
        Ok(found.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seek(json: &str, path: &str) -> Result<Option<u8>, String> {
        let object: &RawValue = serde_json::from_str(json).unwrap();
        let keys: Vec<Box<str>> = path.split('.').map(Box::from).collect();
        at(object, &keys).map_err(|e| e.to_string())
    }

    #[test]
    fn finds_the_part_or_says_why_not() {
        let deep = format!(
            r#"{{"x":{}{},"a":{{"b":1}}}}"#,
            "[".repeat(5000),
            "]".repeat(5000)
        );
        assert_eq!(seek(&deep, "a.b"), Ok(Some(1)));
        assert_eq!(seek(r#"{"a":{"c":1}}"#, "a.b"), Ok(None));
        assert_eq!(seek(r#"{"a":null}"#, "a.b"), Ok(None));
        assert_eq!(seek(r#"{"a":{"b":null}}"#, "a.b"), Ok(None));
        assert_eq!(seek("null", "a.b"), Ok(None));
        assert!(seek(r#"{"a":[1]}"#, "a.b").is_err());
        assert!(seek(r#"{"a":{"b":"x"}}"#, "a.b").is_err());
        assert!(
            seek(r#"{"a":null,"a":{"b":1}}"#, "a.b")
                .unwrap_err()
                .contains("twice")
        );
        assert!(
            seek(r#"{"a":{"b":1},"a":{}}"#, "a.b")
                .unwrap_err()
                .contains("twice")
        );
    }

    #[test]
    fn an_object_is_taken_apart_once() {
        let take = |json| fields(serde_json::from_str(json).unwrap());
        let object = take(r#"{"b":[1, 2],"a":null,"":{}}"#).unwrap();
        let texts: Vec<_> = object.iter().map(|(k, v)| (&**k, v.get())).collect();
        assert_eq!(texts, [("", "{}"), ("a", "null"), ("b", "[1, 2]")]);
        for (json, why) in [
            (r#"{"a":1,"\u0061":1}"#, "twice"),
            ("[]", "invalid type"),
            ("null", "invalid type"),
        ] {
            let error = take(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }

    #[test]
    fn a_list_is_never_an_object() {
        #[derive(Debug, Deserialize)]
        struct View<'a> {
            #[serde(borrow)]
            name: Text<'a>,
            #[serde(borrow, default)]
            held: Option<Vec<View<'a>>>,
            #[serde(default)]
            inner: Option<Box<View<'a>>>,
        }

        let good: &RawValue = serde_json::from_str(
            r#"{"name":"a","held":[{"name":"b"}],"inner":{"name":"c","x":[["y"]]}}"#,
        )
        .unwrap();
        let view: View<'_> = parse(good).unwrap();
        assert_eq!(&*view.name, "a");
        assert_eq!(&*view.held.unwrap()[0].name, "b");
        assert_eq!(&*view.inner.unwrap().name, "c");
        for json in [
            r#"["a"]"#,
            r#"{"name":"a","held":[["b"]]}"#,
            r#"{"name":"a","held":{"name":"b"}}"#,
            r#"{"name":"a","inner":["b"]}"#,
            r#"{"name":["a"]}"#,
        ] {
            let object: &RawValue = serde_json::from_str(json).unwrap();
            let why = parse::<View<'_>>(object).unwrap_err().to_string();
            assert!(why.contains("invalid type"), "{json}: {why}");
            let keys: Box<str> = "a".into();
            let outer = RawValue::from_string(format!(r#"{{"a":{json}}}"#)).unwrap();
            assert!(at::<View<'_>>(&outer, &[keys]).is_err(), "{json}");
        }
    }
}
