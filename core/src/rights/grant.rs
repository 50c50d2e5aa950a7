use std::{fmt, sync::Arc};

/// What answered yes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Grant {
    /// The baseline of the configuration: what everybody may use.
    Baseline,
    /// A rule of RBAC, through a binding.
    Binding {
        /// The binding and the role.
        source: Arc<Source>,
        /// Which of the requester's names the binding holds.
        via: Via,
    },
    /// An entry of `grants` in the configuration, counted from 0.
    Configured(usize),
    /// A controller carries out what the owner's template already says; the text names the owner.
    Controller(String),
    /// A service account uses itself.
    Itself,
    /// An entry of `tokens` in the configuration, counted from 0.
    Limit(usize),
    /// The kubelet of this node shows one of its static pods.
    Mirror(String),
    /// The profile of this name, which the pod gets.
    Profile(String),
    /// The API server's own access review; the text is the reason that it gives.
    Review(String),
    /// What Kubernetes itself adds to every such pod.
    System(&'static str),
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
        match self {
            Self::Baseline => f.write_str("everybody may (baseline)"),
            Self::Binding { source, via } => write!(f, "{source}, by {via}"),
            Self::Configured(index) => write!(f, "grants[{index}] of the configuration"),
            Self::Controller(owner) => write!(f, "carried out for {owner}"),
            Self::Itself => f.write_str("a service account may use itself"),
            Self::Limit(index) => write!(f, "tokens[{index}] of the configuration"),
            Self::Mirror(node) => write!(f, "mirror pod of node {node}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Review(reason) if reason.is_empty() => f.write_str("access review"),
            Self::Review(reason) => write!(f, "access review: {reason}"),
            Self::System(what) => f.write_str(what),
        }
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
