//! Manifests: the objects of a text, as kubectl finds them.

mod object;

pub use object::{Content, Expected, Found, Object, contents, read};
