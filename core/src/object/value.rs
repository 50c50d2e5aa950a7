//! What stands at one place of an object: whether it is anything, and whether it is text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::value::RawValue;

use super::seek::{BadObject, at, fields};
use crate::reference::Text;

/// Whether a value is more than an empty one. Members without content count for nothing, as in an update.
pub(crate) fn is_something(value: &RawValue) -> bool {
    let text = value.get();
    text != "false" && serde_json::from_str::<Hollow>(text).is_err()
}

/// The same where something hangs on it: an error if another reader could find nothing there, because a key stands there twice.
pub(crate) fn is_surely_something(value: &RawValue) -> Result<bool, BadObject> {
    let is = is_something(value);
    let mut open = vec![value];
    let mut found = !is;
    while let Some(value) = open.pop().filter(|_| !found) {
        if value.get().starts_with('{') {
            open.extend(fields(value)?.into_values());
        } else {
            found = serde_json::from_str::<Hollow>(value.get()).is_err();
        }
    }
    Ok(is)
}

/// `null`, an empty text or list, or a map that holds nothing else.
struct Hollow;

impl<'de> Deserialize<'de> for Hollow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Hollow {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        if text.is_empty() {
            Ok(self)
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        match items.next_element::<IgnoredAny>()? {
            None => Ok(self),
            Some(_) => Err(A::Error::invalid_length(1, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A value as text, if it is text and not empty.
pub(crate) fn text(value: &RawValue) -> Option<Text<'_>> {
    let text: Text<'_> = serde_json::from_str(value.get()).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The text at a key of an object; none if nothing stands there, or no character. An error if it is no text, or stands
/// there twice, or if that is no object.
pub(crate) fn key<'o>(object: &'o RawValue, key: &str) -> Result<Option<Text<'o>>, BadObject> {
    let text: Option<Text<'o>> = at(object, &[key.into()])?;
    Ok(text.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_reader_finds_and_another_does_not_is_an_error() {
        for (json, is, surely) in [
            ("null", false, Some(false)),
            ("\"\"", false, Some(false)),
            ("[]", false, Some(false)),
            ("false", false, Some(false)),
            (r#"{"a":{"b":""}}"#, false, Some(false)),
            ("0", true, Some(true)),
            (r#"{"a":{"b":"c"}}"#, true, Some(true)),
            (r#"{"b":"c","b":""}"#, true, None),
            (r#"{"a":{"b":"c","b":""}}"#, true, None),
            (r#"{"b":"","b":""}"#, false, Some(false)),
            (r#"{"b":false}"#, true, Some(true)),
        ] {
            let value = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(is_something(&value), is, "{json}");
            assert_eq!(is_surely_something(&value).ok(), surely, "{json}");
        }
    }
}
