//! `gocardless/theatre`: a profile of one's own, for there is no preset.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{Difference, Outcome, Row, body, folder, judge, plain, push, rows_of};
use crate::support::injected::account;

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn the_rows_of_theatre() {
    let folder = folder("gocardless-theatre");
    let file = rows_of(&folder.join("expected.json"));
    let profile = profile(&file["config"]);
    let cases = file["cases"].as_array().unwrap();
    let mut rows: Vec<Row> = cases
        .iter()
        .map(|case| pod_row(case, &file, &profile, &folder))
        .collect();
    let values = file["annotation_parsing"].as_array().unwrap();
    rows.extend(values.iter().map(|row| value_row(row, &file, &profile)));
    judge("theatre", &rows);
}

fn profile(config: &Value) -> Value {
    let (path, file) = config["token_file"]
        .as_str()
        .unwrap()
        .rsplit_once('/')
        .unwrap();
    let annotation = "secrets-injector.vault.crd.gocardless.com/configs";
    json!({
        "name": "theatre-secrets",
        "select": {"podAnnotations": [annotation]},
        "containers": {"includeAnnotation": annotation},
        "volume": {"name": "theatre-secrets-serviceaccount", "mountPath": path},
        "tokens": [{
            "audience": config["audience"], "expirationSeconds": config["expirationSeconds"], "path": file,
        }],
        "fsGroup": {"when": "always", "value": config["fsGroup_if_unset"]},
    })
}

fn row(
    name: String,
    profile: &Value,
    pod: &Value,
    theirs: Value,
    ours: Option<(Difference, Outcome)>,
) -> Row {
    Row {
        name,
        profile: profile.clone(),
        accounts: vec![account("staging", "secret-reader", &json!({}))],
        body: body(pod, "staging"),
        theirs: Outcome::Pod(theirs),
        ours,
        drawn: None,
        warning: None,
    }
}

fn pod_row(case: &Value, file: &Value, profile: &Value, folder: &Path) -> Row {
    let from = case["pod"].as_str().unwrap();
    let mut pod: Value =
        serde_saphyr::from_str(&fs::read_to_string(folder.join(from)).unwrap()).unwrap();
    if let Some(extra) = case.get("extra_container") {
        push(&mut pod["spec"], "containers", extra.clone());
    }
    let name = format!(
        "{from}: {}",
        case.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(", ")
    );
    if case["unchanged"] == true {
        return row(name, profile, &pod, pod.clone(), None);
    }
    let value =
        pod["metadata"]["annotations"]["secrets-injector.vault.crd.gocardless.com/configs"].clone();
    let listed: Vec<&str> = value
        .as_str()
        .unwrap()
        .split(',')
        .map(|one| one.split(':').next().unwrap().trim())
        .collect();
    let mut theirs = injected(&pod, &listed, file);
    // What the row says, in place of what this test has worked out.
    if let Some(volumes) = case["volumes_contain"].as_array() {
        let held = &theirs["spec"]["volumes"];
        assert_eq!(plain(held), plain(&json!(volumes)), "{name}");
    }
    if let Some(mounts) = case["mounts_contain"].as_array() {
        let list = theirs["spec"]["containers"].as_array_mut().unwrap();
        let container = list
            .iter_mut()
            .find(|held| held["name"] == case["container"])
            .unwrap();
        container["volumeMounts"] = json!(mounts);
    }
    let setup = |key: &String| {
        ["command", "args", "init"]
            .iter()
            .any(|part| key.contains(part))
    };
    let ours = case.as_object().unwrap().keys().any(setup).then(|| {
        let ours = Outcome::Pod(theirs.clone());
        theirs["spec"]["containers"][0]["command"] =
            json!(["/var/run/theatre-secrets/theatre-secrets"]);
        (Difference::Setup, ours)
    });
    let known = [
        "pod",
        "volumes_contain",
        "container",
        "mounts_contain",
        "extra_container",
        "extra_container_unchanged",
    ];
    for key in case.as_object().unwrap().keys().filter(|key| !setup(key)) {
        assert!(
            known.contains(&&**key) || key == "note",
            "this test does not know {key:?}: {case:#}"
        );
    }
    row(name, profile, &pod, theirs, ours)
}

/// A value of the annotation: which containers it names.
fn value_row(case: &Value, file: &Value, profile: &Value) -> Row {
    let listed: Vec<&str> = case["containers"]
        .as_object()
        .unwrap()
        .keys()
        .map(|name| &**name)
        .collect();
    let all = listed.iter().chain(&["another"]);
    let all: Vec<Value> = all
        .map(|name| json!({"name": name, "image": "image"}))
        .collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "app",
            "namespace": "staging",
            "annotations": {"secrets-injector.vault.crd.gocardless.com/configs": case["value"]},
        },
        "spec": {"serviceAccountName": "secret-reader", "containers": all},
    });
    let theirs = injected(&pod, &listed, file);
    row(
        format!("annotation {}", case["value"]),
        profile,
        &pod,
        theirs,
        None,
    )
}

/// The pod with the volume, the group, and a mount in these containers.
fn injected(pod: &Value, listed: &[&str], file: &Value) -> Value {
    let config = &file["config"];
    let (path, token) = config["token_file"]
        .as_str()
        .unwrap()
        .rsplit_once('/')
        .unwrap();
    let volume = "theatre-secrets-serviceaccount";
    let mut pod = pod.clone();
    let source = json!({
        "audience": config["audience"], "expirationSeconds": config["expirationSeconds"], "path": token,
    });
    push(
        &mut pod["spec"],
        "volumes",
        json!({"name": volume, "projected": {"sources": [{"serviceAccountToken": source}]}}),
    );
    pod["spec"]["securityContext"] = json!({"fsGroup": config["fsGroup_if_unset"]});
    for container in pod["spec"]["containers"].as_array_mut().unwrap() {
        if listed.contains(&container["name"].as_str().unwrap()) {
            push(container, "volumeMounts", super::mount(volume, path));
        }
    }
    pod
}
