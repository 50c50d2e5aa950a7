use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    projection::Volume,
    seek::{BadObject, parse},
};
use crate::reference::{Check, Path, Reference, Resource, Target, Text, Toleration};

/// The fields of a pod spec (`k8s.io/api/core/v1 PodSpec`) that decisions look at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec<'a> {
    #[serde(borrow, default)]
    service_account_name: Text<'a>,
    #[serde(borrow, default)]
    service_account: Text<'a>,
    #[serde(borrow, default)]
    node_name: Text<'a>,
    #[serde(borrow, default)]
    priority_class_name: Text<'a>,
    #[serde(borrow, default)]
    runtime_class_name: Text<'a>,
    #[serde(borrow, default)]
    tolerations: Option<Vec<Toleration<'a>>>,
    /// Read only when somebody asks what the containers request.
    #[serde(borrow, default)]
    containers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    init_containers: Option<&'a RawValue>,
    /// Read only when somebody asks which tokens it gets.
    #[serde(borrow, default)]
    volumes: Option<&'a RawValue>,
    #[serde(default)]
    automount_service_account_token: Option<bool>,
}

impl<'a> PodSpec<'a> {
    /// The account that the pod runs as, and the field that says so. An empty `serviceAccountName` gives way to its
    /// deprecated alias (`pkg/apis/core/v1/conversion.go`), and nothing at all means `default`.
    pub fn account(&self) -> (&'static str, Text<'a>) {
        if !self.service_account_name.is_empty() || self.service_account.is_empty() {
            let name = &self.service_account_name;
            let named = if name.is_empty() {
                "default".into()
            } else {
                name.clone()
            };
            ("serviceAccountName", named)
        } else {
            ("serviceAccount", self.service_account.clone())
        }
    }

    /// The node that the pod is put on past the scheduler; empty if none.
    pub fn node(&self) -> &Text<'a> {
        &self.node_name
    }

    /// The runtime class; empty if none.
    pub fn runtime_class(&self) -> &Text<'a> {
        &self.runtime_class_name
    }

    /// The priority class; empty if none.
    pub fn priority_class(&self) -> &Text<'a> {
        &self.priority_class_name
    }

    /// The tolerations.
    pub fn tolerations(&self) -> &[Toleration<'a>] {
        self.tolerations.as_deref().unwrap_or_default()
    }

    /// Every reference of this pod spec, which stands at `base` in its object.
    pub fn references(&self, base: &Cow<'a, str>) -> impl Iterator<Item = Reference<'a>> + '_ {
        let (base, listed) = (base.clone(), Path::new(base.clone(), "tolerations"));
        let object = move |check, resource, field, name: Text<'a>| Reference {
            check,
            path: Path::new(base.clone(), field),
            target: Target::Object { resource, name },
            namespace: None,
        };
        let (field, account) = self.account();
        let account = object(
            Check::ServiceAccounts,
            Resource::SERVICE_ACCOUNTS,
            field,
            account,
        );
        let tolerations = self
            .tolerations()
            .iter()
            .enumerate()
            .map(move |(index, toleration)| Reference {
                check: Check::Tolerations,
                path: listed.at(index),
                target: Target::Taints(toleration.clone()),
                namespace: None,
            });
        let others = [
            (Check::Nodes, Resource::NODES, "nodeName", &self.node_name),
            (
                Check::PriorityClasses,
                Resource::PRIORITY_CLASSES,
                "priorityClassName",
                &self.priority_class_name,
            ),
            (
                Check::RuntimeClasses,
                Resource::RUNTIME_CLASSES,
                "runtimeClassName",
                &self.runtime_class_name,
            ),
        ];
        let others = others
            .into_iter()
            .filter(|(.., name)| !name.is_empty())
            .map(move |(check, resource, field, name)| {
                object(check, resource, field, name.clone())
            });
        std::iter::once(account).chain(tolerations).chain(others)
    }

    /// The volumes, with what is projected into them.
    pub fn volumes(&self) -> Result<Vec<Volume<'a>>, BadObject> {
        self.volumes.map_or_else(|| Ok(Vec::new()), parse)
    }

    /// Whether the pod says that it gets no token of the API server by itself.
    pub fn refuses_automount(&self) -> bool {
        self.automount_service_account_token == Some(false)
    }

    /// Whether no account is named at all, neither by field nor by alias.
    pub fn names_no_account(&self) -> bool {
        self.service_account_name.is_empty() && self.service_account.is_empty()
    }

    /// The extended resources that containers request (`pkg/apis/core/helper.IsExtendedResourceName`). The
    /// ExtendedResourceToleration plugin adds a toleration for each (`plugin/pkg/admission/extendedresourcetoleration`).
    pub fn extended_resources(&self) -> Result<HashSet<Text<'a>>, BadObject> {
        #[derive(Deserialize)]
        struct Container<'a> {
            #[serde(borrow, default)]
            resources: Option<Resources<'a>>,
        }
        #[derive(Deserialize)]
        struct Resources<'a> {
            #[serde(borrow, default)]
            requests: Option<HashMap<Text<'a>, &'a RawValue>>,
        }

        let mut extended = HashSet::new();
        for containers in [self.containers, self.init_containers]
            .into_iter()
            .flatten()
        {
            let containers: Vec<Container<'a>> = parse(containers)?;
            let requests = containers
                .into_iter()
                .filter_map(|container| container.resources?.requests);
            let names = requests.flat_map(HashMap::into_keys);
            extended.extend(names.filter(|name| {
                name.contains('/')
                    && !name.contains("kubernetes.io/")
                    && !name.starts_with("requests.")
            }));
        }
        Ok(extended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: &str) -> PodSpec<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_alias_counts_only_where_the_field_is_empty() {
        for (json, field, name) in [
            ("{}", "serviceAccountName", "default"),
            (r#"{"serviceAccount":""}"#, "serviceAccountName", "default"),
            (r#"{"serviceAccount":"b"}"#, "serviceAccount", "b"),
            (
                r#"{"serviceAccountName":"","serviceAccount":"b"}"#,
                "serviceAccount",
                "b",
            ),
            (
                r#"{"serviceAccountName":"a","serviceAccount":"b"}"#,
                "serviceAccountName",
                "a",
            ),
            (
                r#"{"serviceAccountName":null,"serviceAccount":null}"#,
                "serviceAccountName",
                "default",
            ),
        ] {
            let found = spec(json).account();
            assert_eq!((found.0, &*found.1), (field, name), "{json}");
        }
    }

    #[test]
    fn every_reference_is_found_at_its_path() {
        let spec = spec(
            r#"{"serviceAccountName":"a","nodeName":"n","priorityClassName":"p","runtimeClassName":"r",
                "tolerations":[{"operator":"Exists"},{"key":"k","tolerationSeconds":3}],"containers":[]}"#,
        );
        let paths: Vec<String> = spec
            .references(&"spec".into())
            .map(|r| r.path.to_string())
            .collect();
        assert_eq!(
            paths,
            [
                "spec.serviceAccountName",
                "spec.tolerations[0]",
                "spec.tolerations[1]",
                "spec.nodeName",
                "spec.priorityClassName",
                "spec.runtimeClassName"
            ]
        );
    }

    #[test]
    fn extended_resources_are_those_that_no_node_has_by_nature() {
        let pod = spec(
            r#"{"containers":[{},{"resources":null},{"resources":{"requests":{"nvidia.com/gpu":"1","cpu":"1",
                "node.kubernetes.io/x":"1","requests.a.example/b":"1"},"limits":{"a.example/c":"1"}}}],
                "initContainers":[{"resources":{"requests":{"amd.com/gpu":"1"}}}]}"#,
        );
        let mut names: Vec<_> = pod.extended_resources().unwrap().into_iter().collect();
        names.sort();
        assert_eq!(names, ["amd.com/gpu".into(), "nvidia.com/gpu".into()]);
        for json in [
            r#"{"containers":[1]}"#,
            r#"{"initContainers":{}}"#,
            r#"{"containers":[[null]]}"#,
        ] {
            assert!(spec(json).extended_resources().is_err(), "{json}");
        }
    }
}
