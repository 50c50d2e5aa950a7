//! The kinds of Kubernetes that lead to an account or a node without a pod spec, beside a model of them: random requests,
//! well-formed and not.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use usher_core::config;

use super::catalogue::{is_everybodys, taints};
use crate::support::{
    random::{Dice, seeds},
    stage::{Answer, Stage},
};

/// Requests that one run looks at.
const REQUESTS: u64 = 6_000;
const HOME: &str = "team-a";
const JANE: &str = "jane";
const MANAGER: &str = "system:kube-controller-manager";
const SETS: &str = "system:serviceaccount:kube-system:statefulset-controller";
const SCHEDULER: &str = "system:kube-scheduler";
const NODE: &str = "system:node:n1";
const DEPLOYER: &str = "system:serviceaccount:team-a:deployer";

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Said {
    /// Nothing is asked.
    Passed,
    /// It cannot be judged.
    Broken,
    /// Check, path, and what is said: allowed, what is missing, or the outcome in a word.
    Asked(BTreeSet<(String, String, String)>),
}

impl Said {
    /// These lines; where there are none, nothing is asked.
    fn of(lines: BTreeSet<(String, String, String)>) -> Self {
        if lines.is_empty() {
            Self::Passed
        } else {
            Self::Asked(lines)
        }
    }
}

/// A part that nobody can read.
struct Unreadable;

/// A request, in the words of the model.
#[derive(Debug)]
struct Sent {
    kind: &'static str,
    group: &'static str,
    version: &'static str,
    subresource: &'static str,
    operation: &'static str,
    user: &'static str,
    name: String,
    namespace: &'static str,
    object: Value,
    old: Value,
    /// The names in a certificate, which the model does not read for itself.
    bears: Vec<&'static str>,
}

impl Sent {
    fn review(&self) -> Vec<u8> {
        let groups = match self.user {
            NODE => vec!["system:nodes"],
            _ => Vec::new(),
        };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "u",
            "kind": {"group": self.group, "version": self.version, "kind": self.kind},
            "subResource": self.subresource, "operation": self.operation,
            "name": self.name, "namespace": self.namespace,
            "userInfo": {"username": self.user, "groups": groups},
            "object": self.object, "oldObject": self.old,
        }})
        .to_string()
        .into_bytes()
    }

    fn is_update(&self) -> bool {
        self.operation == "UPDATE"
    }

    /// What the model says.
    fn said(&self) -> Said {
        let said = match self.kind {
            "ServiceAccount" => self.account(),
            "Secret" => self.secret(),
            "Namespace" => self.tolerations(),
            "TokenRequest" => self.token(),
            "Binding" => self.binding(),
            "CertificateSigningRequest" => Some(self.certificate()),
            "ControllerRevision" => Some(self.revision()),
            _ => self.connection(),
        };
        said.unwrap_or(Said::Broken)
    }

    /// One question about an account of a namespace.
    fn may_use(&self, check: &str, path: &str, account: &str, namespace: &str) -> Said {
        let own = format!("system:serviceaccount:{namespace}:{account}");
        let held = self.user == JANE && account == "builder" && namespace == HOME;
        let said = if account == "default" || own == self.user || held {
            "allowed".to_owned()
        } else {
            let within = if namespace.is_empty() {
                "the whole cluster"
            } else {
                namespace
            };
            format!("verb use on serviceaccounts \"{account}\" in {within}")
        };
        asked([(check, path, said)])
    }

    /// The same where Kubernetes itself may write it for others.
    fn of_writer(&self, check: &str, path: &str, account: &str) -> Said {
        let itself = "system:serviceaccount:kube-system:service-account-controller";
        if [MANAGER, itself].contains(&self.user) {
            return asked([(check, path, "allowed".to_owned())]);
        }
        if account.is_empty() {
            return asked([(check, path, "malformed".to_owned())]);
        }
        self.may_use(check, path, account, HOME)
    }

    /// What steers the account, and each pull secret that its pods get from now on.
    fn account(&self) -> Option<Said> {
        let mut said = self.steered()?;
        if let Said::Asked(lines) = &mut said {
            let names = |object: &Value| {
                let list = object["imagePullSecrets"].as_array().cloned();
                let held = list.unwrap_or_default().into_iter();
                held.map(|held| held["name"].as_str().unwrap_or_default().to_owned())
                    .collect::<Vec<_>>()
            };
            let before = if self.is_update() {
                names(&self.old)
            } else {
                Vec::new()
            };
            for (index, name) in names(&self.object).into_iter().enumerate() {
                if !name.is_empty() && !before.contains(&name) {
                    lines.insert((
                        "secrets".to_owned(),
                        format!("imagePullSecrets[{index}].name"),
                        format!("verb use or get on secrets \"{name}\" in {HOME}"),
                    ));
                }
            }
        }
        Some(said)
    }

    fn steered(&self) -> Option<Said> {
        let steers = |key: &str| {
            key.starts_with("eks.amazonaws.com/")
                || key.starts_with("iam.gke.io/")
                || key == "kubernetes.io/enforce-mountable-secrets"
        };
        let now = annotations(&self.object)?;
        let before = if self.is_update() {
            Some(annotations(&self.old)?)
        } else {
            None
        };
        if self.name.is_empty() {
            return None;
        }
        let says = |held: &BTreeMap<String, Value>, key: &str| {
            held.get(key).filter(|value| something(value)).cloned()
        };
        let keys: BTreeSet<&String> = now
            .keys()
            .chain(before.iter().flat_map(BTreeMap::keys))
            .collect();
        for key in keys {
            if steers(key)
                && says(&now, key) != before.as_ref().and_then(|before| says(before, key))
            {
                let path = format!("metadata.annotations[\"{key}\"]");
                return Some(self.of_writer("accounts", &path, &self.name));
            }
        }
        for list in ["imagePullSecrets", "secrets"] {
            let of = |object: &Value| Some(object[list].clone()).filter(something);
            let before = if self.is_update() {
                of(&self.old)
            } else {
                None
            };
            if of(&self.object) != before {
                return Some(self.of_writer("accounts", list, &self.name));
            }
        }
        if !self.is_update() && self.name == "gone" {
            return Some(self.of_writer("accounts", "metadata.name", &self.name));
        }
        Some(Said::Passed)
    }

    fn secret(&self) -> Option<Said> {
        /// Account, uid and token; none of any other Secret.
        fn token(secret: &Value) -> Result<Option<(String, String, Value)>, Unreadable> {
            match &secret["type"] {
                Value::String(sort) if sort == "kubernetes.io/service-account-token" => {}
                Value::Null | Value::String(_) => return Ok(None),
                _ => return Err(Unreadable),
            }
            let held = annotations(secret).ok_or(Unreadable)?;
            let text = |key: &str| match held.get(key) {
                None => Ok(String::new()),
                Some(Value::String(text)) => Ok(text.clone()),
                Some(_) => Err(Unreadable),
            };
            let account = text("kubernetes.io/service-account.name")?;
            let uid = text("kubernetes.io/service-account.uid")?;
            Ok(Some((account, uid, secret["data"]["token"].clone())))
        }
        let Some(now) = token(&self.object).ok()? else {
            return Some(Said::Passed);
        };
        if self.is_update() && token(&self.old).ok()?.as_ref() == Some(&now) {
            return Some(Said::Passed);
        }
        let path = "metadata.annotations[\"kubernetes.io/service-account.name\"]";
        Some(self.of_writer("tokenSecrets", path, &now.0))
    }

    fn tolerations(&self) -> Option<Said> {
        if self.is_update()
            && self.object["metadata"]["annotations"] == self.old["metadata"]["annotations"]
        {
            return Some(Said::Passed);
        }
        let now = annotations(&self.object)?;
        let before = if self.is_update() {
            annotations(&self.old)?
        } else {
            BTreeMap::new()
        };
        let mut lines = BTreeSet::new();
        for key in ["defaultTolerations", "tolerationsWhitelist"] {
            let annotation = format!("scheduler.alpha.kubernetes.io/{key}");
            let Some(said) = now
                .get(&annotation)
                .filter(|said| before.get(&annotation) != Some(said))
            else {
                continue;
            };
            let path = format!("metadata.annotations[\"{annotation}\"]");
            let mut add = |path: &str, said: &str| {
                lines.insert(("tolerations".to_owned(), path.to_owned(), said.to_owned()));
            };
            let read = said.as_str().and_then(|text| match text {
                "" => Some(Vec::new()),
                text => serde_json::from_str::<Option<Vec<Value>>>(text)
                    .ok()
                    .map(Option::unwrap_or_default),
            });
            let is_one = |toleration: &Value| {
                let known = ["key", "operator", "value", "effect"];
                let fields = toleration.as_object();
                fields.is_some_and(|fields| {
                    fields.iter().all(|(key, value)| {
                        known.contains(&&**key) && (value.is_string() || value.is_null())
                    })
                })
            };
            let Some(mut read) = read.filter(|read| read.iter().all(is_one)) else {
                add(&path, "unknown");
                continue;
            };
            // A limit that names nothing is none.
            if read.is_empty() && key == "tolerationsWhitelist" {
                read = vec![json!({"operator": "Exists"})];
            }
            for (index, toleration) in read.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match taints(toleration) {
                    _ if is_everybodys(toleration) => add(&path, "allowed"),
                    None => add(&path, "malformed"),
                    Some(set) if set == "gpu:NoSchedule" && self.user == JANE => {
                        add(&path, "allowed");
                    }
                    Some(set) => add(
                        &path,
                        &format!("verb use on tolerations.usher.dev \"{set}\" in {HOME}"),
                    ),
                }
            }
        }
        Some(Said::of(lines))
    }

    fn token(&self) -> Option<Said> {
        if self.operation != "CREATE" {
            return None;
        }
        if self.user == NODE {
            return Some(Said::Passed);
        }
        if self.name.is_empty() {
            return None;
        }
        Some(self.may_use("serviceAccounts", "metadata.name", &self.name, HOME))
    }

    fn binding(&self) -> Option<Said> {
        if self.operation != "CREATE" {
            return None;
        }
        let node = self.object["target"]["name"].as_str()?;
        let said = if self.user == SCHEDULER || (self.user == JANE && node == "n1") {
            "allowed".to_owned()
        } else {
            format!("verb use on nodes \"{node}\" in {HOME}")
        };
        Some(asked([("nodes", "target.name", said)]))
    }

    fn certificate(&self) -> Said {
        if self.is_update() {
            let approved = |object: &Value| {
                let conditions = object["status"]["conditions"].as_array();
                conditions.is_some_and(|held| held.iter().any(|held| held["type"] == "Approved"))
            };
            if approved(&self.old) || !approved(&self.object) {
                return Said::Passed;
            }
        }
        if self.object["spec"]["signerName"] != "kubernetes.io/kube-apiserver-client" {
            return Said::Passed;
        }
        let request = self.object["spec"]["request"].as_str();
        if request.is_none_or(|text| text == "rubbish") {
            return asked([("accounts", "spec.request", "unknown".to_owned())]);
        }
        let mut lines = BTreeSet::new();
        for name in &self.bears {
            let Some(account) = name.strip_prefix("system:serviceaccount:") else {
                continue;
            };
            let (namespace, account) = account.split_once(':').unwrap();
            if let Said::Asked(more) = self.may_use("accounts", "spec.request", account, namespace)
            {
                lines.extend(more);
            }
        }
        Said::of(lines)
    }

    fn revision(&self) -> Said {
        let judged = if self.operation == "DELETE" {
            &self.old
        } else {
            &self.object
        };
        let is_foreign = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let is_set =
                |owner: &Value| owner["kind"] == "StatefulSet" || owner["kind"] == "DaemonSet";
            owners.first().is_some_and(|owner| !is_set(owner))
        };
        let is_keeper = [
            SETS,
            "system:serviceaccount:kube-system:namespace-controller",
        ]
        .contains(&self.user);
        // What was nobody's affair becomes a set's.
        let is_set_free = self.is_update() && is_foreign(&self.old) && !is_foreign(&self.object);
        if is_keeper && !is_set_free {
            return Said::Passed;
        }
        // Of a deleted one there is only what was; a new one was not.
        let held = [judged, &self.old];
        if held
            .into_iter()
            .filter(|object| !object.is_null())
            .all(is_foreign)
        {
            return Said::Passed;
        }
        if self.is_update() {
            let decides = |object: &Value| {
                let metadata = &object["metadata"];
                [
                    &object["data"],
                    &metadata["labels"],
                    &metadata["ownerReferences"],
                ]
                .map(Value::clone)
            };
            if decides(&self.object) == decides(&self.old) {
                return Said::Passed;
            }
        }
        let template = &judged["data"]["spec"]["template"];
        let is_whole = template["$patch"] == "replace"
            && judged["data"]
                .as_object()
                .is_some_and(|data| data.len() == 1);
        let Some(spec) = template["spec"].as_object().filter(|_| is_whole) else {
            // Who takes it away takes nothing that counts.
            if self.operation == "DELETE" {
                return Said::Passed;
            }
            let path = "data.spec.template.spec";
            return asked([("serviceAccounts", path, "unknown".to_owned())]);
        };
        let name = spec.get("serviceAccountName");
        let account = name.map_or("default", |name| name.as_str().unwrap());
        let path = "data.spec.template.spec.serviceAccountName";
        self.may_use("serviceAccounts", path, account, HOME)
    }

    fn connection(&self) -> Option<Said> {
        if self.operation != "CONNECT" {
            return None;
        }
        if self.name.is_empty() {
            return None;
        }
        let inside = ["PodExecOptions", "PodAttachOptions"].contains(&self.kind);
        let check = if inside { "connections" } else { "proxies" };
        if self.kind == "ServiceProxyOptions" {
            let missing = format!("verb use on services \"{}\" in {HOME}", self.name);
            return Some(asked([(check, "metadata.name", missing)]));
        }
        let path = format!("pod {}: spec.serviceAccountName", self.name);
        let account = match &*self.name {
            "strong" => "deployer",
            "own" => "builder",
            "plain" => "default",
            _ => return Some(asked([(check, &path, "unknown".to_owned())])),
        };
        let mut said = self.may_use(check, &path, account, HOME);
        if let (Said::Asked(lines), "strong", true) = (&mut said, &*self.name, inside) {
            // It reads a secret, which nobody may.
            lines.insert((
                "secrets".to_owned(),
                "pod strong: spec.containers[0].envFrom[0].secretRef.name".to_owned(),
                format!("verb use or get on secrets \"db\" in {HOME}"),
            ));
        }
        Some(said)
    }
}

fn asked<const N: usize>(lines: [(&str, &str, String); N]) -> Said {
    Said::Asked(
        lines
            .into_iter()
            .map(|(check, path, said)| (check.to_owned(), path.to_owned(), said))
            .collect(),
    )
}

/// Whether a value is more than nothing.
fn something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(something),
        _ => true,
    }
}

/// The annotations of an object; none if they cannot be read.
fn annotations(object: &Value) -> Option<BTreeMap<String, Value>> {
    let metadata = match &object["metadata"] {
        Value::Null => return Some(BTreeMap::new()),
        Value::Object(metadata) => metadata,
        _ => return None,
    };
    match metadata.get("annotations") {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(held)) => Some(
            held.iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        Some(_) => None,
    }
}

/// Certificate requests, each with the names that it bears.
fn certificates() -> Vec<(Value, Vec<&'static str>)> {
    let named = |names: &[&'static str]| {
        let mut params = CertificateParams::default();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let key = KeyPair::generate().unwrap();
        let pem = params.serialize_request(&key).unwrap().pem().unwrap();
        (json!(STANDARD.encode(pem)), names.to_vec())
    };
    vec![
        named(&["jane"]),
        named(&[DEPLOYER]),
        named(&["system:serviceaccount:team-a:builder"]),
        named(&["system:serviceaccount:team-b:builder"]),
        (json!("rubbish"), Vec::new()),
        (Value::Null, Vec::new()),
    ]
}

/// Makes requests.
struct Maker<'d> {
    dice: &'d mut Dice,
    certificates: &'d [(Value, Vec<&'static str>)],
}

impl Maker<'_> {
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.dice.below(of.len())].clone()
    }

    /// A map of some of these keys.
    fn some(&mut self, keys: &[&str], values: &[Value]) -> Value {
        let mut held = serde_json::Map::new();
        for key in keys {
            if self.dice.below(2) == 0 {
                held.insert((*key).to_owned(), self.one(values));
            }
        }
        Value::Object(held)
    }

    fn metadata(&mut self, keys: &[&str], values: &[Value]) -> Value {
        let annotations = self.some(keys, values);
        self.one(&[
            json!({"annotations": annotations}),
            json!({"annotations": annotations, "labels": {"a": "b"}}),
            json!({"annotations": annotations}),
            json!({"annotations": null}),
            json!({"annotations": 5}),
            Value::Null,
        ])
    }

    #[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
    fn object(&mut self, kind: &str) -> Value {
        let text = ["role", "", "other"].map(|text| json!(text));
        match kind {
            "ServiceAccount" => {
                let keys = [
                    "eks.amazonaws.com/role-arn",
                    "iam.gke.io/a",
                    "color",
                    "kubernetes.io/enforce-mountable-secrets",
                ];
                let metadata = self.metadata(&keys, &text);
                let lists = [
                    json!([{"name": "a"}]),
                    json!([{"name": "b"}]),
                    json!([]),
                    Value::Null,
                ];
                json!({"metadata": metadata, "imagePullSecrets": self.one(&lists), "secrets": self.one(&lists)})
            }
            "Secret" => {
                let keys = [
                    "kubernetes.io/service-account.name",
                    "kubernetes.io/service-account.uid",
                    "color",
                ];
                let values = ["builder", "deployer", "default", ""].map(|text| json!(text));
                let metadata = self.metadata(&keys, &[&values[..], &[json!(5)]].concat());
                let token = json!("kubernetes.io/service-account-token");
                let sorts = [
                    token.clone(),
                    token.clone(),
                    token,
                    json!("Opaque"),
                    Value::Null,
                    json!(5),
                ];
                let data = [
                    json!({"token": "YQ=="}),
                    json!({"token": "Yg=="}),
                    json!({}),
                    Value::Null,
                ];
                json!({"metadata": metadata, "type": self.one(&sorts), "data": self.one(&data)})
            }
            "Namespace" => {
                // What may be given is given often: seldom is all of a namespace.
                let granted =
                    json!(r#"[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]"#);
                let values = [
                    r#"[{"key": "gpu", "value": "a"}, {"operator": "Exists"}]"#,
                    r#"[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]"#,
                    r#"[{"key": "a b"}]"#,
                    r#"[{"key": 5}]"#,
                    r#"[{"kee": "a"}]"#,
                    "[]",
                    "",
                    "null",
                    "rubbish",
                ]
                .map(|text| json!(text));
                let keys = [
                    "scheduler.alpha.kubernetes.io/defaultTolerations",
                    "scheduler.alpha.kubernetes.io/tolerationsWhitelist",
                    "color",
                ];
                let granted = vec![granted; 8];
                let values = [&granted, &values[..], &[json!(5)]].concat();
                json!({"metadata": self.metadata(&keys, &values)})
            }
            "TokenRequest" => {
                json!({"spec": {"audiences": self.one(&[json!([]), json!(["a"]), Value::Null])}})
            }
            "Binding" => self.one(&[
                json!({"target": {"kind": "Node", "name": "n1"}}),
                json!({"target": {"kind": "Node", "name": "n2"}}),
                json!({"target": {}}),
                json!({"target": null}),
                json!({}),
                json!({"target": {"name": 5}}),
            ]),
            "ControllerRevision" => {
                let spec = self.one(&[
                    json!({"serviceAccountName": "builder", "containers": []}),
                    json!({"serviceAccountName": "deployer", "containers": []}),
                    json!({"containers": []}),
                    Value::Null,
                ]);
                let patch = self.one(&[
                    json!("replace"),
                    json!("replace"),
                    json!("merge"),
                    Value::Null,
                ]);
                let template = json!({"$patch": patch, "metadata": {}, "spec": spec});
                let owner = |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": "u", "controller": true}]);
                let owners = [
                    owner("StatefulSet"),
                    owner("DaemonSet"),
                    owner("Oven"),
                    json!([]),
                    Value::Null,
                ];
                let labels = [json!({"a": "b"}), json!({}), Value::Null];
                let mut data = json!({"spec": {"template": template}});
                if self.dice.below(8) == 0 {
                    data["metadata"] = json!({"name": "other"});
                }
                json!({
                    "metadata": {"ownerReferences": self.one(&owners), "labels": self.one(&labels)},
                    "data": data, "revision": self.dice.below(3),
                })
            }
            _ => json!({"command": ["sh"]}),
        }
    }

    fn sent(&mut self) -> Sent {
        let (kind, group, version, subresource) = self.one(&[
            ("ServiceAccount", "", "v1", ""),
            ("Secret", "", "v1", ""),
            ("Namespace", "", "v1", ""),
            ("TokenRequest", "authentication.k8s.io", "v1", "token"),
            ("Binding", "", "v1", ""),
            ("Binding", "", "v1", "binding"),
            ("CertificateSigningRequest", "certificates.k8s.io", "v1", ""),
            (
                "CertificateSigningRequest",
                "certificates.k8s.io",
                "v1",
                "approval",
            ),
            ("ControllerRevision", "apps", "v1", ""),
            ("PodExecOptions", "", "v1", "exec"),
            ("PodAttachOptions", "", "v1", "attach"),
            ("PodPortForwardOptions", "", "v1", "portforward"),
            ("PodProxyOptions", "", "v1", "proxy"),
            ("ServiceProxyOptions", "", "v1", "proxy"),
        ]);
        let operation = match kind {
            "ServiceAccount" | "Secret" | "Namespace" => self.one(&["CREATE", "UPDATE"]),
            "TokenRequest" | "Binding" => self.one(&["CREATE", "CREATE", "CREATE", "UPDATE"]),
            "CertificateSigningRequest" if subresource.is_empty() => "CREATE",
            "CertificateSigningRequest" => "UPDATE",
            "ControllerRevision" => self.one(&["CREATE", "UPDATE", "DELETE"]),
            _ => self.one(&["CONNECT", "CONNECT", "CONNECT", "CREATE"]),
        };
        let names: &[&str] = match kind {
            "ServiceAccount" | "TokenRequest" => {
                &["builder", "deployer", "default", "gone", "new", ""]
            }
            "PodExecOptions" | "PodAttachOptions" | "PodPortForwardOptions" | "PodProxyOptions" => {
                &["strong", "own", "plain", "absent", ""]
            }
            _ => &["it"],
        };
        let (mut object, mut old) = (self.object(kind), self.object(kind));
        // Most updates change little.
        if self.dice.below(3) == 0 {
            old = object.clone();
        }
        let mut bears = Vec::new();
        if kind == "CertificateSigningRequest" {
            let (request, names) = self.one(self.certificates);
            let client = json!("kubernetes.io/kube-apiserver-client");
            let signer = self.one(&[client.clone(), client, json!("example.org/s")]);
            let conditions = [
                json!([]),
                json!([{"type": "Approved"}]),
                json!([{"type": "Denied"}]),
                Value::Null,
            ];
            let mut make = || {
                json!({
                    "spec": {"signerName": signer, "request": request}, "status": {"conditions": self.one(&conditions)},
                })
            };
            (object, old) = (make(), make());
            bears = names;
        }
        match operation {
            "UPDATE" => {}
            "DELETE" => object = Value::Null,
            _ => old = Value::Null,
        }
        Sent {
            kind,
            group,
            version,
            subresource,
            operation,
            user: self.one(&[JANE, JANE, JANE, MANAGER, SETS, SCHEDULER, NODE, DEPLOYER]),
            name: self.one(names).to_owned(),
            namespace: if kind == "CertificateSigningRequest" {
                ""
            } else {
                HOME
            },
            object,
            old,
            bears,
        }
    }
}

/// What the engine says, in the words of the model.
fn said(answer: &Answer) -> Said {
    if answer.broken.is_some() {
        return Said::Broken;
    }
    if answer.passed.is_some() {
        return Said::Passed;
    }
    let line = |seen: &crate::support::stage::Seen| {
        let said = seen
            .missing
            .clone()
            .unwrap_or_else(|| seen.outcome.to_owned());
        (seen.check.to_owned(), seen.path.clone(), said)
    };
    Said::of(answer.findings.iter().map(line).collect())
}

fn stage() -> Stage {
    let settings =
        config::parse("{authorizer: rbac, checks: {secrets: enforce, proxies: enforce}}").unwrap();
    let role = json!({"kind": "Role", "metadata": {"namespace": HOME, "name": "r"}, "rules": [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["builder"], "verbs": ["use"]},
        {"apiGroups": [""], "resources": ["nodes"], "resourceNames": ["n1"], "verbs": ["use"]},
        {"apiGroups": ["usher.dev"], "resources": ["tolerations"], "resourceNames": ["gpu:NoSchedule"], "verbs": ["use"]},
    ]});
    let bound = |name: &str, role: &str, subject: Value| {
        json!({
            "kind": "RoleBinding", "metadata": {"namespace": HOME, "name": name}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        })
    };
    let rbac = [
        role,
        bound("r", "r", json!({"kind": "User", "name": JANE})),
        bound(
            "gone",
            "other",
            json!({"kind": "ServiceAccount", "namespace": HOME, "name": "gone"}),
        ),
    ];
    let pod = |name: &str, spec: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": HOME, "name": name}, "spec": spec,
        })
    };
    let pods = [
        pod(
            "strong",
            json!({"serviceAccountName": "deployer", "containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "db"}}]}]}),
        ),
        pod(
            "own",
            json!({"serviceAccountName": "builder", "containers": []}),
        ),
        pod("plain", json!({"containers": []})),
    ];
    Stage::new(settings, &rbac, &pods, jiff::civil::date(2026, 11, 27))
}

#[test]
fn every_door_is_as_the_model_says() {
    let stage = stage();
    let certificates = certificates();
    let mut ends = BTreeMap::<(&str, &str), u32>::new();
    let mut wrong = Vec::new();
    for seed in seeds().take(usize::try_from(REQUESTS).unwrap()) {
        let mut dice = Dice::new(seed);
        let sent = Maker {
            dice: &mut dice,
            certificates: &certificates,
        }
        .sent();
        let (engine, model) = (stage.answer(&sent.review()), sent.said());
        let told = said(&engine);
        let refuses = |said: &Said| match said {
            Said::Passed => false,
            Said::Broken => true,
            Said::Asked(lines) => lines.iter().any(|(_, _, said)| said != "allowed"),
        };
        if told != model || engine.allowed == refuses(&model) {
            wrong.push(format!(
                "USHER_SEED={seed}: {sent:?}\nengine: {told:?}\nmodel: {model:?}"
            ));
        }
        let end = match &model {
            Said::Passed => "passed",
            Said::Broken => "broken",
            asked if refuses(asked) => "refused",
            Said::Asked(_) => "allowed",
        };
        *ends.entry((sent.kind, end)).or_default() += 1;
    }
    assert!(
        wrong.is_empty(),
        "{} of {REQUESTS} disagree\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n\n")
    );
    // The chance is wide enough that every kind comes to each of its ends.
    for kind in ["ServiceAccount", "Secret", "Namespace", "TokenRequest"] {
        for end in ["passed", "refused", "allowed", "broken"] {
            assert!(
                ends.contains_key(&(kind, end)),
                "no {kind} is {end}: {ends:?}"
            );
        }
    }
    for kind in ["CertificateSigningRequest", "ControllerRevision"] {
        for end in ["passed", "refused", "allowed"] {
            assert!(
                ends.contains_key(&(kind, end)),
                "no {kind} is {end}: {ends:?}"
            );
        }
    }
    for kind in ["Binding", "PodExecOptions", "PodPortForwardOptions"] {
        for end in ["refused", "allowed", "broken"] {
            assert!(
                ends.contains_key(&(kind, end)),
                "no {kind} is {end}: {ends:?}"
            );
        }
    }
}
