//! A second mutating webhook, of the kind that service meshes bring: it comes after Usher, and rearranges what it finds.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Bytes, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use usher::server::{Certificates, Limits, Listener, Metrics};

use crate::real::controlplane::{feed, plane};

/// The webhook, registered for one namespace as long as this is kept.
pub(in crate::real) struct Meddler {
    name: String,
    _files: TempDir,
    _runtime: Runtime,
}

impl Meddler {
    /// Serves and registers it under a name that the API server calls after Usher's.
    pub(in crate::real) fn start(namespace: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (crt, key) = (files.path().join("crt"), files.path().join("key"));
        fs::write(&crt, cert.pem()).unwrap();
        fs::write(&key, signing_key.serialize_pem()).unwrap();
        let certificates = Arc::new(Certificates::load(&crt, &key).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let metrics = Arc::new(Metrics::default());
        let listener = Listener::bind(loopback, Some(certificates), Limits::default(), metrics);
        let listener = runtime.block_on(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", post(async |body: Bytes| answer(&body)));
        runtime.spawn(listener.serve(routes, CancellationToken::new()));
        let meddler = Self {
            name: format!("z-meddler-{namespace}"),
            _files: files,
            _runtime: runtime,
        };
        meddler.register(namespace, &format!("https://{address}/"), &cert.pem());
        meddler
    }

    fn register(&self, namespace: &str, url: &str, authority: &str) {
        let registration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.name},
            "webhooks": [{
                "name": "meddler.example.org",
                "clientConfig": {"url": url, "caBundle": STANDARD.encode(authority)},
                "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }],
        });
        plane().apply(&registration.to_string()).unwrap();
        // The API server learns of it a moment later.
        let trial = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial", "namespace": namespace},
            "spec": {"containers": [{"name": "c", "image": "nginx"}]},
        });
        let heeded = || {
            let mut kubectl = plane().kubectl();
            kubectl.args(["create", "--dry-run=server", "-o", "json", "-f", "-"]);
            let said = feed(&mut kubectl, &trial.to_string()).unwrap();
            String::from_utf8_lossy(&said.stdout).contains("sidecar")
        };
        assert!((0..200).any(|_| heeded() || {
            std::thread::sleep(Duration::from_millis(50));
            false
        }));
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        // Else the API server would ask a webhook that is gone.
        drop(plane().run(&["delete", "mutatingwebhookconfiguration", &self.name]));
    }
}

/// Renames every volume with a token, with its mounts; turns the order of the containers round; adds one. Then it writes into
/// the pod spec what an annotation tells it to; null takes a field away, and a list is added to the one that is there.
fn answer(body: &[u8]) -> String {
    let review: Value = serde_json::from_slice(body).unwrap();
    let mut spec = review["request"]["object"]["spec"].clone();
    let renamed = |name: &str| format!("z-{name}");
    let is_ours = |name: &str| name.starts_with("vault-");
    let volumes = spec["volumes"].as_array_mut();
    for volume in volumes.into_iter().flatten() {
        let name = volume["name"].as_str().unwrap();
        if is_ours(name) {
            volume["name"] = json!(renamed(name));
        }
    }
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            for mount in container["volumeMounts"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                let name = mount["name"].as_str().unwrap();
                if is_ours(name) {
                    mount["name"] = json!(renamed(name));
                }
            }
        }
    }
    let containers = spec["containers"].as_array_mut().unwrap();
    containers.reverse();
    containers.insert(0, json!({"name": "sidecar", "image": "mesh"}));
    let told = &review["request"]["object"]["metadata"]["annotations"]["meddler.example.org/spec"];
    let told: Value = told
        .as_str()
        .map_or(json!({}), |told| serde_json::from_str(told).unwrap());
    for (key, value) in told.as_object().unwrap() {
        let fields = spec.as_object_mut().unwrap();
        match (fields.get_mut(key), value) {
            (_, Value::Null) => drop(fields.remove(key)),
            (Some(Value::Array(held)), Value::Array(more)) => held.extend(more.clone()),
            (_, value) => drop(fields.insert(key.clone(), value.clone())),
        }
    }
    let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]);
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"], "allowed": true,
            "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string()),
        },
    })
    .to_string()
}
