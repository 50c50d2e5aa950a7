//! What must, or must not, be so that a field means something: `when` and `unless`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::BadEntry;
use crate::object::{FieldPath, Lost, Memo, Place, is_surely_something, text};

/// Something that must, or must not, be so: something stands at a path, or a text does. The path begins at the value of the
/// field if it begins with a dot, else at the object; as far as it goes the same way as that of the field, it goes through the
/// same items of lists and maps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(with = "Written")]
pub(super) struct Condition {
    /// Relative to the value of the field.
    pub(super) relative: bool,
    /// None: the value of the field itself.
    pub(super) path: Option<FieldPath>,
    /// The text that stands there; none: anything does.
    pub(super) is: Option<Box<str>>,
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
    expecting = "a text, a whole number, or true or false is meant"
)]
enum Scalar {
    Bool(bool),
    Number(i64),
    Text(Box<str>),
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
                    Scalar::Text(is) => is,
                    Scalar::Bool(is) => is.to_string().into(),
                    Scalar::Number(is) => is.to_string().into(),
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
                Some(is) => text(value).map_or(*value.get() == **is, |text| *text == **is),
            };
            if is_so {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
