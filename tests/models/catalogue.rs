//! What an entry of the catalogue means, written a second time: slowly, over plain values, from the reference page and the
//! descriptions of the schema. It shares no code with the catalogue, so that each shows the mistakes of the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::support::catalogue_world::HOME;

/// Keys of each part of a file. A word that stands here is one that this model knows the meaning of.
const WORDS: &[(&str, &[&str])] = &[
    ("file", &["about", "controllers", "makes", "kinds"]),
    (
        "controller",
        &["namespace", "serviceAccount", "defaultServiceAccount"],
    ),
    // Who makes what is no part of the model: a tenant is no controller.
    (
        "maker",
        &[
            "account",
            "controller",
            "makes",
            "of",
            "pins",
            "revision",
            "tolerations",
        ],
    ),
    (
        "kind",
        &[
            "group",
            "versions",
            "kind",
            "resource",
            "resourceGroup",
            "takenBy",
            "scope",
            "content",
            "fields",
            "governed",
            "narrow",
            "harmless",
            "free",
        ],
    ),
    (
        "content",
        &[
            "account",
            "binding",
            "connection",
            "named",
            "namespaceTolerations",
            "podSpec",
            "revision",
            "signingRequest",
            "tokenSecret",
            "tokenRequest",
        ],
    ),
    (
        "field",
        &[
            "path",
            "when",
            "unless",
            "podSpec",
            "serviceAccount",
            "controller",
            "object",
            "namespace",
            "opaque",
            "identity",
            "manifest",
            "patch",
        ],
    ),
    (
        "serviceAccount",
        &["absent", "in", "name", "form", "configMap", "made"],
    ),
    ("configMap", &["key"]),
    (
        "object",
        &[
            "of",
            "kind",
            "name",
            "form",
            "namespace",
            "in",
            "cluster",
            "check",
        ],
    ),
    ("podSpec", &["account", "in"]),
    ("patch", &["placeholder", "anyCase"]),
    ("in", &["controller", "field", "path"]),
    ("absent", &["account", "controller"]),
    ("nothing", &[]),
];

/// Of each container, what it reads: check, resource and path.
const READ_BY_CONTAINERS: [[&str; 3]; 4] = [
    ["secrets", "secrets", "env[].valueFrom.secretKeyRef.name"],
    ["secrets", "secrets", "envFrom[].secretRef.name"],
    [
        "configMaps",
        "configmaps",
        "env[].valueFrom.configMapKeyRef.name",
    ],
    ["configMaps", "configmaps", "envFrom[].configMapRef.name"],
];
/// The same of each volume.
const READ_BY_VOLUMES: [[&str; 3]; 13] = [
    ["secrets", "secrets", "secret.secretName"],
    ["secrets", "secrets", "projected.sources[].secret.name"],
    ["secrets", "secrets", "csi.nodePublishSecretRef.name"],
    ["secrets", "secrets", "flexVolume.secretRef.name"],
    ["secrets", "secrets", "azureFile.secretName"],
    ["secrets", "secrets", "cephfs.secretRef.name"],
    ["secrets", "secrets", "cinder.secretRef.name"],
    ["secrets", "secrets", "iscsi.secretRef.name"],
    ["secrets", "secrets", "rbd.secretRef.name"],
    ["secrets", "secrets", "scaleIO.secretRef.name"],
    ["secrets", "secrets", "storageos.secretRef.name"],
    ["configMaps", "configmaps", "configMap.name"],
    [
        "configMaps",
        "configmaps",
        "projected.sources[].configMap.name",
    ],
];
/// Where requirements on nodes stand.
const CHOICES: [&str; 2] = [
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[]",
    "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference",
];

/// Every path of a pod spec below which something is named in lists or maps, with its check and resource.
pub(crate) fn listed_paths() -> Vec<[String; 3]> {
    let mut paths: Vec<[String; 3]> = Vec::new();
    let mut add = |[check, resource, path]: [&str; 3], list: &str| {
        paths.push([
            check.to_owned(),
            resource.to_owned(),
            format!("{list}{path}"),
        ]);
    };
    for list in [
        "containers[].",
        "initContainers[].",
        "ephemeralContainers[].",
    ] {
        for row in READ_BY_CONTAINERS {
            add(row, list);
        }
    }
    for row in READ_BY_VOLUMES {
        add(row, "volumes[].");
    }
    add(["secrets", "secrets", "imagePullSecrets[]"], "");
    add(["nodeLabels", "nodelabels.usher.dev", "nodeSelector"], "");
    for choice in CHOICES {
        add(
            ["nodeLabels", "nodelabels.usher.dev", ".matchExpressions[]"],
            choice,
        );
        add(["nodeLabels", "nodes", ".matchFields[]"], choice);
    }
    paths
}

/// What is named in lists and maps: check, path, resource, and the name, or how it cannot be had.
type Listed = (String, String, String, Result<String, &'static str>);

/// Everything that a pod spec names in its lists and maps, each name once. A pull secret is another matter than one that a
/// container reads.
fn listed(spec: &Value) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    let mut known = BTreeSet::new();
    for [check, resource, path] in listed_paths() {
        let mut add = |place: &str, resource: &str, named: Result<String, &'static str>| {
            let pulled = path.starts_with("imagePullSecrets");
            let same = (pulled, resource.to_owned(), named.clone());
            if named.is_err() || known.insert(same) {
                found.push((check.clone(), place.to_owned(), resource.to_owned(), named));
            }
        };
        let Ok(all) = places(spec, &steps(&path), &[]) else {
            let part = path.split(['.', '[']).next().unwrap();
            let is_told = |line: &Listed| line.0 == check && line.1 == part;
            // Said once, not for every path that leads there. A selector that is none is its own part.
            if !found.iter().any(is_told) {
                let why = Err("unknown");
                found.push((check, part.to_owned(), resource, why));
            }
            continue;
        };
        for (place, value, _) in all {
            let named = match value.filter(|value| !value.is_null()) {
                None => continue,
                Some(Value::Object(of)) if path == "imagePullSecrets[]" => {
                    match of.get("name").unwrap_or(&Value::Null) {
                        Value::Null => continue,
                        Value::String(name) if name.is_empty() => continue,
                        Value::String(name) => Ok(vec![(String::new(), Ok(name.clone()))]),
                        _ => Err(Lost),
                    }
                }
                Some(value) if path == "nodeSelector" => chosen_by_selector(value),
                Some(value) if path.ends_with("matchExpressions[]") => chosen(value, false),
                Some(value) if path.ends_with("matchFields[]") => chosen(value, true),
                Some(Value::String(name)) if name.is_empty() => continue,
                Some(Value::String(name)) => Ok(vec![(String::new(), Ok(name.clone()))]),
                Some(_) => Err(Lost),
            };
            match named {
                Err(Lost) => add(&place, &resource, Err("unknown")),
                Ok(named) => {
                    for (label, name) in named {
                        let place = match &*label {
                            "" => place.clone(),
                            label => below(&place, label),
                        };
                        add(&place, &resource, name);
                    }
                }
            }
        }
    }
    found
}

/// Names, each with a further key of its path.
type Chosen = Vec<(String, Result<String, &'static str>)>;

fn chosen_by_selector(selector: &Value) -> Result<Chosen, Lost> {
    let mut found = Vec::new();
    for (key, value) in selector.as_object().ok_or(Lost)? {
        let value = match value {
            Value::Null => "",
            Value::String(value) => value,
            _ => return Err(Lost),
        };
        found.push((key.clone(), label(key, Some(value))));
    }
    Ok(found)
}

/// What a requirement asks of a node, be it of its labels or of its name.
fn chosen(requirement: &Value, of_name: bool) -> Result<Chosen, Lost> {
    let text = |field| key(requirement, field).map(Option::unwrap_or_default);
    let (key, operator) = (text("key")?, text("operator")?);
    let values: Vec<String> = match &requirement["values"] {
        Value::Null => Vec::new(),
        Value::Array(values) => {
            let value = |value: &Value| match value {
                Value::Null => Ok(String::new()),
                Value::String(value) => Ok(value.clone()),
                _ => Err(Lost),
            };
            values.iter().map(value).collect::<Result<_, Lost>>()?
        }
        _ => return Err(Lost),
    };
    let one_of = operator == "In" && !values.is_empty();
    let names: Vec<Result<String, &'static str>> = if of_name {
        if one_of && key == "metadata.name" {
            values.into_iter().map(Ok).collect()
        } else {
            vec![Ok("*".to_owned())]
        }
    } else if one_of {
        let values = values.iter();
        values.map(|value| label(&key, Some(value))).collect()
    } else if ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"].contains(&&*operator) {
        vec![label(&key, None)]
    } else {
        vec![Ok("*".to_owned())]
    };
    Ok(names
        .into_iter()
        .map(|name| (String::new(), name))
        .collect())
}

fn label(key: &str, value: Option<&str>) -> Result<String, &'static str> {
    let part = |text: &str, most: usize, more: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        let ends = |c: char| c.is_ascii_alphanumeric();
        text.len() <= most
            && text.chars().all(inner)
            && text.starts_with(ends)
            && text.ends_with(ends)
    };
    let name = |text: &str| part(text, 63, "-_.");
    let domain = |text: &str| {
        let words = text.split('.');
        text == text.to_lowercase() && words.clone().all(|word| part(word, 253, "-"))
    };
    let is_key = match key.split_once('/') {
        Some((prefix, rest)) => domain(prefix) && name(rest),
        None => name(key),
    };
    match value {
        _ if !is_key => Err("malformed"),
        Some(value) if !value.is_empty() && !name(value) => Err("malformed"),
        Some(value) => Ok(format!("{key}={value}")),
        None => Ok(key.to_owned()),
    }
}

/// Everything that the files say.
pub(crate) struct Book {
    pub(crate) entries: Vec<Entry>,
    controllers: BTreeMap<String, Value>,
    /// Words that the model does not know, each with its place.
    pub(crate) unknown: Vec<String>,
}

/// A kind in some of its versions.
pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) versions: Vec<String>,
    pub(crate) cluster: bool,
    /// Of a kind of Kubernetes itself: where the pod spec stands.
    pod_spec: Option<String>,
    /// Of a kind of Kubernetes itself: what is looked into.
    content: Value,
    /// Whether it is an object that is kept and can change: no connection, no request for a token.
    pub(crate) kept: bool,
    pub(crate) fields: Vec<Value>,
    governed: Option<String>,
    /// Why only its fields are governed.
    pub(crate) narrow: Option<String>,
    harmless: Vec<String>,
    pub(crate) free: Vec<String>,
}

/// A request of somebody who holds no right.
pub(crate) struct Asked<'r> {
    pub(crate) group: &'r str,
    pub(crate) version: &'r str,
    pub(crate) kind: &'r str,
    pub(crate) subresource: &'r str,
    /// Empty for the whole cluster.
    pub(crate) namespace: &'r str,
    pub(crate) object: &'r Value,
    /// Of an update.
    pub(crate) old: Option<&'r Value>,
}

/// What the configuration says of checks and controllers, in the words of the configuration.
pub(crate) struct Rules {
    pub(crate) checks: BTreeMap<String, String>,
    pub(crate) controllers: Value,
    /// Runtime classes that are there, and bring nothing.
    pub(crate) classes: Vec<String>,
    /// An account of the tests' own namespace, and the pull secret that it has.
    pub(crate) pulls: (&'static str, &'static str),
    /// Accounts that are there.
    pub(crate) accounts: Vec<&'static str>,
    /// Config maps that are there, and the account that each names, if any.
    pub(crate) config_maps: BTreeMap<String, Option<String>>,
}

/// A finding: check, path, target, outcome, and the grant that is missing.
pub(crate) type Line = (String, String, String, String, String);

/// What is to be said about a request; none: it is not looked into, or cannot be judged.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Passed(&'static str),
    Broken,
    Findings(Vec<Line>),
}

#[derive(PartialEq)]
pub(crate) enum Step {
    Items,
    Key(String),
    Values,
}

/// Something on the way cannot be read.
struct Lost;

/// Where a path leads: the path with its indices and keys, what stands there, and through which items it went.
type Places<'o> = Vec<(String, Option<&'o Value>, Vec<String>)>;

impl Book {
    /// Reads every file of the catalogue as it stands in the repository.
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src/catalogue/data");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
            .collect();
        files.sort();
        let mut book = Self {
            entries: Vec::new(),
            controllers: BTreeMap::new(),
            unknown: Vec::new(),
        };
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let yaml = fs::read_to_string(&file).unwrap();
            book.file(&name, &serde_saphyr::from_str(&yaml).unwrap());
        }
        book
    }

    /// Names every word that the model does not know.
    fn words(&mut self, part: &str, of: &Value, place: &str) {
        let (_, known) = WORDS.iter().find(|(held, _)| *held == part).unwrap();
        let Some(map) = of.as_object() else {
            return self.unknown.push(format!("{place}: {part} is {of}"));
        };
        let strange = map.keys().filter(|key| !known.contains(&key.as_str()));
        let strange = strange.map(|key| format!("{place}: {part} has the word \"{key}\""));
        self.unknown.extend(strange);
    }

    fn file(&mut self, name: &str, file: &Value) {
        self.words("file", file, name);
        // In the file of Kubernetes itself they are a list of makers.
        if let Value::Object(controllers) = &file["controllers"] {
            for (controller, identity) in controllers {
                self.words("controller", identity, name);
                self.controllers
                    .insert(controller.clone(), identity.clone());
            }
        }
        for maker in list(&file["makes"]) {
            self.words("maker", maker, name);
        }
        for kind in list(&file["kinds"]) {
            let place = format!("{name}: {}", kind["kind"]);
            self.words("kind", kind, &place);
            for field in list(&kind["fields"]) {
                self.field(field, &place);
            }
            // A word alone is one that needs no more.
            let content = &match &kind["content"] {
                Value::String(word) => json!({ word: true }),
                content => content.clone(),
            };
            if !content.is_null() {
                self.words("content", content, &place);
            }
            let harmless = match &kind["harmless"] {
                Value::Null if content.is_null() => vec!["status".to_owned()],
                harmless => texts(harmless),
            };
            self.entries.push(Entry {
                file: name.to_owned(),
                group: word(&kind["group"]),
                kind: word(&kind["kind"]),
                versions: texts(&kind["versions"]),
                cluster: kind["scope"] == "Cluster",
                pod_spec: content["podSpec"].as_str().map(str::to_owned),
                content: content.clone(),
                kept: content.is_null() || content["podSpec"].is_string(),
                fields: list(&kind["fields"]).to_vec(),
                governed: kind["governed"].as_str().map(str::to_owned),
                narrow: kind["narrow"].as_str().map(str::to_owned),
                harmless,
                free: texts(&kind["free"]),
            });
        }
    }

    fn field(&mut self, field: &Value, place: &str) {
        let place = format!("{place}: {}", field["path"]);
        self.words("field", field, &place);
        for sort in ["serviceAccount", "object", "podSpec", "patch"] {
            if let Some(held) = field.get(sort) {
                self.words(sort, held, &place);
            }
        }
        for sort in ["namespace", "manifest"] {
            if let Some(held) = field.get(sort) {
                self.words("nothing", held, &place);
            }
        }
        for sort in ["serviceAccount", "object", "podSpec"] {
            if let Some(within) = field[sort].get("in") {
                self.words("in", within, &place);
            }
        }
        if let Some(map) = field["serviceAccount"].get("configMap") {
            self.words("configMap", map, &place);
        }
        match &field["serviceAccount"]["absent"] {
            Value::Null => {}
            Value::String(word) if word == "default" => {}
            absent => self.words("absent", absent, &place),
        }
        for (sort, known) in [
            ("serviceAccount", "namespace:name"),
            ("object", "namespace/name"),
        ] {
            let form = &field[sort]["form"];
            if !form.is_null() && form != known {
                self.unknown.push(format!("{place}: form is {form}"));
            }
        }
        for word in ["when", "unless"] {
            for condition in list(&field[word]) {
                let known = |is: &Value| {
                    is.as_object().is_none_or(|part| {
                        part.len() == 1
                            && (part.contains_key("begins") || part.contains_key("keyHolds"))
                    })
                };
                let one = condition
                    .as_object()
                    .is_some_and(|held| held.len() == 1 && held.values().all(known));
                if !condition.is_string() && !one {
                    self.unknown.push(format!("{place}: {word} {condition}"));
                }
            }
        }
    }

    /// Whether an object of a kind is kept and can change.
    pub(crate) fn is_kept(&self, group: &str, kind: &str) -> bool {
        self.of_kind(group, kind).all(|entry| entry.kept)
    }

    /// The entry of a version of a kind.
    pub(crate) fn entry(&self, group: &str, kind: &str, version: &str) -> Option<&Entry> {
        let mut entries = self.of_kind(group, kind);
        entries.find(|entry| entry.versions.iter().any(|held| held == version))
    }

    fn of_kind(&self, group: &str, kind: &str) -> impl Iterator<Item = &Entry> {
        let is = move |entry: &&Entry| entry.group == group && entry.kind == kind;
        self.entries.iter().filter(is)
    }

    /// What is to be said about a request.
    pub(crate) fn say(&self, rules: &Rules, asked: &Asked<'_>) -> Said {
        let Some(any) = self.of_kind(asked.group, asked.kind).next() else {
            return Said::Passed("Kind");
        };
        let known = self.entry(asked.group, asked.kind, asked.version);
        let harmless = &known.unwrap_or(any).harmless;
        if harmless.iter().any(|held| held == asked.subresource) {
            return Said::Passed("Subresource");
        }
        if asked.namespace.is_empty() && !any.cluster {
            return Said::Broken;
        }
        // Nothing is no object.
        if asked.object.is_null() || (known.is_some() && asked.old.is_some_and(Value::is_null)) {
            return Said::Broken;
        }
        let mut seer = Seer {
            book: self,
            rules,
            root: asked.namespace.to_owned(),
            lines: Vec::new(),
            led: BTreeSet::new(),
            holders: BTreeMap::new(),
            specs: BTreeMap::new(),
            before: None,
        };
        match known {
            None if any.pod_spec.is_some() => return Said::Broken,
            None => seer.lost("apiVersion"),
            Some(entry) if entry.pod_spec.is_some() => {
                let path = entry.pod_spec.as_deref().unwrap();
                let part = |object| at(object, path);
                let changed = entry.changed(asked);
                if changed == Changed::Nothing {
                    return Said::Passed("Unchanged");
                }
                if !has_metadata(asked.object) {
                    return Said::Broken;
                }
                let spec = match part(asked.object) {
                    Ok(spec) => spec,
                    Err(Lost) => return Said::Broken,
                };
                let Some(spec) = spec else {
                    return Said::Passed("NoPodSpec");
                };
                let Ok(spec) = pod_spec(spec) else {
                    return Said::Broken;
                };
                let before = asked
                    .old
                    .map(|old| at(old, path).and_then(|old| old.map(pod_spec).transpose()));
                match before {
                    Some(Err(Lost)) => return Said::Broken,
                    Some(Ok(Some(before))) if changed == Changed::Places => {
                        seer.before = Some(BTreeMap::from([(path.to_owned(), before)]));
                    }
                    _ => {}
                }
                seer.pod_spec(path, &spec, true, asked.namespace);
            }
            Some(entry) => match entry.changed(asked) {
                Changed::Nothing => return Said::Passed("Unchanged"),
                Changed::Places => {
                    seer.look(entry, asked.old.unwrap(), asked.namespace, "", 4);
                    seer.before = Some(std::mem::take(&mut seer.specs));
                    seer.lines.clear();
                    seer.look(entry, asked.object, asked.namespace, "", 4);
                }
                Changed::More => {
                    seer.look(entry, asked.object, asked.namespace, "", 4);
                    for (path, (object, home)) in seer.holders.clone() {
                        seer.containers(&object, &path, &path, &home);
                    }
                }
            },
        }
        let mut lines = seer.lines;
        lines.sort();
        lines.dedup();
        Said::Findings(lines)
    }
}

impl Rules {
    pub(crate) fn mode(&self, check: &str) -> &str {
        self.checks.get(check).map_or("enforce", String::as_str)
    }

    /// Whether a request with these findings goes on.
    pub(crate) fn allows(&self, said: &Said) -> bool {
        match said {
            Said::Passed(_) => true,
            Said::Broken => false,
            Said::Findings(lines) => lines.iter().all(|(check, _, _, outcome, _)| {
                outcome == "allowed" || self.mode(check) != "enforce"
            }),
        }
    }
}

impl Entry {
    /// The parts that decide: the one that the entry names, those that its fields need if it says why no others, or else the
    /// members that they stand in.
    fn governed(&self) -> Vec<String> {
        if let Some(part) = &self.governed {
            return vec![part.clone()];
        }
        let needed = self.needed();
        if self.narrow.is_some() {
            return needed;
        }
        let member = |path: String| match path.split(['.', '[']).next() {
            Some("metadata" | "status") | None => path,
            Some(member) => member.to_owned(),
        };
        let parts: Vec<String> = needed.into_iter().map(member).collect();
        let is_spec = parts.is_empty() || parts.iter().any(|part| part == "spec");
        assert!(is_spec, "{}: nothing is named in its spec", self.kind);
        parts
    }

    /// The paths of its fields, and of what their meaning depends on.
    pub(crate) fn needed(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for field in &self.fields {
            paths.push(word(&field["path"]));
            // Other webhooks act upon the metadata of a template when a pod is made.
            if let (Some(_), Some(way)) = (
                field.get("podSpec"),
                word(&field["path"]).strip_suffix(".spec"),
            ) {
                paths.push(format!("{way}.metadata"));
            }
            for sort in ["serviceAccount", "object", "podSpec"] {
                paths.extend(field[sort]["in"]["path"].as_str().map(str::to_owned));
            }
            for condition in list(&field["when"]).iter().chain(list(&field["unless"])) {
                let (path, _) = condition_of(condition);
                if !path.starts_with('.') {
                    paths.push(path);
                }
            }
        }
        paths
    }

    /// Where the pod spec of a kind of Kubernetes itself stands.
    pub(crate) fn pod_spec_path(&self) -> Option<&str> {
        self.pod_spec.as_deref()
    }

    /// Where pods go, as far as nothing else is named there.
    pub(crate) fn places(&self) -> Vec<String> {
        let specs = self
            .fields
            .iter()
            .filter(|field| field.get("podSpec").is_some());
        let specs = specs.map(|field| word(&field["path"]));
        let specs = specs.chain(self.pod_spec.clone());
        let places = specs.flat_map(|spec| PLACES.map(|key| format!("{spec}.{key}")));
        places
            .filter(|place| !self.fields.iter().any(|field| is_also_for(field, place)))
            .collect()
    }

    /// What an update changes; a new object is all new.
    fn changed(&self, asked: &Asked<'_>) -> Changed {
        let Some(old) = asked.old else {
            return Changed::More;
        };
        let places = [self.free.clone(), self.places()].concat();
        let is_exact = self.pod_spec.is_some() && self.free.is_empty();
        if self.is_unchanged(&self.free, is_exact, asked.object, old) {
            Changed::Nothing
        } else if self.is_unchanged(&places, is_exact, asked.object, old) {
            Changed::Places
        } else {
            Changed::More
        }
    }

    /// Whether an update changes nothing that decides. Below a list or a map everything does, but what is free.
    fn is_unchanged(&self, free: &[String], is_exact: bool, new: &Value, old: &Value) -> bool {
        let without_free = |object: &Value| {
            let mut object = object.clone();
            for free in free {
                remove(&mut object, &steps(free));
            }
            object
        };
        let said = |value| {
            if is_exact {
                Value::clone(value)
            } else {
                said(value)
            }
        };
        let (new, old) = (without_free(new), without_free(old));
        let same = |path: String| {
            let keys: Vec<String> = steps(&path)
                .into_iter()
                .map_while(|step| match step {
                    Step::Key(key) => Some(key),
                    Step::Items | Step::Values => None,
                })
                .collect();
            match (follow(&new, &keys), follow(&old, &keys)) {
                (Ok(new), Ok(old)) => {
                    said(new.unwrap_or(&Value::Null)) == said(old.unwrap_or(&Value::Null))
                }
                _ => false,
            }
        };
        self.governed().into_iter().all(same)
    }
}

/// What of a pod spec says where its pods go, and nothing else.
const PLACES: [&str; 4] = ["affinity", "nodeSelector", "schedulingGates", "tolerations"];

/// Whether a field names something else at this place of a pod spec, or may.
fn is_also_for(field: &Value, place: &str) -> bool {
    let leads_to = |way: &[Step], place: &[Step]| {
        let meet = |(a, b): (&Step, &Step)| {
            a == b
                || matches!(
                    (a, b),
                    (Step::Key(_), Step::Values) | (Step::Values, Step::Key(_))
                )
        };
        way.len() <= place.len() && way.iter().zip(place).all(meet)
    };
    let (path, place) = (steps(&word(&field["path"])), steps(place));
    let conditions = list(&field["when"]).iter().chain(list(&field["unless"]));
    let conditions: Vec<_> = conditions
        .map(|condition| condition_of(condition).0)
        .collect();
    let ways = ["serviceAccount", "object", "podSpec"];
    let ways = ways.map(|sort| field[sort]["in"]["path"].as_str().map(str::to_owned));
    let absolute = conditions
        .iter()
        .filter(|path| !path.starts_with('.'))
        .cloned();
    let mut deciding = ways
        .into_iter()
        .flatten()
        .chain(absolute)
        .map(|path| steps(&path));
    let is_relative = conditions.iter().any(|path| path.starts_with('.'));
    let is_its_own =
        field.get("podSpec").is_some() && path.len() + 1 == place.len() && !is_relative;
    let is_above = leads_to(&path, &place);
    let is_free = match place.get(path.len()) {
        Some(Step::Key(key)) if field.get("podSpec").is_some() && !is_relative => {
            is_its_own || !PLACES.contains(&&**key)
        }
        _ => false,
    };
    is_above && !is_free || leads_to(&place, &path) || deciding.any(|path| leads_to(&place, &path))
}

/// What an update changes of what decides.
#[derive(PartialEq)]
enum Changed {
    Nothing,
    /// Where pods go.
    Places,
    More,
}

/// Takes away what a path leads to.
pub(crate) fn remove(value: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match (step, value) {
        (Step::Key(key), Value::Object(map)) if rest.is_empty() => _ = map.remove(key),
        (Step::Key(key), Value::Object(map)) => {
            if let Some(value) = map.get_mut(key) {
                remove(value, rest);
            }
        }
        (Step::Items, Value::Array(items)) => items.iter_mut().for_each(|item| remove(item, rest)),
        (Step::Values, Value::Object(map)) => {
            map.values_mut().for_each(|value| remove(value, rest));
        }
        _ => {}
    }
}

/// A value without the members that have no content, as clients add and leave out such.
fn said(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let members = map.iter().map(|(key, value)| (key.clone(), said(value)));
            let members: Map<String, Value> =
                members.filter(|(_, value)| !value.is_null()).collect();
            if members.is_empty() {
                Value::Null
            } else {
                Value::Object(members)
            }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(said).collect(),
        value => value.clone(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(word).collect()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A path of the catalogue, step by step.
pub(crate) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[]") {
            steps.push(Step::Items);
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, after) = quoted.split_once("\"]").unwrap();
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            steps.push(match key {
                "*" => Step::Values,
                key => Step::Key(key.to_owned()),
            });
            rest = after;
        }
    }
    steps
}

/// A path with one more key.
pub(crate) fn below(path: &str, key: &str) -> String {
    if key.is_empty() || key.contains(['.', '[', ']', '/', ' ']) {
        format!("{path}[\"{key}\"]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Every place that a path leads to. The first items of lists and maps that it goes through may be given.
/// An error is the place beyond which it cannot lead.
fn places<'o>(value: &'o Value, path: &[Step], given: &[String]) -> Result<Places<'o>, String> {
    walk(value, path, given, "", &[])
}

fn walk<'o>(
    value: &'o Value,
    steps: &[Step],
    given: &[String],
    path: &str,
    through: &[String],
) -> Result<Places<'o>, String> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(vec![(path.to_owned(), Some(value), through.to_vec())]);
    };
    let only_keys = || rest.iter().all(|step| matches!(step, Step::Key(_)));
    let mut found = Vec::new();
    let mut each = |item: String, path: String, value: &'o Value| {
        let wanted = given.first().is_none_or(|given| *given == item);
        if wanted {
            let given = given.get(1..).unwrap_or_default();
            found.extend(walk(
                value,
                rest,
                given,
                &path,
                &[through, &[item]].concat(),
            )?);
        }
        Ok::<(), String>(())
    };
    match (step, value) {
        (Step::Key(key), Value::Object(_) | Value::Null) => {
            let there = value.get(key).filter(|there| !there.is_null());
            match there {
                Some(there) => return walk(there, rest, given, &below(path, key), through),
                None if only_keys() => {
                    let path = rest.iter().fold(below(path, key), |path, step| match step {
                        Step::Key(key) => below(&path, key),
                        Step::Items | Step::Values => path,
                    });
                    found.push((path, None, through.to_vec()));
                }
                None => {}
            }
        }
        (Step::Items, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                each(index.to_string(), format!("{path}[{index}]"), item)?;
            }
        }
        (Step::Values, Value::Object(map)) => {
            for (key, value) in map {
                each(key.clone(), below(path, key), value)?;
            }
        }
        (Step::Items | Step::Values, Value::Null) => {}
        _ => return Err(path.to_owned()),
    }
    Ok(found)
}

/// What stands at a path of keys; nothing where the way ends early.
fn follow<'o>(object: &'o Value, keys: &[String]) -> Result<Option<&'o Value>, Lost> {
    let mut at = object;
    for key in keys {
        match at {
            Value::Null => return Ok(None),
            Value::Object(map) => at = map.get(key).unwrap_or(&Value::Null),
            _ => return Err(Lost),
        }
    }
    Ok(Some(at).filter(|at| !at.is_null()))
}

fn at<'o>(object: &'o Value, dotted: &str) -> Result<Option<&'o Value>, Lost> {
    let keys: Vec<String> = dotted.split('.').map(str::to_owned).collect();
    follow(object, &keys)
}

/// Whether there is anything to look at.
pub(crate) fn is_something(value: &Value) -> bool {
    !(said(value).is_null() || *value == false)
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

/// The text at a key of a map; what is neither a text nor `null` cannot be read.
fn key(value: &Value, key: &str) -> Result<Option<String>, Lost> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) => match map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(held)) => Ok(Some(held.clone()).filter(|held| !held.is_empty())),
            Some(_) => Err(Lost),
        },
        _ => Err(Lost),
    }
}

/// What a condition wants at its path.
pub(crate) enum Wanted {
    Anything,
    Is(String),
    Begins(String),
    KeyHolds(String),
}

/// Path and wanted value of a condition.
pub(crate) fn condition_of(condition: &Value) -> (String, Wanted) {
    match condition {
        Value::Object(map) => {
            let (path, is) = map.iter().next().unwrap();
            let wanted = match (is.get("begins"), is.get("keyHolds")) {
                (Some(start), _) => Wanted::Begins(word(start)),
                (_, Some(part)) => Wanted::KeyHolds(word(part)),
                _ => Wanted::Is(plain(is)),
            };
            (path.clone(), wanted)
        }
        path => (word(path), Wanted::Anything),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A pod spec that can be read.
#[derive(Clone)]
struct PodSpec {
    account: (&'static str, String),
    tolerations: Vec<Value>,
    node: String,
    priority: String,
    runtime: String,
    scheduler: String,
    listed: Vec<Listed>,
}

/// Whether the metadata of an object are some that the API server could have read.
fn has_metadata(object: &Value) -> bool {
    let metadata = match &object["metadata"] {
        Value::Null => return true,
        Value::Object(metadata) => metadata,
        _ => return false,
    };
    let is_text = |key| {
        metadata
            .get(key)
            .is_none_or(|value| value.is_null() || value.is_string())
    };
    ["name", "uid", "deletionTimestamp"]
        .into_iter()
        .all(is_text)
}

fn pod_spec(value: &Value) -> Result<PodSpec, Lost> {
    if !value.is_object() {
        return Err(Lost);
    }
    let field = |name| key(value, name).map(Option::unwrap_or_default);
    let tolerations = match &value["tolerations"] {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        _ => return Err(Lost),
    };
    for toleration in &tolerations {
        if !toleration.is_object() {
            return Err(Lost);
        }
        for name in ["key", "operator", "value", "effect"] {
            key(toleration, name)?;
        }
        let seconds = &toleration["tolerationSeconds"];
        if !seconds.is_null() && !seconds.is_i64() {
            return Err(Lost);
        }
    }
    let automount = &value["automountServiceAccountToken"];
    if !automount.is_null() && !automount.is_boolean() {
        return Err(Lost);
    }
    let (name, alias) = (field("serviceAccountName")?, field("serviceAccount")?);
    let account = match (name.is_empty(), alias.is_empty()) {
        (false, _) => ("serviceAccountName", name),
        (true, false) => ("serviceAccount", alias),
        (true, true) => ("serviceAccountName", "default".to_owned()),
    };
    Ok(PodSpec {
        account,
        tolerations,
        listed: listed(value),
        node: field("nodeName")?,
        priority: field("priorityClassName")?,
        runtime: field("runtimeClassName")?,
        scheduler: match &*field("schedulerName")? {
            "" => "default-scheduler",
            named => named,
        }
        .to_owned(),
    })
}

/// The narrowest name of a set of taints, if the toleration is one.
pub(super) fn taints(toleration: &Value) -> Option<String> {
    let field = |name| word(&toleration[name]);
    let (key, operator, value, effect) = (
        field("key"),
        field("operator"),
        field("value"),
        field("effect"),
    );
    let label = |text: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let ends = |c: char| c.is_ascii_alphanumeric();
        text.is_empty()
            || (text.len() <= 63
                && text.chars().all(inner)
                && text.starts_with(ends)
                && text.ends_with(ends))
    };
    let name = key.rsplit('/').next().unwrap();
    let effects = ["", "NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effects.contains(&&*effect) || !label(name) || (name.is_empty() && !key.is_empty()) {
        return None;
    }
    let set = match (&*operator, &*key) {
        (_, "") => "*".to_owned(),
        ("" | "Equal", key) if label(&value) => format!("{key}={value}"),
        ("" | "Equal", _) => return None,
        ("Exists" | "Lt" | "Gt", key) => key.to_owned(),
        _ => return Some("*".to_owned()),
    };
    Some(if effect.is_empty() {
        set
    } else {
        format!("{set}:{effect}")
    })
}

/// What the API server gives to every pod.
pub(super) fn is_everybodys(toleration: &Value) -> bool {
    let key = word(&toleration["key"]);
    let operator = word(&toleration["operator"]);
    [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    .contains(&&*key)
        && ["", "Equal", "Exists", "Lt", "Gt"].contains(&&*operator)
        && toleration["effect"] == "NoExecute"
        && toleration["tolerationSeconds"]
            .as_i64()
            .is_some_and(|seconds| seconds <= 300)
}

/// Looks at one request.
struct Seer<'m> {
    book: &'m Book,
    rules: &'m Rules,
    /// The namespace of the request.
    root: String,
    lines: Vec<Line>,
    /// Where a field leads, or something cannot be read.
    led: BTreeSet<String>,
    /// What has fields of a pod spec: where it stands, and the namespace of its pods.
    holders: BTreeMap<String, (Value, String)>,
    /// The pod specs, by where they stand.
    specs: BTreeMap<String, PodSpec>,
    /// Where an update changes nothing but where pods go: those of the object before.
    before: Option<BTreeMap<String, PodSpec>>,
}

impl Seer<'_> {
    fn say(&mut self, check: &str, path: &str, target: &str, outcome: &str, missing: String) {
        if self.rules.mode(check) != "off" && self.before.is_none() {
            let texts = [check, path, target, outcome].map(str::to_owned);
            let [check, path, target, outcome] = texts;
            self.lines.push((check, path, target, outcome, missing));
        }
    }

    fn unknown(&mut self, check: &str, path: &str, target: &str) {
        self.say(check, path, target, "unknown", String::new());
    }

    /// What cannot be read may name anything: where any of these checks refuses, so does this one. Tokens are asked about only
    /// where they are limited, profiles only of pods.
    fn lost(&mut self, path: &str) {
        let checks = [
            "serviceAccounts",
            "tolerations",
            "nodes",
            "priorityClasses",
            "runtimeClasses",
            "schedulers",
            "nodeLabels",
            "crossNamespace",
            "cloudIdentities",
            "scaleTargets",
            "secrets",
            "configMaps",
            "opaque",
        ];
        let of_mode = |mode: &&str| {
            checks
                .into_iter()
                .find(|check| self.rules.mode(check) == *mode)
        };
        let strictest = ["enforce", "warn", "audit", "off"]
            .iter()
            .find_map(of_mode)
            .unwrap();
        let before = self.before.take();
        self.unknown(strictest, path, "");
        self.before = before;
    }

    /// Asks for a name in a namespace. Where the asker is at home, everybody may use some.
    fn ask(
        &mut self,
        check: &str,
        path: &str,
        resource: &str,
        name: &str,
        namespace: &str,
        home: &str,
    ) {
        let everybodys = [
            ("serviceAccounts", "default"),
            ("schedulers", "default-scheduler"),
            ("configMaps", "kube-root-ca.crt"),
        ];
        let runs_on = ["kubernetes.io/arch=", "kubernetes.io/os="];
        // Objects that have accounts of their own are asked about by the check of accounts.
        let is_account = check != "serviceAccounts" || resource == "serviceaccounts";
        let everybodys = everybodys.contains(&(check, name)) && is_account
            || check == "nodeLabels" && runs_on.iter().any(|label| name.starts_with(label));
        if everybodys && namespace == home {
            return self.say(check, path, name, "allowed", String::new());
        }
        let place = if namespace.is_empty() {
            "the whole cluster"
        } else {
            namespace
        };
        // Who may read it gains nothing.
        let verb = match resource {
            "secrets" | "configmaps" => "use or get",
            _ => "use",
        };
        let missing = format!("verb {verb} on {resource} \"{name}\" in {place}");
        self.say(check, path, name, "denied", missing);
    }

    /// The same for something that must be named by a text; `home` is the namespace of the object that names it.
    fn named(
        &mut self,
        check: &str,
        path: &str,
        resource: &str,
        name: Option<String>,
        namespace: &str,
    ) {
        match name {
            Some(name) => {
                let root = self.root.clone();
                self.ask(check, path, resource, &name, namespace, &root);
            }
            None => self.malformed(check, path),
        }
    }

    fn malformed(&mut self, check: &str, path: &str) {
        self.say(check, path, "", "malformed", String::new());
    }

    fn look(&mut self, entry: &Entry, object: &Value, own: &str, prefix: &str, depth: usize) {
        let full = |path: &str| match (prefix, path) {
            ("", path) | (path, "") => path.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        for field in &entry.fields {
            let written = word(&field["path"]);
            let found = match places(object, &steps(&written), &[]) {
                Ok(found) => found,
                Err(place) => {
                    self.led.insert(full(&written));
                    self.lost(&full(&place));
                    continue;
                }
            };
            for (path, value, through) in found {
                let path = full(&path);
                let said = match applies(field, object, value, &through) {
                    Ok(true) => self.field(field, object, value, &path, own, depth),
                    Ok(false) => Ok(()),
                    Err(Lost) => Err(Lost),
                };
                if said.is_err() {
                    self.lost(&path);
                }
            }
        }
    }

    /// Where the target is, if the entry says so.
    fn within(
        &self,
        within: &Value,
        object: &Value,
        value: Option<&Value>,
    ) -> Result<Option<String>, Lost> {
        if let Some(controller) = within["controller"].as_str() {
            return Ok(Some(self.controller(controller, "namespace")));
        }
        if let Some(field) = within["field"].as_str() {
            return value.map_or(Ok(None), |value| key(value, field));
        }
        let Some(path) = within["path"].as_str() else {
            return Ok(None);
        };
        for (_, value, _) in places(object, &steps(path), &[]).map_err(|_| Lost)? {
            match value {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => return Ok(Some(text.clone())),
                Some(_) => return Err(Lost),
            }
        }
        Ok(None)
    }

    /// What the configuration says of a controller, or else its project.
    fn controller(&self, name: &str, what: &str) -> String {
        let configured = word(&self.rules.controllers[name][what]);
        if configured.is_empty() {
            word(&self.book.controllers[name][what])
        } else {
            configured
        }
    }

    fn field(
        &mut self,
        field: &Value,
        object: &Value,
        value: Option<&Value>,
        path: &str,
        own: &str,
        depth: usize,
    ) -> Result<(), Lost> {
        let value = value.filter(|value| is_something(value));
        self.led.insert(path.to_owned());
        if let Some(account) = field.get("serviceAccount") {
            if self.account(account, object, value, path, own).is_err() {
                self.malformed("serviceAccounts", path);
            }
            return Ok(());
        }
        let Some(value) = value else {
            return Ok(());
        };
        if let Some(what) = field.get("opaque") {
            self.unknown("opaque", path, &word(what));
        } else if let Some(family) = field.get("identity") {
            let name = text(value).map(|name| format!("{}:{name}", word(family)));
            self.named(
                "cloudIdentities",
                path,
                "cloudidentities.usher.dev",
                name,
                own,
            );
        } else if field.get("namespace").is_some() {
            let name = text(value);
            if name.as_deref() != Some(own) {
                let within = name.clone().unwrap_or_default();
                self.named("crossNamespace", path, "namespaces", name, &within);
            }
        } else if let Some(controller) = field.get("controller") {
            let (name, namespace) = self.account_of(&word(controller), own);
            self.named(
                "serviceAccounts",
                path,
                "serviceaccounts",
                Some(name),
                &namespace,
            );
        } else if let Some(held) = field.get("podSpec") {
            let within = self.within(&held["in"], object, Some(value))?;
            let spec = pod_spec(value)?;
            let home = within.as_deref().unwrap_or(own);
            self.holders
                .insert(path.to_owned(), (value.clone(), home.to_owned()));
            self.pod_spec(path, &spec, held["account"] != false, home);
        } else if let Some(target) = field.get("object") {
            self.object(target, object, value, path, own);
        } else if field.get("manifest").is_some() {
            return self.manifest(value, path, own, depth);
        } else {
            self.patch(&field["patch"], value, path, own);
        }
        Ok(())
    }

    fn account(
        &mut self,
        account: &Value,
        object: &Value,
        value: Option<&Value>,
        path: &str,
        own: &str,
    ) -> Result<(), Lost> {
        let (check, resource) = ("serviceAccounts", "serviceaccounts");
        let within = self.within(&account["in"], object, value)?;
        let mut namespace = within.unwrap_or_else(|| own.to_owned());
        if let Some(map) = account.get("configMap") {
            let Some(value) = value else { return Ok(()) };
            let map_name = key(value, "name")?.ok_or(Lost)?;
            assert_eq!(
                map["key"], "serviceAccountName",
                "the config maps of the tests have this key"
            );
            // Nobody learns here what stands elsewhere, and none stands in no namespace.
            let known = self
                .rules
                .config_maps
                .get(&map_name)
                .filter(|_| own == self.root && !own.is_empty());
            match known.cloned() {
                None => self.unknown(check, path, ""),
                Some(Some(named)) => self.named(check, path, resource, Some(named), own),
                Some(None) => self.absent(account, path, own, own),
            }
            return Ok(());
        }
        let name = match (account["name"].as_str(), value) {
            (Some(name), Some(value)) => key(value, name)?,
            (None, Some(Value::String(name))) => Some(name.clone()),
            (None, Some(_)) => return Err(Lost),
            (_, None) => None,
        };
        let Some(mut name) = name else {
            self.absent(account, path, &namespace, own);
            return Ok(());
        };
        if let (Value::String(_), Some((other, bare))) = (&account["form"], name.split_once(':')) {
            (namespace, name) = (other.to_owned(), bare.to_owned());
        }
        if let Some(made) = account.get("made") {
            // Of those that are there none belongs to an object that is made here.
            name = word(made).replace("{}", &name);
            if own != HOME || !self.rules.accounts.contains(&&*name) {
                return Ok(());
            }
        }
        self.named(check, path, resource, Some(name), &namespace);
        Ok(())
    }

    /// What no name means.
    fn absent(&mut self, account: &Value, path: &str, namespace: &str, own: &str) {
        let absent = &account["absent"];
        let (name, namespace) = if *absent == "default" {
            ("default".to_owned(), namespace.to_owned())
        } else if let Some(name) = absent["account"].as_str() {
            (name.to_owned(), namespace.to_owned())
        } else if let Some(controller) = absent["controller"].as_str() {
            self.account_of(controller, own)
        } else {
            return;
        };
        self.named(
            "serviceAccounts",
            path,
            "serviceaccounts",
            Some(name),
            &namespace,
        );
    }

    /// The account that a controller uses where none is named, and its namespace.
    fn account_of(&self, controller: &str, own: &str) -> (String, String) {
        let default = self.controller(controller, "defaultServiceAccount");
        if default.is_empty() {
            let name = self.controller(controller, "serviceAccount");
            (name, self.controller(controller, "namespace"))
        } else {
            (default, own.to_owned())
        }
    }

    fn object(&mut self, target: &Value, object: &Value, value: &Value, path: &str, own: &str) {
        let given = target["check"].as_str();
        let resource = match &target["of"] {
            Value::String(one) => Some(one.clone()),
            kinds => match target["kind"]
                .as_str()
                .map_or(Ok(None), |field| key(value, field))
            {
                Ok(Some(kind)) => kinds[&kind].as_str().map(str::to_owned),
                Ok(None) => kinds.as_object().unwrap().values().next().map(word),
                Err(Lost) => None,
            },
        };
        let check = given.unwrap_or(match resource.as_deref() {
            Some("secrets") => "secrets",
            Some("configmaps") => "configMaps",
            Some("serviceaccounts") => "serviceAccounts",
            Some("nodes") => "nodes",
            Some("priorityclasses.scheduling.k8s.io") => "priorityClasses",
            Some("runtimeclasses.node.k8s.io") => "runtimeClasses",
            Some("schedulers.usher.dev") => "schedulers",
            Some("tolerations.usher.dev") => "tolerations",
            Some("nodelabels.usher.dev") => "nodeLabels",
            Some("tokenaudiences.usher.dev" | "signers.certificates.k8s.io") => "tokens",
            Some("cloudidentities.usher.dev") => "cloudIdentities",
            Some("profiles.usher.dev") => "profiles",
            Some("opaque.usher.dev") => "opaque",
            _ => "crossNamespace",
        });
        let Some(resource) = resource else {
            return self.malformed(check, path);
        };
        let is_name = target["name"] == ".";
        let beside = match target["namespace"].as_str() {
            _ if is_name => Ok(None),
            Some("none") => Ok(None),
            field => key(value, field.unwrap_or("namespace")),
        };
        let within = self.within(&target["in"], object, Some(value));
        let (Ok(within), Ok(beside)) = (within, beside) else {
            return self.malformed(check, path);
        };
        let cluster = target["cluster"] == true;
        let namespace = within.or(beside).filter(|_| !cluster);
        let mut namespace = namespace.unwrap_or_else(|| own.to_owned());
        let mut name = if is_name {
            Ok(text(value))
        } else {
            key(value, target["name"].as_str().unwrap_or("name"))
        };
        if let (Value::String(_), Ok(Some(written))) = (&target["form"], &name)
            && let Some((other, bare)) = written.clone().split_once('/')
        {
            other.clone_into(&mut namespace);
            name = Ok(Some(bare.to_owned()));
        }
        // Its own namespace is what the requester may write into anyway.
        if check == "crossNamespace" && !cluster && namespace == own {
            return;
        }
        match name {
            // Without a name all of them.
            Ok(None) if check == "crossNamespace" => {
                self.named(check, path, &resource, Some("*".to_owned()), &namespace);
            }
            Ok(Some(name)) => self.named(check, path, &resource, Some(name), &namespace),
            Ok(None) | Err(Lost) => self.malformed(check, path),
        }
    }

    /// Whatever has variables as a container has them, anywhere below something that has fields of a pod spec.
    fn containers(&mut self, value: &Value, path: &str, holder: &str, home: &str) {
        if let Value::Array(items) = value {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if !self.led.contains(&path) {
                    self.containers(item, &path, holder, home);
                }
            }
        }
        let Value::Object(fields) = value else { return };
        for (list, ways) in [
            (
                "env",
                ["valueFrom.secretKeyRef", "valueFrom.configMapKeyRef"],
            ),
            ("envFrom", ["secretRef", "configMapRef"]),
        ] {
            if !fields.get(list).is_some_and(Value::is_array) {
                continue;
            }
            let sorts = [("secrets", "secrets"), ("configMaps", "configmaps")];
            for (way, (check, resource)) in ways.iter().zip(sorts) {
                // What is switched off is not read.
                if self.rules.mode(check) == "off" {
                    continue;
                }
                let row = format!("{list}[].{way}");
                let Ok(found) = places(value, &steps(&format!("{row}.name")), &[]) else {
                    if !self.led.contains(&format!("{path}.{row}")) {
                        self.malformed(check, &format!("{path}.{row}.name"));
                    }
                    continue;
                };
                for (below, name, _) in found {
                    let path = format!("{path}.{below}");
                    let Some(name) = name.filter(|name| is_something(name)) else {
                        continue;
                    };
                    if !self.led.contains(path.strip_suffix(".name").unwrap()) {
                        self.named(check, &path, resource, text(name), home);
                    }
                }
            }
        }
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        for (key, value) in fields {
            let below = below(path, key);
            let of_pod = path == holder && lists.contains(&&**key);
            if !of_pod && !self.led.contains(&below) {
                self.containers(value, &below, holder, home);
            }
        }
    }

    /// A pod spec; `home` is the namespace of its pods.
    fn pod_spec(&mut self, base: &str, spec: &PodSpec, account: bool, home: &str) {
        self.specs.insert(base.to_owned(), spec.clone());
        if let Some(before) = self.before.take() {
            self.placed(base, spec, before.get(base), home);
            self.before = Some(before);
            return;
        }
        if account {
            let path = below(base, spec.account.0);
            self.ask(
                "serviceAccounts",
                &path,
                "serviceaccounts",
                &spec.account.1,
                home,
                home,
            );
        }
        for (index, toleration) in spec.tolerations.iter().enumerate() {
            self.toleration(
                toleration,
                &format!("{}[{index}]", below(base, "tolerations")),
                home,
            );
        }
        for (check, field, resource, name) in classes(spec) {
            if !name.is_empty() {
                self.ask(check, &below(base, field), resource, name, home, home);
            }
        }
        for (check, path, resource, named) in &spec.listed {
            let pulled = path.starts_with("imagePullSecrets");
            let path = match base {
                "" => path.clone(),
                base => format!("{base}.{path}"),
            };
            match named {
                // The account brings it.
                Ok(name)
                    if pulled
                        && account
                        && home == HOME
                        && (&*spec.account.1, &**name) == self.rules.pulls =>
                {
                    self.say(check, &path, name, "allowed", String::new());
                }
                Ok(name) => self.ask(check, &path, resource, name, home, home),
                Err(outcome) => self.say(check, &path, "", outcome, String::new()),
            }
        }
        self.brought(&spec.runtime, &below(base, "runtimeClassName"));
    }

    /// What is new of where the pods of a pod spec go.
    fn placed(&mut self, base: &str, spec: &PodSpec, before: Option<&PodSpec>, home: &str) {
        let is_new = |toleration: &Value| {
            let meant = |toleration: &Value| {
                let word = |key: &str| word(&toleration[key]);
                let operator = match &*word("operator") {
                    "" => "Equal".to_owned(),
                    said => said.to_owned(),
                };
                let seconds = toleration["tolerationSeconds"].clone();
                (
                    word("key"),
                    operator,
                    word("value"),
                    word("effect"),
                    seconds,
                )
            };
            let mut held = before.into_iter().flat_map(|before| &before.tolerations);
            !held.any(|held| meant(held) == meant(toleration))
        };
        for (index, toleration) in spec.tolerations.iter().enumerate() {
            if is_new(toleration) {
                let path = format!("{}[{index}]", below(base, "tolerations"));
                self.toleration(toleration, &path, home);
            }
        }
        for (check, path, resource, named) in &spec.listed {
            let mut held = before.into_iter().flat_map(|before| &before.listed);
            let is_held = |held: &Listed| (&held.0, &held.2, &held.3) == (check, resource, named);
            if *check != "nodeLabels" || named.is_ok() && held.any(is_held) {
                continue;
            }
            let path = match base {
                "" => path.clone(),
                base => format!("{base}.{path}"),
            };
            match named {
                Ok(name) => self.ask(check, &path, resource, name, home, home),
                Err(outcome) => self.say(check, &path, "", outcome, String::new()),
            }
        }
    }

    /// What the class brings is asked about where the class itself does not end the matter.
    fn brought(&mut self, class: &String, path: &str) {
        let refused = self.rules.mode("runtimeClasses") == "enforce";
        if !class.is_empty() && !refused && !self.rules.classes.contains(class) {
            self.unknown("tolerations", path, "*");
        }
    }

    fn toleration(&mut self, toleration: &Value, path: &str, home: &str) {
        let check = "tolerations";
        if is_everybodys(toleration) {
            let name = taints(toleration).unwrap_or("?".to_owned());
            return self.say(check, path, &name, "allowed", String::new());
        }
        match taints(toleration) {
            Some(name) => self.ask(check, path, "tolerations.usher.dev", &name, home, ""),
            None => self.say(check, path, "?", "malformed", String::new()),
        }
    }

    fn manifest(&mut self, value: &Value, path: &str, own: &str, depth: usize) -> Result<(), Lost> {
        if depth == 0 {
            return Err(Lost);
        }
        if let Value::Array(items) = value {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if self.manifest(item, &path, own, depth - 1).is_err() {
                    self.lost(&path);
                }
            }
            return Ok(());
        }
        if !value.is_object() {
            self.unknown("opaque", path, "an object that is written as text");
            return Ok(());
        }
        let (Some(api), Some(kind)) = (key(value, "apiVersion")?, key(value, "kind")?) else {
            return Err(Lost);
        };
        if api == "v1" && kind == "List" {
            match &value["items"] {
                Value::Null => {}
                items @ Value::Array(_) => {
                    let path = format!("{path}.items");
                    if self.manifest(items, &path, own, depth - 1).is_err() {
                        self.lost(&path);
                    }
                }
                _ => return Err(Lost),
            }
            return Ok(());
        }
        let namespace = key(&value["metadata"], "namespace")?;
        let own = namespace.unwrap_or_else(|| own.to_owned());
        if own != self.root && !self.root.is_empty() {
            let path = format!("{path}.metadata.namespace");
            self.named(
                "crossNamespace",
                &path,
                "namespaces",
                Some(own.clone()),
                &own,
            );
        }
        let (group, version) = api.rsplit_once('/').unwrap_or(("", &api));
        let book = self.book;
        let Some(any) = book.of_kind(group, &kind).next() else {
            return Ok(());
        };
        let Some(entry) = book.entry(group, &kind, version) else {
            return Err(Lost);
        };
        match &entry.pod_spec {
            Some(route) => {
                if let Some(spec) = at(value, route)? {
                    let spec = pod_spec(spec)?;
                    self.pod_spec(&format!("{path}.{route}"), &spec, true, &own);
                }
            }
            None if any.file == "core" => self.of_kubernetes(entry, value, path, &own)?,
            None => self.look(entry, value, &own, path, depth - 1),
        }
        Ok(())
    }

    /// An object of a kind of Kubernetes without a pod spec of its own, that somebody may apply.
    fn of_kubernetes(
        &mut self,
        entry: &Entry,
        value: &Value,
        path: &str,
        own: &str,
    ) -> Result<(), Lost> {
        if let Some(route) = entry.content["binding"].as_str() {
            let node = match at(value, route)? {
                None => None,
                Some(Value::String(name)) => Some(name.clone()),
                Some(_) => return Err(Lost),
            };
            self.named("nodes", &format!("{path}.{route}"), "nodes", node, own);
        }
        if let Some(route) = entry.content["revision"].as_str() {
            let only = |value: &Value, known: &[&str]| match value {
                Value::Object(held) if held.keys().all(|key| known.contains(&&**key)) => Ok(()),
                _ => Err(Lost),
            };
            let data = &value["data"];
            only(data, &["spec"])?;
            only(&data["spec"], &["template", "volumeClaimTemplates"])?;
            let template = &data["spec"]["template"];
            only(template, &["$patch", "metadata", "spec"])?;
            if template["$patch"] != "replace" || template["spec"].is_null() {
                return Err(Lost);
            }
            let spec = pod_spec(&template["spec"])?;
            self.pod_spec(&format!("{path}.{route}"), &spec, true, own);
        }
        if entry.content["namespaceTolerations"] == true {
            // None that is made by chance has such annotations.
            let annotations = at(value, "metadata.annotations")?;
            assert!(annotations.is_none_or(|held| !held.to_string().contains("olerations")));
        }
        let annotations = match &value["metadata"]["annotations"] {
            Value::Null => Map::new(),
            Value::Object(held) => held.clone(),
            _ if entry.content.is_object() => return Err(Lost),
            _ => Map::new(),
        };
        if entry.content["tokenSecret"] == true {
            match &value["type"] {
                Value::String(sort) if sort == "kubernetes.io/service-account-token" => {
                    let key = "kubernetes.io/service-account.name";
                    let account = match annotations.get(key) {
                        None => String::new(),
                        Some(Value::String(account)) => account.clone(),
                        Some(_) => return Err(Lost),
                    };
                    let path = format!("{path}.metadata.annotations[\"{key}\"]");
                    self.named("tokenSecrets", &path, "serviceaccounts", Some(account), own);
                }
                Value::Null | Value::String(_) => {}
                _ => return Err(Lost),
            }
        }
        Ok(())
    }

    /// A patch, as text or as it is: what it sets that a pod spec could hold.
    fn patch(&mut self, how: &Value, value: &Value, path: &str, own: &str) {
        let any_case = how["anyCase"] == true;
        let later = how["placeholder"]
            .as_str()
            .is_some_and(|begin| match value {
                Value::String(text) => text.contains(begin),
                other => other.to_string().contains(begin),
            });
        if later {
            self.unknown("opaque", path, "a patch that is filled in later");
        }
        // A text that does not spell any of the keys, and could not spell one in another way, sets none of them.
        if let Value::String(text) = value
            && !any_case
            && !later
        {
            let spelled = |word: &&str| text.contains(*word);
            let words = [
                "serviceAccount",
                "tolerations",
                "nodeName",
                "ClassName",
                "schedulerName",
                "copy",
                "move",
                "\\",
                "!",
                "\u{85}",
                "\u{2028}",
                "\u{2029}",
                "$",
                "{{",
                "<<",
            ];
            // Of a check that is off nobody looks for the words.
            let words_of = [
                (
                    "secrets",
                    &["secret", "PublishSecretRef", "imagePullSecrets"][..],
                ),
                ("configMaps", &["configMap"]),
                (
                    "nodeLabels",
                    &["nodeSelector", "matchExpressions", "matchFields"],
                ),
            ];
            let asked = words_of
                .iter()
                .filter(|(check, _)| self.rules.mode(check) != "off");
            let mut words = words
                .iter()
                .chain(asked.flat_map(|(_, words)| words.iter()));
            if !words.any(spelled) {
                return;
            }
        }
        let documents: Option<Vec<Value>> = match value {
            Value::String(text) if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) => None,
            Value::String(text) => serde_saphyr::from_multiple(text).ok(),
            value => Some(vec![value.clone()]),
        };
        let Some(documents) = documents else {
            if !later {
                self.lost(path);
            }
            return;
        };
        for document in documents {
            if any_case && is_misspelled(&document) {
                self.lost(path);
            }
            match &document {
                Value::Array(operations) => {
                    for operation in operations {
                        self.operation(operation, path, own);
                    }
                }
                Value::Object(_) | Value::Null => self.merged(&document, path, own),
                _ => self.lost(path),
            }
        }
    }

    /// An operation of RFC 6902.
    fn operation(&mut self, operation: &Value, path: &str, own: &str) {
        let Some(target) = operation["path"].as_str() else {
            return;
        };
        if operation["op"] == "test" {
            return;
        }
        if ["copy", "move"].iter().any(|op| operation["op"] == *op) {
            return self.unknown("opaque", path, "a patch that sets what stands elsewhere");
        }
        let keys: Vec<&str> = target.split('/').collect();
        let is_item = |key: &str| key == "-" || key.parse::<usize>().is_ok();
        // One less of a list says nothing.
        if operation["op"] == "remove" && keys.last().is_some_and(|key| is_item(key)) {
            let part = keys.iter().rposition(|key| *key == "tolerations");
            if part.is_some_and(|at| at + 2 < keys.len()) {
                self.unknown("opaque", path, "a patch of a part of a toleration");
            }
            return;
        }
        let value = &operation["value"];
        match keys.iter().rposition(|key| *key == "tolerations") {
            Some(at) if at + 2 == keys.len() && operation["op"] == "remove" => {}
            Some(at) if at + 2 == keys.len() => {
                self.merged(&json!({"tolerations": [value]}), path, own);
            }
            Some(at) if at + 2 < keys.len() => {
                self.unknown("opaque", path, "a patch of a part of a toleration");
            }
            _ => {
                let mut set = value.clone();
                for key in keys[1..].iter().rev() {
                    set = if is_item(key) {
                        json!([set])
                    } else {
                        json!({ key.replace("~1", "/"): set })
                    };
                }
                self.merged(&set, path, own);
            }
        }
    }

    fn merged(&mut self, part: &Value, path: &str, own: &str) {
        match part {
            Value::Object(map) => {
                let names = ["serviceAccountName", "serviceAccount"];
                let others = [
                    "tolerations",
                    "nodeName",
                    "priorityClassName",
                    "runtimeClassName",
                    "schedulerName",
                ];
                let mut set = map.clone();
                set.retain(|key, _| names.contains(&&**key) || others.contains(&&**key));
                match pod_spec(&Value::Object(set)) {
                    Ok(spec) => {
                        for (check, _, resource, named) in listed(part) {
                            match named {
                                Ok(name) => self.named(&check, path, &resource, Some(name), own),
                                Err(_) => self.malformed(&check, path),
                            }
                        }
                        if names.iter().any(|name| map.contains_key(*name)) {
                            self.named(
                                "serviceAccounts",
                                path,
                                "serviceaccounts",
                                Some(spec.account.1.clone()),
                                own,
                            );
                        }
                        for toleration in &spec.tolerations {
                            self.toleration(toleration, path, own);
                        }
                        for (check, key, resource, name) in classes(&spec) {
                            if !name.is_empty() && map.contains_key(key) {
                                self.named(check, path, resource, Some(name.to_owned()), own);
                            }
                        }
                        self.brought(&spec.runtime, path);
                    }
                    Err(Lost) => self.lost(path),
                }
                for value in map.values() {
                    self.merged(value, path, own);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.merged(item, path, own);
                }
            }
            _ => {}
        }
    }
}

/// Whether a key of a pod spec stands there with other capitals.
fn is_misspelled(value: &Value) -> bool {
    let words = |of: &[&str], key: &str| {
        let same = |word: &&str| word.eq_ignore_ascii_case(key) && *word != key;
        of.iter().any(same)
    };
    let keys = [
        "serviceAccountName",
        "serviceAccount",
        "tolerations",
        "nodeName",
        "priorityClassName",
        "runtimeClassName",
        "schedulerName",
        "containers",
        "initContainers",
        "ephemeralContainers",
        "volumes",
        "imagePullSecrets",
        "nodeSelector",
        "affinity",
        "automountServiceAccountToken",
    ];
    let toleration = ["key", "operator", "value", "effect", "tolerationSeconds"];
    match value {
        Value::Object(map) => map.iter().any(|(key, below)| {
            let held = below.as_array().into_iter().flatten();
            let mut held = held
                .filter_map(Value::as_object)
                .flat_map(|held| held.keys());
            words(&keys, key)
                || key == "tolerations" && held.any(|key| words(&toleration, key))
                || is_misspelled(below)
        }),
        Value::Array(items) => items.iter().any(is_misspelled),
        _ => false,
    }
}

fn classes(spec: &PodSpec) -> [(&'static str, &'static str, &'static str, &str); 4] {
    [
        ("nodes", "nodeName", "nodes", &spec.node),
        (
            "priorityClasses",
            "priorityClassName",
            "priorityclasses.scheduling.k8s.io",
            &spec.priority,
        ),
        (
            "runtimeClasses",
            "runtimeClassName",
            "runtimeclasses.node.k8s.io",
            &spec.runtime,
        ),
        (
            "schedulers",
            "schedulerName",
            "schedulers.usher.dev",
            &spec.scheduler,
        ),
    ]
}

/// Whether all of `when` is so and none of `unless`. Where what is known does not decide it, nobody can tell.
fn applies(
    field: &Value,
    object: &Value,
    value: Option<&Value>,
    through: &[String],
) -> Result<bool, Lost> {
    let mut lost = false;
    for (kind, wanted) in [("when", true), ("unless", false)] {
        for condition in list(&field[kind]) {
            match holds(condition, &word(&field["path"]), object, value, through) {
                Ok(so) if so != wanted => return Ok(false),
                Ok(_) => {}
                Err(Lost) => lost = true,
            }
        }
    }
    if lost { Err(Lost) } else { Ok(true) }
}

/// Whether a condition holds where the path of a field leads through these items. As far as it goes the same way, it goes
/// through the same ones.
fn holds(
    condition: &Value,
    field: &str,
    object: &Value,
    value: Option<&Value>,
    through: &[String],
) -> Result<bool, Lost> {
    let (path, is) = condition_of(condition);
    let found = if path.starts_with('.') {
        let inside = |value| places(value, &steps(&path), &[]).map_err(|_| Lost);
        value.map(inside).transpose()?.unwrap_or_default()
    } else {
        let (path, field) = (steps(&path), steps(field));
        let same = path.iter().zip(&field).take_while(|(step, of)| step == of);
        let stars = same
            .filter(|(step, _)| !matches!(step, Step::Key(_)))
            .count();
        places(object, &path, &through[..stars]).map_err(|_| Lost)?
    };
    let so = |value: &Value| match &is {
        Wanted::Anything => is_something(value),
        Wanted::Is(is) => *is == plain(value),
        Wanted::Begins(start) => value
            .as_str()
            .is_some_and(|text| text.starts_with(&**start)),
        Wanted::KeyHolds(part) => {
            let keys = value.as_object().into_iter().flat_map(Map::keys);
            keys.into_iter().any(|key| key.contains(&**part))
        }
    };
    Ok(found.into_iter().any(|(_, value, _)| value.is_some_and(so)))
}
