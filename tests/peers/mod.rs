//! The rows of the suites of four other webhooks that put tokens into pods, given to Usher's presets: the same pod comes
//! out, or another one for a reason that is named here.
//!
//! The rows are files of those projects and no part of this repository; see [`fixtures`].

mod aws;
mod azure;
mod gcp;
mod manifests;
mod theatre;

use std::{
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use usher_core::{config, engine::Policy};

use crate::support::{
    fixtures::fixtures,
    injected::{Cluster, Injected, review},
};

/// A pod, and what the other project makes of it.
struct Row {
    name: String,
    /// The profile that stands for the other project's settings.
    profile: Value,
    accounts: Vec<Value>,
    /// The bytes of the review.
    body: Vec<u8>,
    theirs: Outcome,
    /// Why Usher does something else, and what; none: it does the same.
    ours: Option<(Difference, Outcome)>,
    /// Lifetimes among which the other project draws lots.
    drawn: Option<RangeInclusive<i64>>,
    /// What a warning must say.
    warning: Option<&'static str>,
}

/// What comes of a pod.
#[derive(Clone, Debug)]
enum Outcome {
    /// It is stored like this.
    Pod(Value),
    /// It is refused, with a message that holds this.
    Refused(String),
}

/// Why Usher does something else than the other project. There are no other reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// Of the variables that belong together a container has some: Usher adds the others, and mounts the token.
    Completed,
    /// The API server sends the version and kind of a review: without them it is none.
    Envelope,
    /// A service account that is not there is a warning, since it may come a moment later; who wants a refusal says
    /// `required: true`.
    Missing,
    /// Usher adds no container, wraps no command and writes no credential configuration.
    Setup,
    /// A volume of that name with other content is neither mounted in place of the token nor replaced: the pod is
    /// refused.
    Taken,
}

impl Row {
    /// What is wrong, if anything is.
    fn wrong(&self) -> Option<String> {
        let policy = policy(&self.profile);
        let injected = Cluster::new(policy, &self.accounts).answer(&self.body);
        let found = |what: String| Some(format!("{}: {what}\n{injected:#?}", self.name));
        if let Some(part) = self.warning
            && !injected
                .warnings
                .iter()
                .any(|warning| warning.contains(part))
        {
            return found(format!("no warning says {part:?}"));
        }
        match (&self.ours, self.differs(&injected, &self.theirs)) {
            (None, None) => None,
            (None, Some(why)) => found(format!("not as theirs: {why}")),
            (Some((why, _)), None) => found(format!("the same, though listed as {why:?}")),
            (Some((why, ours)), Some(_)) => self
                .differs(&injected, ours)
                .and_then(|what| found(format!("not as {why:?} has it: {what}"))),
        }
    }

    fn differs(&self, injected: &Injected, expected: &Outcome) -> Option<String> {
        match expected {
            Outcome::Refused(_) if injected.allowed => Some("it is not refused".to_owned()),
            Outcome::Refused(part) if !injected.message.contains(part) => {
                Some(format!("the message does not say {part:?}"))
            }
            Outcome::Refused(_) => None,
            Outcome::Pod(_) if !injected.allowed => Some("it is refused".to_owned()),
            Outcome::Pod(pod) => {
                let mut actual = injected.pod.clone();
                if let Some(drawn) = &self.drawn {
                    take_lots(&mut actual, drawn);
                }
                let (actual, expected) = (plain(&actual), plain(pod));
                (actual != expected).then(|| format!("\n{actual:#}\nis not\n{expected:#}"))
            }
        }
    }
}

/// A folder of rows.
fn folder(peer: &str) -> PathBuf {
    let folder = fixtures().join("peers").join(peer);
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    folder
}

/// Reads a file of rows.
fn rows_of(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Tries all rows and prints how many came out the same.
fn judge(peer: &str, rows: &[Row]) {
    assert!(!rows.is_empty(), "{peer} has no rows");
    let wrong: Vec<String> = rows.iter().filter_map(Row::wrong).collect();
    let differ: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            row.ours
                .as_ref()
                .map(|(why, _)| format!("{}: {why:?}", row.name))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{peer}: {} of {} rows\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
    println!(
        "{peer} {} rows: {} same, {} differ ({})",
        rows.len(),
        rows.len() - differ.len(),
        differ.len(),
        differ.join("; ")
    );
}

fn policy(profile: &Value) -> Policy {
    let configuration = json!({"profiles": [profile]}).to_string();
    config::parse(&configuration)
        .unwrap_or_else(|error| panic!("{error}\n{configuration}"))
        .policy
}

/// The bytes of the review of a pod.
fn body(pod: &Value, namespace: &str) -> Vec<u8> {
    review(pod, namespace, "705ab4f5-6393-11e8-b7cc-42010a800002")
        .to_string()
        .into_bytes()
}

/// A volume with one token.
fn token_volume(name: &str, audience: &str, seconds: i64, path: &str) -> Value {
    let token = json!({"audience": audience, "expirationSeconds": seconds, "path": path});
    json!({"name": name, "projected": {"sources": [{"serviceAccountToken": token}]}})
}

fn mount(name: &str, path: &str) -> Value {
    json!({"name": name, "mountPath": path, "readOnly": true})
}

/// The containers of a pod, init containers first.
fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut().unwrap();
    let lists = spec
        .iter_mut()
        .filter(|(key, _)| *key == "initContainers" || *key == "containers");
    lists.flat_map(|(_, list)| list.as_array_mut().unwrap())
}

/// Adds to a list of an object, which may not be there yet.
fn push(object: &mut Value, list: &str, value: Value) {
    let object = object.as_object_mut().unwrap();
    let held = object.entry(list).or_insert_with(|| json!([]));
    held.as_array_mut().unwrap().push(value);
}

/// The names in a list of named things.
fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|held| held["name"].as_str()).collect()
}

/// Whether the pod has a volume of the name of `volume` that holds something else.
fn is_taken(pod: &Value, volume: &Value) -> bool {
    let held = pod["spec"]["volumes"].as_array().into_iter().flatten();
    held.clone()
        .any(|held| held["name"] == volume["name"] && plain(held) != plain(volume))
}

/// Puts the first of the lifetimes where one of them stands.
fn take_lots(pod: &mut Value, drawn: &RangeInclusive<i64>) {
    let volumes = pod["spec"]["volumes"].as_array_mut().into_iter().flatten();
    for volume in volumes {
        let sources = volume["projected"]["sources"].as_array_mut();
        for source in sources.into_iter().flatten() {
            let seconds = &mut source["serviceAccountToken"]["expirationSeconds"];
            if seconds.as_i64().is_some_and(|held| drawn.contains(&held)) {
                *seconds = json!(drawn.start());
            }
        }
    }
}

/// The same without what means nothing: null, empty maps and lists, an empty audience, and the order of volumes, mounts
/// and variables.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let held = object.iter().filter_map(|(key, value)| {
                let mut value = plain(value);
                if let ("volumes" | "volumeMounts" | "env", Value::Array(list)) =
                    (&**key, &mut value)
                {
                    list.sort_by_key(Value::to_string);
                }
                let nothing = match &value {
                    Value::Null => true,
                    // `emptyDir: {}` says something.
                    Value::Object(held) => held.is_empty() && key != "emptyDir",
                    Value::Array(list) => list.is_empty(),
                    Value::String(text) => key == "audience" && text.is_empty(),
                    Value::Bool(_) | Value::Number(_) => false,
                };
                (!nothing).then(|| (key.clone(), value))
            });
            Value::Object(held.collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        other => other.clone(),
    }
}
