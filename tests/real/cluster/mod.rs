//! Usher in front of a real API server, seen through kubectl by ordinary users.

mod admission;
mod custom;
mod injection;
mod meddler;
mod mesh;
mod missing;
mod paths;
mod served;
mod tokens;
mod updates;

pub(in crate::real) use tokens::claims;

use std::{path::Path, process::Command, sync::OnceLock};

pub(in crate::real) use injection::eventually;
pub(in crate::real) use meddler::Meddler;

use crate::real::controlplane::usher::{UsherProcess, with_usher};
use crate::real::controlplane::{Said, feed, plane};

/// The nine kinds, each with a pod spec at `SPEC`.
pub(in crate::real) const KINDS: [(&str, &str); 9] = [
    (
        "Pod",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec: SPEC",
    ),
    (
        "PodTemplate",
        "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: NAME}\ntemplate: {metadata: {labels: {app: NAME}}, spec: SPEC}",
    ),
    (
        "ReplicationController",
        "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: NAME}\nspec: {replicas: 1, selector: {app: NAME}, template: TEMPLATE}",
    ),
    (
        "ReplicaSet",
        "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: NAME}\nspec: {selector: {matchLabels: {app: NAME}}, template: TEMPLATE}",
    ),
    (
        "Deployment",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: NAME}\nspec: {selector: {matchLabels: {app: NAME}}, template: TEMPLATE}",
    ),
    (
        "StatefulSet",
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: NAME}\nspec: {serviceName: NAME, selector: {matchLabels: {app: NAME}}, template: TEMPLATE}",
    ),
    (
        "DaemonSet",
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: NAME}\nspec: {selector: {matchLabels: {app: NAME}}, template: TEMPLATE}",
    ),
    (
        "Job",
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: NAME}\nspec: {template: {spec: SPEC}}",
    ),
    (
        "CronJob",
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: NAME}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: SPEC}}}}",
    ),
];

/// Usher, registered for the whole test run.
fn usher() -> &'static UsherProcess<'static> {
    static USHER: OnceLock<UsherProcess<'static>> = OnceLock::new();
    USHER.get_or_init(|| {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/cluster/usher.yaml");
        with_usher(plane(), Path::new(env!("CARGO_BIN_EXE_usher")), &config)
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// The port of its webhook.
pub(in crate::real) fn port() -> u16 {
    usher().port()
}

/// What it has logged so far.
pub(in crate::real) fn log() -> String {
    usher().log().unwrap()
}

/// A namespace with a user of its own, who holds the cluster role `edit` there.
pub(in crate::real) struct Team {
    pub(in crate::real) namespace: String,
    pub(in crate::real) user: String,
}

impl Team {
    pub(in crate::real) fn new(namespace: &str) -> Self {
        usher();
        let user = format!("{namespace}-jane");
        plane().namespace(namespace).unwrap();
        let team = Self {
            namespace: namespace.to_owned(),
            user,
        };
        let Self { namespace, user } = &team;
        plane()
            .run(&[
                "-n",
                namespace,
                "create",
                "rolebinding",
                "edit",
                "--clusterrole=edit",
                "--user",
                user,
            ])
            .unwrap();
        for args in [
            ["create", "serviceaccount", "deployer"].as_slice(),
            // The cluster role does not hold these.
            &[
                "create",
                "role",
                "more",
                "--verb=create,patch,update",
                "--resource=podtemplates,pods/ephemeralcontainers",
            ],
            &[
                "create",
                "rolebinding",
                "more",
                "--role=more",
                "--user",
                user,
            ],
        ] {
            plane()
                .run(&[&["-n", namespace.as_str()], args].concat())
                .unwrap();
        }
        team
    }

    /// kubectl as the user.
    pub(in crate::real) fn kubectl(&self) -> Command {
        let mut command = plane().kubectl_as(&self.user);
        command.args(["-n", &self.namespace]);
        command
    }

    /// kubectl as the user, with these arguments.
    pub(in crate::real) fn run(&self, args: &[&str]) -> Said {
        self.kubectl().args(args).output().unwrap().into()
    }

    /// `kubectl create -f -` with more arguments.
    pub(in crate::real) fn create(&self, manifest: &str, args: &[&str]) -> Said {
        let mut command = self.kubectl();
        command.args(["create", "-f", "-"]).args(args);
        feed(&mut command, manifest).unwrap().into()
    }

    /// A pod with this spec, in flow style and without its containers.
    pub(in crate::real) fn pod(&self, name: &str, spec: &str) -> Said {
        self.create(&manifest(KINDS[0].1, name, spec), &[])
    }

    /// Grants the user `use`, as `usher grant` prints it.
    pub(in crate::real) fn grant(&self, target: &str) {
        let Self { namespace, user } = self;
        let printed = Command::new(env!("CARGO_BIN_EXE_usher"))
            .args([
                "grant",
                target,
                "-n",
                namespace,
                "--to",
                &format!("user:{user}"),
            ])
            .output()
            .unwrap();
        assert!(printed.status.success(), "{printed:?}");
        plane()
            .apply(&String::from_utf8(printed.stdout).unwrap())
            .unwrap();
    }
}

/// A manifest of one of [`KINDS`]; `spec` is the pod spec in flow style, without braces and containers.
pub(in crate::real) fn manifest(kind: &str, name: &str, spec: &str) -> String {
    let restart = if kind.contains("batch/v1") {
        ", restartPolicy: Never"
    } else {
        ""
    };
    let comma = if spec.is_empty() { "" } else { ", " };
    let spec = format!("{{{spec}{comma}containers: [{{name: c, image: nginx}}]{restart}}}");
    kind.replace("TEMPLATE", "{metadata: {labels: {app: NAME}}, spec: SPEC}")
        .replace("NAME", name)
        .replace("SPEC", &spec)
}
