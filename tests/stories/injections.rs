//! The stories of `tests/stories/injections`: profiles, service accounts, and what becomes of a pod that is created.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::config;

use crate::support::injected::{Cluster, Injected, account};

/// A file: one world, and pods that do not change it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Injection {
    /// What the file shows, in a sentence.
    about: String,
    /// The configuration, as in its own file.
    config: Value,
    /// Annotations of the service accounts that there are, by `namespace/name`.
    #[serde(default)]
    accounts: BTreeMap<String, BTreeMap<String, String>>,
    /// Accounts that the API server would not give out.
    #[serde(default)]
    unreadable: Vec<String>,
    requests: Vec<Created>,
}

/// A pod and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    /// What happens here, in a sentence.
    story: String,
    #[serde(default = "namespace")]
    namespace: String,
    /// The pod, without its kind.
    pod: Value,
    /// What the stored pod holds: things with a name are found by it, whatever else is there.
    #[serde(default)]
    gets: Option<Value>,
    /// What the stored pod does not hold, as JSON pointers; a name stands for its place in a list.
    #[serde(default)]
    lacks: Vec<String>,
    /// The whole patch.
    #[serde(default)]
    patch: Option<Value>,
    /// Parts of the message, if it is refused.
    #[serde(default)]
    refused: Vec<String>,
    /// Parts of the warnings, one for each of them.
    #[serde(default)]
    warnings: Vec<String>,
    /// Parts of audit annotations.
    #[serde(default)]
    audit: BTreeMap<String, String>,
}

fn namespace() -> String {
    "team-a".to_owned()
}

#[test]
fn every_pod_becomes_what_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/injections");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let yaml = fs::read_to_string(file).unwrap();
        let told: Injection =
            serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            !told.about.is_empty() && !told.requests.is_empty(),
            "{name} tells nothing"
        );
        let cluster = told.cluster(&name);
        for created in &told.requests {
            count += 1;
            let (pod, injected) = created.happens(&cluster);
            let differences = created.differences(&pod, &injected);
            if !differences.is_empty() {
                let story = &created.story;
                wrong.push(format!(
                    "{name}: {story}\n  {}\n  patch {}, message {:?}, warnings {:?}, audit {:?}",
                    differences.join("\n  "),
                    json!(injected.patch),
                    injected.message,
                    injected.warnings,
                    injected.audit
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} stories end otherwise\n\n{}\n",
        wrong.len(),
        wrong.join("\n\n")
    );
    println!("{count} pods in {} files", files.len());
    assert!(count > 90, "{count}");
}

impl Injection {
    fn cluster(&self, name: &str) -> Cluster {
        let policy = config::parse(&self.config.to_string())
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .policy;
        let accounts: Vec<Value> = self
            .accounts
            .iter()
            .map(|(at, annotations)| {
                let (namespace, name) = at.split_once('/').unwrap();
                account(namespace, name, &json!(annotations))
            })
            .collect();
        let mut cluster = Cluster::new(policy, &accounts);
        cluster.unreadable.extend(self.unreadable.iter().cloned());
        cluster
    }
}

impl Created {
    fn happens(&self, cluster: &Cluster) -> (Value, Injected) {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}});
        json_patch::merge(&mut pod, &self.pod);
        let injected = cluster.create(
            &pod,
            &self.namespace,
            "705ab4f5-6393-11e8-b7cc-42010a800002",
        );
        (pod, injected)
    }

    /// What is not as it should be.
    fn differences(&self, pod: &Value, injected: &Injected) -> Vec<String> {
        let mut found = Vec::new();
        let says = self.gets.is_some() || self.patch.is_some() || !self.refused.is_empty();
        if !says {
            found.push("the story says nothing of the pod".to_owned());
        }
        if injected.allowed != self.refused.is_empty() {
            found.push(format!("it is allowed: {}", injected.allowed));
        }
        if !injected.allowed && injected.pod != *pod {
            found.push("a pod that is refused is changed".to_owned());
        }
        for part in self
            .refused
            .iter()
            .filter(|part| !injected.message.contains(&***part))
        {
            found.push(format!("the message should say {part:?}"));
        }
        if let Some(gets) = &self.gets {
            holds(&injected.pod, gets, "", &mut found);
        }
        for pointer in &self.lacks {
            if at(&injected.pod, pointer).is_some() {
                found.push(format!("it should not have {pointer}"));
            }
        }
        if let Some(patch) = &self.patch
            && *patch != json!(injected.patch)
        {
            found.push(format!("the patch should be {patch}"));
        }
        let parts = self.warnings.iter().zip(&injected.warnings);
        if self.warnings.len() != injected.warnings.len()
            || parts
                .clone()
                .any(|(part, warning)| !warning.contains(&**part))
        {
            found.push(format!("the warnings should say {:?}", self.warnings));
        }
        for (key, part) in &self.audit {
            if !injected
                .audit
                .get(key)
                .is_some_and(|text| text.contains(part))
            {
                found.push(format!("audit annotation {key} should say {part:?}"));
            }
        }
        found
    }
}

/// Finds what is missing of a fragment: maps hold at least its keys, lists of named things at least these, in whatever
/// order, and all else is equal.
fn holds(whole: &Value, part: &Value, path: &str, found: &mut Vec<String>) {
    match part {
        Value::Object(keys) if whole.is_object() => {
            for (key, part) in keys {
                holds(&whole[key], part, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(list)
            if !list.is_empty() && list.iter().all(|held| held["name"].is_string()) =>
        {
            for part in list {
                let name = part["name"].as_str().unwrap();
                let path = format!("{path}/{name}");
                let held = whole.as_array().into_iter().flatten();
                match held.filter(|held| held["name"] == name).collect::<Vec<_>>()[..] {
                    [held] => holds(held, part, &path, found),
                    ref others => found.push(format!("{} stand at {path}, not one", others.len())),
                }
            }
        }
        part if part != whole => found.push(format!("{path} should be {part}, and is {whole}")),
        _ => {}
    }
}

/// What stands at a pointer, in which a name stands for its place in a list.
fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer
        .split('/')
        .skip(1)
        .try_fold(value, |value, key| match value {
            Value::Array(list) => list.iter().find(|held| held["name"] == key),
            object => object.get(key),
        })
}

/// A cluster with one profile and the account `default`.
fn with_profile(profile: &Value) -> Cluster {
    let configuration = json!({"profiles": [profile]}).to_string();
    let policy = config::parse(&configuration)
        .unwrap_or_else(|error| panic!("{error}"))
        .policy;
    Cluster::new(policy, &[account("team-a", "default", &json!({}))])
}

#[test]
fn lifetimes_vary_within_their_range_and_from_pod_to_pod() {
    let cluster = with_profile(&json!({
        "name": "varied",
        "volume": {"mountPath": "/var/run/varied"},
        "tokens": [{"audience": "a", "expirationSeconds": 7200, "jitterSeconds": 600, "path": "token"}],
    }));
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "web"}]}});
    let seconds = |uid: &str| {
        let stored = cluster.create(&pod, "team-a", uid).pod;
        let token = "/spec/volumes/0/projected/sources/0/serviceAccountToken/expirationSeconds";
        stored.pointer(token).and_then(Value::as_i64).unwrap()
    };
    let mut seen = BTreeSet::new();
    for number in 0..500 {
        let uid = format!("705ab4f5-6393-11e8-b7cc-{number:012}");
        assert_eq!(seconds(&uid), seconds(&uid), "one request has one lifetime");
        seen.insert(seconds(&uid));
    }
    assert!(
        seen.iter().all(|seconds| (6600..=7200).contains(seconds)),
        "{seen:?}"
    );
    // Of 601 lifetimes 500 fair draws give about 340.
    assert!(seen.len() > 250, "{}", seen.len());
    assert!(
        seen.first() < Some(&6620) && seen.last() > Some(&7180),
        "{seen:?}"
    );
}

#[test]
fn a_group_is_set_where_somebody_needs_it_and_nobody_has_said_which() {
    let (root, user) = (json!({"runAsUser": 0}), json!({"runAsUser": 1000}));
    let (other, said) = (json!({"runAsNonRoot": true}), json!({"fsGroup": 0}));
    let both = json!({"runAsUser": 0, "runAsNonRoot": true});
    let may_be = json!({"runAsNonRoot": false, "runAsUser": 1000});
    let set = json!({"fsGroup": 2000, "runAsUser": 1000});
    let nothing = json!({});
    // When, the pod's security context, that of its container, and the group that it has in the end.
    let table = [
        ("never", &nothing, &user, None),
        ("never", &user, &other, None),
        ("never", &set, &nothing, Some(2000)),
        ("ifNonRoot", &Value::Null, &Value::Null, None),
        ("ifNonRoot", &nothing, &nothing, None),
        ("ifNonRoot", &user, &nothing, Some(77)),
        ("ifNonRoot", &other, &nothing, Some(77)),
        ("ifNonRoot", &nothing, &user, Some(77)),
        ("ifNonRoot", &nothing, &other, Some(77)),
        ("ifNonRoot", &Value::Null, &user, Some(77)),
        ("ifNonRoot", &root, &nothing, None),
        ("ifNonRoot", &root, &user, Some(77)),
        ("ifNonRoot", &user, &root, None),
        ("ifNonRoot", &nothing, &root, None),
        ("ifNonRoot", &root, &other, Some(77)),
        ("ifNonRoot", &nothing, &both, Some(77)),
        ("ifNonRoot", &nothing, &may_be, Some(77)),
        ("ifNonRoot", &other, &may_be, Some(77)),
        ("ifNonRoot", &set, &nothing, Some(2000)),
        ("ifNonRoot", &said, &user, Some(0)),
        ("always", &Value::Null, &Value::Null, Some(77)),
        ("always", &nothing, &nothing, Some(77)),
        ("always", &root, &root, Some(77)),
        ("always", &said, &nothing, Some(0)),
        ("always", &set, &user, Some(2000)),
    ];
    for (when, security, own, group) in table {
        let cluster = with_profile(&json!({
            "name": "grouped",
            "volume": {"mountPath": "/var/run/grouped"},
            "tokens": [{"audience": "a", "path": "token"}],
            "containers": {"skip": ["sidecar"]},
            "fsGroup": {"when": when, "value": 77},
        }));
        for windows in [false, true] {
            // What a container is that gets no token counts for nothing.
            let sidecar = json!({"name": "sidecar", "securityContext": {"runAsUser": 5}});
            let mut pod = json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "spec": {"containers": [{"name": "web", "securityContext": own}, sidecar], "securityContext": security},
            });
            if windows {
                pod["spec"]["os"] = json!({"name": "windows"});
            }
            let stored = cluster.create(&pod, "team-a", "u").pod;
            let actual = stored["spec"]["securityContext"]["fsGroup"].as_i64();
            let own_group = security["fsGroup"].as_i64();
            let expected = if windows { own_group } else { group };
            assert_eq!(
                actual, expected,
                "{when} {security} {own} windows: {windows}"
            );
            assert_eq!(stored["spec"]["volumes"][0]["name"], "grouped");
        }
    }
}
