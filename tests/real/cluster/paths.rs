//! Every path of the catalogue of Flux and KEDA on a real API server, in every version that it serves: refused without
//! the grants that the denial names, admitted with them. The objects are those of the stories, with what the definitions
//! of the projects require beside it.

use std::sync::Arc;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};
use usher::files::load;
use usher_core::config::Settings;

use hyper::Request;
use jiff::civil::date;
use kube::Client;
use serde_json::{Value, json};
use usher::cluster::connect;
use usher_core::catalogue::{Content, Kind};

use super::custom::installed;
use crate::{
    real::controlplane::{
        plane,
        usher::{UsherOptions, UsherProcess},
    },
    support::{
        fixtures::fixtures,
        stage::{Answer, Stage},
    },
};

const CONFIG: &str = "tests/real/cluster/paths.yaml";
/// Objects for paths at which the definitions ask for more than a story needs.
const MORE: &str = "tests/real/cluster/paths-more.yaml";
const NAMESPACE: &str = "paths";

/// How long a grant may take until it is in force.
const SETTLED: Duration = Duration::from_secs(20);
/// The namespaces that are there.
static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A version of a kind, as its definition says it.
struct Served {
    group: String,
    kind: String,
    version: String,
    plural: String,
    cluster: bool,
    schema: Value,
}

fn definitions(fixtures: &Path) -> Vec<Served> {
    let mut served = Vec::new();
    for project in ["flux", "keda"] {
        for file in fs::read_dir(fixtures.join("crds").join(project)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let crd: Value = serde_saphyr::from_str(&text).unwrap();
            let spec = &crd["spec"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            for version in spec["versions"].as_array().unwrap() {
                if version["served"] == true {
                    served.push(Served {
                        group: text(&spec["group"]),
                        kind: text(&spec["names"]["kind"]),
                        version: text(&version["name"]),
                        plural: text(&spec["names"]["plural"]),
                        cluster: spec["scope"] == "Cluster",
                        schema: version["schema"]["openAPIV3Schema"].clone(),
                    });
                }
            }
        }
    }
    served
}

/// The value as a definition wants it: with what is required, and without what the API server would drop.
fn complete(value: &mut Value, schema: &Value) {
    let keeps = schema["x-kubernetes-preserve-unknown-fields"] == true;
    match value {
        Value::Object(fields) => {
            if let Some(properties) = schema["properties"].as_object() {
                if !keeps {
                    fields.retain(|key, _| properties.contains_key(key));
                }
                for key in schema["required"].as_array().into_iter().flatten() {
                    let key = key.as_str().unwrap();
                    let missing = fields.get(key).is_none_or(Value::is_null);
                    if missing && let Some(property) = properties.get(key) {
                        fields.insert(key.to_owned(), required(property));
                    }
                }
                for (key, field) in fields {
                    if let Some(property) = properties.get(key) {
                        complete(field, property);
                    }
                }
            } else if schema["additionalProperties"].is_object() {
                for field in fields.values_mut() {
                    complete(field, &schema["additionalProperties"]);
                }
            }
        }
        Value::Array(items) => {
            if items.is_empty() && schema["minItems"].as_u64().unwrap_or(0) > 0 {
                items.push(required(&schema["items"]));
            }
            for item in items {
                complete(item, &schema["items"]);
            }
        }
        _ => {}
    }
}

/// Something that a field may hold which has to be there.
fn required(schema: &Value) -> Value {
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => json!({}),
        Some("array") => json!([]),
        Some("boolean") => json!(false),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        _ => {
            let pattern = schema["pattern"].as_str().unwrap_or_default();
            json!(if pattern.contains("ms|s|m|h") {
                "10m"
            } else if pattern.contains("oci://") {
                "oci://example.test/x"
            } else if pattern.contains("http") {
                "https://example.test/x"
            } else {
                "x"
            })
        }
    }
}

/// The objects of the stories, each in every version of its kind that is served.
fn objects(served: &[Served]) -> Vec<(&Served, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("flux-") || name.starts_with("keda-")
        })
        .collect();
    files.sort();
    let more = Path::new(env!("CARGO_MANIFEST_DIR")).join(MORE);
    files.push(more);
    let mut objects = Vec::new();
    for file in files {
        let story: Value = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for request in story["requests"].as_array().unwrap() {
            let object = &request["object"];
            let api_version = object["apiVersion"].as_str().unwrap_or_default();
            let group = api_version.split('/').next().unwrap_or_default();
            let of = |served: &&Served| served.group == group && object["kind"] == served.kind;
            for version in served.iter().filter(of) {
                let mut object = object.clone();
                object["apiVersion"] = json!(format!("{}/{}", version.group, version.version));
                complete(&mut object, &version.schema);
                let mut metadata = json!({"name": "tried"});
                if !version.cluster {
                    metadata["namespace"] = json!(NAMESPACE);
                }
                object["metadata"] = metadata;
                objects.push((version, object));
            }
        }
    }
    objects
}

/// A path of a finding, with stars in place of indices.
fn starred(path: &str) -> String {
    let mut starred = String::new();
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('[') {
        starred.push_str(before);
        match behind.split_once(']') {
            Some((index, after)) if index.bytes().all(|byte| byte.is_ascii_digit()) => {
                starred.push_str("[]");
                rest = after;
            }
            _ => {
                starred.push('[');
                rest = behind;
            }
        }
    }
    starred + rest
}

/// The paths of a version of a kind that lead to questions.
fn asked(kind: &Kind) -> BTreeSet<String> {
    let Content::Fields(fields) = &kind.content else {
        return BTreeSet::new();
    };
    let opaque = |what: &String| what.starts_with("not looked into");
    let fields = fields.iter().filter(|field| !opaque(&field.to_string()));
    fields.map(|field| field.path.text().to_owned()).collect()
}

/// The verdict of the engine on an object that somebody creates who holds nothing.
fn offline(stage: &Stage, version: &Served, object: &Value, user: &str) -> Answer {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": version.group, "version": version.version, "kind": version.kind},
            "name": "tried",
            "namespace": object["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": {"username": user, "groups": ["paths", "system:authenticated"]},
            "object": object,
        }
    });
    stage.answer(review.to_string().as_bytes())
}

/// Sends a dry run of the creation; an error is the message of the API server.
async fn create(
    client: &Client,
    version: &Served,
    object: &Value,
    user: Option<&str>,
) -> Result<(), String> {
    let namespace = if version.cluster {
        String::new()
    } else {
        format!("/namespaces/{NAMESPACE}")
    };
    let (group, name, plural) = (&version.group, &version.version, &version.plural);
    let mut request = Request::post(format!(
        "/apis/{group}/{name}{namespace}/{plural}?dryRun=All&fieldValidation=Strict"
    ))
    .header("content-type", "application/json");
    if let Some(user) = user {
        request = request.header("impersonate-user", user);
        request = request.header("impersonate-group", "paths");
    }
    let request = request.body(object.to_string().into_bytes()).unwrap();
    match client.request_text(request).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => panic!("{other}"),
    }
}

/// What a finding says is missing, granted to a user: `verb use on RESOURCE.GROUP "NAME" in NAMESPACE`.
async fn grant(client: &Client, name: &str, user: &str, missing: &str) {
    let (_, what) = missing.split_once(" on ").unwrap();
    let (resource, rest) = what.split_once(" \"").unwrap();
    let (target, namespace) = rest.rsplit_once("\" in ").unwrap();
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let cluster = namespace == "the whole cluster";
    let kind = |kind: &str| {
        if cluster {
            format!("Cluster{kind}")
        } else {
            kind.to_owned()
        }
    };
    let mut metadata = json!({"name": name});
    if !cluster {
        metadata["namespace"] = json!(namespace);
    }
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind("Role"), "metadata": metadata,
        "rules": [{"apiGroups": [group], "resources": [resource], "resourceNames": [target], "verbs": ["use"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind("RoleBinding"), "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind("Role"), "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    for object in [role, binding] {
        let plural = object["kind"].as_str().unwrap().to_lowercase() + "s";
        if !cluster && KNOWN.lock().unwrap().insert(namespace.to_owned()) {
            let namespace =
                format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}");
            plane().apply(&namespace).unwrap();
        }
        let within = if cluster {
            String::new()
        } else {
            format!("/namespaces/{namespace}")
        };
        let path = format!("/apis/rbac.authorization.k8s.io/v1{within}/{plural}");
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(object.to_string().into_bytes())
            .unwrap();
        client
            .request_text(request)
            .await
            .unwrap_or_else(|error| panic!("{missing}: {error}"));
    }
}

/// What became of an object.
enum Tried {
    /// The API server itself does not take it, for this reason.
    Invalid(String),
    /// It was refused without its grants, and admitted with them.
    Admitted,
}

async fn attempt(
    client: &Client,
    stage: &Stage,
    number: usize,
    version: &Served,
    object: &Value,
) -> Tried {
    let user = format!("paths-{number}");
    if let Err(why) = create(client, version, object, None).await {
        assert!(!why.contains("admission webhook"), "{why}: {object}");
        return Tried::Invalid(why);
    }
    let answer = offline(stage, version, object, &user);
    assert!(!answer.allowed && answer.broken.is_none(), "{object}");
    let denied = format!(
        "admission webhook \"validate-customs.usher.dev\" denied the request: {}",
        answer.message
    );
    // On a busy machine an access review may come too late, and is said to.
    let start = Instant::now();
    loop {
        let said = create(client, version, object, Some(&user)).await;
        if said.as_ref() == Err(&denied) {
            break;
        }
        assert!(
            said.is_err() && start.elapsed() < SETTLED,
            "{said:?}\n{denied}\n{object}"
        );
    }
    let missing: BTreeSet<&String> = answer
        .findings
        .iter()
        .filter_map(|seen| seen.missing.as_ref())
        .collect();
    for (index, missing) in missing.into_iter().enumerate() {
        grant(client, &format!("{user}-{index}"), &user, missing).await;
    }
    // The API server learns of a grant through a watch of its own, a moment after it has stored it.
    let start = Instant::now();
    while let Err(why) = create(client, version, object, Some(&user)).await {
        assert!(start.elapsed() < SETTLED, "{why}: {object}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Tried::Admitted
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
#[expect(clippy::too_many_lines, reason = "one story told in order")]
fn every_path_is_refused_without_the_grant_and_admitted_with_it() {
    let fixtures = fixtures();
    installed(&fixtures);
    let served = definitions(&fixtures);
    let config_file = Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIG);
    let Settings { policy, catalogue } = load(&config_file).unwrap();
    let catalogue = Arc::new(catalogue);
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NAMESPACE, "name": "remote"},
        "data": {"serviceAccountName": "far"},
    });
    let stage = Stage::over(
        catalogue.clone(),
        policy,
        &[],
        std::slice::from_ref(&map),
        date(2026, 11, 21),
    );

    let binary = Path::new(env!("CARGO_BIN_EXE_usher"));
    let options = UsherOptions {
        namespaces: vec![NAMESPACE.to_owned()],
        generated: true,
        mutates: false,
        ..UsherOptions::new(binary, &config_file)
    };
    plane().namespace(NAMESPACE).unwrap();
    plane().apply(&map.to_string()).unwrap();
    // What docs/flux.md has Usher read.
    for args in [
        &[
            "create",
            "role",
            "reads",
            "--verb=get",
            "--resource=configmaps",
        ][..],
        &[
            "create",
            "rolebinding",
            "reads",
            "--role=reads",
            "--serviceaccount=usher-system:usher",
        ],
    ] {
        plane().run(&[&["-n", NAMESPACE], args].concat()).unwrap();
    }
    let bind = [
        "create",
        "clusterrolebinding",
        "paths",
        "--clusterrole=customs",
        "--group=paths",
    ];
    plane().run(&bind).unwrap();
    let _usher = UsherProcess::start(plane(), &options).unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime
        .block_on(connect(Some(plane().kubeconfig())))
        .unwrap();

    // Of the objects of the stories, those that lead to a path which no object before them led to.
    let mut tried: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let (mut admitted, mut invalid) = (0, Vec::new());
    for (number, (version, object)) in objects(&served).into_iter().enumerate() {
        let answer = offline(&stage, version, &object, "nobody");
        let denied = answer.findings.iter().filter(|seen| seen.missing.is_some());
        let paths: BTreeSet<String> = denied.map(|seen| starred(&seen.path)).collect();
        let grantable = answer
            .findings
            .iter()
            .all(|seen| seen.missing.is_some() || seen.grant.is_some());
        let held = tried.entry((&version.kind, &version.version)).or_default();
        if !grantable || paths.is_subset(held) {
            continue;
        }
        match runtime.block_on(attempt(&client, &stage, number, version, &object)) {
            Tried::Invalid(why) => invalid.push(why),
            Tried::Admitted => {
                admitted += 1;
                held.extend(paths);
            }
        }
    }
    println!(
        "{admitted} objects are refused without their grants and admitted with them; {} that the API server does not take",
        invalid.len()
    );
    let mut left = Vec::new();
    for version in &served {
        let entry = catalogue.find(&version.group, &version.kind);
        let known = catalogue.version(&version.group, &version.kind, &version.version);
        assert_eq!(
            entry.is_some(),
            known.is_some(),
            "{} {}",
            version.kind,
            version.version
        );
        let Some(kind) = known else { continue };
        let held = tried.get(&(&*version.kind, &*version.version));
        for path in asked(kind) {
            let led = |tried: &String| tried.starts_with(&path);
            if !held.is_some_and(|held| held.iter().any(led)) {
                left.push(format!(
                    "{}.{} {}: {path}",
                    version.kind, version.group, version.version
                ));
            }
        }
    }
    let reasons: BTreeSet<String> = invalid.into_iter().collect();
    assert!(
        left.is_empty(),
        "{} paths were not tried:\n{}\nthe API server does not take objects, because\n{reasons:#?}",
        left.len(),
        left.join("\n")
    );
}
