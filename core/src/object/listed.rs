//! What a pod spec names inside of its lists and maps: the secrets and config maps that it reads, and the labels by which it
//! chooses its nodes. A table of paths, from which everything that is asked about them is derived.

use std::{collections::HashSet, sync::LazyLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    field_path::{FieldPath, Memo, Place, Step},
    pod::{CONTAINERS, FIELDS, PodField, PodSpec},
    seek::{BadObject, fields, parse},
    value::key,
};
use crate::reference::{Check, Resource, Text, is_label_key, is_label_value, write_key};

/// The key of the volumes of a pod spec.
pub(crate) const VOLUMES: &str = "volumes";

/// How many names of one pod are looked at. Nobody writes so many; more would be work without bound.
const MOST: usize = 1000;

/// What stands at a path of the table.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Says {
    /// The name of a config map.
    ConfigMap,
    /// A requirement on the labels of a node (`k8s.io/api/core/v1 NodeSelectorRequirement`).
    Expression,
    /// A requirement on the fields of a node, which has one: its name.
    Field,
    /// A map of labels that a node must have.
    Labels,
    /// A secret that the kubelet shows to a registry and no container sees: an object with its name, or, as some projects write
    /// it where they take over fields of a pod spec, its name.
    PullSecret,
    /// The name of a secret.
    Secret,
}

/// A part of a pod spec, how it is read, and the paths below it.
struct Part {
    key: &'static str,
    of: for<'s, 'a> fn(&'s PodSpec<'a>) -> Option<&'a RawValue>,
    below: &'static [(&'static str, Says)],
}

/// Of every container, of whatever list.
const OF_CONTAINER: &[(&str, Says)] = &[
    ("[].env[].valueFrom.secretKeyRef.name", Says::Secret),
    ("[].envFrom[].secretRef.name", Says::Secret),
    ("[].env[].valueFrom.configMapKeyRef.name", Says::ConfigMap),
    ("[].envFrom[].configMapRef.name", Says::ConfigMap),
];

static PARTS: [Part; 7] = {
    let [containers, init, ephemeral] = CONTAINERS;
    [
        Part {
            key: containers,
            of: |spec| spec.containers,
            below: OF_CONTAINER,
        },
        Part {
            key: init,
            of: |spec| spec.init_containers,
            below: OF_CONTAINER,
        },
        Part {
            key: ephemeral,
            of: |spec| spec.ephemeral_containers,
            below: OF_CONTAINER,
        },
        Part {
            key: VOLUMES,
            of: |spec| spec.volumes,
            below: &[
                ("[].secret.secretName", Says::Secret),
                ("[].projected.sources[].secret.name", Says::Secret),
                ("[].csi.nodePublishSecretRef.name", Says::Secret),
                ("[].flexVolume.secretRef.name", Says::Secret),
                ("[].azureFile.secretName", Says::Secret),
                ("[].cephfs.secretRef.name", Says::Secret),
                ("[].cinder.secretRef.name", Says::Secret),
                ("[].iscsi.secretRef.name", Says::Secret),
                ("[].rbd.secretRef.name", Says::Secret),
                ("[].scaleIO.secretRef.name", Says::Secret),
                ("[].storageos.secretRef.name", Says::Secret),
                ("[].configMap.name", Says::ConfigMap),
                ("[].projected.sources[].configMap.name", Says::ConfigMap),
            ],
        },
        Part {
            key: "imagePullSecrets",
            of: |spec| spec.image_pull_secrets,
            below: &[("[]", Says::PullSecret)],
        },
        Part {
            key: "nodeSelector",
            of: |spec| spec.node_selector,
            below: &[("", Says::Labels)],
        },
        Part {
            key: "affinity",
            of: |spec| spec.affinity,
            // What is preferred is asked as what is required: where there is room, it moves a pod as well.
            below: &[
                (
                    ".nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[]",
                    Says::Expression,
                ),
                (
                    ".nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchFields[]",
                    Says::Field,
                ),
                (
                    ".nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[]",
                    Says::Expression,
                ),
                (
                    ".nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchFields[]",
                    Says::Field,
                ),
            ],
        },
    ]
};

/// A path of the table.
#[derive(Debug)]
pub struct PodPath {
    /// Where it leads in a pod spec.
    pub path: FieldPath,
    /// What stands there.
    pub says: Says,
    of: for<'s, 'a> fn(&'s PodSpec<'a>) -> Option<&'a RawValue>,
}

/// The paths of a pod spec at which secrets, config maps and nodes are named, in the order in which they are asked about.
pub static PATHS: LazyLock<Vec<PodPath>> = LazyLock::new(|| {
    let rows = PARTS.iter().flat_map(|part| {
        part.below.iter().filter_map(|(below, says)| {
            let path = FieldPath::try_from(format!("{}{below}", part.key)).ok()?;
            let (says, of) = (*says, part.of);
            Some(PodPath { path, says, of })
        })
    });
    rows.collect()
});

/// The checks that ask about it, in the order of the table.
static CHECKS: LazyLock<Vec<Check>> = LazyLock::new(|| {
    let mut checks = Vec::new();
    for (_, says) in PARTS.iter().flat_map(|part| part.below) {
        if !checks.contains(&says.check()) {
            checks.push(says.check());
        }
    }
    checks
});

/// The paths of a container at which it names what it reads, wherever it stands.
pub(crate) static OF_ANY_CONTAINER: LazyLock<Vec<(FieldPath, Says)>> = LazyLock::new(|| {
    let rows = OF_CONTAINER.iter().filter_map(|(below, says)| {
        let path = below.strip_prefix("[].")?;
        Some((FieldPath::try_from(path.to_owned()).ok()?, *says))
    });
    rows.collect()
});

/// Something that a pod spec names inside of its lists and maps.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// Where it stands in the pod spec.
    pub path: String,
    /// What the path of the table says.
    pub says: Says,
    /// What it names.
    pub named: Named<'a>,
}

/// What is named at a place.
#[derive(Clone, Debug)]
pub enum Named<'a> {
    /// Something of a resource, by its name; `*` is everything.
    One(Resource, Text<'a>),
    /// Something that cannot be named; the text says why.
    Malformed(String),
    /// It cannot be read; the text says why.
    Lost(String),
}

/// A requirement on a node.
#[derive(Deserialize)]
struct Requirement<'a> {
    #[serde(borrow, default)]
    key: Text<'a>,
    #[serde(borrow, default)]
    operator: Text<'a>,
    #[serde(borrow, default)]
    values: Option<Vec<Text<'a>>>,
}

impl Says {
    /// Whether a check asks about any of it.
    pub(crate) fn asked_by(check: Check) -> bool {
        CHECKS.contains(&check)
    }

    /// Those checks of the table that ask.
    pub(crate) fn asking(asks: impl Fn(Check) -> bool) -> Vec<Check> {
        let checks = CHECKS.iter().copied();
        checks.filter(|check| asks(*check)).collect()
    }

    /// The check that asks about it.
    pub(crate) const fn check(self) -> Check {
        match self {
            Self::ConfigMap => Check::ConfigMaps,
            Self::Expression | Self::Field | Self::Labels => Check::NodeLabels,
            Self::PullSecret | Self::Secret => Check::Secrets,
        }
    }

    /// The resource of what it names, where nothing else says so.
    pub const fn resource(self) -> Resource {
        match self {
            Self::ConfigMap => Resource::CONFIG_MAPS,
            Self::Expression | Self::Labels => Resource::NODE_LABELS,
            Self::Field => Resource::NODES,
            Self::PullSecret | Self::Secret => Resource::SECRETS,
        }
    }

    /// What is named at a place, each with its path.
    fn at<'a>(self, place: Place<'a>) -> Result<Vec<(String, Named<'a>)>, BadObject> {
        let Some(value) = place.value else {
            return Ok(Vec::new());
        };
        let mut path = place.path;
        Ok(match self {
            Self::ConfigMap | Self::PullSecret | Self::Secret => {
                let name: Text<'a> = match self {
                    Self::PullSecret if !value.get().starts_with('"') => {
                        key(value, "name")?.unwrap_or_default()
                    }
                    _ => parse(value)?,
                };
                let named = (!name.is_empty()).then(|| Named::One(self.resource(), name));
                named.map(|named| (path, named)).into_iter().collect()
            }
            Self::Labels => {
                let mut found = Vec::new();
                for (key, value) in fields(value)? {
                    let mut path = path.clone();
                    write_key(&mut path, &key);
                    let value: Text<'a> = parse(value)?;
                    found.push((path, label(&key, Some(&value))));
                }
                found
            }
            Self::Expression | Self::Field => {
                let Some(wanted) = parse::<Option<Requirement<'a>>>(value)? else {
                    return Ok(Vec::new());
                };
                let Requirement {
                    key,
                    operator,
                    values,
                } = wanted;
                let values = values.filter(|_| *operator == *"In").unwrap_or_default();
                let named: Vec<Named<'a>> = match (self, &*operator, &*key) {
                    (Self::Field, "In", "metadata.name") if !values.is_empty() => values
                        .into_iter()
                        .map(|name| Named::One(Resource::NODES, name))
                        .collect(),
                    // Whoever leaves out all nodes but one chooses that one.
                    (Self::Field, ..) => vec![Named::One(Resource::NODES, "*".into())],
                    (_, "In", key) if !values.is_empty() => {
                        let values = values.iter();
                        values.map(|value| label(key, Some(value))).collect()
                    }
                    (_, "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", key) => {
                        vec![label(key, None)]
                    }
                    _ => vec![Named::One(Resource::NODE_LABELS, "*".into())],
                };
                let last = named.len().saturating_sub(1);
                let mut placed = Vec::with_capacity(named.len());
                for (index, named) in named.into_iter().enumerate() {
                    let path = if index == last {
                        std::mem::take(&mut path)
                    } else {
                        path.clone()
                    };
                    placed.push((path, named));
                }
                placed
            }
        })
    }
}

/// A label of nodes, by the narrowest name that covers it.
fn label<'a>(key: &str, value: Option<&str>) -> Named<'a> {
    let bad = |what, text| {
        Named::Malformed(format!(
            "a node is chosen by the label {what} \"{text}\", which is not a legal one"
        ))
    };
    match value {
        _ if !is_label_key(key) => bad("key", key),
        Some(value) if !is_label_value(value) => bad("value", value),
        Some(value) => Named::One(Resource::NODE_LABELS, format!("{key}={value}").into()),
        None => Named::One(Resource::NODE_LABELS, key.to_owned().into()),
    }
}

/// Whether a key of a pod spec decides what is asked about it, or what runs in it: the fields of the two tables, among them the
/// containers, and the volumes, which also hold tokens.
pub fn decides(key: &str) -> bool {
    PodField::of_key(key).is_some() || PARTS.iter().any(|part| part.key == key)
}

/// The keys of a pod spec that say where its pods may go and nothing else: whoever changes one of them chooses, or waits to choose,
/// other nodes for the same use of everything beside them.
pub(crate) fn placing() -> impl Iterator<Item = &'static str> {
    let taints = FIELDS
        .iter()
        .filter(|field| field.check == Check::Tolerations);
    let of_labels = |(_, says): &(_, Says)| says.check() == Check::NodeLabels;
    let labels = PARTS
        .iter()
        .filter(move |part| part.below.iter().all(of_labels));
    // A gate names nothing: it only holds the scheduler up.
    let keys = taints
        .map(|field| field.key)
        .chain(labels.map(|part| part.key));
    keys.chain(["schedulingGates"])
}

/// Whether something at this path of a pod spec, or below it, is named in the table.
pub(crate) fn is_listed(steps: &[Step]) -> bool {
    let may_meet = |(step, of): (&Step, &Step)| match (step, of) {
        (Step::Values, Step::Key(_)) | (Step::Key(_), Step::Values) => true,
        (step, of) => step == of,
    };
    let mut paths = PATHS.iter();
    paths.any(|row| row.path.steps().iter().zip(steps).all(may_meet))
}

impl PodPath {
    /// The key of the pod spec that it begins with.
    pub(crate) fn part(&self) -> &str {
        match self.path.steps() {
            [Step::Key(key), ..] => key,
            _ => "",
        }
    }

    /// A word that whoever sets what stands there must spell.
    pub(crate) fn word(&self) -> &str {
        let mut keys = self.path.steps().iter().rev();
        let word = keys.find_map(|step| match step {
            Step::Key(key) if **key != *"name" => Some(&**key),
            _ => None,
        });
        word.unwrap_or_default()
    }
}

impl<'a> PodSpec<'a> {
    /// Everything that is named inside of its lists and maps and that one of these checks asks about; each name once, where it
    /// first stands. Nothing is read for a check that does not ask.
    pub(crate) fn listed(&self, asks: impl Fn(Check) -> bool) -> Vec<Listed<'a>> {
        let mut found = Vec::new();
        let asked = Says::asking(asks);
        if asked.is_empty() {
            return found;
        }
        let (mut known, mut unread) = (HashSet::new(), HashSet::new());
        let memo = Memo::default();
        let rows = PATHS.iter();
        for row in rows.filter(|row| asked.contains(&row.says.check())) {
            let says = row.says;
            let mut add = |path, named| found.push(Listed { path, says, named });
            let Some(part) = (row.of)(self) else {
                continue;
            };
            let places = match row.path.find_there(part, &memo) {
                Ok(places) => places,
                Err(lost) => {
                    // Said once, not for every path that leads there.
                    if unread.insert((row.part(), says.check())) {
                        add(row.part().to_owned(), Named::Lost(lost.to_string()));
                    }
                    continue;
                }
            };
            for place in places {
                let path = place.path.clone();
                match says.at(place) {
                    Ok(all) => {
                        for (path, named) in all {
                            if known.len() == MOST {
                                let why = format!("no more than {MOST} names are looked at");
                                add(path, Named::Lost(why));
                                return found;
                            }
                            if let Named::One(resource, name) = &named
                                && !known.insert((
                                    says == Says::PullSecret,
                                    *resource,
                                    name.clone(),
                                ))
                            {
                                continue;
                            }
                            add(path, named);
                        }
                    }
                    Err(bad) => add(path, Named::Lost(bad.to_string())),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A pod spec that says this at the end of a path, and nothing else.
    fn saying(steps: &[Step], end: Value) -> Value {
        steps.iter().rev().fold(end, |below, step| match step {
            Step::Items => json!([below]),
            Step::Key(key) => json!({ &**key: below }),
            Step::Values => json!({ "x": below }),
        })
    }

    fn seen(spec: &Value, check: Check) -> Vec<String> {
        let text = spec.to_string();
        let spec: PodSpec<'_> = serde_json::from_str(&text).unwrap();
        let listed = spec.listed(|asked| asked == check);
        let line = |Listed { path, named, .. }| match named {
            Named::One(resource, name) => format!("{path}: {resource}/{name}"),
            Named::Malformed(why) | Named::Lost(why) => format!("{path}! {why}"),
        };
        listed.into_iter().map(line).collect()
    }

    #[test]
    fn every_row_is_a_path_that_finds_what_stands_there() {
        let rows: usize = PARTS.iter().map(|part| part.below.len()).sum();
        assert_eq!(PATHS.len(), rows, "a path is none");
        assert_eq!(OF_ANY_CONTAINER.len(), OF_CONTAINER.len());
        for row in PATHS.iter() {
            let end = match row.says {
                Says::Expression => json!({"key": "k", "operator": "In", "values": ["v"]}),
                Says::Field => json!({"key": "metadata.name", "operator": "In", "values": ["v"]}),
                Says::Labels => json!({"k": "v"}),
                Says::ConfigMap | Says::PullSecret | Says::Secret => json!("v"),
            };
            let spec = saying(row.path.steps(), end);
            for check in Check::ALL {
                let found = seen(&spec, check);
                assert_eq!(
                    found.len(),
                    usize::from(check == row.says.check()),
                    "{spec}: {found:?}"
                );
                assert!(found.iter().all(|line| line.ends_with('v')), "{found:?}");
            }
            assert!(spec.to_string().contains(row.word()), "{spec}");
            assert!(is_listed(row.path.steps()) && is_listed(&row.path.steps()[..1]));
            let wrong = saying(row.path.steps(), json!(7));
            assert!(seen(&wrong, row.says.check())[0].contains('!'), "{wrong}");
            let hollow = saying(row.path.steps(), Value::Null);
            assert!(seen(&hollow, row.says.check()).is_empty(), "{hollow}");
        }
        for key in ["serviceAccount", "volumes", "initContainers", "affinity"] {
            assert!(decides(key), "{key}");
        }
        assert!(!decides("hostNetwork"));
        let steps = |text: &str| FieldPath::try_from(text.to_owned()).unwrap();
        assert!(!is_listed(steps("containers[].resources").steps()));
        assert!(!is_listed(steps("containers[].env[].value").steps()));
        assert!(is_listed(steps("containers[].env").steps()));
    }

    #[test]
    fn a_name_is_told_once_but_a_pull_secret_apart() {
        let spec = json!({
            "imagePullSecrets": [{"name": "s"}, {"name": "s"}, {}, "t"],
            "volumes": [{"secret": {"secretName": "s"}}, {"secret": {"secretName": ""}}],
            "containers": [
                {"env": [{"name": "a", "value": "b"}, {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
                {"envFrom": [{"secretRef": {"name": "s", "optional": true}}, {"secretRef": {"name": "t"}}]},
            ],
        });
        assert_eq!(
            seen(&spec, Check::Secrets),
            [
                "containers[0].env[1].valueFrom.secretKeyRef.name: secrets/s",
                "containers[1].envFrom[1].secretRef.name: secrets/t",
                "imagePullSecrets[0]: secrets/s",
                "imagePullSecrets[3]: secrets/t",
            ]
        );
    }

    #[test]
    fn what_an_operator_needs() {
        let required = |what: &str, end: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{ what: [end] }]}}}})
        };
        let names = |what: &str, end: Value| -> Vec<String> {
            let found = seen(&required(what, end), Check::NodeLabels).into_iter();
            let after = |line: String| line.rsplit_once("[0]").unwrap().1.to_owned();
            found.map(after).collect()
        };
        for (operator, values, expected) in [
            (
                "In",
                json!(["a", "b"]),
                &[": nodelabels.usher.dev/k=a", ": nodelabels.usher.dev/k=b"][..],
            ),
            ("In", json!([""]), &[": nodelabels.usher.dev/k="]),
            ("In", json!([]), &[": nodelabels.usher.dev/k"]),
            ("NotIn", json!(["a", "b"]), &[": nodelabels.usher.dev/k"]),
            ("Exists", Value::Null, &[": nodelabels.usher.dev/k"]),
            ("DoesNotExist", Value::Null, &[": nodelabels.usher.dev/k"]),
            ("Gt", json!(["1"]), &[": nodelabels.usher.dev/k"]),
            ("Lt", json!(["1"]), &[": nodelabels.usher.dev/k"]),
            ("Unheard", json!(["1"]), &[": nodelabels.usher.dev/*"]),
            ("", Value::Null, &[": nodelabels.usher.dev/*"]),
        ] {
            let end = json!({"key": "k", "operator": operator, "values": values});
            assert_eq!(names("matchExpressions", end), expected, "{operator}");
        }
        for (key, operator, expected) in [
            ("metadata.name", "In", ": nodes/n"),
            ("metadata.name", "NotIn", ": nodes/*"),
            ("metadata.uid", "In", ": nodes/*"),
        ] {
            let end = json!({"key": key, "operator": operator, "values": ["n"]});
            assert_eq!(names("matchFields", end), [expected], "{key} {operator}");
        }
        let spec = json!({"nodeSelector": {"a.b/c": "d", "e f": "g", "h": "i j"}});
        assert_eq!(
            seen(&spec, Check::NodeLabels),
            [
                "nodeSelector[\"a.b/c\"]: nodelabels.usher.dev/a.b/c=d",
                "nodeSelector[\"e f\"]! a node is chosen by the label key \"e f\", which is not a legal one",
                "nodeSelector.h! a node is chosen by the label value \"i j\", which is not a legal one",
            ]
        );
    }

    #[test]
    fn more_names_than_anybody_writes_are_not_looked_at() {
        let volumes: Vec<_> = (0..2 * MOST)
            .map(|n| json!({"secret": {"secretName": format!("s{n}")}}))
            .collect();
        let found = seen(&json!({"volumes": volumes[..MOST]}), Check::Secrets);
        assert!(found.len() == MOST && !found.iter().any(|line| line.contains('!')));
        let pulled = json!([{"name": "p"}]);
        let found = seen(
            &json!({"volumes": volumes[..MOST], "imagePullSecrets": pulled}),
            Check::Secrets,
        );
        assert!(found[MOST].contains("no more than 1000 names"));
        let found = seen(&json!({ "volumes": volumes }), Check::Secrets);
        assert!(
            found[0].contains("no more than 1000 places"),
            "{}",
            found[0]
        );
    }
}
