//! The nouns: who asks, what is named, and which names answer for it.
//!
//! This room knows nobody: no objects, no configuration, no cluster. Of JSON it only borrows texts, and keeps a part of a requester
//! as it came.

mod check;
mod hash;
mod kubernetes;
mod names;
mod path;
mod pattern;
mod question;
mod requester;
mod resource;
mod shown;
mod target;
mod text;
pub(crate) mod token;
mod toleration;
mod words;

pub use check::{Check, Mode};
pub use hash::fnv;
pub use kubernetes::{COLLECTOR, KEEPERS, KUBELET, MASTERS, SCHEDULER};
pub(crate) use names::node_label_names;
pub use names::{is_dns_label, is_node_label, is_object_name};
pub(crate) use names::{is_label_key, is_label_value};
pub use path::{Path, Step};
pub(crate) use path::{Written, read, write_key};
pub use pattern::{BadPattern, Pattern};
pub use question::{Question, Verb};
pub use requester::{Account, Requester};
pub use resource::{Known, Names, Resource};
pub(crate) use shown::Shown;
pub use shown::{escaped, is_harmful, shown};
pub use target::Target;
pub use text::Text;
pub use toleration::{Malformed, Toleration};

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

impl<'a> Reference<'a> {
    /// To one object, in the namespace of the object that names it.
    pub(crate) fn to(
        check: Check,
        path: Path<'a>,
        resource: Resource,
        name: impl Into<Text<'a>>,
    ) -> Self {
        Self {
            check,
            path,
            target: Target::Object {
                resource,
                name: name.into(),
            },
            namespace: None,
        }
    }

    /// Something that is not looked into; the text says what it is.
    pub(crate) fn opaque(path: Path<'a>, what: String) -> Self {
        Self::to(Check::Opaque, path, Resource::OPAQUE, what)
    }
}

impl Reference<'_> {
    /// The same reference at another path, with a life of its own.
    pub(crate) fn into_owned(self, path: String) -> Reference<'static> {
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
