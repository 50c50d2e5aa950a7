//! What a reference names.

use super::{Resource, Text, Toleration};

/// What a reference names.
#[derive(Clone, Debug)]
pub enum Target<'a> {
    /// An object, by name.
    Object {
        /// Its API group and resource.
        resource: Resource,
        /// Its name.
        name: Text<'a>,
    },
    /// A set of taints.
    Taints(Toleration<'a>),
}
