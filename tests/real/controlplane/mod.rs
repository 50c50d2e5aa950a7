//! A real control plane (etcd, kube-apiserver, kube-controller-manager) on loopback, for tests, benches and newcomers.
//!
//! [`ControlPlane::start`] takes about four seconds. Its processes end with ours, however ours ends. One instance is
//! enough for a whole test run: keep tests apart by namespaces and users.
//!
//! The programs come from `KUBEBUILDER_ASSETS`, or are built once from the Go module beside this file.

pub(crate) mod binaries;
mod boot;
pub(crate) mod child;
mod error;
mod pki;
mod rundir;
#[cfg(test)]
mod said;
#[cfg(test)]
mod tests;
pub(crate) mod usher;

pub(crate) use error::Error;
#[cfg(test)]
pub(crate) use said::Said;

use binaries::{Binaries, CONTROL_PLANE};
use boot::{Boot, Processes, credentials, kubeconfig, write_json};
use pki::Pki;
use rundir::RunDir;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take to come up.
const LIMIT: Duration = Duration::from_secs(120);

/// What can be chosen about a control plane.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// More flags for kube-apiserver.
    pub(crate) apiserver_args: Vec<String>,
    /// Whether all controllers come as the one user of the controller manager. Each has an identity of its own otherwise.
    pub(crate) shared_identity: bool,
    /// Whether the API server writes an audit log of everything that changes something (level Metadata).
    pub(crate) audit: bool,
    /// An address of this machine at which pods and kubelets reach the API server, beside loopback. It then calls kubelets
    /// back, too.
    pub(crate) address: Option<&'static str>,
}

impl Options {
    fn audit_log(&self, dir: &Path) -> Option<PathBuf> {
        self.audit.then(|| dir.join("log/audit"))
    }
}

/// The ports on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// HTTPS of the API server.
    pub(crate) apiserver: u16,
    /// etcd for its clients.
    pub(crate) etcd: u16,
    /// etcd for its peers, of which there are none.
    pub(crate) etcd_peer: u16,
}

/// A running control plane. Dropping it ends the processes and removes the folder.
pub(crate) struct ControlPlane {
    // Fields are dropped in this order: first the processes, then their folder.
    processes: Processes,
    dir: RunDir,
    binaries: Binaries,
    pki: Pki,
    ports: Ports,
    admin: PathBuf,
    options: Options,
    serial: AtomicU32,
}

impl ControlPlane {
    /// Boots a control plane on free ports and returns when ordinary users can work with it.
    pub(crate) fn start(options: Options) -> Result<Self, Error> {
        let target = target_dir();
        let binaries = CONTROL_PLANE.find()?;
        let dir = RunDir::create(&target)?;
        let pki = Pki::create(&dir.path().join("pki"))?;
        let pair = pki.client("admin", "admin", Some("system:masters"))?;
        let admin = dir.path().join("admin.kubeconfig");
        let mut attempts = 0;
        loop {
            let [apiserver, etcd, etcd_peer] = free_ports()?;
            let ports = Ports {
                apiserver,
                etcd,
                etcd_peer,
            };
            let credentials = credentials(&pair, &json!({}));
            write_json(&admin, &kubeconfig(ports.apiserver, &pki, &credentials))?;
            let boot = Boot {
                dir: dir.path(),
                binaries: &binaries,
                pki: &pki,
                ports,
                options: &options,
                admin: &admin,
            };
            attempts += 1;
            match boot.run() {
                Ok(processes) => {
                    return Ok(Self {
                        processes,
                        dir,
                        binaries,
                        pki,
                        ports,
                        admin,
                        options,
                        serial: AtomicU32::new(0),
                    });
                }
                // Between our look and the start of the server, a port may go to somebody else.
                Err(error) if error.is_port_clash() && attempts < 5 => {
                    let data = dir.path().join("etcd");
                    if data.exists() {
                        std::fs::remove_dir_all(&data).map_err(Error::io("remove", &data))?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the API server and starts it again, on the same data.
    pub(crate) fn restart_apiserver(&mut self) -> Result<(), Error> {
        self.processes.apiserver.stop()?;
        let boot = Boot {
            dir: self.dir.path(),
            binaries: &self.binaries,
            pki: &self.pki,
            ports: self.ports,
            options: &self.options,
            admin: &self.admin,
        };
        self.processes.apiserver = boot.start_apiserver(&mut self.processes.etcd)?;
        Ok(())
    }

    /// The kubeconfig of the administrator (group system:masters), who may do everything.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// A new kubeconfig for any user, with a client certificate of its own. A certificate of ours carries one group at
    /// most; for a user with more groups it is the administrator's, who then acts as that user.
    pub(crate) fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf, Error> {
        let file = self.file("client");
        if let [_, _, ..] = groups {
            let pair = self.pki.client(&file, "admin", Some("system:masters"))?;
            let more = json!({"as": user, "as-groups": groups});
            self.kubeconfig_with(&file, &credentials(&pair, &more))
        } else {
            let pair = self.pki.client(&file, user, groups.first().copied())?;
            self.kubeconfig_with(&file, &credentials(&pair, &json!({})))
        }
    }

    /// A new kubeconfig for a service account, with a token that is bound to a pod of it, as a program in the cluster has.
    pub(crate) fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<PathBuf, Error> {
        let pod = self.file(account);
        self.apply(
            &json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": pod, "namespace": namespace},
                "spec": {"serviceAccountName": account, "containers": [{"name": "main", "image": account}]},
            })
            .to_string(),
        )?;
        let bound = format!("--bound-object-name={pod}");
        let ask = [
            "create",
            "token",
            account,
            "--bound-object-kind=Pod",
            &bound,
        ];
        let token = self.run(&[&["-n", namespace], &ask[..]].concat())?;
        self.kubeconfig_with(&pod, &json!({"token": token.trim()}))
    }

    fn kubeconfig_with(&self, file: &str, credentials: &Value) -> Result<PathBuf, Error> {
        let path = self.dir.path().join(format!("{file}.kubeconfig"));
        let config = kubeconfig(self.ports.apiserver, &self.pki, credentials);
        write_json(&path, &config)?;
        Ok(path)
    }

    /// A folder with `ca.crt`, `tls.crt` and `tls.key`, as a secret of cert-manager is mounted: a certificate for a server on
    /// loopback.
    pub(crate) fn serving_certificate(&self, name: &str) -> Result<PathBuf, Error> {
        let pair = self.pki.server(name, &["127.0.0.1", "localhost"])?;
        let dir = self.dir.path().join(format!("{name}-tls"));
        std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        for (from, to) in [
            (self.pki.path("ca.crt"), "ca.crt"),
            (pair.cert, "tls.crt"),
            (pair.key, "tls.key"),
        ] {
            std::fs::copy(&from, dir.join(to)).map_err(Error::io("copy", &from))?;
        }
        Ok(dir)
    }

    /// The address of the API server, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.apiserver)
    }

    /// The ports.
    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    /// The authority that signed every certificate here, in PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        self.pki.ca_pem()
    }

    /// The folder of this run. It goes when the run ends.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The audit log (one JSON document per line), if [`Options::audit`] asked for one.
    pub(crate) fn audit_log(&self) -> Option<PathBuf> {
        self.options.audit_log(self.dir.path())
    }

    /// The kubectl of the same version.
    pub(crate) fn kubectl_path(&self) -> PathBuf {
        self.binaries.path("kubectl")
    }

    /// kubectl as the administrator, with a home of its own: the caller's settings and caches stay out of it.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = Command::new(self.kubectl_path());
        command
            .env("KUBECONFIG", &self.admin)
            .env("HOME", self.dir.path().join("home"));
        command
            .env_remove("KUBECTL_KUBERC")
            .env_remove("KUBECTL_EXTERNAL_DIFF");
        command
    }

    /// kubectl as an impersonated user; the API server adds the groups of service accounts and `system:authenticated`.
    pub(crate) fn kubectl_as(&self, user: &str) -> Command {
        let mut command = self.kubectl();
        command.args(["--as", user]);
        command
    }

    /// `kubectl --as USER apply -f -` of the given YAML.
    pub(crate) fn apply_as(&self, user: &str, yaml: &str) -> Result<Output, Error> {
        let mut command = self.kubectl_as(user);
        command.args(["apply", "-f", "-"]);
        feed(&mut command, yaml)
    }

    /// `kubectl apply -f -` of the given YAML as the administrator; anything but success is an error. Gives what it said.
    pub(crate) fn apply(&self, yaml: &str) -> Result<String, Error> {
        let mut command = self.kubectl();
        command.args(["apply", "-f", "-"]);
        let output = feed(&mut command, yaml)?;
        succeed(&["apply", "-f", "-"], &output)
    }

    /// Runs kubectl as the administrator; anything but success is an error. Gives what it printed.
    pub(crate) fn run(&self, args: &[&str]) -> Result<String, Error> {
        let kubectl = self.kubectl_path();
        let output = self
            .kubectl()
            .args(args)
            .output()
            .map_err(Error::io("run", &kubectl))?;
        succeed(args, &output)
    }

    /// Makes a namespace in which pods can be created at once: its service account `default` is there.
    pub(crate) fn namespace(&self, name: &str) -> Result<(), Error> {
        self.run(&["create", "namespace", name])?;
        self.has_default_account(name)
    }

    /// Waits for the service account `default`, which the controller manager makes; without it no pod is accepted.
    pub(crate) fn has_default_account(&self, namespace: &str) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            match self.run(&[
                "get",
                "--raw",
                &format!("/api/v1/namespaces/{namespace}/serviceaccounts/default"),
            ]) {
                Err(_) if start.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(25)),
                result => return result.map(drop),
            }
        }
    }

    /// A file name that this run has not used yet.
    fn file(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.serial.fetch_add(1, Ordering::Relaxed))
    }
}

/// The one control plane of a test run, with an audit log. It ends with the process, which need not drop it.
#[cfg(test)]
pub(crate) fn plane() -> &'static ControlPlane {
    static PLANE: std::sync::OnceLock<ControlPlane> = std::sync::OnceLock::new();
    PLANE.get_or_init(|| {
        let start = Instant::now();
        let options = Options {
            audit: true,
            ..Options::default()
        };
        let plane = ControlPlane::start(options).unwrap_or_else(|error| panic!("{error}"));
        let (url, time) = (plane.url(), start.elapsed().as_millis());
        binaries::say(&format!("control plane at {url} after {time} ms"));
        plane
    })
}

/// Runs a command with `input` on its standard input.
pub(crate) fn feed(command: &mut Command, input: &str) -> Result<Output, Error> {
    feed_bytes(command, input.as_bytes())
}

/// The same with what need not be text.
pub(crate) fn feed_bytes(command: &mut Command, input: &[u8]) -> Result<Output, Error> {
    let program = PathBuf::from(command.get_program());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::io("run", &program))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends before it has read everything says why on its own.
        drop(stdin.write_all(input));
    }
    child.wait_with_output().map_err(Error::io("run", &program))
}

fn succeed(args: &[&str], output: &Output) -> Result<String, Error> {
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Kubectl {
            args: args.join(" "),
            stderr,
        })
    }
}

/// Free ports on 127.0.0.1: the kernel picks them, all held at once so that they differ, then let go.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let failed = || Error::io("find a free port on", Path::new("127.0.0.1"));
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed())?;
        *port = listener.local_addr().map_err(failed())?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Removes the folders of runs whose process has ended without doing so.
pub(crate) fn forget_dead_runs() -> Result<(), Error> {
    RunDir::create(&target_dir()).map(drop)
}

/// Cargo's target folder: the one above our own program that carries cargo's mark.
fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let marked = exe
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        Path::to_owned,
    )
}
