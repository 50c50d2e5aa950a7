//! Paths with dots, as `kubectl explain` writes them: where a field stands in its object, and how any such text is read and
//! written.

use std::{borrow::Cow, fmt};

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
    pub(crate) fn then(&self, field: &'a str) -> Self {
        let mut path = self.clone();
        if let Some(free) = path.parts.iter_mut().find(|(held, _)| held.is_empty()) {
            *free = (field, None);
        }
        path
    }

    /// The same path into an entry of the list that it leads to.
    #[must_use]
    pub(crate) fn at(&self, index: usize) -> Self {
        let mut path = self.clone();
        if let Some((_, last)) = path.parts.iter_mut().rfind(|(held, _)| !held.is_empty()) {
            *last = Some(index);
        }
        path
    }

    /// The index that the path ends with.
    pub(crate) fn index(&self) -> Option<usize> {
        self.parts().last().and_then(|(_, index)| index)
    }

    fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        self.parts
            .into_iter()
            .filter(|(field, _)| !field.is_empty())
    }

    /// The path as keys and indices, to find it again in a parsed document. It ends before what cannot be one place.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let below = self
            .parts()
            .flat_map(|(field, index)| read(field).chain(index.map(|at| Some(Written::Index(at)))));
        read(&self.base).chain(below).map_while(|step| match step? {
            Written::Index(index) => Some(Step::Index(index)),
            Written::Key(key) => Some(Step::Key(key)),
            Written::Items | Written::Values => None,
        })
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

/// One step of a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into the entry of this list.
    Index(usize),
    /// Into the value of this key.
    Key(&'a str),
}

/// One step of a text such as `spec.triggers[1].metadata`, `metadata.annotations["example.org/a.b"]` or `spec.jobs[].*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written<'t> {
    /// `[1]`
    Index(usize),
    /// `[]`
    Items,
    /// `.key`, or `["key"]` where it holds a dot.
    Key(&'t str),
    /// `.*`
    Values,
}

/// Reads a text step by step; at what is none it gives `None`, and then nothing more.
pub(crate) fn read(text: &str) -> impl Iterator<Item = Option<Written<'_>>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let first = rest.len() == text.len();
        let step = step(rest, first);
        rest = step.map_or("", |(_, after)| after);
        Some(step.map(|(step, _)| step))
    })
}

fn step(text: &str, first: bool) -> Option<(Written<'_>, &str)> {
    if let Some(quoted) = text.strip_prefix("[\"") {
        let (key, after) = quoted.split_once("\"]")?;
        return Some((Written::Key(key), after));
    }
    if let Some(inside) = text.strip_prefix('[') {
        let (index, after) = inside.split_once(']')?;
        let step = match index {
            "" => Written::Items,
            index => Written::Index(index.parse().ok()?),
        };
        return Some((step, after));
    }
    let text = match text.strip_prefix('.') {
        Some(after) => after,
        None if first => text,
        None => return None,
    };
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (key, after) = text.split_at_checked(end)?;
    match key {
        "*" => Some((Written::Values, after)),
        "" => None,
        key if key.contains(['*', ']', '"', ' ']) => None,
        key => Some((Written::Key(key), after)),
    }
}

/// Writes a key behind a path, quoted where it would otherwise read as something else.
pub(crate) fn write_key(path: &mut String, key: &str) {
    if !key.is_empty() && !key.contains(['.', '[', ']', '*', '"', '/', ' ']) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push_str("[\"");
        path.push_str(key);
        path.push_str("\"]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for keys in [
            &["spec"][..],
            &["spec", "a.b", "c"],
            &["metadata", "annotations", "example.org/a.b"],
            &["a b", "*", "[]", "x\"y", "", "z"],
        ] {
            let mut text = String::new();
            for key in keys {
                write_key(&mut text, key);
            }
            let read: Vec<_> = read(&text).collect();
            let keys: Vec<_> = keys.iter().map(|key| Some(Written::Key(key))).collect();
            assert_eq!(read, keys, "{text}");
        }
        let steps: Option<Vec<_>> = read("a[].*.b[12][\"c\"]").collect();
        let (key, index) = (Written::Key, Written::Index(12));
        assert_eq!(
            steps.unwrap(),
            [
                key("a"),
                Written::Items,
                Written::Values,
                key("b"),
                index,
                key("c")
            ]
        );
    }

    #[test]
    fn a_path_leads_to_one_place() {
        let path = Path::new("spec.jobs[3]", "volumes")
            .at(1)
            .then("projected.sources")
            .at(0);
        assert_eq!(
            path.to_string(),
            "spec.jobs[3].volumes[1].projected.sources[0]"
        );
        let (key, index) = (Step::Key, Step::Index);
        assert_eq!(
            path.steps().collect::<Vec<_>>(),
            [
                key("spec"),
                key("jobs"),
                index(3),
                key("volumes"),
                index(1),
                key("projected"),
                key("sources"),
                index(0)
            ]
        );
        assert_eq!(Path::new("spec.jobs[].a", "").steps().count(), 2);
    }
}
