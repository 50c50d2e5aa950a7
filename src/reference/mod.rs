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
    base: &'a str,
    parts: [Part<'a>; DEPTH],
}

/// How many parts a path has below its base: `volumes[0].projected.sources[1].serviceAccountToken.audience` has three.
const DEPTH: usize = 3;

/// Fields, with dots between them, and the index in the list that the last of them is.
type Part<'a> = (&'a str, Option<usize>);

impl<'a> Path<'a> {
    /// The path of `field` in the part of the object at `base`. Both may hold dots; an empty base is the object itself.
    pub const fn new(base: &'a str, field: &'a str) -> Self {
        let none = ("", None);
        Self {
            base,
            parts: [(field, None), none, none],
        }
    }

    /// The same path with a field below it. At most three fields can follow each other; more are left out.
    #[must_use]
    pub fn then(mut self, field: &'a str) -> Self {
        if let Some(free) = self.parts.iter_mut().find(|(held, _)| held.is_empty()) {
            *free = (field, None);
        }
        self
    }

    /// The same path into an entry of the list that it leads to.
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        if let Some((_, last)) = self.parts.iter_mut().rfind(|(held, _)| !held.is_empty()) {
            *last = Some(index);
        }
        self
    }

    /// The index that the path ends with.
    pub fn index(&self) -> Option<usize> {
        self.parts().last().and_then(|(_, index)| index)
    }

    fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        self.parts
            .into_iter()
            .filter(|(field, _)| !field.is_empty())
    }

    /// The path as keys and indices, to find it again in a parsed document.
    pub fn steps(&self) -> impl Iterator<Item = Step<'a>> {
        let keys = |dotted: &'a str| {
            dotted
                .split('.')
                .filter(|key| !key.is_empty())
                .map(Step::Key)
        };
        let below = self
            .parts()
            .flat_map(move |(field, index)| keys(field).chain(index.map(Step::Index)));
        keys(self.base).chain(below)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base)?;
        let mut dot = !self.base.is_empty();
        for (field, index) in self.parts() {
            if dot {
                f.write_str(".")?;
            }
            dot = true;
            f.write_str(field)?;
            index.map_or(Ok(()), |index| write!(f, "[{index}]"))?;
        }
        Ok(())
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
