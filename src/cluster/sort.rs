//! The sorts of objects that rights are made of.

use std::fmt;

/// The sorts of objects that rights are made of.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Sort {
    ClusterRoleBindings,
    ClusterRoles,
    RoleBindings,
    Roles,
}

impl Sort {
    pub(super) const ALL: [Self; 4] = [
        Self::ClusterRoleBindings,
        Self::ClusterRoles,
        Self::RoleBindings,
        Self::Roles,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ClusterRoleBindings => "clusterrolebindings",
            Self::ClusterRoles => "clusterroles",
            Self::RoleBindings => "rolebindings",
            Self::Roles => "roles",
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
