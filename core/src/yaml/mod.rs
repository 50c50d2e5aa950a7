//! YAML, and JSON as part of it, as kubectl reads it, with line and column of every value.
//!
//! A [`Source`] is a text with a name, its [`Documents`] are trees of [`Node`]s, and [`read`] makes typed values of one.
//! Whatever two readers would take differently (a key that stands there twice, a foreign line break) is an error:
//! what is judged here must be what the cluster gets.

mod compose;
mod map;
mod node;
mod scalar;
mod scan;
mod source;
#[cfg(test)]
mod tests;
mod typed;

pub use compose::Documents;
pub use node::{Entry, Node, Place, Value};
pub use scalar::Number;
pub(crate) use scalar::is_plain;
pub use source::{Position, Source};
pub(crate) use typed::{Spanned, instead, read_text};
pub use typed::{nearest, read};

/// What is wrong with an input, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", at(file, *position))]
pub struct BadYaml {
    /// The file, as it was named.
    pub file: String,
    /// The place in it; none where the file as a whole is wrong.
    pub position: Option<Position>,
    /// What is wrong, and what to do about it.
    pub what: String,
}

fn at(file: &str, position: Option<Position>) -> String {
    position.map_or_else(
        || format!("{file}: "),
        |Position { line, column }| format!("{file}:{line}:{column}: "),
    )
}
