//! What all entries of a file share: paths of keys, and what can be wrong with an entry.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::object::{BadPath, FieldPath};

/// What is wrong with an entry of a file.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    /// A condition names no path, or several.
    #[error("a condition names one path, and what stands there")]
    Condition,
    /// What is declared free decides what is asked.
    #[error("{kind}: {path} cannot be free, for it decides what is asked")]
    Free {
        /// The kind.
        kind: Box<str>,
        /// What is declared free.
        path: Box<str>,
    },
    /// A path that may hold keys only holds something else.
    #[error("\"{0}\" must be keys with dots between them")]
    Keys(Box<str>),
    /// The name of an account that is made has no place for what it is named after.
    #[error("\"{0}\" must have {{}} in it, once, for what the account is named after")]
    Made(Box<str>),
    /// What is said beside it means nothing for an account that is made.
    #[error("{0}: beside made only `in` means something")]
    MadeBeside(Box<str>),
    /// An entry says why it is narrow, and it is not by that.
    #[error("{0}: narrow says nothing beside governed or content: leave it out")]
    Narrow(Box<str>),
    /// A kind has no fields.
    #[error("{0} must have fields")]
    NoFields(Box<str>),
    /// A kind has no versions.
    #[error("{0} must have versions")]
    NoVersions(Box<str>),
    /// What decides the meaning of a field is outside of what is governed.
    #[error(
        "{kind}: {path} is outside of the governed part, so that its change would not be asked about"
    )]
    Outside {
        /// The kind.
        kind: Box<str>,
        /// What is outside.
        path: Box<str>,
    },
    /// A path is none.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// The field at this path names nothing, or several things.
    #[error(
        "{0} must say what it is, and only once: podSpec, serviceAccount, controller, object, namespace, opaque, \
         identity, manifest or patch"
    )]
    Sort(Box<str>),
}

/// A path of keys, written with dots.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Route {
    /// As it is written.
    pub dotted: Box<str>,
    /// Key by key.
    pub keys: Vec<Box<str>>,
}

impl TryFrom<String> for Route {
    type Error = BadEntry;

    fn try_from(dotted: String) -> Result<Self, BadEntry> {
        let path = FieldPath::try_from(dotted.clone())?;
        let keys = path.head();
        if keys.len() < path.steps().len() {
            return Err(BadEntry::Keys(dotted.into()));
        }
        Ok(Self {
            keys,
            dotted: dotted.into(),
        })
    }
}
