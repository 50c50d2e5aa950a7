//! The server on a real socket: bad input, connections that misbehave, certificates that change, the end, and an API
//! server that fails in ways that a real one cannot be made to.

mod certificate;
pub(crate) mod client;
mod connections;
mod drain;
mod exemptions;
mod fake;
mod faults;
mod input;
mod missing;
mod pods;
mod process;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ClientConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use usher::{
    facts::{Backend, Offline},
    server::{App, Certificates, Limits, Listener, Metrics, health_router, router},
};
use usher_core::{
    catalogue::Catalogue,
    config::Settings,
    rights::{Rbac, Rights},
};

use self::client::{Client, Response, plain, trusting};
use crate::support::contract;

/// The webhook on loopback, on threads of its own.
struct Served<B> {
    address: SocketAddr,
    health: SocketAddr,
    app: Arc<App<B>>,
    metrics: Arc<Metrics>,
    certificates: Arc<Certificates>,
    /// What a client trusts.
    trusted: Arc<ClientConfig>,
    /// `tls.crt` and `tls.key`, as [`mount`] puts them there.
    files: TempDir,
    stop: CancellationToken,
    /// Ends when the webhook port is no longer served.
    webhook: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl<B: Backend> Served<B> {
    fn start(backend: B, limits: Limits) -> Self {
        Self::with(|_, _| backend, limits)
    }

    /// As [`Served::start`], with a backend that needs the runtime.
    fn with(backend: impl FnOnce(&Runtime, &Metrics) -> B, limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let files = tempfile::tempdir().unwrap();
        let certificate = mount(files.path(), "..1", write_certificate);
        let (crt, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
        let certificates = Arc::new(Certificates::load(&crt, &key).unwrap());
        let metrics = Arc::new(Metrics::default());
        let backend = backend(&runtime, &metrics);
        let catalogue = Catalogue::embedded().unwrap();
        let settings = Settings::default_for(catalogue);
        let app = App::new(settings, backend, metrics.clone());
        let app = Arc::new(app);
        let stop = CancellationToken::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (webhook, health) = runtime.block_on(async {
            let certificates = Some(certificates.clone());
            let webhook = Listener::bind(loopback, certificates, limits, metrics.clone()).await;
            let health = Listener::bind(loopback, None, limits, metrics.clone()).await;
            (webhook.unwrap(), health.unwrap())
        });
        let addresses = [&webhook, &health].map(|port| port.local_addr().unwrap());
        let routes = router(app.clone(), limits.body);
        let webhook = runtime.spawn(webhook.serve(routes, stop.clone()));
        runtime.spawn(health.serve(health_router(app.clone()), CancellationToken::new()));
        Self {
            address: addresses[0],
            health: addresses[1],
            app,
            metrics,
            certificates,
            trusted: trusting(&certificate),
            files,
            stop,
            webhook: Some(webhook),
            runtime,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.address, &self.trusted).unwrap()
    }

    /// One request on a connection of its own.
    fn post(&self, path: &str, body: &[u8]) -> Response {
        self.client().post(path, body).unwrap()
    }

    /// Sends a review to `/validate` and gives the verdict with its message, after a check that the API server would
    /// take the answer.
    fn judge(&self, review: &Value) -> (bool, String) {
        let response = self.post("/validate?timeout=10s", review.to_string().as_bytes());
        verdict(review, &response)
    }

    /// Sends a review to `/mutate`.
    fn change(&self, review: &Value) -> Changed {
        let response = self.post("/mutate?timeout=10s", review.to_string().as_bytes());
        changed(review, &response)
    }

    /// That a good request is still served: one that is allowed and one that is not.
    fn still_serves(&self) {
        let (allowed, why) = self.judge(&pod("jane", "builder"));
        assert!(allowed, "{why}");
        let (allowed, why) = self.judge(&pod("jane", "admin"));
        assert!(!allowed, "{why}");
    }

    /// A path of the health port: status and body.
    fn get(&self, path: &str) -> (u16, String) {
        get(self.health, path)
    }

    /// The value of one line of the metrics.
    fn metric(&self, line: &str) -> f64 {
        metric(self.health, line)
    }

    /// Waits until one line of the metrics has this value.
    fn await_metric(&self, line: &str, value: f64) {
        eventually(&format!("{line} is {value}"), || {
            (self.metric(line) - value).abs() < f64::EPSILON
        });
    }
}

/// Waits for something that should become true.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let answer = plain(address, request.as_bytes()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

pub(crate) fn metric(address: SocketAddr, line: &str) -> f64 {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, 200);
    let value = text
        .lines()
        .find_map(|held| held.strip_prefix(line)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {line} in {text}"))
        .parse()
        .unwrap()
}

/// The answer of `/mutate` to a review, after a check that the API server would take it.
pub(crate) fn changed(review: &Value, response: &Response) -> Changed {
    assert_eq!(response.status, 200, "{response:?}");
    let answer = response.json()["response"].clone();
    let allowed = answer["allowed"].as_bool().unwrap();
    let uid = review["request"]["uid"].as_str().unwrap();
    contract::check_mutation(&response.body, uid, allowed).unwrap();
    let patch = contract::patch(&response.body);
    let mut object = review["request"]["object"].clone();
    let warnings = answer.get("warnings").cloned().unwrap_or(json!([]));
    Changed {
        allowed,
        message: answer["status"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        warnings: serde_json::from_value(warnings).unwrap(),
        patched: patch.map(|patch| {
            json_patch::patch(&mut object, &patch).unwrap();
            object
        }),
    }
}

/// What `/mutate` said.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) allowed: bool,
    pub(crate) message: String,
    pub(crate) warnings: Vec<String>,
    /// The object with the patch, if there is one.
    pub(crate) patched: Option<Value>,
}

/// Verdict and message of an answer that the API server would take.
fn verdict(review: &Value, response: &Response) -> (bool, String) {
    assert_eq!(response.status, 200, "{response:?}");
    assert!(
        response.head.contains("content-type: application/json"),
        "{response:?}"
    );
    let answer = response.json();
    let allowed = answer["response"]["allowed"].as_bool().unwrap();
    let uid = review["request"]["uid"].as_str().unwrap();
    contract::check(&response.body, uid, allowed).unwrap();
    let message = &answer["response"]["status"]["message"];
    (allowed, message.as_str().unwrap_or_default().to_owned())
}

/// Puts a new version of `tls.crt` and `tls.key` into a folder, as kubelet mounts a Secret: the files are links into
/// `..data`, which is a link to the folder of the version, and is swapped.
fn mount<T>(folder: &Path, version: &str, write: impl FnOnce(&Path) -> T) -> T {
    let new = folder.join(version);
    fs::create_dir(&new).unwrap();
    let written = write(&new);
    let swap = folder.join("..data_tmp");
    symlink(version, &swap).unwrap();
    fs::rename(&swap, folder.join("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        let link = folder.join(file);
        if link.symlink_metadata().is_err() {
            symlink(Path::new("..data").join(file), link).unwrap();
        }
    }
    written
}

/// Writes a fresh `tls.crt` and `tls.key`, and gives the certificate.
fn write_certificate(folder: &Path) -> Vec<u8> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("tls.crt"), cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), signing_key.serialize_pem()).unwrap();
    cert.der().to_vec()
}

/// The rights of a small world: jane may use the account `builder` in team-a.
fn offline() -> Offline {
    let mut rbac = Rbac::default();
    rbac.apply_role(&serde_json::from_value::<Role>(role()).unwrap())
        .unwrap();
    rbac.apply_role_binding(&serde_json::from_value::<RoleBinding>(binding("jane")).unwrap())
        .unwrap();
    let rights: Rights = rbac.compile();
    Offline::new(rights, std::collections::HashMap::new())
}

fn role() -> Value {
    json!({
        "metadata": {"name": "builders", "namespace": "team-a", "resourceVersion": "7"},
        "rules": [{"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["builder"], "verbs": ["use"]}],
    })
}

fn binding(user: &str) -> Value {
    json!({
        "metadata": {"name": user, "namespace": "team-a", "resourceVersion": "8"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "builders"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    })
}

/// The review of a pod that a user creates in team-a, to run as an account.
pub(crate) fn pod(user: &str, account: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0b4c9f4e-5a1e-4a6c-8f5e-3f1f7c2b9d10",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "team-a",
            "name": "web",
            "operation": "CREATE",
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
            "object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web", "namespace": "team-a"},
                "spec": {"serviceAccountName": account, "containers": [{"name": "web", "image": "web"}]},
            },
        },
    })
}
