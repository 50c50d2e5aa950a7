//! What a cluster installs, applied to a real API server: the deployment, its rights, the registrations, the certificates.
//!
//! The registrations name a service that nobody serves here, and with them every pod of the test run would be refused.
//! So they are applied as a dry run, which the API server checks to the end but does not store.

use crate::controlplane::{feed, plane};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

const ACCOUNT: &str = "system:serviceaccount:usher-system:usher";

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
    let validating = &of_kind(&registrations, "ValidatingWebhookConfiguration")["webhooks"][0];
    let mutating = &of_kind(&registrations, "MutatingWebhookConfiguration")["webhooks"][0];
    assert_eq!(
        (&validating["name"], &mutating["name"]),
        (&json!("validate.usher.dev"), &json!("mutate.usher.dev"))
    );
    assert_eq!(
        (&validating["failurePolicy"], &mutating["failurePolicy"]),
        (&json!("Fail"), &json!("Ignore"))
    );
    for webhook in [validating, mutating] {
        assert_eq!(webhook["sideEffects"], "None");
        assert!(webhook.get("objectSelector").is_none());
        let only_by_name = json!({"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "usher-system"]},
        ]});
        assert_eq!(webhook["namespaceSelector"], only_by_name);
    }
}

#[test]
fn registrations_service_and_certificate_name_each_other() {
    let objects = installed();
    let service = of_kind(objects, "Service");
    let deployment = of_kind(objects, "Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let certificates = kustomize("certs");
    for object in &certificates {
        assert_eq!(object["apiVersion"], "cert-manager.io/v1");
        assert_eq!(object["metadata"]["namespace"], "usher-system");
    }
    let named = |kind: &str, name: &Value| {
        let mut all = certificates.iter();
        all.find(|object| object["kind"] == kind && &object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no {kind} {name}"))
    };

    // The way of a request: registration, service, port of the pod, port that usher listens on.
    for registration in objects.iter().filter(|object| is_registration(object)) {
        let client = &registration["webhooks"][0]["clientConfig"]["service"];
        assert_eq!(client["name"], service["metadata"]["name"]);
        assert_eq!(client["namespace"], service["metadata"]["namespace"]);
        assert_eq!(client["port"], service["spec"]["ports"][0]["port"]);
        // The certificate is for the name that the API server calls, and its authority is the one that is filled in.
        let annotation = registration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
            .as_str()
            .unwrap();
        let (namespace, name) = annotation.split_once('/').unwrap();
        let certificate = named("Certificate", &json!(name));
        assert_eq!(certificate["metadata"]["namespace"], namespace);
        let host = format!(
            "{}.{}.svc",
            client["name"].as_str().unwrap(),
            client["namespace"].as_str().unwrap()
        );
        assert_eq!(certificate["spec"]["dnsNames"], json!([host]));
        // And it comes to rest where the pods look for it.
        let volumes = deployment["spec"]["template"]["spec"]["volumes"]
            .as_array()
            .unwrap();
        let tls = volumes
            .iter()
            .find(|volume| volume["name"] == "tls")
            .unwrap();
        assert_eq!(
            tls["secret"]["secretName"],
            certificate["spec"]["secretName"]
        );
    }
    assert_eq!(
        service["spec"]["selector"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
    let port_of = |name: &Value| {
        let mut ports = container["ports"].as_array().unwrap().iter();
        ports.find(|port| &port["name"] == name).unwrap()["containerPort"].to_string()
    };
    let flag = |name: &str| {
        let mut args = container["args"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str);
        args.find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
            .unwrap()
    };
    assert!(flag("--bind").ends_with(&format!(
        ":{}",
        port_of(&service["spec"]["ports"][0]["targetPort"])
    )));
    for probe in ["readinessProbe", "livenessProbe"] {
        assert!(
            flag("--health-bind").ends_with(&format!(
                ":{}",
                port_of(&container[probe]["httpGet"]["port"])
            )),
            "{probe}"
        );
    }
    let mounted = |path: &str| {
        let mut mounts = container["volumeMounts"].as_array().unwrap().iter();
        mounts.any(|mount| Path::new(path).parent() == mount["mountPath"].as_str().map(Path::new))
    };
    assert!(mounted(flag("--tls-cert")) && mounted(flag("--tls-key")) && mounted(flag("--config")));
    let file = Path::new(flag("--config"))
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert!(of_kind(objects, "ConfigMap")["data"].get(file).is_some());

    // Every certificate has its issuer, and the authority is where the issuer looks for it.
    for certificate in certificates
        .iter()
        .filter(|object| object["kind"] == "Certificate")
    {
        named("Issuer", &certificate["spec"]["issuerRef"]["name"]);
    }
    let authority = named("Certificate", &json!("usher-ca"));
    assert_eq!(
        named("Issuer", &json!("usher-ca"))["spec"]["ca"]["secretName"],
        authority["spec"]["secretName"]
    );
}

#[test]
fn usher_knows_every_flag_of_the_deployment() {
    let deployment = of_kind(installed(), "Deployment");
    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args([args[0].as_str().unwrap(), "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for arg in &args[1..] {
        let flag = arg.as_str().unwrap().split('=').next().unwrap();
        assert!(
            help.contains(&format!("{flag} <")),
            "{flag} is not in\n{help}"
        );
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

/// Asks the API server itself, with one access review for each right of the form `verb group/resource`.
fn rights_of_the_account(rights: &[String]) -> Vec<bool> {
    let reviews: Vec<_> = rights
        .iter()
        .map(|right| {
            let (verb, resource) = right.split_once(' ').unwrap();
            let (group, resource) = resource.split_once('/').unwrap();
            let groups = ["system:serviceaccounts", "system:serviceaccounts:usher-system", "system:authenticated"];
            json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {"user": ACCOUNT, "groups": groups, "resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
            })
        })
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews});
    let mut kubectl = plane().kubectl();
    let output = feed(
        kubectl.args(["create", "-o", "json", "-f", "-"]),
        &list.to_string(),
    )
    .unwrap();
    // One document after the other, in the order of the questions.
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let answers: Vec<_> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), rights.len());
    answers
        .iter()
        .map(|answer| answer["status"]["allowed"].as_bool().unwrap())
        .collect()
}

#[test]
fn the_account_has_the_rights_that_usher_needs_and_no_others() {
    installed();
    let watched = [
        "rbac.authorization.k8s.io/roles",
        "rbac.authorization.k8s.io/clusterroles",
        "rbac.authorization.k8s.io/rolebindings",
        "rbac.authorization.k8s.io/clusterrolebindings",
        "node.k8s.io/runtimeclasses",
        "scheduling.k8s.io/priorityclasses",
    ];
    let owners = [
        "/replicationcontrollers",
        "apps/deployments",
        "apps/replicasets",
        "apps/statefulsets",
        "apps/daemonsets",
        "batch/jobs",
        "batch/cronjobs",
    ];
    // What would be worst if somebody took Usher over.
    let precious = [
        "/secrets",
        "/pods",
        "/pods/exec",
        "/configmaps",
        "/serviceaccounts",
        "/serviceaccounts/token",
        "/nodes",
        "/namespaces",
        "/users",
        "/groups",
        "admissionregistration.k8s.io/validatingwebhookconfigurations",
        "admissionregistration.k8s.io/mutatingwebhookconfigurations",
        "authorization.k8s.io/localsubjectaccessreviews",
        "authentication.k8s.io/tokenreviews",
        "certificates.k8s.io/certificatesigningrequests",
    ];
    let verbs = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "use",
        "impersonate",
        "bind",
        "escalate",
    ];
    let mut expected = vec![(
        "create authorization.k8s.io/subjectaccessreviews".to_owned(),
        true,
    )];
    for verb in verbs {
        let reads = ["get", "list", "watch"].contains(&verb);
        expected.extend(
            watched
                .iter()
                .map(|resource| (format!("{verb} {resource}"), reads)),
        );
        expected.extend(
            owners
                .iter()
                .map(|resource| (format!("{verb} {resource}"), verb == "get")),
        );
        expected.extend(
            precious
                .iter()
                .map(|resource| (format!("{verb} {resource}"), false)),
        );
    }
    let (rights, expected): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
    let answers = rights_of_the_account(&rights);
    let wrong: Vec<_> = rights
        .iter()
        .zip(&expected)
        .zip(&answers)
        .filter(|((_, expected), answer)| expected != answer)
        .collect();
    assert!(wrong.is_empty(), "((right, expected), is): {wrong:?}");
}
