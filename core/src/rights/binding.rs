//! A binding: which role, and who holds it.

use std::sync::Arc;

use k8s_openapi::api::rbac::v1;

use crate::reference::Account;

/// Which role a binding binds.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct RoleRef {
    /// Whether it is a ClusterRole.
    pub(super) cluster: bool,
    /// Its name.
    pub(super) name: Arc<str>,
}

/// A binding: a role, and who holds it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Binding {
    /// The role.
    pub(super) role: RoleRef,
    /// The holders.
    pub(super) subjects: Box<[Subject]>,
}

/// A holder of a binding. A service account is a user with its user name, as RBAC compares it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Subject {
    /// Whether it is a group.
    pub(super) group: bool,
    /// The group or user name.
    pub(super) name: Box<str>,
}

impl Binding {
    /// Reads what the evaluation of a binding looks at (`pkg/registry/rbac/validation/rule.go`: `appliesToUser`,
    /// `GetRoleReferenceRules`); `None` if it binds no role.
    pub(super) fn read(
        namespace: Option<&str>,
        role: &v1::RoleRef,
        subjects: Option<&[v1::Subject]>,
    ) -> Option<Self> {
        let cluster = match &*role.kind {
            "ClusterRole" => true,
            "Role" => false,
            _ => return None,
        };
        let subject = |subject: &v1::Subject| {
            let name = match &*subject.kind {
                "Group" | "User" => subject.name.as_str().into(),
                "ServiceAccount" => {
                    let own = subject.namespace.as_deref().filter(|own| !own.is_empty());
                    let account = Account {
                        namespace: own.or(namespace)?,
                        name: &subject.name,
                    };
                    account.to_string().into()
                }
                _ => return None,
            };
            Some(Subject {
                group: subject.kind == "Group",
                name,
            })
        };
        Some(Self {
            role: RoleRef {
                cluster,
                name: role.name.as_str().into(),
            },
            subjects: subjects
                .unwrap_or_default()
                .iter()
                .filter_map(subject)
                .collect(),
        })
    }
}
