//! How the three processes are started, and when they count as up.

use super::binaries::Binaries;
use super::child::{Farewell, Supervised};
use super::error::Error;
use super::pki::{Pair, Pki};
use super::{LIMIT, Options, Ports, feed, succeed};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that the processes need to know.
pub(crate) struct Boot<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) binaries: &'a Binaries,
    pub(crate) pki: &'a Pki,
    pub(crate) ports: Ports,
    pub(crate) options: &'a Options,
    /// The kubeconfig of the cluster's administrator.
    pub(crate) admin: &'a Path,
}

/// The processes, in the order in which they are to end.
#[derive(Debug)]
pub(crate) struct Processes {
    _controller_manager: Supervised,
    pub(crate) apiserver: Supervised,
    pub(crate) etcd: Supervised,
}

impl Boot<'_> {
    /// Starts the processes and waits until ordinary users can work.
    pub(crate) fn run(&self) -> Result<Processes, Error> {
        let log = self.dir.join("log");
        fs::create_dir_all(&log).map_err(Error::io("create", &log))?;
        let mut etcd = self.spawn("etcd", &self.etcd())?;
        let apiserver = self.start_apiserver(&mut etcd)?;
        if self.options.shared_identity {
            self.apply(&rights_of_all_controllers())?;
        }
        let mut controller_manager =
            self.spawn("kube-controller-manager", &self.controller_manager()?)?;
        // The controller manager fills the aggregated roles; without them ordinary users can do nothing.
        controller_manager.wait_for(
            "the rules of the cluster roles admin and edit",
            LIMIT,
            || {
                ["admin", "edit"].into_iter().try_for_each(|role| {
                    let text = self.raw(&format!(
                        "/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}"
                    ))?;
                    let role: Value =
                        serde_json::from_str(&text).map_err(|error| error.to_string())?;
                    match role.pointer("/rules/0") {
                        Some(_) => Ok(()),
                        None => Err("no rules yet".to_owned()),
                    }
                })
            },
        )?;
        Ok(Processes {
            _controller_manager: controller_manager,
            apiserver,
            etcd,
        })
    }

    /// Starts the API server and waits until it is ready.
    pub(crate) fn start_apiserver(&self, etcd: &mut Supervised) -> Result<Supervised, Error> {
        let mut apiserver = self.spawn("kube-apiserver", &self.apiserver()?)?;
        apiserver.wait_for("/readyz of the API server", LIMIT, || {
            // An API server without etcd tries for long; the guilty one is to be named at once.
            match etcd.still_runs() {
                Ok(()) => self.raw("/readyz").map(|_| Ok(())),
                Err(error) => Ok(Err(error)),
            }
        })??;
        Ok(apiserver)
    }

    fn spawn(&self, name: &'static str, command: &Command) -> Result<Supervised, Error> {
        let log = self.dir.join("log").join(name);
        Supervised::spawn(name, command, &log, Farewell::Kill)
    }

    fn etcd(&self) -> Command {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        let mut command = Command::new(self.binaries.path("etcd"));
        // Nothing here must survive a power cut, so nothing waits for the disk.
        command
            .arg("--unsafe-no-fsync")
            .arg("--data-dir")
            .arg(self.dir.join("etcd"));
        command.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command
            .arg("--initial-cluster")
            .arg(format!("default={peer}"));
        command
    }

    fn apiserver(&self) -> Result<Command, Error> {
        let address = self.options.address;
        let mut names = vec![
            "localhost",
            "kubernetes.default.svc",
            "127.0.0.1",
            "10.0.0.1",
        ];
        names.extend(address);
        let server = self.pki.server("server", &names)?;
        let mut command = Command::new(self.binaries.path("kube-apiserver"));
        command.args([
            "--bind-address",
            address.map_or("127.0.0.1", |_| "0.0.0.0"),
            "--advertise-address",
            address.unwrap_or("127.0.0.1"),
        ]);
        if address.is_some() {
            let user = "kube-apiserver-kubelet-client";
            let pair = self.pki.client(user, user, Some("system:masters"))?;
            command
                .arg("--kubelet-client-certificate")
                .arg(pair.cert)
                .arg("--kubelet-client-key")
                .arg(pair.key)
                .args(["--kubelet-preferred-address-types", "InternalIP"]);
        }
        command.args(["--secure-port", &self.ports.apiserver.to_string()]);
        command.args([
            "--etcd-servers",
            &format!("http://127.0.0.1:{}", self.ports.etcd),
        ]);
        command
            .arg("--tls-cert-file")
            .arg(server.cert)
            .arg("--tls-private-key-file")
            .arg(server.key);
        command.arg("--client-ca-file").arg(self.pki.path("ca.crt"));
        command
            .arg("--service-account-key-file")
            .arg(self.pki.path("sa.pub"));
        command
            .arg("--service-account-signing-key-file")
            .arg(self.pki.path("sa.key"));
        command.args(["--service-account-issuer", "https://kubernetes.default.svc"]);
        command.args([
            "--authorization-mode",
            "RBAC,Node",
            "--enable-admission-plugins",
            "NodeRestriction",
        ]);
        command.args([
            "--service-cluster-ip-range",
            "10.0.0.0/24",
            "--allow-privileged",
        ]);
        if let Some(log) = &self.options.audit_log(self.dir) {
            let policy = self.dir.join("audit-policy.json");
            write_json(&policy, &audit_policy())?;
            command
                .arg("--audit-policy-file")
                .arg(policy)
                .arg("--audit-log-path")
                .arg(log);
        }
        command.args(&self.options.apiserver_args);
        Ok(command)
    }

    fn controller_manager(&self) -> Result<Command, Error> {
        let pair = self
            .pki
            .client("controller-manager", "system:kube-controller-manager", None)?;
        let config = self.dir.join("controller-manager.kubeconfig");
        write_json(
            &config,
            &kubeconfig(
                self.ports.apiserver,
                self.pki,
                &credentials(&pair, &json!({})),
            ),
        )?;
        let mut command = Command::new(self.binaries.path("kube-controller-manager"));
        for flag in [
            "--kubeconfig",
            "--authentication-kubeconfig",
            "--authorization-kubeconfig",
        ] {
            command.arg(flag).arg(&config);
        }
        // As nearly every real cluster has it.
        if !self.options.shared_identity {
            command.arg("--use-service-account-credentials");
        }
        // Nobody asks this process, so no port.
        command.args(["--leader-elect=false", "--secure-port", "0"]);
        // It makes an account and a token for each controller first; at the usual 20 requests per second, that takes 5 s.
        command.args(["--kube-api-qps", "1000", "--kube-api-burst", "2000"]);
        command.arg("--root-ca-file").arg(self.pki.path("ca.crt"));
        command
            .arg("--service-account-private-key-file")
            .arg(self.pki.path("sa.key"));
        command
            .arg("--cluster-signing-cert-file")
            .arg(self.pki.path("ca.crt"));
        command
            .arg("--cluster-signing-key-file")
            .arg(self.pki.path("ca.key"));
        Ok(command)
    }

    /// Applies objects, as the administrator.
    fn apply(&self, objects: &Value) -> Result<(), Error> {
        let kubectl = self.binaries.path("kubectl");
        let mut command = Command::new(kubectl);
        command.arg("--kubeconfig").arg(self.admin);
        let apply = ["apply", "-f", "-"];
        let output = feed(
            command.env("HOME", self.dir).args(apply),
            &objects.to_string(),
        )?;
        succeed(&apply, &output).map(drop)
    }

    fn raw(&self, path: &str) -> Result<String, String> {
        let mut kubectl = Command::new(self.binaries.path("kubectl"));
        kubectl
            .arg("--kubeconfig")
            .arg(self.admin)
            .env("HOME", self.dir);
        // The API server holds its port long before it answers there. If it never will, that is to be seen soon.
        kubectl.args(["--request-timeout", "2s", "get", "--raw", path]);
        match kubectl.output() {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// All that the one user of all controllers needs, but not the verb `use`, which would be a grant of everything.
fn rights_of_all_controllers() -> Value {
    let verbs = [
        "bind",
        "create",
        "delete",
        "deletecollection",
        "escalate",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];
    let metadata = json!({"name": "all-controllers"});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all-controllers"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:kube-controller-manager"}],
        },
    ]})
}

/// Who a client is by its certificate. `more` is added, for instance `as` and `as-groups`.
pub(crate) fn credentials(pair: &Pair, more: &Value) -> Value {
    let mut user = json!({"client-certificate": pair.cert, "client-key": pair.key});
    if let (Some(user), Some(more)) = (user.as_object_mut(), more.as_object()) {
        user.extend(more.clone());
    }
    user
}

/// A kubeconfig in JSON, which is YAML too. The credentials are those of its only user.
pub(crate) fn kubeconfig(port: u16, pki: &Pki, credentials: &Value) -> Value {
    let server = format!("https://127.0.0.1:{port}");
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "usher-test", "cluster": {"server": server, "certificate-authority": pki.path("ca.crt")}}],
        "users": [{"name": "user", "user": credentials}],
        "contexts": [{"name": "usher-test", "context": {"cluster": "usher-test", "user": "user"}}],
        "current-context": "usher-test",
    })
}

/// Writes a value as JSON.
pub(crate) fn write_json(path: &PathBuf, value: &Value) -> Result<(), Error> {
    fs::write(path, value.to_string()).map_err(Error::io("write", path))
}

/// Who did what, with the annotations of webhooks, but not with which body; and only what changes something.
fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "verbs": ["get", "list", "watch"]},
            {"level": "Metadata"},
        ],
    })
}
