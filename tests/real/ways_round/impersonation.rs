//! Way 12: to act as an account by a header. No webhook sees who really asks, so that the right is reported, and taken out of
//! the roles of Kubernetes.

use std::{
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{scanned, team, usher};
use crate::real::controlplane::{ControlPlane, Options};

/// Whether the API server lets jane do this with an account of her namespace.
fn may(plane: &ControlPlane, args: &[&str]) -> bool {
    // With a certificate of her own: kubectl can act as only one user at a time.
    let jane = plane.kubeconfig_for("jane", &[]).unwrap();
    let mut kubectl = Command::new(plane.kubectl_path());
    kubectl.arg("--kubeconfig").arg(jane).args(["-n", "team"]);
    kubectl.args(args).output().unwrap().status.success()
}

/// Acts as the account, by a header.
const ACT: [&str; 4] = [
    "auth",
    "whoami",
    "--as",
    "system:serviceaccount:team:deployer",
];
/// Asks for a token of it.
const TOKEN: [&str; 3] = ["create", "token", "deployer"];

#[test]
fn the_right_to_impersonate_is_reported_and_taken_out_of_edit_for_good() {
    // Its own, for the roles of the others stay as they are.
    let mut plane = ControlPlane::start(Options::default()).unwrap();
    team(&plane);
    // A label does not hide who holds it.
    let label = "kubernetes.io/bootstrapping=rbac-defaults";
    plane
        .run(&["-n", "team", "label", "rolebinding", "edit", label])
        .unwrap();
    assert!(may(&plane, &ACT) && may(&plane, &TOKEN));
    assert_eq!(scanned(&plane, "jane"), ["team: impersonate, secrets"]);

    let hardened = usher(
        &plane,
        &["generate", "hardened-roles", "--without", "secrets"],
    );
    assert!(hardened.status.success(), "{hardened:?}");
    let mut apply = plane.kubectl();
    apply.args(["apply", "--server-side", "--force-conflicts", "-f", "-"]);
    let roles = String::from_utf8(hardened.stdout).unwrap();
    let said = crate::real::controlplane::feed(&mut apply, &roles).unwrap();
    assert!(said.status.success(), "{said:?}");
    // The controller puts edit together anew.
    let start = Instant::now();
    while may(&plane, &ACT) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "edit is not put together anew"
        );
        sleep(Duration::from_millis(100));
    }
    plane.restart_apiserver().unwrap();
    let start = Instant::now();
    while !usher(&plane, &["scan"]).status.success() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{:?}",
            usher(&plane, &["scan"])
        );
        sleep(Duration::from_millis(100));
    }
    assert!(!may(&plane, &ACT) && !may(&plane, &TOKEN));
    assert!(scanned(&plane, "jane").is_empty());
    // What else edit is for stays.
    let mut kubectl = plane.kubectl_as("jane");
    let run = kubectl.args([
        "-n",
        "team",
        "create",
        "deployment",
        "web",
        "--image",
        "nginx",
    ]);
    let said = run.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    // A second time there is nothing to take out.
    let again = usher(
        &plane,
        &["generate", "hardened-roles", "--without", "secrets"],
    );
    assert!(
        again.status.success() && again.stdout.is_empty(),
        "{again:?}"
    );
}
