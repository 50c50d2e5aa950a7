//! What gives a right: the binding, the role, and which of the requester's names it holds.

use std::{fmt, sync::Arc};

/// The rule of RBAC that answers yes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The binding and the role.
    pub source: Arc<Source>,
    /// Which of the requester's names the binding holds.
    pub via: Via,
}

/// A binding, and the role that it binds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// Namespace of the binding; none for a ClusterRoleBinding.
    pub namespace: Option<Arc<str>>,
    /// Name of the binding.
    pub binding: Arc<str>,
    /// Whether the role is a ClusterRole.
    pub cluster_role: bool,
    /// Name of the role.
    pub role: Arc<str>,
}

/// Which of a requester's names a binding holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Via {
    /// A group that the requester is in.
    Group(String),
    /// The user name, also that of a service account.
    User(String),
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {}", self.source, self.via)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "RoleBinding {namespace}/{}", self.binding)?,
            None => write!(f, "ClusterRoleBinding {}", self.binding)?,
        }
        let kind = if self.cluster_role {
            "ClusterRole"
        } else {
            "Role"
        };
        write!(f, ", {kind} {}", self.role)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group {name}"),
            Self::User(name) => write!(f, "user {name}"),
        }
    }
}
