//! Roles and their bindings, as `usher grant` and `usher generate` print them.

use k8s_openapi::{
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Failure, yaml};

/// The API group of roles.
pub(super) const RBAC: &str = "rbac.authorization.k8s.io";

/// Usher itself, as deploy/ installs it: its service account, its service and its registrations have this name.
pub(super) const USHER: Installed = Installed {
    namespace: "usher-system",
    name: "usher",
};

/// Where something is installed.
pub(super) struct Installed {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
}

/// Some verbs on resources of a group: on the objects of these names, or on all where none is given.
pub(super) fn rule(group: &str, resources: &[&str], names: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        resource_names: (!names.is_empty()).then(|| owned(names)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

/// A user or a group.
pub(super) fn person(kind: &str, name: &str) -> Subject {
    Subject {
        api_group: Some(RBAC.to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: None,
    }
}

/// A service account.
pub(super) fn account(namespace: &str, name: &str) -> Subject {
    Subject {
        api_group: None,
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

/// A Role and its binding of the same metadata as YAML; without a namespace, those of the whole cluster.
pub(super) fn role_and_binding(
    metadata: ObjectMeta,
    rules: Vec<PolicyRule>,
    subjects: Vec<Subject>,
) -> Result<String, Failure> {
    let (rules, subjects) = (Some(rules), Some(subjects));
    let role_ref = |kind: &str| RoleRef {
        api_group: RBAC.to_owned(),
        kind: kind.to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
    };
    let (role, binding) = if metadata.namespace.is_some() {
        let binding = RoleBinding {
            metadata: metadata.clone(),
            role_ref: role_ref("Role"),
            subjects,
        };
        (
            yaml::document(&Role { metadata, rules })?,
            yaml::document(&binding)?,
        )
    } else {
        let binding = ClusterRoleBinding {
            metadata: metadata.clone(),
            role_ref: role_ref("ClusterRole"),
            subjects,
        };
        let role = ClusterRole {
            metadata,
            rules,
            ..ClusterRole::default()
        };
        (yaml::document(&role)?, yaml::document(&binding)?)
    };
    Ok(format!("{role}---\n{binding}"))
}
