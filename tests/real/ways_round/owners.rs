//! Whose pod it is: owners that are claimed, named wrongly, gone and back again, and controllers that only bear the name.

use std::{fs, thread};

use serde_json::{Value, json};

use super::{Tenants, WEBHOOK};
use crate::real::{
    cluster::{KINDS, Team, eventually, log, manifest},
    controlplane::{Said, feed, plane},
};

const CONTROLLERS: &str = "system:serviceaccount:kube-system:";

/// Creates an object as somebody.
fn create_as(user: &str, team: &Team, object: &Value) -> Said {
    let mut command = plane().kubectl_as(user);
    command.args(["-n", &team.namespace, "create", "-f", "-"]);
    feed(&mut command, &object.to_string()).unwrap().into()
}

/// The same as a controller of Kubernetes, which the administrator impersonates.
fn made_by(controller: &str, team: &Team, object: &Value) -> Said {
    create_as(&format!("{CONTROLLERS}{controller}"), team, object)
}

/// An administrator's ReplicaSet of this account, which makes no pods by itself; its owner reference.
fn replica_set(team: &Team, name: &str, account: &str) -> Value {
    let set = manifest(KINDS[3].1, name, &format!("serviceAccountName: {account}"));
    let set = set.replacen("spec: {", "spec: {replicas: 0, ", 1);
    let namespace = ["-n", team.namespace.as_str()];
    let mut create = plane().kubectl();
    create.args(namespace).args(["create", "-f", "-"]);
    let said: Said = feed(&mut create, &set).unwrap().into();
    said.passes();
    let path = ["get", "replicaset", name, "-o", "jsonpath={.metadata.uid}"];
    let uid = plane().run(&[&namespace[..], &path].concat()).unwrap();
    reference("ReplicaSet", name, &uid)
}

fn reference(kind: &str, name: &str, uid: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true})
}

/// A pod of this account that says whose it is.
fn pod(account: &str, owners: &[&Value]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "web-", "ownerReferences": owners},
        "spec": {"serviceAccountName": account, "containers": [{"name": "c", "image": "nginx"}]},
    })
}

#[test]
fn a_pod_claims_an_owner_of_the_administrator() {
    let tenants = Tenants::new("claimed");
    let owners = tenants
        .both()
        .map(|team| replica_set(team, "web", "deployer"));
    let [free, guarded] = tenants.both();
    create_as(&free.user, free, &pod("deployer", &[&owners[0]])).passes();
    let refused = |owner: &Value| {
        create_as(&guarded.user, guarded, &pod("deployer", &[owner])).refused_by(
            WEBHOOK,
            "ways-claimed-jane may not use serviceaccount \"deployer\" in namespace ways-claimed (spec.serviceAccountName)",
        );
    };
    refused(&owners[1]);
    // Of the other namespace, with its own uid.
    refused(&owners[0]);
    // The controller itself is believed only about an owner of the namespace.
    made_by(
        "replicaset-controller",
        guarded,
        &pod("deployer", &[&owners[0]]),
    )
    .refused_by(WEBHOOK, "ReplicaSet web has another uid");
    made_by(
        "replicaset-controller",
        guarded,
        &pod("deployer", &[&owners[1]]),
    )
    .passes();
}

#[test]
fn the_name_of_a_controller_is_not_enough() {
    let tenants = Tenants::new("named-controller");
    let [free, guarded] = tenants.both();
    let owner = replica_set(guarded, "web", "default");
    let by = "replicaset-controller";
    // Whoever may impersonate it acts with its rights.
    made_by(by, free, &pod("deployer", &[])).passes();
    for (owners, why) in [
        (
            &[][..],
            "it does not have exactly one controller as its owner",
        ),
        (&[&owner], "ReplicaSet web does not say so"),
    ] {
        made_by(by, guarded, &pod("deployer", owners)).refused_by(WEBHOOK, why);
    }
    // What the controller of a DaemonSet adds, another does not.
    let mut tolerates = pod("default", &[&owner]);
    tolerates["spec"]["tolerations"] = json!([
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
    ]);
    made_by(by, guarded, &tolerates).refused_by(
        WEBHOOK,
        "needs: verb use on tolerations.usher.dev \"node.kubernetes.io/unschedulable:NoSchedule\"",
    );
    made_by(by, free, &tolerates).passes();
    made_by(by, guarded, &pod("default", &[&owner])).passes();
}

/// Who really asks, the API server tells only in its audit log.
#[test]
fn an_impersonated_account_is_judged_by_its_name_and_told_of() {
    let team = &Tenants::new("impersonated").guarded;
    let account = format!("system:serviceaccount:{}:builder", team.namespace);
    let namespace = ["-n", &*team.namespace];
    for args in [
        &["create", "serviceaccount", "builder"][..],
        &[
            "create",
            "rolebinding",
            "builds",
            "--clusterrole=edit",
            "--user",
            &account,
        ],
    ] {
        plane().run(&[&namespace[..], args].concat()).unwrap();
    }
    let deployer = pod("deployer", &[]);
    let words = format!("{account} may not use serviceaccount \"deployer\"");
    create_as(&account, team, &deployer).refused_by(WEBHOOK, &words);
    // With a token of its own: that of a pod, which is told, too.
    let kubeconfig = plane().kubeconfig_of(&team.namespace, "builder").unwrap();
    let mut own = plane().kubectl();
    own.env("KUBECONFIG", kubeconfig)
        .args(namespace)
        .args(["create", "-f", "-"]);
    Said::from(feed(&mut own, &deployer.to_string()).unwrap()).refused_by(WEBHOOK, &words);
    // What the account may, it may however it comes.
    create_as(&account, team, &pod("builder", &[])).passes();
    let log = log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains(&words)).collect();
    let [impersonated, by_token] = &*told else {
        panic!("{told:?}")
    };
    assert!(
        impersonated.contains(&format!("by {account} (impersonated): ")),
        "{impersonated}"
    );
    assert!(
        by_token.contains(&format!("by {account} (of pod builder-")),
        "{by_token}"
    );
    let audited = eventually("the audit log", || {
        let log = fs::read_to_string(plane().audit_log().unwrap()).unwrap();
        let impersonated = format!("\"impersonatedUser\":{{\"username\":\"{account}\"");
        let mut lines = log.lines();
        lines
            .find(|line| line.contains(&impersonated))
            .map(str::to_owned)
    });
    assert!(
        audited.contains("\"user\":{\"username\":\"admin\""),
        "{audited}"
    );
}

#[test]
fn an_owner_comes_back_under_its_name_with_another_account() {
    let tenants = Tenants::new("recreated");
    let team = &tenants.guarded;
    let by = "replicaset-controller";
    let again = |account| {
        let namespace = &team.namespace;
        let delete = ["delete", "replicaset", "web", "--cascade=orphan"];
        plane()
            .run(&[&["-n", namespace], &delete[..]].concat())
            .unwrap();
        replica_set(team, "web", account)
    };
    let first = replica_set(team, "web", "deployer");
    made_by(by, team, &pod("deployer", &[&first])).passes();
    let second = again("default");
    // Neither borrows what the other was granted.
    made_by(by, team, &pod("deployer", &[&first]))
        .refused_by(WEBHOOK, "ReplicaSet web has another uid");
    made_by(by, team, &pod("deployer", &[&second]))
        .refused_by(WEBHOOK, "ReplicaSet web does not say so");
    made_by(by, team, &pod("default", &[&second])).passes();
    let third = again("deployer");
    for old in [&first, &second] {
        made_by(by, team, &pod("deployer", &[old]))
            .refused_by(WEBHOOK, "ReplicaSet web has another uid");
    }
    made_by(by, team, &pod("deployer", &[&third])).passes();
}

#[test]
fn two_controllers_race_and_each_carries_out_its_own() {
    let tenants = Tenants::new("race");
    let team = &tenants.guarded;
    let strong = replica_set(team, "strong", "deployer");
    let weak = replica_set(team, "weak", "default");
    let by = "replicaset-controller";
    let tries = |owner: &Value, account: &str| {
        (0..10)
            .map(|_| made_by(by, team, &pod(account, &[owner])))
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let all = [
            (&strong, "deployer", true),
            (&weak, "deployer", false),
            (&weak, "default", true),
        ];
        let racing = all
            .map(|(owner, account, passes)| (scope.spawn(move || tries(owner, account)), passes));
        for (tried, passes) in racing {
            for said in tried.join().unwrap() {
                if passes {
                    said.passes();
                } else {
                    said.refused_by(WEBHOOK, "ReplicaSet weak does not say so");
                }
            }
        }
    });
    // References that lie: the kind of another controller, and one that names no owner of that kind.
    made_by("statefulset-controller", team, &pod("deployer", &[&strong]))
        .refused_by(WEBHOOK, "its owner belongs to another controller");
    let uid = strong["uid"].as_str().unwrap();
    let other = reference("StatefulSet", "strong", uid);
    made_by("statefulset-controller", team, &pod("deployer", &[&other]))
        .refused_by(WEBHOOK, "StatefulSet strong was not found");
    // Of two owners the controller counts; two controllers the API server does not take.
    let mut owned = weak.clone();
    owned["controller"] = json!(false);
    made_by(by, team, &pod("deployer", &[&strong, &owned])).passes();
    owned = strong.clone();
    owned["controller"] = json!(false);
    made_by(by, team, &pod("deployer", &[&weak, &owned]))
        .refused_by(WEBHOOK, "ReplicaSet weak does not say so");
    let said = made_by(by, team, &pod("deployer", &[&strong, &weak]));
    assert!(
        said.stderr
            .contains("Only one reference can have Controller set to true"),
        "{said:?}"
    );
}

#[test]
fn a_job_is_made_from_a_cron_job_of_the_administrator() {
    let tenants = Tenants::new("from-cron");
    let cron = manifest(KINDS[8].1, "nightly", "serviceAccountName: deployer");
    for team in tenants.both() {
        let mut create = plane().kubectl();
        create.args(["-n", &team.namespace, "create", "-f", "-"]);
        Said::from(feed(&mut create, &cron).unwrap()).passes();
    }
    let make = ["create", "job", "--from=cronjob/nightly", "now"];
    tenants.free.run(&make).passes();
    tenants.guarded.run(&make).refused_by(
        WEBHOOK,
        "ways-from-cron-jane may not use serviceaccount \"deployer\" in namespace ways-from-cron (spec.template.spec.serviceAccountName)",
    );
    tenants.guarded.grant("serviceaccounts/deployer");
    tenants.guarded.run(&make).passes();
}
