//! What is looked at: roles, bindings, and the Secrets that hold tokens.

use k8s_openapi::{
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// Roles and bindings of a cluster, and which Secrets hold tokens.
#[derive(Debug, Default)]
pub struct Cluster {
    /// ClusterRoles, with the rules that the API server fills in.
    pub cluster_roles: Vec<ClusterRole>,
    /// Roles.
    pub roles: Vec<Role>,
    /// ClusterRoleBindings.
    pub cluster_role_bindings: Vec<ClusterRoleBinding>,
    /// RoleBindings.
    pub role_bindings: Vec<RoleBinding>,
    /// Secrets that hold the token of an account; none if nobody could look.
    pub token_secrets: Option<Vec<TokenSecret>>,
}

/// A Secret that holds the token of an account.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TokenSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The account.
    pub account: String,
}

/// A binding of either kind.
pub(super) struct Bound<'c> {
    pub(super) metadata: &'c ObjectMeta,
    pub(super) role: &'c RoleRef,
    pub(super) subjects: &'c [Subject],
}

impl Cluster {
    /// Every binding.
    pub(super) fn bindings(&self) -> impl Iterator<Item = Bound<'_>> {
        let cluster = self.cluster_role_bindings.iter().map(|binding| Bound {
            metadata: &binding.metadata,
            role: &binding.role_ref,
            subjects: binding.subjects.as_deref().unwrap_or_default(),
        });
        let namespaced = self.role_bindings.iter().map(|binding| Bound {
            metadata: &binding.metadata,
            role: &binding.role_ref,
            subjects: binding.subjects.as_deref().unwrap_or_default(),
        });
        cluster.chain(namespaced)
    }

    /// The rules of the role that a binding names; none if there is no such role.
    pub(super) fn rules(&self, bound: &Bound<'_>) -> &[PolicyRule] {
        let named = |metadata: &ObjectMeta| metadata.name.as_deref() == Some(&*bound.role.name);
        let rules = if bound.role.kind == "ClusterRole" {
            let mut roles = self.cluster_roles.iter();
            roles
                .find(|role| named(&role.metadata))
                .map(|role| &role.rules)
        } else {
            let mut roles = self.roles.iter();
            let here = |role: &&Role| {
                named(&role.metadata) && role.metadata.namespace == bound.metadata.namespace
            };
            roles.find(here).map(|role| &role.rules)
        };
        rules.and_then(Option::as_deref).unwrap_or_default()
    }
}
