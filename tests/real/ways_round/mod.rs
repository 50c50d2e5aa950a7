//! Every way to the power of an account or to a node that leads around the pod spec: one test for each, on the real API
//! server. First the way works, in a namespace that Usher does not guard; then it does not, in one that it does.

mod accounts;
mod binding;
mod certificates;
mod connections;
mod controllers;
mod devices;
mod impersonation;
mod namespaces;
mod owners;
mod pod_fields;
mod pods;
mod registration;
mod reported;
mod revisions;
mod secrets;

use std::process::{Command, Output};

use serde_json::Value;

use crate::real::{
    cluster::{KINDS, Team, manifest},
    controlplane::{ControlPlane, plane},
};

/// The registration that judges what carries a pod spec.
const WEBHOOK: &str = "validate.usher.dev";

/// Two namespaces with the same tenant role: Usher guards one of them only.
struct Tenants {
    /// The configuration excludes it.
    free: Team,
    guarded: Team,
}

impl Tenants {
    /// `name` is that of the way.
    fn new(name: &str) -> Self {
        Self {
            free: Team::new(&format!("unguarded-{name}")),
            guarded: Team::new(&format!("ways-{name}")),
        }
    }

    fn both(&self) -> [&Team; 2] {
        [&self.free, &self.guarded]
    }

    /// An administrator writes a pod with this spec into both namespaces.
    fn pod(&self, name: &str, spec: &str) {
        for team in self.both() {
            let namespace = &team.namespace;
            let manifest = manifest(KINDS[0].1, name, spec);
            let placed = manifest.replacen(
                "metadata: {name",
                &format!("metadata: {{namespace: {namespace}, name"),
                1,
            );
            plane().apply(&placed).unwrap();
        }
    }

    /// An administrator gives both tenants some verbs on a resource that the role `edit` does not hold.
    fn may(&self, verbs: &str, resource: &str) {
        for Team { namespace, user } in self.both() {
            gives(plane(), Some(namespace), user, verbs, resource);
        }
    }
}

/// Gives a user these verbs on a resource, in a namespace or in the whole cluster.
fn gives(plane: &ControlPlane, namespace: Option<&str>, user: &str, verbs: &str, resource: &str) {
    let name = format!("{user}-{verbs}-{resource}").replace(['/', ','], "-");
    let (verbs, resource) = (format!("--verb={verbs}"), format!("--resource={resource}"));
    let who = format!("--user={user}");
    let (kind, held) = match namespace {
        Some(_) => ("role", format!("--role={name}")),
        None => ("clusterrole", format!("--clusterrole={name}")),
    };
    let binding = format!("{kind}binding");
    let place = namespace.map_or_else(Vec::new, |namespace| vec!["-n", namespace]);
    for args in [
        ["create", kind, &name, &verbs, &resource].as_slice(),
        &["create", &binding, &name, &held, &who],
    ] {
        plane.run(&[&place[..], args].concat()).unwrap();
    }
}

/// The namespace `team` of a control plane of its own, with the account `deployer`; jane holds the cluster role `edit` there.
fn team(plane: &ControlPlane) {
    plane.namespace("team").unwrap();
    for args in [
        &["create", "serviceaccount", "deployer"][..],
        &[
            "create",
            "rolebinding",
            "edit",
            "--clusterrole=edit",
            "--user=jane",
        ],
    ] {
        plane.run(&[&["-n", "team"], args].concat()).unwrap();
    }
}

/// `usher` as the administrator of this cluster.
fn usher(plane: &ControlPlane, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command.args(args).env("KUBECONFIG", plane.kubeconfig());
    command.output().unwrap()
}

/// Which ways a user holds and where, as `usher scan` says: `team: impersonate, secrets`.
fn scanned(plane: &ControlPlane, user: &str) -> Vec<String> {
    let said = usher(plane, &["scan", "--format", "json"]);
    let report: Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    let holdings = report["holdings"].as_array().unwrap().iter();
    holdings
        .filter(|held| held["subject"] == format!("user {user}"))
        .map(|held| {
            let ways = held["ways"].as_array().unwrap().iter();
            let ways: Vec<_> = ways.filter_map(Value::as_str).collect();
            let namespace = held["namespace"].as_str().unwrap_or("the whole cluster");
            format!("{namespace}: {}", ways.join(", "))
        })
        .collect()
}
