//! The sorts of objects that rights are made of.

use std::fmt;

usher_core::words! {
    /// The sorts of objects that rights are made of.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    pub(super) enum Sort,
    fn name {
        ClusterRoleBindings = "clusterrolebindings",
        ClusterRoles = "clusterroles",
        RoleBindings = "rolebindings",
        Roles = "roles",
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
