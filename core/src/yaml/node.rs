//! The tree of a document.

use std::{borrow::Cow, rc::Rc};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{Number, Position};
use crate::reference::Step;

/// A value of a document, and where it stands.
#[derive(Clone, Debug)]
pub struct Node<'t> {
    /// Where it stands. An alias stands where it is written, its content where the anchor is.
    pub place: Place,
    /// What it is.
    pub value: Value<'t>,
}

/// A piece of a text. Small, since every value has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The first byte.
    pub start: u32,
    /// The byte behind the last one.
    pub end: u32,
    /// The line of the first byte, from 1.
    pub line: u32,
    /// The character of the first byte in its line, from 1.
    pub column: u32,
}

/// A value as JSON has them.
#[derive(Clone, Debug)]
pub enum Value<'t> {
    /// A boolean.
    Bool(bool),
    /// A list.
    List(Vec<Node<'t>>),
    /// A map; every key stands there once.
    Map(Vec<Entry<'t>>),
    /// Nothing.
    Null,
    /// A number.
    Number(Number),
    /// An anchored value, or an alias of one.
    Shared(Rc<Node<'t>>),
    /// A text.
    Text(Cow<'t, str>),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Entry<'t> {
    /// The key.
    pub key: Cow<'t, str>,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub value: Node<'t>,
}

impl Place {
    /// Line and column.
    pub fn position(self) -> Position {
        let wide = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Position {
            line: wide(self.line),
            column: wide(self.column),
        }
    }
}

impl<'t> Node<'t> {
    /// The content, through aliases.
    pub(crate) fn value(&self) -> &Value<'t> {
        let mut value = &self.value;
        while let Value::Shared(node) = value {
            value = &node.value;
        }
        value
    }

    /// The entry of a key, if this is a map that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry<'t>> {
        match self.value() {
            Value::Map(entries) => entries.iter().find(|entry| *entry.key == *key),
            _ => None,
        }
    }

    /// The value of a key, if this is a map that has it.
    pub(crate) fn at(&self, key: &str) -> Option<&Node<'t>> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.value() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing here.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value(), Value::Null)
    }

    /// Where the steps lead: the value, and whether it is there. If it is not, the key of the last part on the way
    /// that is.
    pub fn find<'s>(&self, steps: impl Iterator<Item = Step<'s>>) -> (Place, bool) {
        let mut node = self;
        let mut place = self.place;
        for step in steps {
            let next = match step {
                Step::Key(key) => node.entry(key).map(|entry| (entry.place, &entry.value)),
                Step::Index(index) => match node.value() {
                    Value::List(items) => items.get(index).map(|item| (item.place, item)),
                    _ => None,
                },
            };
            let Some((key, value)) = next else {
                return (place, false);
            };
            place = key;
            node = value;
        }
        if node.is_null() {
            (place, false)
        } else {
            (node.place, true)
        }
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(self)
    }

    /// The innermost value that holds this byte of what [`Node::to_json`] gives, counted from 0.
    pub fn at_json(&self, byte: usize) -> Place {
        fn length(value: &impl Serialize) -> usize {
            serde_json::to_string(value).map_or(0, |json| json.len())
        }
        let mut node = self;
        let mut start = 0;
        'inner: loop {
            start += 1;
            match node.value() {
                Value::List(items) => {
                    for item in items {
                        let end = start + length(item);
                        if (start..end).contains(&byte) {
                            node = item;
                            continue 'inner;
                        }
                        start = end + 1;
                    }
                }
                Value::Map(entries) => {
                    for entry in entries {
                        let value = start + length(&entry.key) + 1;
                        let end = value + length(&entry.value);
                        if (value..end).contains(&byte) {
                            node = &entry.value;
                            start = value;
                            continue 'inner;
                        }
                        start = end + 1;
                    }
                }
                _ => {}
            }
            return node.place;
        }
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::List(items) => items.serialize(serializer),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for Entry { key, value, .. } in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Value::Null => serializer.serialize_unit(),
            Value::Number(number) => number.serialize(serializer),
            Value::Shared(node) => node.serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A whole number is written without a point, however it was written in the manifest: `300.0` seconds are 300.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Integer(number) => serializer.serialize_i64(number),
            #[expect(clippy::cast_possible_truncation, reason = "the bound makes it exact")]
            Self::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                serializer.serialize_i64(number as i64)
            }
            Self::Real(number) => serializer.serialize_f64(number),
        }
    }
}
