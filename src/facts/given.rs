//! Facts from files.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::rbac::v1::{self, ClusterRole, PolicyRule};
use kube::core::{Selector, SelectorExt as _};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Offline;
use usher_core::{
    catalogue::Catalogue,
    engine::ObjectRef,
    manifest::Object,
    reference::Resource,
    rights::{Ignored, Rbac},
    yaml::{BadYaml, Source},
};

/// What the cluster holds, as far as manifests say.
#[derive(Debug, Default)]
pub struct Given {
    rbac: Rbac,
    cluster_roles: Vec<ClusterRole>,
    objects: HashMap<ObjectRef, Box<RawValue>>,
}

impl Given {
    /// Takes in a Role, ClusterRole, RoleBinding or ClusterRoleBinding; anything else is passed over.
    pub fn rbac(&mut self, source: &Source, object: &Object<'_, '_>) -> Result<(), BadYaml> {
        if object.api_version != "rbac.authorization.k8s.io/v1" {
            return Ok(());
        }
        let taken = match object.kind {
            "Role" => self.rbac.apply_role(&typed(source, object)?),
            "RoleBinding" => self.rbac.apply_role_binding(&typed(source, object)?),
            "ClusterRoleBinding" => {
                let binding: v1::ClusterRoleBinding = typed(source, object)?;
                self.rbac.apply_cluster_role_binding(&binding)
            }
            "ClusterRole" if object.name.is_empty() => Err(Ignored::NoName),
            "ClusterRole" => {
                self.cluster_roles.push(typed(source, object)?);
                Ok(())
            }
            _ => Ok(()),
        };
        taken.map_err(|ignored| {
            let what = format!(
                "{} \"{}\": {ignored}: write it into metadata",
                object.kind, object.name
            );
            source.error(object.node.place.position(), what)
        })
    }

    /// Takes in an object that a verdict may look at: of a kind of the catalogue, a service account, a config map or a class.
    pub fn object(
        &mut self,
        source: &Source,
        object: &Object<'_, '_>,
        catalogue: &Catalogue,
    ) -> Result<(), BadYaml> {
        let beside = [
            ("ServiceAccount", "serviceaccounts"),
            ("ConfigMap", "configmaps"),
        ];
        let beside = beside
            .iter()
            .find(|(kind, _)| object.group().is_empty() && object.kind.eq_ignore_ascii_case(kind));
        let classes = [Resource::PRIORITY_CLASSES, Resource::RUNTIME_CLASSES];
        let class = classes.iter().find(|class| {
            *class.group == *object.group() && object.kind.eq_ignore_ascii_case(class.singular)
        });
        let error = |what: &str| Err(source.error(object.node.place.position(), what));
        let (resource, namespace) = match (class, catalogue.find(object.group(), object.kind)) {
            (Some(class), _) => (class.name, None),
            (None, Some(kind)) if kind.cluster => (&*kind.resource, None),
            (None, kind) if object.namespace.is_empty() && (beside.is_some() || kind.is_some()) => {
                return error("the object has no namespace, so that nobody can find it");
            }
            (None, Some(kind)) => (&*kind.resource, Some(object.namespace.to_owned())),
            (None, None) => match beside {
                Some((_, resource)) => (*resource, Some(object.namespace.to_owned())),
                None => return Ok(()),
            },
        };
        if object.name.is_empty() {
            return error("the object has no name");
        }
        let at = ObjectRef {
            api_version: object.api_version.to_owned(),
            kind: object.kind.to_owned(),
            resource: resource.to_owned(),
            namespace,
            name: object.name.to_owned(),
        };
        self.objects.insert(at, json(source, object)?);
        Ok(())
    }

    /// All of it, ready to judge by.
    pub fn offline(mut self) -> Offline {
        for role in aggregated(&self.cluster_roles) {
            // It has a name: that was looked at when it came in.
            let _ = self.rbac.apply_cluster_role(&role);
        }
        self.rbac.set_reads(true);
        Offline::new(self.rbac.compile(), self.objects)
    }
}

/// The roles with the rules that the API server would fill in: a role that aggregates others and has no rules yet
/// gets those of all that one of its selectors matches (`pkg/controller/clusterroleaggregation`).
pub(crate) fn aggregated(roles: &[ClusterRole]) -> Vec<ClusterRole> {
    let filled = |role: &ClusterRole| ClusterRole {
        rules: Some(filled_in(role, roles)),
        ..role.clone()
    };
    roles.iter().map(filled).collect()
}

fn filled_in(role: &ClusterRole, roles: &[ClusterRole]) -> Vec<PolicyRule> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![role];
    while let Some(role) = open.pop() {
        let own = role.rules.as_deref().unwrap_or_default();
        found.extend_from_slice(own);
        let selectors = role
            .aggregation_rule
            .as_ref()
            .and_then(|rule| rule.cluster_role_selectors.as_deref())
            .filter(|_| own.is_empty())
            .unwrap_or_default();
        // A selector that cannot be read matches nothing.
        let selectors: Vec<Selector> = selectors
            .iter()
            .filter_map(|selector| selector.clone().try_into().ok())
            .collect();
        for (index, other) in roles.iter().enumerate() {
            let labels = other.metadata.labels.clone().unwrap_or_default();
            let chosen = |selector: &Selector| selector.matches(&labels);
            if selectors.iter().any(chosen) && seen.insert(index) {
                open.push(other);
            }
        }
    }
    found
}

pub(crate) fn typed<T: DeserializeOwned>(
    source: &Source,
    object: &Object<'_, '_>,
) -> Result<T, BadYaml> {
    let json = json(source, object)?;
    serde_json::from_str(json.get()).map_err(|error| {
        let place = object.node.at_json(error.column().saturating_sub(1));
        let what = error.to_string();
        let where_in_json = format!(" at line {} column {}", error.line(), error.column());
        let what = what.strip_suffix(&where_in_json).unwrap_or(&what);
        source.error(place.position(), format!("not a {}: {what}", object.kind))
    })
}

fn json(source: &Source, object: &Object<'_, '_>) -> Result<Box<RawValue>, BadYaml> {
    let error =
        |error: serde_json::Error| source.error(object.node.place.position(), error.to_string());
    object.node.to_json().map_err(error)
}
