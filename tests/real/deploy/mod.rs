//! What a cluster installs, applied to a real API server: the deployment, its rights, the registrations, the certificates.
//!
//! The registrations name a service that nobody serves here, and with them every pod of the test run would be refused.
//! So they are applied as a dry run, which the API server checks to the end but does not store.

mod certificates;
mod needed;
mod rights;
mod wiring;

use crate::real::controlplane::{feed, plane};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;

/// The objects of a kustomize folder, as kubectl would send them.
fn kustomize(folder: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let yaml = plane()
        .run(&["kustomize", folder.to_str().unwrap()])
        .unwrap();
    serde_saphyr::from_multiple(&yaml).unwrap()
}

fn is_registration(object: &Value) -> bool {
    object["kind"]
        .as_str()
        .unwrap()
        .ends_with("WebhookConfiguration")
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    object
}

/// Applies one object strictly: the API server refuses an unknown or doubled field. Its answer is the object as stored.
fn apply(object: &Value, more: &[&str]) -> Output {
    let mut kubectl = plane().kubectl();
    kubectl.args([
        "apply",
        "--server-side",
        "--validate=strict",
        "-o",
        "json",
        "-f",
        "-",
    ]);
    feed(kubectl.args(more), &object.to_string()).unwrap()
}

fn accepted(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "", "warnings");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that was written is there; the API server may have added defaults.
fn assert_holds(stored: &Value, written: &Value, path: &str) {
    match (stored, written) {
        (Value::Object(stored), Value::Object(written)) => {
            for (key, value) in written {
                let found = stored
                    .get(key)
                    .unwrap_or_else(|| panic!("{path}.{key} is lost"));
                assert_holds(found, value, &format!("{path}.{key}"));
            }
        }
        (Value::Array(stored), Value::Array(written)) => {
            assert_eq!(stored.len(), written.len(), "{path}");
            for (index, (stored, written)) in stored.iter().zip(written).enumerate() {
                assert_holds(stored, written, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(stored, written, "{path}"),
    }
}

/// The objects of deploy/ as written; all but the registrations are stored in the API server.
fn installed() -> &'static [Value] {
    static OBJECTS: OnceLock<Vec<Value>> = OnceLock::new();
    OBJECTS.get_or_init(|| {
        let objects = kustomize("deploy");
        for object in objects.iter().filter(|object| !is_registration(object)) {
            accepted(&apply(object, &[]));
        }
        objects
    })
}

#[test]
fn everything_is_accepted_strictly_and_read_back_as_written() {
    let objects = installed();
    let kinds: Vec<_> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
    ] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    for object in objects.iter().filter(|object| !is_registration(object)) {
        let (kind, name) = (
            object["kind"].as_str().unwrap(),
            object["metadata"]["name"].as_str().unwrap(),
        );
        let namespace = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default");
        let stored = plane()
            .run(&["get", kind, name, "-n", namespace, "-o", "json"])
            .unwrap();
        assert_holds(&serde_json::from_str(&stored).unwrap(), object, kind);
    }
}
#[test]
fn registrations_are_accepted_strictly_and_come_back_as_written() {
    let registrations: Vec<_> = kustomize("webhook-config");
    assert_eq!(registrations.len(), 2);
    for registration in &registrations {
        let answer = accepted(&apply(registration, &["--dry-run=server"]));
        assert_holds(&answer, registration, "registration");
        let part_of_deploy = installed().iter().any(|object| object == registration);
        assert!(
            part_of_deploy,
            "deploy/ installs another {}",
            registration["kind"]
        );
    }
    // The check has teeth: a misspelt field is refused.
    let mut misspelt = registrations[0].clone();
    misspelt["webhooks"][0]["failPolicy"] = json!("Fail");
    let refused = apply(&misspelt, &["--dry-run=server"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && stderr.contains("failPolicy"),
        "{stderr}"
    );
}

#[test]
fn registrations_fail_closed_and_cannot_be_left_by_labels() {
    let registrations = kustomize("webhook-config");
    let webhooks = |kind: &str| {
        let webhooks = &of_kind(&registrations, kind)["webhooks"];
        webhooks.as_array().unwrap().clone()
    };
    let (validating, mutating) = (
        webhooks("ValidatingWebhookConfiguration"),
        webhooks("MutatingWebhookConfiguration"),
    );
    let names: Vec<_> = validating.iter().map(|webhook| &webhook["name"]).collect();
    assert_eq!(
        names,
        [
            "validate.usher.dev",
            "validate-tokens.usher.dev",
            "validate-bindings.usher.dev",
            "validate-accounts.usher.dev",
            "validate-secrets.usher.dev",
            "validate-revisions.usher.dev",
            "validate-namespaces.usher.dev",
            "validate-connections.usher.dev",
        ]
    );
    // Somebody is left out only for tokens, kubelets, for bindings, the scheduler, and for revisions, those who keep them;
    // something only of Secrets and namespaces.
    let conditions = validating
        .iter()
        .map(|webhook| webhook.get("matchConditions"));
    let is_there: Vec<_> = conditions.map(|held| held.is_some()).collect();
    assert_eq!(
        is_there,
        [false, true, true, false, true, true, true, false]
    );
    assert!(mutating[0].get("matchConditions").is_none());
    assert_eq!(
        validating[1]["matchConditions"],
        mutating[1]["matchConditions"]
    );
    for webhook in &validating {
        assert_eq!(webhook["failurePolicy"], "Fail", "{webhook}");
        assert_eq!(webhook["sideEffects"], "None", "{webhook}");
    }
    let said: Vec<_> = mutating
        .iter()
        .map(|webhook| (&webhook["name"], &webhook["sideEffects"]))
        .collect();
    assert_eq!(
        said,
        [
            // An event may be written, but not for a dry run.
            (&json!("mutate.usher.dev"), &json!("NoneOnDryRun")),
            (&json!("mutate-tokens.usher.dev"), &json!("None")),
        ]
    );
    for webhook in &mutating {
        assert_eq!(webhook["failurePolicy"], "Ignore", "{webhook}");
        assert_eq!(webhook["reinvocationPolicy"], "IfNeeded", "{webhook}");
    }
    for webhook in validating.iter().chain(&mutating) {
        assert!(webhook.get("objectSelector").is_none());
        let only_by_name = json!({"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "usher-system"]},
        ]});
        assert_eq!(webhook["namespaceSelector"], only_by_name);
    }
}

#[test]
fn the_pods_satisfy_restricted_pod_security() {
    let objects = installed();
    let labels = &of_kind(objects, "Namespace")["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    let template = &of_kind(objects, "Deployment")["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "trial", "namespace": "usher-system", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    });
    accepted(&apply(&pod, &["--dry-run=server"]));
    // The check has teeth: without one of the settings the namespace refuses the pod.
    pod["spec"]["securityContext"]
        .as_object_mut()
        .unwrap()
        .remove("seccompProfile");
    let refused = apply(&pod, &["--dry-run=server"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && stderr.contains(r#"violates PodSecurity "restricted"#),
        "{stderr}"
    );
}
