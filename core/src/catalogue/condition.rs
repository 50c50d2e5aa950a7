//! What must, or must not, be so that a field means something: `when` and `unless`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::BadEntry;
use crate::{
    object::{BadObject, FieldPath, Lost, Memo, Place, fields, is_surely_something, parse, text},
    reference::Text,
};

/// Something that must, or must not, be so: something stands at a path, or a text does, or one that begins in a certain way, or
/// a map with a certain sort of key. The path begins at the value of the field if it begins with a dot, else at the object; as
/// far as it goes the same way as that of the field, it goes through the same items of lists and maps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(with = "Written")]
pub(super) struct Condition {
    /// Relative to the value of the field.
    pub(super) relative: bool,
    /// None: the value of the field itself.
    pub(super) path: Option<FieldPath>,
    /// What stands there; none: anything does.
    pub(super) is: Option<Is>,
}

/// What stands at the path of a condition.
#[derive(Debug)]
pub(super) enum Is {
    Text(Box<str>),
    Part(Part),
}

/// What only a part of is known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Part {
    /// A text that begins with this.
    Begins(Box<str>),
    /// A map, and one of its keys holds this.
    KeyHolds(Box<str>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a condition is a path, as spec.name, or a map of one path to what must stand there, as {spec.kind: Job}"
)]
enum Written {
    Is(BTreeMap<String, Scalar>),
    There(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a text, a whole number, or true or false is meant, or {begins: a text}, or {keyHolds: a text}"
)]
enum Scalar {
    Bool(bool),
    Number(i64),
    Text(Box<str>),
    Part(Part),
}

impl TryFrom<Written> for Condition {
    type Error = BadEntry;

    fn try_from(written: Written) -> Result<Self, BadEntry> {
        let (path, is) = match written {
            Written::There(path) => (path, None),
            Written::Is(map) => {
                let mut map = map.into_iter();
                let (Some((path, is)), None) = (map.next(), map.next()) else {
                    return Err(BadEntry::Condition);
                };
                let is = match is {
                    Scalar::Text(is) => Is::Text(is),
                    Scalar::Bool(is) => Is::Text(is.to_string().into()),
                    Scalar::Number(is) => Is::Text(is.to_string().into()),
                    Scalar::Part(part) => Is::Part(part),
                };
                (path, Some(is))
            }
        };
        let relative = path.starts_with('.');
        let path = match path.strip_prefix('.').unwrap_or(&path) {
            // A dot alone is the value itself.
            "" => None,
            path => Some(FieldPath::try_from(path.to_owned())?),
        };
        Ok(Self { relative, path, is })
    }
}

impl Condition {
    /// Whether it may be another one at each place that the path of its field leads to.
    pub(super) fn is_of_place(&self, field: &FieldPath) -> bool {
        let path = self.path.as_ref();
        self.relative || path.is_some_and(|path| path.shares_items(field))
    }

    /// Whether it is so; at a place, for what is another one at each place.
    pub(super) fn holds<'o>(
        &self,
        object: &'o RawValue,
        field: &FieldPath,
        place: Option<&Place<'o>>,
        memo: &Memo<'o>,
    ) -> Result<bool, Lost> {
        let value = place.and_then(|place| place.value);
        let places = match (&self.path, self.relative, place) {
            (None, ..) => place.cloned().into_iter().collect(),
            (Some(path), true, _) => match value {
                Some(value) => path.find(value, memo)?,
                None => Vec::new(),
            },
            (Some(path), false, Some(place)) => path.find_beside(object, field, place, memo)?,
            (Some(path), false, None) => path.find(object, memo)?,
        };
        for value in places.into_iter().filter_map(|place| place.value) {
            let is_so = match &self.is {
                None => is_surely_something(value)?,
                Some(Is::Text(is)) => {
                    text(value).map_or(*value.get() == **is, |text| *text == **is)
                }
                Some(Is::Part(part)) => part.is_of(value)?,
            };
            if is_so {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Part {
    /// Whether it is a part of this value. Nobody can tell of a text, or of a map, that cannot be read.
    fn is_of(&self, value: &RawValue) -> Result<bool, BadObject> {
        Ok(match self {
            Self::Begins(start) if value.get().starts_with('"') => {
                parse::<Text<'_>>(value)?.starts_with(&**start)
            }
            Self::KeyHolds(part) if value.get().starts_with('{') => {
                fields(value)?.keys().any(|key| key.contains(&**part))
            }
            Self::Begins(_) | Self::KeyHolds(_) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_cannot_be_read_nobody_can_tell_a_part() {
        let begins = || Part::Begins("-".into());
        let holds = || Part::KeyHolds("=".into());
        for (part, value, is) in [
            (begins(), r#""-a""#, Some(true)),
            (begins(), r#""\u002da""#, Some(true)),
            (begins(), r#""a-""#, Some(false)),
            (begins(), r#""""#, Some(false)),
            (begins(), "null", Some(false)),
            (begins(), r#"["-"]"#, Some(false)),
            (begins(), r#""-\ud800""#, None),
            (holds(), r#"{"a=b":1}"#, Some(true)),
            (holds(), r#"{"a\u003db":1}"#, Some(true)),
            (holds(), r#"{"a":"="}"#, Some(false)),
            (holds(), r#""=""#, Some(false)),
            (holds(), r#"{"a=b":1,"a=b":2}"#, None),
        ] {
            let value: &RawValue = serde_json::from_str(value).unwrap();
            assert_eq!(part.is_of(value).ok(), is, "{part:?}: {value}");
        }
    }
}
