//! The objects that rights are made of, as the API server sends them.

use std::{borrow::Cow, fmt::Debug};

use k8s_openapi::{
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Resource;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::sort::Sort;
use usher_core::rights::{Ignored, Rbac};

/// An RBAC object of which only the parts that count are read: labels, annotations and managed fields, mostly longer
/// than the rest, are skipped.
#[derive(Clone, Debug)]
pub(super) struct Lean<K>(pub(super) K);

/// One of the four sorts of RBAC objects.
pub(super) trait Stored:
    Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static
{
    /// The parts that count.
    type Wire: DeserializeOwned + Into<Self>;
    const SORT: Sort;

    fn apply(&self, rbac: &mut Rbac) -> Result<(), Ignored>;
}

impl<'de, K: Stored> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        K::Wire::deserialize(deserializer).map(|wire| Self(wire.into()))
    }
}

impl<K: Stored> Resource for Lean<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
}

/// A Role or ClusterRole.
#[derive(Deserialize)]
pub(super) struct Rules {
    metadata: Metadata,
    #[serde(default)]
    rules: Option<Vec<PolicyRule>>,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bound {
    metadata: Metadata,
    role_ref: RoleRef,
    #[serde(default)]
    subjects: Option<Vec<Subject>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(wire: Metadata) -> Self {
        Self {
            name: wire.name,
            namespace: wire.namespace,
            resource_version: wire.resource_version,
            ..Self::default()
        }
    }
}

impl From<Rules> for ClusterRole {
    fn from(wire: Rules) -> Self {
        Self {
            metadata: wire.metadata.into(),
            rules: wire.rules,
            aggregation_rule: None,
        }
    }
}

impl From<Rules> for Role {
    fn from(wire: Rules) -> Self {
        Self {
            metadata: wire.metadata.into(),
            rules: wire.rules,
        }
    }
}

impl From<Bound> for ClusterRoleBinding {
    fn from(wire: Bound) -> Self {
        Self {
            metadata: wire.metadata.into(),
            role_ref: wire.role_ref,
            subjects: wire.subjects,
        }
    }
}

impl From<Bound> for RoleBinding {
    fn from(wire: Bound) -> Self {
        Self {
            metadata: wire.metadata.into(),
            role_ref: wire.role_ref,
            subjects: wire.subjects,
        }
    }
}

impl Stored for ClusterRole {
    type Wire = Rules;
    const SORT: Sort = Sort::ClusterRoles;

    fn apply(&self, rbac: &mut Rbac) -> Result<(), Ignored> {
        rbac.apply_cluster_role(self)
    }
}

impl Stored for ClusterRoleBinding {
    type Wire = Bound;
    const SORT: Sort = Sort::ClusterRoleBindings;

    fn apply(&self, rbac: &mut Rbac) -> Result<(), Ignored> {
        rbac.apply_cluster_role_binding(self)
    }
}

impl Stored for Role {
    type Wire = Rules;
    const SORT: Sort = Sort::Roles;

    fn apply(&self, rbac: &mut Rbac) -> Result<(), Ignored> {
        rbac.apply_role(self)
    }
}

impl Stored for RoleBinding {
    type Wire = Bound;
    const SORT: Sort = Sort::RoleBindings;

    fn apply(&self, rbac: &mut Rbac) -> Result<(), Ignored> {
        rbac.apply_role_binding(self)
    }
}
