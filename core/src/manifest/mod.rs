//! Manifests: the objects of a text, as kubectl finds them.
//!
//! [`contents`] walks the documents of a [`Source`](crate::yaml::Source) and gives every [`Object`] in them. As JSON
//! ([`Node::to_json`](crate::yaml::Node::to_json)) it is what the API server would get: the object of a
//! [`Request`](crate::engine::Request), to be judged by [`engine`](crate::engine) as any other.

mod object;

pub use object::{Content, Expected, Found, Object, contents, read};
