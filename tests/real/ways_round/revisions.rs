//! Way 17: a revision of a StatefulSet is forged, so that its controller makes pods of another account.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::Tenants;
use crate::real::{
    cluster::{Team, eventually},
    controlplane::{Said, feed, plane},
};

const WEBHOOK: &str = "validate-revisions.usher.dev";

/// A revision that belongs to nobody yet.
fn revision(account: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: ControllerRevision, metadata: {{name: forged, labels: {{app: web}}}}, revision: 7, \
         data: {{spec: {{template: {{$patch: replace, metadata: {{labels: {{app: web}}}}, \
         spec: {{serviceAccountName: {account}, containers: [{{name: c, image: nginx}}]}}}}}}}}}}"
    )
}

#[test]
fn a_revision_is_forged() {
    let tenants = Tenants::new("revisions");
    tenants.may("create,update,patch,delete,get", "controllerrevisions.apps");
    let (free, guarded) = (&tenants.free, &tenants.guarded);
    free.create(&revision("deployer"), &[]).passes();
    guarded.create(&revision("deployer"), &[]).refused_by(
        WEBHOOK,
        "ways-revisions-jane may not use serviceaccount \"deployer\" in namespace ways-revisions",
    );
    guarded.create(&revision("default"), &[]).passes();
    guarded
        .run(&["label", "controllerrevision", "forged", "color=blue"])
        .passes();
    guarded
        .run(&["delete", "controllerrevision", "forged"])
        .passes();
    guarded.grant("serviceaccounts/deployer");
    guarded.create(&revision("deployer"), &[]).passes();
}

/// The account of a pod that was made after the one of this uid, and the uid.
fn next(team: &Team, before: &str) -> (String, String) {
    let start = Instant::now();
    loop {
        let path = "jsonpath={.spec.serviceAccountName} {.metadata.uid}";
        let pod = team.run(&["get", "pod", "web-1", "-o", path]);
        if let Some((account, uid)) = pod.stdout.trim().split_once(' ')
            && uid != before
        {
            return (account.to_owned(), uid.to_owned());
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{pod:?}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_stateful_set_whose_account_has_changed_goes_on() {
    let team = Team::new("ways-rollout");
    team.grant("serviceaccounts/deployer");
    let set = |account: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: web}}, spec: {{serviceName: web, replicas: 2, \
             podManagementPolicy: Parallel, updateStrategy: {{type: OnDelete}}, selector: {{matchLabels: {{app: web}}}}, \
             template: {{metadata: {{labels: {{app: web}}}}, \
             spec: {{serviceAccountName: {account}, containers: [{{name: c, image: nginx}}]}}}}}}}}"
        )
    };
    team.create(&set("deployer"), &[]).passes();
    let (account, uid) = next(&team, "");
    assert_eq!(account, "deployer");
    let patch = "{\"spec\": {\"updateStrategy\": {\"type\": \"RollingUpdate\", \"rollingUpdate\": {\"partition\": 2}}, \
                 \"template\": {\"spec\": {\"serviceAccountName\": \"default\"}}}}";
    team.run(&["patch", "statefulset", "web", "-p", patch])
        .passes();
    // Below the partition the controller makes the pod anew from the revision before, which its author wrote while he might.
    team.run(&["delete", "pod", "web-1", "--now", "--wait=false"])
        .passes();
    let (account, _) = next(&team, &uid);
    assert_eq!(account, "deployer");
}

/// A StatefulSet whose controller makes its only pod of the revision before.
fn held_back() -> String {
    "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web}, spec: {serviceName: web, replicas: 1, \
     updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}, selector: {matchLabels: {app: web}}, \
     template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}}}"
        .to_owned()
}

#[test]
fn a_revision_is_replaced_by_another_that_the_controller_adopts() {
    let tenants = Tenants::new("adopted");
    tenants.may("create,delete,get,list", "controllerrevisions.apps");
    let replace = |team: &Team| {
        team.create(&held_back(), &[]).passes();
        let current = eventually("the current revision", || {
            let path = "jsonpath={.status.currentRevision}";
            let said = team.run(&["get", "statefulset", "web", "-o", path]).stdout;
            (!said.is_empty()).then_some(said)
        });
        eventually("its pod", || {
            let pod = team.run(&["get", "pod", "web-0", "-o", "name"]);
            pod.success.then_some(())
        });
        // It names nobody's account but everybody's.
        team.run(&["delete", "controllerrevision", &current])
            .passes();
        let forged = revision("deployer").replacen("name: forged", &format!("name: {current}"), 1);
        let forged = team.create(&forged, &[]);
        team.run(&["delete", "pod", "web-0", "--now", "--wait=false"])
            .passes();
        forged
    };
    let account = |team: &Team, account: &str| {
        eventually("the pod again", || {
            let path = "jsonpath={.spec.serviceAccountName} {.metadata.deletionTimestamp}";
            let pod = team.run(&["get", "pod", "web-0", "-o", path]).stdout;
            (pod.trim() == account).then_some(())
        });
    };
    replace(&tenants.free).passes();
    account(&tenants.free, "deployer");
    replace(&tenants.guarded).refused_by(
        WEBHOOK,
        "ways-adopted-jane may not use serviceaccount \"deployer\" in namespace ways-adopted",
    );
    account(&tenants.guarded, "default");
    // Nor does a tenant take away what an administrator's set goes back to.
    let kept = revision("deployer").replacen("name: forged", "name: kept", 1);
    let mut create = plane().kubectl();
    create.args(["-n", &tenants.guarded.namespace, "create", "-f", "-"]);
    Said::from(feed(&mut create, &kept).unwrap()).passes();
    tenants
        .guarded
        .run(&["delete", "controllerrevision", "kept"])
        .refused_by(WEBHOOK, "may not use serviceaccount \"deployer\"");
}

#[test]
fn the_garbage_collector_sets_no_revision_free_of_which_nobody_was_asked() {
    let tenants = Tenants::new("set-free");
    tenants.may("create,get,list", "controllerrevisions.apps");
    // Of a revision that belongs to an object of another kind no set makes a pod, so that nobody is asked about it.
    let owned = |team: &Team| {
        let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}";
        team.create(map, &[]).passes();
        let uid = team.run(&["get", "configmap", "mine", "-o", "jsonpath={.metadata.uid}"]);
        let owner = format!(
            "name: forged, ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: mine, uid: {}, controller: true}}]",
            uid.stdout.trim()
        );
        let forged = revision("deployer").replacen("name: forged", &owner, 1);
        team.create(&forged, &[]).passes();
    };
    let owner = |team: &Team| {
        let path = "jsonpath={.metadata.ownerReferences[*].kind}";
        let said = team.run(&["get", "controllerrevision", "forged", "-o", path]);
        said.stdout.trim().to_owned()
    };
    owned(&tenants.free);
    tenants
        .free
        .run(&[
            "delete",
            "configmap",
            "mine",
            "--cascade=orphan",
            "--wait=false",
        ])
        .passes();
    eventually("a revision of nobody's", || {
        owner(&tenants.free).is_empty().then_some(())
    });
    owned(&tenants.guarded);
    let collector = "--as=system:serviceaccount:kube-system:generic-garbage-collector";
    let orphan = r#"[{"op": "remove", "path": "/metadata/ownerReferences"}]"#;
    let mut patch = plane().kubectl();
    patch.args(["-n", &tenants.guarded.namespace, collector]);
    patch.args([
        "patch",
        "controllerrevision",
        "forged",
        "--type=json",
        "-p",
        orphan,
    ]);
    Said::from(patch.output().unwrap()).refused_by(
        WEBHOOK,
        "generic-garbage-collector may not use serviceaccount \"deployer\" in namespace ways-set-free",
    );
    assert_eq!(owner(&tenants.guarded), "ConfigMap");
    // What it made of a set's own it takes off.
    tenants.guarded.create(&held_back(), &[]).passes();
    let path = "jsonpath={.items[*].metadata.ownerReferences[*].kind}";
    let of_sets = || {
        tenants
            .guarded
            .run(&["get", "controllerrevisions", "-o", path])
            .stdout
    };
    eventually("a revision of the set", || {
        of_sets().contains("StatefulSet").then_some(())
    });
    tenants
        .guarded
        .run(&[
            "delete",
            "statefulset",
            "web",
            "--cascade=orphan",
            "--wait=false",
        ])
        .passes();
    eventually("a set's revision of nobody's", || {
        (!of_sets().contains("StatefulSet")).then_some(())
    });
}
