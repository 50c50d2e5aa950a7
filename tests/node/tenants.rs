//! The same tenant twice: once in a namespace that Usher guards, once in one that it does not.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    controlplane::{Said, feed},
    image::BUSYBOX,
    stage::Stage,
    tier::until,
};

/// Where a container finds the token of its account.
pub(crate) const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// The registration for connections.
pub(crate) const CONNECTIONS: &str = "validate-connections.usher.dev";
/// The registration for pods and workloads.
pub(crate) const CORE: &str = "validate.usher.dev";

/// Both of them.
pub(crate) struct Tenants<'s> {
    pub(crate) open: Tenant<'s>,
    pub(crate) guarded: Tenant<'s>,
}

/// A namespace with the account `deployer` and a user, who holds there nothing but the built-in role `edit`.
pub(crate) struct Tenant<'s> {
    pub(crate) stage: &'s Stage,
    pub(crate) namespace: String,
    pub(crate) user: String,
}

impl<'s> Tenants<'s> {
    /// `name` is that of the story, and of the namespace that Usher guards.
    pub(crate) fn new(stage: &'s Stage, name: &str) -> Self {
        Self {
            open: Tenant::new(stage, &format!("open-{name}")),
            guarded: Tenant::new(stage, name),
        }
    }

    pub(crate) fn both(&self) -> [&Tenant<'s>; 2] {
        [&self.open, &self.guarded]
    }

    /// Pods that an administrator writes, one in each namespace; both run when this returns. `spec` is the pod spec in flow
    /// style, without its containers.
    pub(crate) fn pod(&self, name: &str, spec: &str, container: &str) {
        for tenant in self.both() {
            tenant.gives(&pod(name, spec, container));
        }
        for tenant in self.both() {
            tenant.runs(&format!("pod/{name}"));
        }
    }
}

impl<'s> Tenant<'s> {
    pub(crate) fn new(stage: &'s Stage, namespace: &str) -> Self {
        let user = format!("{namespace}-jane");
        stage.plane.namespace(namespace).unwrap();
        let tenant = Self {
            stage,
            namespace: namespace.to_owned(),
            user,
        };
        let user = format!("--user={}", tenant.user);
        tenant.platform(&["create", "rolebinding", "edit", "--clusterrole=edit", &user]);
        tenant.platform(&["create", "serviceaccount", "deployer"]);
        tenant
    }

    /// kubectl in the namespace as the administrator.
    pub(crate) fn platform(&self, args: &[&str]) -> String {
        let args = [&["-n", &self.namespace], args].concat();
        self.stage.plane.run(&args).unwrap()
    }

    /// Writes an object as the administrator.
    pub(crate) fn gives(&self, manifest: &str) {
        let mut kubectl = self.stage.plane.kubectl();
        kubectl.args(["-n", &self.namespace, "create", "-f", "-"]);
        Said::from(feed(&mut kubectl, manifest).unwrap()).passes();
    }

    /// kubectl in the namespace as the user.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = self.stage.plane.kubectl_as(&self.user);
        command.args(["-n", &self.namespace]);
        command
    }

    /// The same with these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.kubectl().args(args).output().unwrap().into()
    }

    /// `kubectl create -f -` as the user.
    pub(crate) fn create(&self, manifest: &str) -> Said {
        self.create_with(manifest, &[])
    }

    /// The same with more arguments.
    pub(crate) fn create_with(&self, manifest: &str, args: &[&str]) -> Said {
        self.fed(&[&["create", "-f", "-"], args].concat(), manifest)
    }

    /// What kubectl says as the user that is given this.
    pub(crate) fn fed(&self, args: &[&str], manifest: &str) -> Said {
        let mut kubectl = self.kubectl();
        kubectl.args(args);
        feed(&mut kubectl, manifest).unwrap().into()
    }

    /// Usher refuses something through this one of its registrations, with exactly this message.
    #[track_caller]
    pub(crate) fn refused(&self, webhook: &str, message: &str, attack: impl FnOnce(&Self) -> Said) {
        self.stage.provoked.add(message);
        assert_eq!(attack(self).denial(webhook), message);
    }

    /// Grants the user `use` of a target, as `usher grant` prints it.
    #[track_caller]
    pub(crate) fn may_use(&self, target: &str) {
        let to = format!("user:{}", self.user);
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher.args(["grant", target, "-n", &self.namespace, "--to", &to]);
        let printed = Said::from(usher.output().unwrap());
        assert!(printed.success, "{printed:?}");
        self.stage.plane.apply(&printed.stdout).unwrap();
    }

    /// What is said to whoever connects to a pod of the account `deployer`.
    pub(crate) fn may_not_connect(&self, pod: &str) -> String {
        self.may_not_use_deployer(&format!("pod {pod}: spec.serviceAccountName"))
    }

    /// What is said to whoever writes the account `deployer` there.
    pub(crate) fn may_not_use_deployer(&self, path: &str) -> String {
        let Self {
            namespace, user, ..
        } = self;
        format!(
            "{user} may not use serviceaccount \"deployer\" in namespace {namespace} ({path})\n\
             needs: verb use on serviceaccounts \"deployer\" in {namespace}"
        )
    }

    /// Waits until a pod is ready.
    #[track_caller]
    pub(crate) fn runs(&self, pod: &str) {
        self.is_so(pod, "condition=Ready");
    }

    /// Waits until something is so, as `kubectl wait` has it.
    #[track_caller]
    pub(crate) fn is_so(&self, object: &str, what: &str) {
        let what = format!("--for={what}");
        self.run(&["wait", object, &what, "--timeout=120s"])
            .passes();
    }

    /// A token that the tenant has got is that of this account, for the API server: the API server says so.
    #[track_caller]
    pub(crate) fn is_token_of(&self, token: &str, account: &str) {
        self.is_token_for(token, account, "https://kubernetes.default.svc");
    }

    /// The same for another audience.
    #[track_caller]
    pub(crate) fn is_token_for(&self, token: &str, account: &str, audience: &str) {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.trim(), "audiences": [audience]},
        });
        let mut kubectl = self.stage.plane.kubectl();
        kubectl.args(["create", "-f", "-", "-o", "json"]);
        let said = Said::from(feed(&mut kubectl, &review.to_string()).unwrap());
        let review: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
        let wanted = format!("system:serviceaccount:{}:{account}", self.namespace);
        assert_eq!(review["status"]["user"]["username"], wanted, "{said:?}");
    }

    /// Somebody else in the same namespace, who may create and read this and nothing else.
    pub(crate) fn colleague(&self, name: &str, resources: &[&str]) -> Self {
        let user = format!("{}-{name}", self.namespace);
        let resources = format!("--resource={}", resources.join(","));
        let role = ["create", "role", name, "--verb=create,get,list,watch"];
        self.platform(&[&role[..], &[&resources]].concat());
        let (role, who) = (format!("--role={name}"), format!("--user={user}"));
        self.platform(&["create", "rolebinding", name, &role, &who]);
        self.as_user(user)
    }

    /// Somebody else, who may do this in the whole cluster.
    pub(crate) fn colleague_of_the_cluster(&self, name: &str, rights: &[(&str, &str)]) -> Self {
        let user = format!("{}-{name}", self.namespace);
        for (place, (verbs, resource)) in rights.iter().enumerate() {
            let role = format!("{user}-{place}");
            let (verbs, resource) = (format!("--verb={verbs}"), format!("--resource={resource}"));
            self.platform(&["create", "clusterrole", &role, &verbs, &resource]);
            let (held, who) = (format!("--clusterrole={role}"), format!("--user={user}"));
            self.platform(&["create", "clusterrolebinding", &role, &held, &who]);
        }
        self.as_user(user)
    }

    fn as_user(&self, user: String) -> Self {
        Self {
            stage: self.stage,
            namespace: self.namespace.clone(),
            user,
        }
    }

    /// What a pod has written, once it has written anything.
    pub(crate) fn logs(&self, pod: &str) -> String {
        until(&format!("logs of {pod}"), || {
            let said = self.run(&["logs", pod]);
            let is_there = said.success && !said.stdout.is_empty();
            is_there.then_some(said.stdout).ok_or(said.stderr)
        })
    }
}

/// A pod. `spec` and what its container has beside the image are in flow style.
pub(crate) fn pod(name: &str, spec: &str, container: &str) -> String {
    let [spec, container] = [spec, container].map(|more| match more {
        "" => String::new(),
        more => format!("{more}, "),
    });
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n\
         spec: {{{spec}terminationGracePeriodSeconds: 1, containers: [{{{container}name: main, image: \"{BUSYBOX}\"}}]}}"
    )
}
