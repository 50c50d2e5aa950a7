//! Why a request cannot be judged: it is refused, whatever the modes.

use super::{bounds::GROUPS, request::KindRef};
use crate::{
    catalogue::Catalogue,
    object::{BadObject, Lost},
};

/// Why a request cannot be judged. For a guard that is a no.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Each round of facts leads to another.
    #[error("it leads to ever more facts")]
    Endless,
    /// The requester is in more groups than are looked at.
    #[error("the requester is in more than {GROUPS} groups")]
    Groups,
    /// It lacks a part that a request of its operation has, as the API calls it.
    #[error("the request has no {0}")]
    Lacks(&'static str),
    /// An account is to be written where there is no way to.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The mutating half refuses the object; this is what its requester reads.
    #[error("{0}")]
    Mutation(String),
    /// It does not say which object, of whom, or where; the text says what is not named.
    #[error("the request names no {0}")]
    Nameless(&'static str),
    /// A binding does not say to which node.
    #[error("the binding names no node")]
    NoNode,
    /// A part of the object is not what the API says it is.
    #[error(transparent)]
    Object(#[from] BadObject),
    /// Kubernetes has no such operation.
    #[error("\"{0}\" is no operation that can be judged")]
    Operation(String),
    /// Kubernetes has no such operation on this kind.
    #[error("{operation} is no operation on a {kind}")]
    OperationOn {
        /// The operation, as Kubernetes writes it.
        operation: String,
        /// The kind.
        kind: String,
    },
    /// Nobody knows the fields of this version of the kind.
    #[error("version \"{version}\" of {kind} is not known, only {known}")]
    Version {
        /// The version of the object.
        version: String,
        /// Its kind.
        kind: String,
        /// The versions that are known, in words.
        known: String,
    },
    /// There is nobody to wait for what is missing.
    #[error("it would have to wait")]
    Waits,
}

impl Broken {
    /// A version that no entry for a kind lists.
    pub(super) fn version(asked: &KindRef<'_>, catalogue: &Catalogue) -> Self {
        Self::Version {
            version: asked.version.to_string(),
            kind: asked.kind.to_string(),
            known: catalogue.versions(&asked.group, &asked.kind).join(", "),
        }
    }
}
