//! Somebody with a namespace, who writes what the controllers carry out.

use std::process::Command;

use serde_json::Value;

use crate::{
    controlplane::{Said, feed},
    stage::Stage,
    tier::until,
};

/// The registration for custom resources.
pub(crate) const CUSTOMS: &str = "validate-customs.usher.dev";

/// A namespace with a user of its own, who may write there whatever a tenant may.
pub(crate) struct Tenant<'s> {
    pub(crate) stage: &'s Stage<'s>,
    pub(crate) namespace: &'static str,
    pub(crate) user: String,
}

impl<'s> Tenant<'s> {
    /// A namespace with these service accounts. `deployer` may write there what the role edit allows.
    pub(crate) fn new(stage: &'s Stage<'_>, namespace: &'static str, accounts: &[&str]) -> Self {
        let user = format!("{namespace}-jane");
        let tenant = Self {
            stage,
            namespace,
            user,
        };
        stage.plane.namespace(namespace).unwrap();
        let user = format!("--user={}", tenant.user);
        for role in ["edit", "tenant"] {
            let bind = ["create", "rolebinding", role, "--clusterrole", role, &user];
            tenant.platform(&bind);
        }
        for account in accounts {
            tenant.platform(&["create", "serviceaccount", account]);
        }
        tenant
    }

    /// Lets a service account write in the namespace what the role edit allows.
    pub(crate) fn edits(&self, account: &str) {
        let name = format!("{account}-edits");
        let who = format!("--serviceaccount={}:{account}", self.namespace);
        self.platform(&["create", "rolebinding", &name, "--clusterrole=edit", &who]);
    }

    /// kubectl in the namespace as the administrator.
    pub(crate) fn platform(&self, args: &[&str]) -> String {
        let args = [&["-n", self.namespace], args].concat();
        self.stage.plane.run(&args).unwrap()
    }

    /// kubectl in the namespace as the user.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.kubectl().args(args).output().unwrap().into()
    }

    /// `kubectl create -f -` as the user.
    pub(crate) fn create(&self, manifest: &str) -> Said {
        feed(self.kubectl().args(["create", "-f", "-"]), manifest)
            .unwrap()
            .into()
    }

    fn kubectl(&self) -> Command {
        let mut command = self.stage.plane.kubectl_as(&self.user);
        command.args(["-n", self.namespace]);
        command
    }

    /// Tries to create something, and Usher refuses it with exactly this message.
    #[track_caller]
    pub(crate) fn refused(&self, manifest: &str, message: &str) {
        self.stage.provoked.add(message);
        assert_eq!(self.create(manifest).denial(CUSTOMS), message);
    }

    /// Grants `use` of a target to somebody, as `usher grant` prints it.
    pub(crate) fn grant(&self, target: &str, to: &str) {
        self.grant_in(self.namespace, target, to);
    }

    /// The same in another namespace.
    pub(crate) fn grant_in(&self, namespace: &str, target: &str, to: &str) {
        self.prints(&["grant", target, "-n", namespace, "--to", to]);
    }

    /// Applies as the administrator what a command of usher prints.
    pub(crate) fn prints(&self, args: &[&str]) {
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        let printed = Said::from(usher.args(args).output().unwrap());
        assert!(printed.success, "{printed:?}");
        self.stage.plane.apply(&printed.stdout).unwrap();
    }

    /// Deletes an object, and waits until its controller has let go of it.
    #[track_caller]
    pub(crate) fn deletes(&self, object: &str) {
        self.run(&["delete", object, "--timeout=60s"]).passes();
    }

    /// Waits until the condition Ready of an object says `status` with exactly this message.
    #[track_caller]
    pub(crate) fn is_ready(&self, object: &str, status: &str, message: &str) {
        until(
            &format!("Ready={status} of {object} with: {message}"),
            || {
                let ready = self.condition(object);
                let is_so = ready["status"] == status && ready["message"] == message;
                is_so.then_some(()).ok_or_else(|| ready.to_string())
            },
        );
    }

    /// Waits until the condition Ready of an object says True.
    #[track_caller]
    pub(crate) fn ready(&self, object: &str) {
        until(&format!("Ready=True of {object}"), || {
            let ready = self.condition(object);
            let is_so = ready["status"] == "True";
            is_so.then_some(()).ok_or_else(|| ready.to_string())
        });
    }

    /// The condition Ready of an object, as it is now; null if there is none.
    fn condition(&self, object: &str) -> Value {
        let said = self.run(&["get", object, "-o", "json"]);
        let object: Value = serde_json::from_str(&said.stdout).unwrap();
        let conditions = object["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        let ready = conditions.find(|condition| condition["type"] == "Ready");
        ready.cloned().unwrap_or_default()
    }

    /// Waits until pods with this label are there; all run as this account.
    #[track_caller]
    pub(crate) fn pods_run_as(&self, label: &str, account: &str) {
        let accounts = "jsonpath={.items[*].spec.serviceAccountName}";
        let get = ["get", "pods", "-l", label, "-o", accounts];
        until(&format!("pods with {label}"), || {
            let said = self.run(&get);
            let mut accounts = said.stdout.split_whitespace();
            match accounts.next() {
                Some(first) => {
                    assert!(
                        first == account && accounts.all(|other| other == account),
                        "{said:?}"
                    );
                    Ok(())
                }
                None => Err(format!("{said:?}")),
            }
        });
    }
}
