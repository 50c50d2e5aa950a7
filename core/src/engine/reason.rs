//! Why an answer is yes.

use std::fmt;

use crate::{reference::MASTERS, rights::Grant};

/// What answered yes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The baseline of the configuration: what everybody may use.
    Baseline,
    /// An entry of `grants` in the configuration, counted from 0.
    Configured(usize),
    /// A controller carries out what the owner's template already says; the text names the owner.
    Controller(String),
    /// A rule of RBAC, through a binding.
    Granted(Grant),
    /// A service account uses itself.
    Itself,
    /// An entry of `tokens` in the configuration, counted from 0.
    Limit(usize),
    /// The requester is of the group that may do everything.
    Master,
    /// The kubelet of this node shows one of its static pods.
    Mirror(String),
    /// The profile of this name, which the pod gets.
    Profile(String),
    /// The API server's own access review; the text is the reason that it gives.
    Review(String),
    /// What Kubernetes itself adds to every such pod.
    System(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Baseline => f.write_str("everybody may (baseline)"),
            Self::Configured(index) => write!(f, "grants[{index}] of the configuration"),
            Self::Controller(owner) => write!(f, "carried out for {owner}"),
            Self::Granted(grant) => grant.fmt(f),
            Self::Itself => f.write_str("a service account may use itself"),
            Self::Limit(index) => write!(f, "tokens[{index}] of the configuration"),
            Self::Master => write!(f, "group {MASTERS} may do everything"),
            Self::Mirror(node) => write!(f, "mirror pod of node {node}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Review(reason) if reason.is_empty() => f.write_str("access review"),
            Self::Review(reason) => write!(f, "access review: {reason}"),
            Self::System(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_review_says_why_if_it_knows() {
        for (reason, said) in [
            ("", "access review"),
            ("a node's", "access review: a node's"),
        ] {
            assert_eq!(Reason::Review(reason.to_owned()).to_string(), said);
        }
    }
}
