//! Usher in front of a control plane: started, registered, and taken away again.

use super::child::{Farewell, Supervised};
use super::error::Error;
use super::{ControlPlane, LIMIT, feed, free_ports};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The files with the registrations, and the kinds that they register.
const HOOKS: [(&str, &str); 2] = [
    ("validating", "validatingwebhookconfiguration"),
    ("mutating", "mutatingwebhookconfiguration"),
];

/// How Usher is to be started and registered.
#[derive(Debug, Clone)]
pub(crate) struct UsherOptions {
    /// The program.
    pub(crate) binary: PathBuf,
    /// Its configuration file.
    pub(crate) config: PathBuf,
    /// More arguments for `usher serve`.
    pub(crate) args: Vec<String>,
    /// More environment.
    pub(crate) env: Vec<(String, String)>,
    /// Only these namespaces are sent to this Usher, so that several with different configurations can serve one API
    /// server; none: all that the manifest of the repository selects.
    pub(crate) namespaces: Vec<String>,
    /// Whether it is asked what to add to pods too, and not only whether they may be.
    pub(crate) mutates: bool,
    /// The file of webhook-config, without its ending, that says what it is asked to judge.
    pub(crate) judges: &'static str,
    /// Whether the registrations are those that `usher generate` writes for the configuration and the cluster, not
    /// those of the files.
    pub(crate) generated: bool,
}

impl UsherOptions {
    /// Usher with a configuration, in front of every namespace.
    pub(crate) fn new(binary: &Path, config: &Path) -> Self {
        Self {
            binary: binary.to_owned(),
            config: config.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            namespaces: Vec::new(),
            mutates: true,
            judges: "validating",
            generated: false,
        }
    }
}

/// A running and registered Usher. Dropping it takes the registration away first, then ends the process.
pub(crate) struct UsherProcess<'a> {
    plane: &'a ControlPlane,
    registration: String,
    process: Supervised,
    port: u16,
    health: u16,
}

/// Starts `usher serve` with the given configuration and registers it with the API server for every namespace that the
/// files in webhook-config select. When it returns, the API server asks Usher, and Usher is ready to answer.
pub(crate) fn with_usher<'a>(
    plane: &'a ControlPlane,
    binary: &Path,
    config: &Path,
) -> Result<UsherProcess<'a>, Error> {
    UsherProcess::start(plane, &UsherOptions::new(binary, config))
}

impl<'a> UsherProcess<'a> {
    /// The same with every choice.
    pub(crate) fn start(plane: &'a ControlPlane, options: &UsherOptions) -> Result<Self, Error> {
        let name = plane.file("usher");
        let pair = plane.pki.server(&name, &["127.0.0.1", "localhost"])?;
        let kubeconfig = kubeconfig_with_its_rights(plane)?;
        let [port, health] = free_ports()?;
        let mut command = Command::new(&options.binary);
        command
            .arg("serve")
            .arg("--config")
            .arg(&options.config)
            .arg("--kubeconfig")
            .arg(kubeconfig);
        command
            .arg("--bind")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--health-bind")
            .arg(format!("127.0.0.1:{health}"));
        command
            .arg("--tls-cert")
            .arg(pair.cert)
            .arg("--tls-key")
            .arg(pair.key);
        command
            .args(&options.args)
            .envs(options.env.iter().map(|(key, value)| (key, value)));

        let log = plane.dir().join("log").join(&name);
        let mut process = Supervised::spawn("usher", &command, &log, Farewell::Terminate)?;
        process.wait_for("/readyz of usher", LIMIT, || ready(health))?;
        // From here on, dropping it takes the registration away, should it not come into force.
        let usher = Self {
            plane,
            registration: name,
            process,
            port,
            health,
        };
        let hooks = HOOKS.into_iter().map(|(file, _)| file);
        for file in hooks.filter(|file| options.mutates || *file != "mutating") {
            let name = if file == "validating" {
                options.judges
            } else {
                file
            };
            let source = if options.generated {
                Source::Generated(generate(plane, options, file == "mutating")?)
            } else {
                Source::File(format!("webhook-config/{name}.yaml"))
            };
            let registration = Registration {
                file: name,
                source,
                name: &usher.registration,
                port,
                namespaces: &options.namespaces,
            };
            registration.bring_into_force(plane)?;
        }
        Ok(usher)
    }

    /// The port of the webhook (HTTPS).
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port for `/livez`, `/readyz` and `/metrics` (plain HTTP).
    pub(crate) fn health_port(&self) -> u16 {
        self.health
    }

    /// What it shows at `/metrics`, as an HTTP answer.
    pub(crate) fn metrics(&self) -> Result<String, Error> {
        get(self.health, "/metrics").map_err(Error::io("ask", Path::new("/metrics")))
    }

    /// The process id, for instance to read its CPU time and memory.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> Result<String, Error> {
        let path = self.process.log();
        fs::read_to_string(path).map_err(Error::io("read", path))
    }
}

/// Usher acts here with exactly the rights that deploy/ gives it, so that every test shows that they are enough.
fn kubeconfig_with_its_rights(plane: &ControlPlane) -> Result<PathBuf, Error> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for file in ["namespace.yaml", "rbac.yaml"] {
        let file = deploy.join(file).display().to_string();
        plane.run(&["apply", "--server-side", "-f", &file])?;
    }
    plane.kubeconfig_for(
        "system:serviceaccount:usher-system:usher",
        &["system:serviceaccounts:usher-system"],
    )
}

impl Drop for UsherProcess<'_> {
    fn drop(&mut self) {
        // Else the API server would ask a webhook that is gone, and refuse. If even this fails, the plane is going too.
        drop(unregister(self.plane, &self.registration));
    }
}

fn unregister(plane: &ControlPlane, name: &str) -> Result<(), Error> {
    for (_, kind) in HOOKS {
        plane.run(&["delete", kind, name, "--ignore-not-found"])?;
    }
    Ok(())
}

/// The registration that `usher generate` writes for a configuration and the cluster.
fn generate(plane: &ControlPlane, options: &UsherOptions, mutating: bool) -> Result<String, Error> {
    let mut command = Command::new(&options.binary);
    command.args(["generate", "webhook-config", "--served", "--config"]);
    command
        .arg(&options.config)
        .arg("--kubeconfig")
        .arg(plane.kubeconfig());
    command.args(mutating.then_some("--mutating"));
    let output = command
        .output()
        .map_err(Error::io("run", &options.binary))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Manifest {
        path: options.config.clone(),
        reason: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Where the text of a registration comes from.
enum Source {
    /// A file of the repository.
    File(String),
    /// The text itself.
    Generated(String),
}

/// A webhook registration, made of the manifest that users install.
struct Registration<'a> {
    /// The file, without its ending.
    file: &'a str,
    source: Source,
    name: &'a str,
    port: u16,
    namespaces: &'a [String],
}

impl Registration<'_> {
    /// The manifest, with our address in place of the service, and one more webhook that shows when all are in force.
    fn manifest(&self, ca_pem: &str) -> Result<Value, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (path, text) = match &self.source {
            Source::File(file) => {
                let path = root.join(file);
                let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
                (path, text)
            }
            Source::Generated(text) => (PathBuf::from(self.file), text.clone()),
        };
        let wrong = |reason: String| Error::Manifest {
            path: path.clone(),
            reason,
        };
        let lacks = |what: &str| wrong(format!("it has no {what}"));
        let mut manifest: Value =
            serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        // A byte string is base64 in JSON.
        let ca = json!(k8s_openapi::ByteString(ca_pem.as_bytes().to_vec()));
        let name = manifest.pointer_mut("/metadata/name");
        *name.ok_or_else(|| lacks("metadata.name"))? = json!(self.name);
        let webhooks = manifest.pointer_mut("/webhooks");
        let webhooks = webhooks.and_then(Value::as_array_mut);
        let webhooks = webhooks.ok_or_else(|| lacks("webhooks"))?;
        for webhook in webhooks.iter_mut() {
            let path = webhook.pointer("/clientConfig/service/path");
            let path = path.and_then(Value::as_str);
            let path = path.ok_or_else(|| lacks("clientConfig.service.path"))?;
            let url = format!("https://127.0.0.1:{}{path}", self.port);
            let client = webhook.pointer_mut("/clientConfig");
            *client.ok_or_else(|| lacks("clientConfig"))? = json!({"url": url, "caBundle": ca});
            if !self.namespaces.is_empty() {
                let terms = webhook.pointer_mut("/namespaceSelector/matchExpressions");
                let terms = terms.and_then(Value::as_array_mut);
                let terms = terms.ok_or_else(|| lacks("namespaceSelector.matchExpressions"))?;
                terms.push(json!({
                    "key": "kubernetes.io/metadata.name",
                    "operator": "In",
                    "values": self.namespaces,
                }));
            }
        }
        webhooks.push(self.probe());
        Ok(manifest)
    }

    /// The name of the webhook that shows when all are in force, and of the label of the only object that it concerns.
    fn probe_name(&self) -> String {
        format!("{}.probe.usher.dev", self.file)
    }

    /// A webhook at a place where nobody listens. It concerns only the object that [`Self::bring_into_force`] tries to create.
    fn probe(&self) -> Value {
        json!({
            "name": self.probe_name(),
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "rules": [{
                "operations": ["CREATE"],
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["configmaps"],
            }],
            "objectSelector": {"matchLabels": {self.probe_name(): self.name}},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        })
    }

    /// Creates the registration and waits until the API server heeds it. It learns of it through a watch, a moment after
    /// it has stored it; from then on it refuses the object that concerns the probe.
    fn bring_into_force(&self, plane: &ControlPlane) -> Result<(), Error> {
        let create = ["create", "-f", "-"];
        let manifest = self.manifest(plane.ca_pem())?.to_string();
        super::succeed(&create, &feed(plane.kubectl().args(create), &manifest)?)?;
        let probe = self.probe_name();
        let trial = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name, "labels": {&*probe: self.name}},
        });
        let path = "/api/v1/namespaces/default/configmaps?dryRun=All";
        let try_it = ["create", "--raw", path, "-f", "-"];
        let start = Instant::now();
        loop {
            let output = feed(plane.kubectl().args(try_it), &trial.to_string())?;
            let said = String::from_utf8_lossy(&output.stderr);
            if said.contains(&format!("failed calling webhook \"{probe}\"")) {
                return Ok(());
            }
            if start.elapsed() > LIMIT {
                return Err(Error::Kubectl {
                    args: format!("{} (until {probe} refuses it)", try_it.join(" ")),
                    stderr: said.into_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}

/// Asks `/readyz` on the health port. Gives the status line if it is not 200.
pub(crate) fn ready(port: u16) -> Result<(), String> {
    match get(port, "/readyz") {
        Ok(answer) => {
            let line = answer.lines().next().unwrap_or_default();
            let is_ready = line.split(' ').nth(1) == Some("200");
            is_ready.then_some(()).ok_or_else(|| line.to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The whole answer of an HTTP server on loopback.
fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
