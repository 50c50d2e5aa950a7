//! Random objects of the kinds of the catalogue: what the paths of an entry lead to, of the right type and of wrong ones.

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use usher_core::{
    catalogue::Catalogue,
    config::{self, Settings},
    engine::Policy,
};

use super::{
    random::Dice,
    stage::{Answer, Stage},
};
use crate::models::catalogue::{
    Asked, Book, Entry, Line, Rules, Said, Step, Wanted, condition_of, listed_paths, steps,
};

pub(crate) const HOME: &str = "team-a";
/// A runtime class that is there.
pub(crate) const CLASS: &str = "gvisor";

/// A configuration with every project, and the same in the words of the model.
pub(crate) struct World {
    pub(crate) rules: Rules,
    catalogue: Arc<Catalogue>,
    pub(crate) policy: Policy,
}

impl World {
    pub(crate) fn new(checks: &[(&str, &str)], controllers: Value) -> Self {
        let mut modes: BTreeMap<String, String> = usher_core::reference::Check::ALL
            .iter()
            .map(|check| (check.name().to_owned(), "enforce".to_owned()))
            .collect();
        modes.extend(
            checks
                .iter()
                .map(|(check, mode)| ((*check).to_owned(), (*mode).to_owned())),
        );
        let config = json!({
            "authorizer": "rbac", "checks": modes, "controllers": controllers, "catalogue": {"enable": ["all"]},
        });
        let Settings { policy, catalogue } = config::parse(&config.to_string()).unwrap();
        Self {
            catalogue: Arc::new(catalogue),
            policy,
            rules: Rules {
                checks: modes,
                controllers,
                classes: vec![CLASS.to_owned()],
                pulls: ("builder", "registry"),
                accounts: vec!["builder", "it", "deployer", "app-kafka", "app-collector"],
                config_maps: BTreeMap::from([
                    ("builder".to_owned(), Some("admin".to_owned())),
                    ("deployer".to_owned(), None),
                ]),
            },
        }
    }

    /// A world with these rights, and two runtime classes of which one cannot be found.
    pub(crate) fn stage(&self, rbac: &[Value]) -> Stage {
        let class = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": CLASS}});
        let (account, secret) = self.rules.pulls;
        let mut objects = vec![class];
        for name in &self.rules.accounts {
            let pulls = if *name == account {
                json!([{"name": secret}])
            } else {
                json!([])
            };
            let metadata = json!({"name": name, "namespace": HOME, "ownerReferences": [{"uid": "of-another"}]});
            objects.push(json!({
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "imagePullSecrets": pulls,
            }));
        }
        for (name, account) in &self.rules.config_maps {
            let metadata = json!({"name": name, "namespace": HOME});
            let data = json!({"serviceAccountName": account});
            objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}));
        }
        Stage::over(
            self.catalogue.clone(),
            self.policy.clone(),
            rbac,
            &objects,
            Date::constant(2026, 11, 21),
        )
    }
}

/// A request for an object of the catalogue.
#[derive(Clone)]
pub(crate) struct Sent<'b> {
    pub(crate) entry: &'b Entry,
    pub(crate) version: String,
    pub(crate) subresource: &'static str,
    pub(crate) object: Value,
    pub(crate) old: Option<Value>,
}

impl Sent<'_> {
    pub(crate) fn namespace(&self) -> &'static str {
        if self.entry.cluster { "" } else { HOME }
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            group: &self.entry.group,
            version: &self.version,
            kind: &self.entry.kind,
            subresource: self.subresource,
            namespace: self.namespace(),
            object: &self.object,
            old: self.old.as_ref(),
        }
    }

    /// The review, with the objects written as they come.
    pub(crate) fn review(&self) -> Vec<u8> {
        let old = self.old.as_ref().map(Value::to_string);
        self.written(&self.object.to_string(), old.as_deref())
    }

    /// The review with these texts in the place of the objects.
    pub(crate) fn written(&self, object: &str, old: Option<&str>) -> Vec<u8> {
        let kind =
            json!({"group": self.entry.group, "version": self.version, "kind": self.entry.kind});
        let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","kind":{kind},
            "subResource":"{}","namespace":"{}","operation":"{operation}","userInfo":{{"username":"mallory"}},
            "object":{object},"oldObject":{}}}}}"#,
            self.subresource,
            self.namespace(),
            old.unwrap_or("null")
        )
        .into_bytes()
    }
}

/// For messages: what was sent, in a line.
impl std::fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { file, kind, .. } = self.entry;
        write!(f, "{file}: {} {kind}: {}", self.version, self.object)?;
        self.old
            .as_ref()
            .map_or(Ok(()), |old| write!(f, "\nbefore: {old}"))
    }
}

/// What the engine says, in the words of the model.
pub(crate) fn said(answer: &Answer) -> Said {
    if answer.broken.is_some() {
        return Said::Broken;
    }
    if let Some(passed) = &answer.passed {
        return Said::Passed(match &**passed {
            "the kind names nothing that is asked about" => "Kind",
            "there is no pod spec" => "NoPodSpec",
            "the subresource cannot change the pod spec" => "Subresource",
            "nothing that decides has changed" => "Unchanged",
            _ => "another reason",
        });
    }
    let mut lines: Vec<Line> = answer
        .findings
        .iter()
        .map(|seen| {
            // How a toleration that is none is written is no matter of the catalogue.
            let odd = seen.check == "tolerations" && seen.target.contains(' ');
            let target = if odd { "?" } else { &seen.target };
            let [check, path, target, outcome] =
                [seen.check, &seen.path, target, seen.outcome].map(str::to_owned);
            (
                check,
                path,
                target,
                outcome,
                seen.missing.clone().unwrap_or_default(),
            )
        })
        .collect();
    lines.sort();
    lines.dedup();
    Said::Findings(lines)
}

/// What differs between two answers, for messages.
pub(crate) fn difference(engine: &Said, model: &Said) -> String {
    let (Said::Findings(engine), Said::Findings(model)) = (engine, model) else {
        return format!("engine: {engine:?}\nmodel: {model:?}");
    };
    let lines = |of: &[Line], without: &[Line]| -> String {
        let only = of.iter().filter(|line| !without.contains(line));
        only.map(|line| format!("    {line:?}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    format!(
        "only the engine:\n{}\nonly the model:\n{}",
        lines(engine, model),
        lines(model, engine)
    )
}

/// Makes objects.
pub(crate) struct Maker<'b, 'd> {
    pub(crate) book: &'b Book,
    pub(crate) dice: &'d mut Dice,
    /// One value in so many is of a wrong type; 0: none.
    pub(crate) wrong: usize,
}

const NAMES: [&str; 7] = [
    "builder",
    "builder",
    "default",
    "",
    "deployer",
    "team-b:builder",
    ":x",
];
const SPACES: [&str; 4] = ["team-a", "team-b", "", "kube-system"];

impl<'b> Maker<'b, '_> {
    /// A new object of an entry.
    pub(crate) fn sent(&mut self, entry: &'b Entry) -> Sent<'b> {
        let version = &entry.versions[self.dice.below(entry.versions.len())];
        Sent {
            entry,
            version: version.clone(),
            subresource: "",
            object: self.object(entry, version, 2),
            old: None,
        }
    }

    pub(crate) fn object(&mut self, entry: &'b Entry, version: &str, depth: usize) -> Value {
        let api = match &*entry.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        };
        let mut object = json!({"apiVersion": api, "kind": entry.kind, "metadata": {"name": "it"}});
        if let Some(path) = &entry.pod_spec_path() {
            let spec = self.pod_spec();
            let spec = self.or_wrong(spec);
            self.place(&mut object, &steps(path), spec);
        }
        for _ in 0..=self.dice.below(5) {
            if !entry.fields.is_empty() {
                let field = &entry.fields[self.dice.below(entry.fields.len())];
                self.add(&mut object, field, depth);
            }
        }
        if self.wrong > 0 && self.dice.one_in(6) {
            self.spoil(&mut object);
        }
        object
    }

    /// Puts what a field may hold into an object, mostly in such a way that its conditions are met.
    pub(crate) fn add(&mut self, object: &mut Value, field: &Value, depth: usize) {
        let path = field["path"].as_str().unwrap();
        let leaf = self.leaf(field, depth);
        let leaf = self.or_wrong(leaf);
        self.place(object, &steps(path), leaf);
        for (word, met) in [("when", 4), ("unless", 1)] {
            for condition in field[word].as_array().into_iter().flatten() {
                if self.dice.below(5) >= met {
                    continue;
                }
                let (condition, is) = condition_of(condition);
                let full = match condition.strip_prefix('.') {
                    None => condition,
                    Some("") => path.to_owned(),
                    Some(_) => format!("{path}{condition}"),
                };
                let value = match is {
                    Wanted::Anything => self.anything(),
                    Wanted::Is(is) => Value::String(is),
                    Wanted::Begins(start) => json!(format!("{start}x")),
                    Wanted::KeyHolds(part) => json!({format!("a{part}b"): "c"}),
                };
                self.place(object, &steps(&full), value);
            }
        }
        for sort in ["serviceAccount", "object", "podSpec"] {
            if let Some(path) = field[sort]["in"]["path"].as_str() {
                let space = self.text(&SPACES);
                let space = self.or_wrong(space);
                self.place(object, &steps(path), space);
            }
        }
    }

    /// Puts a value at a path, and makes what is missing on the way. What is there already stays, mostly.
    pub(crate) fn place(&mut self, at: &mut Value, steps: &[Step], leaf: Value) {
        let Some((step, rest)) = steps.split_first() else {
            match (at, leaf) {
                (Value::Object(held), Value::Object(more)) => held.extend(more),
                (at, leaf) if at.is_null() || (self.wrong > 0 && self.dice.one_in(2)) => *at = leaf,
                _ => {}
            }
            return;
        };
        if at.is_null() {
            *at = if matches!(step, Step::Items) {
                json!([])
            } else {
                json!({})
            };
        }
        match (step, at) {
            (Step::Key(key), Value::Object(map)) => {
                self.place(map.entry(key.clone()).or_insert(Value::Null), rest, leaf);
            }
            (Step::Values, Value::Object(map)) => {
                let key = self.dice.pick(&["a", "a", "b.c", "x/y", "plain"]);
                self.place(map.entry(key).or_insert(Value::Null), rest, leaf);
            }
            (Step::Items, Value::Array(items)) => {
                while items.is_empty() || self.dice.one_in(3) {
                    // The same item twice, at times.
                    let item = items.first().filter(|_| self.dice.one_in(2)).cloned();
                    items.push(item.unwrap_or_default());
                }
                let index = self.dice.below(items.len());
                self.place(&mut items[index], rest, leaf);
            }
            _ => {}
        }
    }

    fn text(&mut self, of: &[&str]) -> Value {
        json!(self.dice.pick(of))
    }

    fn anything(&mut self) -> Value {
        let all = [
            json!("x"),
            json!({"name": "y"}),
            json!(["z"]),
            json!(true),
            json!(1),
            json!(false),
            json!({}),
        ];
        all[self.dice.below(all.len())].clone()
    }

    pub(crate) fn or_wrong(&mut self, right: Value) -> Value {
        if self.wrong > 0 && self.dice.one_in(self.wrong) {
            let all = wrongs();
            all[self.dice.below(all.len())].clone()
        } else {
            right
        }
    }

    /// Something of a wrong type anywhere in an object.
    fn spoil(&mut self, object: &mut Value) {
        let mut at = object;
        for _ in 0..self.dice.below(6) {
            let count = match at {
                Value::Object(map) => map.len(),
                Value::Array(items) => items.len(),
                _ => 0,
            };
            if count == 0 {
                break;
            }
            let index = self.dice.below(count);
            at = match at {
                Value::Object(map) => map.values_mut().nth(index).unwrap(),
                Value::Array(items) => &mut items[index],
                _ => unreachable!(),
            };
        }
        let all = wrongs();
        *at = all[self.dice.below(all.len())].clone();
    }

    /// What a field may hold.
    fn leaf(&mut self, field: &Value, depth: usize) -> Value {
        if let Some(account) = field.get("serviceAccount") {
            let name = account["name"].as_str();
            let map = account.get("configMap").map(|_| "name");
            let Some(name) = name.or(map) else {
                return self.text(&NAMES);
            };
            let mut held = Map::new();
            self.member(&mut held, name, &NAMES);
            self.member(
                &mut held,
                account["in"]["field"].as_str().unwrap_or("namespace"),
                &SPACES,
            );
            return Value::Object(held);
        }
        if let Some(target) = field.get("object") {
            return self.target(target);
        }
        if field.get("namespace").is_some() {
            return self.text(&SPACES);
        }
        if field.get("identity").is_some() {
            return self.text(&["arn:aws:iam::1:role/r", "client", ""]);
        }
        if field.get("podSpec").is_some() {
            let mut spec = self.pod_spec();
            // A container of its own, as projects have them.
            if spec.is_object() && self.dice.below(3) == 0 {
                let name = self.text(&["db", "app", "kube-root-ca.crt"]);
                let from = [
                    json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name}}}]}),
                    json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": name}}}]}),
                    json!({"envFrom": [{"secretRef": {"name": name}}, null]}),
                    json!({"envFrom": [{"configMapRef": {"name": name}}], "env": {"A": "b"}}),
                    json!({"env": [5]}),
                ];
                let container = from[self.dice.below(from.len())].clone();
                spec["script"] = self.or_wrong(container);
            }
            return spec;
        }
        if field.get("manifest").is_some() {
            return self.manifest(depth);
        }
        if field.get("patch").is_some() {
            return self.patch();
        }
        self.anything()
    }

    fn member(&mut self, of: &mut Map<String, Value>, key: &str, values: &[&str]) {
        if !self.dice.one_in(4) {
            let value = self.text(values);
            of.insert(key.to_owned(), self.or_wrong(value));
        }
    }

    fn target(&mut self, target: &Value) -> Value {
        if target["name"] == "." {
            return self.text(&NAMES);
        }
        let mut held = Map::new();
        self.member(&mut held, target["name"].as_str().unwrap_or("name"), &NAMES);
        let namespace = target["namespace"]
            .as_str()
            .filter(|field| *field != "none");
        self.member(&mut held, namespace.unwrap_or("namespace"), &SPACES);
        if let Some(kind) = target["kind"].as_str() {
            let known = target["of"].as_object();
            let mut kinds: Vec<&str> = known
                .into_iter()
                .flatten()
                .map(|(kind, _)| &**kind)
                .collect();
            kinds.extend(["Unknown", ""]);
            self.member(&mut held, kind, &kinds);
        }
        Value::Object(held)
    }

    pub(crate) fn pod_spec(&mut self) -> Value {
        let mut spec = Map::new();
        for (key, values) in [
            ("serviceAccountName", &NAMES[..]),
            ("serviceAccount", &NAMES),
            ("nodeName", &["node-1", ""]),
            ("priorityClassName", &["high", ""]),
            ("runtimeClassName", &[CLASS, "kata", ""]),
            ("schedulerName", &["batch", "default-scheduler", ""]),
        ] {
            if self.dice.one_in(3) {
                self.member(&mut spec, key, values);
            }
        }
        if self.dice.one_in(2) {
            let tolerations = (0..=self.dice.below(2))
                .map(|_| self.toleration())
                .collect();
            let tolerations = self.or_wrong(tolerations);
            spec.insert("tolerations".to_owned(), tolerations);
        }
        if self.dice.one_in(4) {
            let automount = self.or_wrong(json!(false));
            spec.insert("automountServiceAccountToken".to_owned(), automount);
        }
        spec.insert("containers".to_owned(), json!([{"name": "main"}]));
        let mut spec = Value::Object(spec);
        if self.dice.one_in(2) {
            let paths = listed_paths();
            for _ in 0..=self.dice.below(4) {
                let [_, resource, path] = &paths[self.dice.below(paths.len())];
                let leaf = match (&**resource, path.ends_with("[]")) {
                    ("secrets", true) if self.dice.one_in(2) => {
                        let name = self.text(&["app", "registry", ""]);
                        json!({ "name": self.or_wrong(name) })
                    }
                    ("secrets", true) => self.text(&["app", "registry", ""]),
                    (_, true) => self.requirement(),
                    ("nodelabels.usher.dev", false) => self.labels(),
                    _ => self.text(&["app", "db", "registry", "kube-root-ca.crt", ""]),
                };
                let leaf = self.or_wrong(leaf);
                self.place(&mut spec, &steps(path), leaf);
            }
        }
        spec
    }

    fn labels(&mut self) -> Value {
        let mut held = Map::new();
        for key in ["disk", "kubernetes.io/os", "example.org/pool", "a b", "A/b"] {
            if self.dice.one_in(3) {
                self.member(&mut held, key, &["ssd", "linux", "", "x y"]);
            }
        }
        Value::Object(held)
    }

    fn requirement(&mut self) -> Value {
        let mut held = Map::new();
        let keys = ["disk", "kubernetes.io/arch", "metadata.name", "", "a/b/c"];
        self.member(&mut held, "key", &keys);
        let operators = [
            "In",
            "In",
            "NotIn",
            "Exists",
            "DoesNotExist",
            "Gt",
            "Lt",
            "Unheard",
            "",
        ];
        self.member(&mut held, "operator", &operators);
        if !self.dice.one_in(4) {
            let values = (0..self.dice.below(3)).map(|_| self.text(&["ssd", "amd64", "", "x y"]));
            let values = values.collect();
            held.insert("values".to_owned(), self.or_wrong(values));
        }
        Value::Object(held)
    }

    fn toleration(&mut self) -> Value {
        let mut held = Map::new();
        for (key, values) in [
            (
                "key",
                &[
                    "gpu",
                    "a.example/b",
                    "node.kubernetes.io/not-ready",
                    "",
                    "a b",
                ][..],
            ),
            ("operator", &["Equal", "Exists", "Lt", "Unheard", ""]),
            ("value", &["a", "", "b c"]),
            ("effect", &["NoSchedule", "NoExecute", "", "Never"]),
        ] {
            self.member(&mut held, key, values);
        }
        if self.dice.one_in(3) {
            let seconds = self.or_wrong(json!(300));
            held.insert("tolerationSeconds".to_owned(), seconds);
        }
        Value::Object(held)
    }

    fn manifest(&mut self, depth: usize) -> Value {
        if depth == 0 || self.dice.one_in(8) {
            return self.text(&["kind: Pod", ""]);
        }
        let entry = &self.book.entries[self.dice.below(self.book.entries.len())];
        let version = &entry.versions[self.dice.below(entry.versions.len())];
        let mut object = self.object(entry, version, depth - 1);
        let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
        if let (true, Some(metadata)) = (self.dice.one_in(2), metadata) {
            self.member(metadata, "namespace", &SPACES);
        }
        match (self.dice.below(8), object.as_object_mut()) {
            (0, Some(map)) => _ = map.insert("apiVersion".to_owned(), json!("v7")),
            (1, Some(map)) => _ = map.insert("kind".to_owned(), json!("Unheard")),
            (2, _) => return json!([object, "text"]),
            _ => {}
        }
        object
    }

    fn patch(&mut self) -> Value {
        let spec = self.pod_spec();
        let operation = |dice: &mut Dice, value: &Value| {
            let paths = [
                "/spec/template/spec/serviceAccountName",
                "/spec/tolerations/-",
                "/spec/tolerations/2",
                "/spec/tolerations/17",
                "/spec/tolerations/0/key",
                "/spec/template/spec",
                "/spec/template/spec/tolerations",
                "/spec/nodeName",
                "/spec/template/spec/containers/0/env/-",
                "/spec/template/spec/containers/0/envFrom/1/secretRef/name",
                "/spec/volumes/1/secret/secretName",
                "/spec/imagePullSecrets/0/name",
                "/spec/nodeSelector/example.org~1pool",
                "",
            ];
            let op = dice.pick(&["add", "add", "replace", "copy", "move", "remove", "test"]);
            let values = [
                value.clone(),
                value["tolerations"][0].clone(),
                value["tolerations"].clone(),
                json!("builder"),
                json!({"valueFrom": {"secretKeyRef": {"name": "app", "key": "k"}}}),
            ];
            json!({"op": op, "path": dice.pick(&paths), "value": values[dice.below(5)], "from": "/metadata/name"})
        };
        let merge = json!({"kind": "Deployment", "spec": {"template": {"spec": spec}, "list": [{"nodeName": "node-2"}]}});
        let operations = json!([operation(self.dice, &spec), operation(self.dice, &spec)]);
        match self.dice.below(8) {
            0 => json!(merge.to_string()),
            1 => json!(operations.to_string()),
            2 => json!(format!("---\na: 1\n---\n{merge}\n")),
            3 => operations,
            4 => merge,
            5 => {
                json!("spec:\n  serviceAccountName: builder\n  tolerations: [{operator: Exists}]\n")
            }
            6 => json!("a: [b"),
            _ => json!("- {op: add, path: /spec/priorityClassName, value: high}\n"),
        }
    }
}

/// Values that are of the wrong type nearly everywhere.
pub(crate) fn wrongs() -> Vec<Value> {
    vec![
        Value::Null,
        json!(""),
        json!(7),
        json!(1.5),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([null]),
        json!(["x"]),
        json!({"x": 1}),
        json!("text"),
        json!([[{"a": {}}]]),
        json!({"name": ["x"]}),
    ]
}
