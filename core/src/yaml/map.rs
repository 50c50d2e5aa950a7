//! Maps: keys are text, none stands there twice, `<<` merges.

use std::{borrow::Cow, collections::HashMap};

use super::{Entry, Node, Place, Value, scalar::Scalar};

/// Builds a map: keys become text, no key stands there twice, and `<<` brings in other maps.
#[derive(Debug, Default)]
pub(super) struct MapBuilder<'t> {
    entries: Vec<Entry<'t>>,
    merge: Option<Merge<'t>>,
    key: Option<(Key<'t>, Place)>,
}

#[derive(Debug)]
struct Merge<'t> {
    place: Place,
    value: Node<'t>,
    /// How many entries stand before it.
    after: usize,
}

#[derive(Debug)]
pub(super) enum Key<'t> {
    Merge,
    Text(Cow<'t, str>),
}

/// What is wrong with a map, and where.
pub(super) type Wrong = (Place, String);

impl<'t> Key<'t> {
    /// The text that JSON has for a key (`sigs.k8s.io/yaml`, `convertToJSONableObject`).
    pub(super) fn of(scalar: Scalar<'t>) -> Result<Self, String> {
        Ok(Self::Text(match scalar {
            Scalar::Bool(value) => if value { "true" } else { "false" }.into(),
            Scalar::Null => return Err("a key may not be empty or null: quote it".to_owned()),
            Scalar::Number(number) => number.to_string().into(),
            Scalar::Text(text) => text,
        }))
    }

    /// As [`Key::of`], for an alias that stands as a key.
    pub(super) fn of_node(node: &Node<'t>) -> Result<Self, String> {
        Self::of(match node.value() {
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Null => Scalar::Null,
            Value::Number(number) => Scalar::Number(*number),
            Value::Text(text) => Scalar::Text(text.clone()),
            Value::List(_) | Value::Map(_) | Value::Shared(_) => return Err(NO_KEY.to_owned()),
        })
    }
}

pub(super) const NO_KEY: &str = "a list or a map cannot be a key: JSON has only text keys";

impl<'t> MapBuilder<'t> {
    /// Whether the next node is a key.
    pub(super) fn wants_key(&self) -> bool {
        self.key.is_none()
    }

    pub(super) fn key(&mut self, key: Key<'t>, place: Place) {
        self.key = Some((key, place));
    }

    pub(super) fn value(&mut self, value: Node<'t>) -> Result<(), Wrong> {
        match self.key.take() {
            None => Err((value.place, NO_KEY.to_owned())),
            Some((Key::Text(key), place)) => {
                self.entries.push(Entry { key, place, value });
                Ok(())
            }
            Some((Key::Merge, place)) if self.merge.is_some() => Err((place, twice("<<"))),
            Some((Key::Merge, place)) => {
                self.merge = Some(Merge {
                    place,
                    value,
                    after: self.entries.len(),
                });
                Ok(())
            }
        }
    }

    /// The map. A merged entry gives way to one that is written behind it.
    pub(super) fn finish(mut self) -> Result<Vec<Entry<'t>>, Wrong> {
        distinct(&self.entries)?;
        let Some(merge) = self.merge else {
            // Most maps are small, and a vector starts with room for four.
            self.entries.shrink_to_fit();
            return Ok(self.entries);
        };
        let mut known: HashMap<&str, Option<usize>> = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            known.insert(&entry.key, Some(index));
        }
        let mut merged: Vec<Entry<'t>> = Vec::new();
        for entry in sources(&merge)?.into_iter().flatten() {
            match known.get(&*entry.key) {
                // kubectl takes the merged value here, newer readers the written one.
                Some(Some(index)) if *index < merge.after => {
                    let what = format!(
                        "\"<<\" brings the key \"{}\" a second time, and programs disagree which one \
                         counts: write \"<<\" before the other keys",
                        entry.key
                    );
                    return Err((merge.place, what));
                }
                Some(_) => {}
                None => {
                    known.insert(&entry.key, None);
                    merged.push(entry.clone());
                }
            }
        }
        self.entries.append(&mut merged);
        Ok(self.entries)
    }
}

/// The maps that `<<` names, the one that wins first.
fn sources<'n, 't>(merge: &'n Merge<'t>) -> Result<Vec<&'n [Entry<'t>]>, Wrong> {
    let map = |node: &'n Node<'t>| match node.value() {
        Value::Map(entries) => Ok(entries.as_slice()),
        _ => Err((
            merge.place,
            "\"<<\" merges a map, or a list of maps, and nothing else".to_owned(),
        )),
    };
    match merge.value.value() {
        Value::List(items) => items.iter().map(map).collect(),
        _ => Ok(vec![map(&merge.value)?]),
    }
}

fn distinct(entries: &[Entry<'_>]) -> Result<(), Wrong> {
    let mut sorted: Vec<&Entry<'_>> = entries.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let same = |pair: &&[&Entry<'_>]| matches!(pair, [a, b] if a.key == b.key);
    match sorted.windows(2).find(same) {
        Some([_, second]) => Err((second.place, twice(&second.key))),
        _ => Ok(()),
    }
}

fn twice(key: &str) -> String {
    format!("the key \"{key}\" stands there twice: remove one of them")
}
