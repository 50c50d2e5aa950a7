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

/// Starts `usher serve` with the given configuration and registers it with the API server for every namespace that
/// webhook-config/validating.yaml selects. When it returns, the API server asks Usher, and Usher is ready to answer.
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
        let pair = plane.pki.server(&name, &["127.0.0.1"])?;
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

        // Registered before it runs: as long as nobody listens, the API server refuses whatever it should ask Usher
        // about, and so shows that it has seen the registration.
        let registration = Registration::read(&name, port, plane.ca_pem(), &options.namespaces)?;
        registration.create(plane)?;
        let log = plane.dir().join("log").join(&name);
        let process = registration
            .wait_until_seen(plane)
            .and_then(|()| Supervised::spawn("usher", &command, &log, Farewell::Terminate))
            .and_then(|mut process| {
                process.wait_for("/readyz of usher", LIMIT, || ready(health))?;
                Ok(process)
            });
        match process {
            Ok(process) => Ok(Self {
                plane,
                registration: name,
                process,
                port,
                health,
            }),
            Err(error) => {
                drop(unregister(plane, &name));
                Err(error)
            }
        }
    }

    /// The port of the webhook (HTTPS).
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port for `/livez`, `/readyz` and `/metrics` (plain HTTP).
    pub(crate) fn health_port(&self) -> u16 {
        self.health
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

fn unregister(plane: &ControlPlane, name: &str) -> Result<String, Error> {
    plane.run(&[
        "delete",
        "validatingwebhookconfiguration",
        name,
        "--ignore-not-found",
    ])
}

/// A webhook registration, made of the manifest that users install.
struct Registration {
    manifest: Value,
    port: u16,
    probe_namespace: String,
}

impl Registration {
    fn read(name: &str, port: u16, ca_pem: &str, namespaces: &[String]) -> Result<Self, Error> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("webhook-config/validating.yaml");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let wrong = |reason: String| Error::Manifest {
            path: path.clone(),
            reason,
        };
        let mut manifest: Value =
            serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        // A byte string is base64 in JSON.
        let ca = json!(k8s_openapi::ByteString(ca_pem.as_bytes().to_vec()));
        let lacks = |what: &str| wrong(format!("it has no {what}"));
        *manifest
            .pointer_mut("/metadata/name")
            .ok_or_else(|| lacks("metadata.name"))? = json!(name);
        let webhooks = manifest
            .pointer_mut("/webhooks")
            .and_then(Value::as_array_mut)
            .ok_or_else(|| lacks("webhooks"))?;
        for webhook in webhooks {
            let service = webhook
                .pointer("/clientConfig/service")
                .ok_or_else(|| lacks("clientConfig.service"))?;
            let path = service
                .pointer("/path")
                .and_then(Value::as_str)
                .ok_or_else(|| lacks("clientConfig.service.path"))?;
            let url = format!("https://127.0.0.1:{port}{path}");
            let client = webhook
                .pointer_mut("/clientConfig")
                .ok_or_else(|| lacks("clientConfig"))?;
            *client = json!({"url": url, "caBundle": ca});
            if !namespaces.is_empty() {
                let only = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces});
                let terms = webhook
                    .pointer_mut("/namespaceSelector/matchExpressions")
                    .and_then(Value::as_array_mut);
                terms
                    .ok_or_else(|| lacks("namespaceSelector.matchExpressions"))?
                    .push(only);
            }
        }
        let probe_namespace = namespaces
            .first()
            .map_or_else(|| "default".to_owned(), Clone::clone);
        Ok(Self {
            manifest,
            port,
            probe_namespace,
        })
    }

    fn create(&self, plane: &ControlPlane) -> Result<(), Error> {
        let output = feed(
            plane.kubectl().args(["create", "-f", "-"]),
            &self.manifest.to_string(),
        )?;
        super::succeed(&["create", "-f", "-"], &output).map(drop)
    }

    /// The API server learns of a registration through a watch, a moment after it has stored it.
    fn wait_until_seen(&self, plane: &ControlPlane) -> Result<(), Error> {
        // A pod template is the smallest object that Usher is asked about and that needs nothing else to exist.
        let probe = json!({
            "apiVersion": "v1",
            "kind": "PodTemplate",
            "metadata": {"generateName": "probe-"},
            "template": {"spec": {"containers": [{"name": "probe", "image": "probe"}]}},
        });
        let path = format!(
            "/api/v1/namespaces/{}/podtemplates?dryRun=All",
            self.probe_namespace
        );
        let address = format!("https://127.0.0.1:{}/", self.port);
        let start = Instant::now();
        loop {
            let output = feed(
                plane.kubectl().args(["create", "--raw", &path, "-f", "-"]),
                &probe.to_string(),
            )?;
            let said = String::from_utf8_lossy(&output.stderr);
            if said.contains("failed calling webhook") && said.contains(&address) {
                return Ok(());
            }
            if start.elapsed() > LIMIT {
                let args = format!("create --raw {path} (until it is sent to {address})");
                return Err(Error::Kubectl {
                    args,
                    stderr: said.into_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}

/// Asks `/readyz` on the health port. Gives the status line if it is not 200.
fn ready(port: u16) -> Result<(), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: usher\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    };
    match ask() {
        Ok(line) if line.split(' ').nth(1) == Some("200") => Ok(()),
        Ok(line) => Err(line),
        Err(error) => Err(error.to_string()),
    }
}
