//! The pod spec: the fields that decisions look at, and the table of those that name something.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    projection::Volume,
    seek::{BadObject, parse},
};
use crate::reference::{Check, Malformed, Path, Reference, Resource, Target, Text, Toleration};

/// How many tolerations of a pod are looked at. Nobody writes so many; more would be work without bound.
pub const TOLERATIONS: usize = 1000;

/// A field of a pod spec that names something: a row of [`FIELDS`].
#[derive(Debug)]
pub struct PodField {
    /// Its key.
    pub key: &'static str,
    /// The check that asks about it.
    pub check: Check,
    /// What it names.
    pub resource: Resource,
    /// The name that nothing at all means; none: then nothing is named.
    pub absent: Option<&'static str>,
    /// Whether Kubernetes itself writes it into pods that live, so that what one held before an update is nobody's use.
    pub kept: bool,
    read: Read,
}

/// How a field is read.
#[derive(Debug)]
enum Read {
    /// The name of something.
    Name(for<'s, 'a> fn(&'s PodSpec<'a>) -> &'s Text<'a>),
    /// The same. Where it is empty it gives way to a field of another key.
    Aliased {
        name: for<'s, 'a> fn(&'s PodSpec<'a>) -> &'s Text<'a>,
        alias: &'static str,
        other: for<'s, 'a> fn(&'s PodSpec<'a>) -> &'s Text<'a>,
    },
    /// A list of sets of taints.
    Taints(for<'s, 'a> fn(&'s PodSpec<'a>) -> &'s [Toleration<'a>]),
}

/// The account that a pod runs as.
const ACCOUNT: PodField = PodField {
    key: "serviceAccountName",
    check: Check::ServiceAccounts,
    resource: Resource::SERVICE_ACCOUNTS,
    absent: Some("default"),
    kept: false,
    read: Read::Aliased {
        name: |spec| &spec.service_account_name,
        alias: "serviceAccount",
        other: |spec| &spec.service_account,
    },
};

/// The fields of a pod spec that name something, in the order in which they are asked about. What is asked of a pod, of a
/// patch, of an owner's template or of a live pod, what an entry of the catalogue may not declare free, and what
/// `usher can-i` asks with, all come from here.
pub static FIELDS: &[PodField] = &[
    ACCOUNT,
    PodField {
        key: "tolerations",
        check: Check::Tolerations,
        resource: Resource::TOLERATIONS,
        absent: None,
        // Those of the state of a node, by the controller of a DaemonSet.
        kept: true,
        read: Read::Taints(|spec| spec.tolerations()),
    },
    PodField {
        key: "nodeName",
        check: Check::Nodes,
        resource: Resource::NODES,
        absent: None,
        // By the scheduler; no update can change it.
        kept: true,
        read: Read::Name(|spec| &spec.node_name),
    },
    PodField {
        key: "priorityClassName",
        check: Check::PriorityClasses,
        resource: Resource::PRIORITY_CLASSES,
        absent: None,
        kept: false,
        read: Read::Name(|spec| &spec.priority_class_name),
    },
    PodField {
        key: "runtimeClassName",
        check: Check::RuntimeClasses,
        resource: Resource::RUNTIME_CLASSES,
        absent: None,
        kept: false,
        read: Read::Name(|spec| &spec.runtime_class_name),
    },
    PodField {
        key: "schedulerName",
        check: Check::Schedulers,
        resource: Resource::SCHEDULERS,
        // `pkg/apis/core/v1/defaults.go`.
        absent: Some("default-scheduler"),
        kept: false,
        read: Read::Name(|spec| &spec.scheduler_name),
    },
];

/// The lists of containers of a pod spec.
pub(super) const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Whether a list of containers stands at this key of a pod spec.
pub(crate) fn is_containers(key: &str) -> bool {
    CONTAINERS.contains(&key)
}

/// The account that the two fields of a pod spec name, either of which may be empty.
pub(crate) fn account<'t>(name: &'t str, alias: &'t str) -> &'t str {
    match if gives_way(name, alias) { alias } else { name } {
        "" => ACCOUNT.absent.unwrap_or_default(),
        named => named,
    }
}

/// Whether a field gives way to its alias (`pkg/apis/core/v1/conversion.go`).
fn gives_way(name: &str, alias: &str) -> bool {
    name.is_empty() && !alias.is_empty()
}

impl PodField {
    /// The row of a check, if it asks about a field of the pod spec.
    pub(crate) fn of(check: Check) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.check == check)
    }

    /// The row that has this key, be it as its alias.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        FIELDS
            .iter()
            .find(|field| field.keys().any(|held| held == key))
    }

    /// Its key, and that of its alias if it has one.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        let alias = match self.read {
            Read::Aliased { alias, .. } => Some(alias),
            Read::Name(_) | Read::Taints(_) => None,
        };
        std::iter::once(self.key).chain(alias)
    }

    /// Whether it is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.read, Read::Taints(_))
    }

    /// What it names in a pod spec, and the key that says so; none for a list of sets of taints, and if nothing is named.
    pub(crate) fn name<'a>(&self, spec: &PodSpec<'a>) -> Option<(&'static str, Text<'a>)> {
        let (key, name) = match self.read {
            Read::Name(name) => (self.key, name(spec)),
            Read::Aliased { name, alias, other } => {
                let (name, other) = (name(spec), other(spec));
                if gives_way(name, other) {
                    (alias, other)
                } else {
                    (self.key, name)
                }
            }
            Read::Taints(_) => return None,
        };
        if name.is_empty() {
            self.absent.map(|absent| (self.key, absent.into()))
        } else {
            Some((key, name.clone()))
        }
    }

    /// The sets of taints that it names in a pod spec; none if it names something else.
    pub(crate) fn taints<'s, 'a>(&self, spec: &'s PodSpec<'a>) -> &'s [Toleration<'a>] {
        match self.read {
            Read::Taints(taints) => taints(spec),
            Read::Name(_) | Read::Aliased { .. } => &[],
        }
    }

    /// Whether a pod spec names this target in the field. Of many tolerations only the first [`TOLERATIONS`] count.
    pub(crate) fn says(&self, spec: &PodSpec<'_>, target: &Target<'_>) -> bool {
        match target {
            Target::Object { resource, name } => {
                *resource == self.resource && self.name(spec).is_some_and(|(_, held)| held == *name)
            }
            Target::Taints(wanted) => {
                let mut held = self.taints(spec).iter().take(TOLERATIONS);
                held.any(|held| held.same(wanted))
            }
        }
    }

    /// A pod spec that names this in the field and nothing else, as JSON. An error if it is the name of no set of taints.
    pub fn naming(&self, name: &str) -> Result<Value, Malformed> {
        let value = match self.read {
            Read::Name(_) | Read::Aliased { .. } => json!(name),
            Read::Taints(_) => {
                let Toleration {
                    key,
                    operator,
                    value,
                    effect,
                    seconds: _,
                } = Toleration::named(name)?;
                json!([{"key": *key, "operator": *operator, "value": *value, "effect": *effect}])
            }
        };
        Ok(json!({ self.key: value }))
    }
}

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
    scheduler_name: Text<'a>,
    #[serde(borrow, default)]
    tolerations: Option<Vec<Toleration<'a>>>,
    /// Read only when somebody asks what the containers request, or what they read.
    #[serde(borrow, default)]
    pub(super) containers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) init_containers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) ephemeral_containers: Option<&'a RawValue>,
    /// Read only when somebody asks which tokens it gets, or what it reads.
    #[serde(borrow, default)]
    pub(super) volumes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) image_pull_secrets: Option<&'a RawValue>,
    /// Read only when somebody asks how it chooses its nodes.
    #[serde(borrow, default)]
    pub(super) node_selector: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) affinity: Option<&'a RawValue>,
    #[serde(default)]
    automount_service_account_token: Option<bool>,
}

impl<'a> PodSpec<'a> {
    /// The account that the pod runs as.
    pub(crate) fn account(&self) -> Text<'a> {
        let named = ACCOUNT.name(self).map(|(_, name)| name);
        named.unwrap_or_default()
    }

    /// The node that the pod is put on past the scheduler; empty if none.
    pub(crate) fn node(&self) -> &Text<'a> {
        &self.node_name
    }

    /// The runtime class; empty if none.
    pub(crate) fn runtime_class(&self) -> &Text<'a> {
        &self.runtime_class_name
    }

    /// The tolerations.
    pub(crate) fn tolerations(&self) -> &[Toleration<'a>] {
        self.tolerations.as_deref().unwrap_or_default()
    }

    /// Every reference of this pod spec, which stands at `base` in its object.
    pub(crate) fn references(
        &self,
        base: &Cow<'a, str>,
    ) -> impl Iterator<Item = Reference<'a>> + '_ {
        let base = base.clone();
        FIELDS.iter().flat_map(move |field| {
            let reference = |path, target| Reference {
                check: field.check,
                path,
                target,
                namespace: None,
            };
            let named = field.name(self).map(|(key, name)| {
                let resource = field.resource;
                reference(
                    Path::new(base.clone(), key),
                    Target::Object { resource, name },
                )
            });
            let list = Path::new(base.clone(), field.key);
            let taints = field.taints(self).iter().enumerate();
            let taints = taints.map(move |(index, toleration)| {
                reference(list.at(index), Target::Taints(toleration.clone()))
            });
            taints.chain(named)
        })
    }

    /// The volumes, with what is projected into them.
    pub(crate) fn volumes(&self) -> Result<Vec<Volume<'a>>, BadObject> {
        self.volumes.map_or_else(|| Ok(Vec::new()), parse)
    }

    /// Whether the pod says that it gets no token of the API server by itself.
    pub(crate) fn refuses_automount(&self) -> bool {
        self.automount_service_account_token == Some(false)
    }

    /// Whether no account is named at all, neither by field nor by alias.
    pub(crate) fn names_no_account(&self) -> bool {
        self.service_account_name.is_empty() && self.service_account.is_empty()
    }

    /// The extended resources that containers request (`pkg/apis/core/helper.IsExtendedResourceName`). The
    /// ExtendedResourceToleration plugin adds a toleration for each (`plugin/pkg/admission/extendedresourcetoleration`).
    pub(crate) fn extended_resources(&self) -> Result<HashSet<Text<'a>>, BadObject> {
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
    fn every_row_reads_what_it_writes_and_is_one_of_its_check_and_keys() {
        for field in FIELDS {
            let name = "team-a";
            let json = field.naming(name).unwrap().to_string();
            let spec = spec(&json);
            let found: Vec<_> = spec
                .references(&"".into())
                .filter(|found| found.check == field.check)
                .collect();
            let [found] = &*found else { panic!("{json}") };
            assert!(found.path.to_string().starts_with(field.key), "{json}");
            assert!(field.says(&spec, &found.target), "{json}");
            assert_eq!(
                spec.account() == "default".into(),
                field.check != Check::ServiceAccounts
            );
            let no_pod = PodSpec::default();
            assert!(!field.says(&no_pod, &found.target), "{json}");
            assert_eq!(
                field
                    .name(&no_pod)
                    .map(|(_, name)| name.to_string())
                    .as_deref(),
                field.absent
            );
            assert!(PodField::of(field.check).is_some_and(|row| std::ptr::eq(row, field)));
            for key in field.keys() {
                assert!(
                    PodField::of_key(key).is_some_and(|row| std::ptr::eq(row, field)),
                    "{key}"
                );
                let known = field.resource.known().unwrap();
                assert_eq!(known.check(), field.check, "{key}");
            }
        }
        assert!(PodField::of(Check::Tokens).is_none());
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
            let spec = spec(json);
            assert_eq!(ACCOUNT.name(&spec), Some((field, name.into())), "{json}");
            assert_eq!(spec.account(), name.into(), "{json}");
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
                "spec.runtimeClassName",
                "spec.schedulerName"
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
