//! The nouns: who asks, what is named, and which names answer for it.
//!
//! This room knows nobody: no JSON documents, no configuration, no cluster.

mod check;
mod requester;
mod target;
mod text;
mod toleration;

pub use check::Check;
pub use requester::{Account, Requester};
pub use target::{Question, Resource, Target};
pub(crate) use text::OneLine;
pub use text::Text;
pub use toleration::{Malformed, Toleration};

use std::fmt;

/// A field of an object that names something else.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    /// The check that this field belongs to: it decides the mode.
    pub check: Check,
    /// Where the field stands.
    pub path: Path<'a>,
    /// What it names.
    pub target: Target<'a>,
}

/// Where a field stands in its object, as `kubectl explain` writes it: `spec.tolerations[1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// Path of the part that holds the field, with dots; empty for the object itself.
    pub base: &'a str,
    /// The field.
    pub field: &'a str,
    /// The index, where the field is a list.
    pub index: Option<usize>,
}

impl Path<'_> {
    /// The path as keys and indices, to find it again in a parsed document.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.base
            .split('.')
            .chain([self.field])
            .filter(|key| !key.is_empty())
            .map(Step::Key)
            .chain(self.index.map(Step::Index))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.base.is_empty() {
            write!(f, "{}.", self.base)?;
        }
        f.write_str(self.field)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

/// One step of a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into the entry of this list.
    Index(usize),
    /// Into the value of this key.
    Key(&'a str),
}
