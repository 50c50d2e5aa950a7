//! The nouns: who asks, what is named, and which names answer for it.
//!
//! This room knows nobody: no JSON documents, no configuration, no cluster.

mod check;
mod names;
mod pattern;
mod question;
mod requester;
mod resource;
mod shown;
mod target;
mod text;
pub mod token;
mod toleration;

pub use check::{Check, Mode};
pub use names::{is_dns_label, is_object_name};
pub use pattern::{BadPattern, Pattern};
pub use question::Question;
pub use requester::{Account, Requester};
pub use resource::{Known, Names, Resource};
pub(crate) use shown::Shown;
pub use shown::shown;
pub use target::Target;
pub use text::Text;
pub use toleration::{Malformed, Toleration};

use std::{borrow::Cow, fmt};

/// A field of an object that names something else.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    /// The check that this field belongs to: it decides the mode.
    pub check: Check,
    /// Where the field stands.
    pub path: Path<'a>,
    /// What it names.
    pub target: Target<'a>,
    /// Where the target is, if not in the namespace of the object that names it.
    pub namespace: Option<Text<'a>>,
}

impl Reference<'_> {
    /// The same reference at another path, with a life of its own.
    pub fn into_owned(self, path: String) -> Reference<'static> {
        Reference {
            check: self.check,
            path: Path::new(path, ""),
            target: match self.target {
                Target::Object { resource, name } => Target::Object {
                    resource,
                    name: name.into_owned(),
                },
                Target::Taints(toleration) => Target::Taints(toleration.into_owned()),
            },
            namespace: self.namespace.map(Text::into_owned),
        }
    }
}

/// Where a field stands in its object, as `kubectl explain` writes it: `spec.tolerations[1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    base: Cow<'a, str>,
    parts: [Part<'a>; DEPTH],
}

/// How many parts a path has below its base: `volumes[0].projected.sources[1].serviceAccountToken.audience` has three.
const DEPTH: usize = 3;

/// Fields, with dots between them, and the index in the list that the last of them is.
type Part<'a> = (&'a str, Option<usize>);

impl<'a> Path<'a> {
    /// The path of `field` in the part of the object at `base`. Both may hold dots; an empty base is the object itself.
    pub fn new(base: impl Into<Cow<'a, str>>, field: &'a str) -> Self {
        let none = ("", None);
        Self {
            base: base.into(),
            parts: [(field, None), none, none],
        }
    }

    /// The same path with a field below it. At most three fields can follow each other; more are left out.
    #[must_use]
    pub fn then(&self, field: &'a str) -> Self {
        let mut path = self.clone();
        if let Some(free) = path.parts.iter_mut().find(|(held, _)| held.is_empty()) {
            *free = (field, None);
        }
        path
    }

    /// The same path into an entry of the list that it leads to.
    #[must_use]
    pub fn at(&self, index: usize) -> Self {
        let mut path = self.clone();
        if let Some((_, last)) = path.parts.iter_mut().rfind(|(held, _)| !held.is_empty()) {
            *last = Some(index);
        }
        path
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
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let below = self
            .parts()
            .flat_map(|(field, index)| steps(field).chain(index.map(Step::Index)));
        steps(&self.base).chain(below)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
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

/// The steps of a text such as `spec.triggers[1].metadata` or `metadata.annotations["example.org/a.b"]`.
fn steps(dotted: &str) -> impl Iterator<Item = Step<'_>> {
    let mut rest = dotted;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, after) = quoted.split_once("\"]")?;
            rest = after;
            return Some(Step::Key(key));
        }
        if let Some(index) = rest.strip_prefix('[') {
            let (index, after) = index.split_once(']')?;
            rest = after;
            return index.parse().ok().map(Step::Index);
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (key, after) = rest.split_at_checked(end)?;
        rest = after;
        (!key.is_empty()).then_some(Step::Key(key))
    })
}

/// One step of a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into the entry of this list.
    Index(usize),
    /// Into the value of this key.
    Key(&'a str),
}
