//! Ways 15, 20 and 26: rights that lead round any webhook. Each is used, and then reported with whoever holds it.

use std::path::Path;

use super::{gives, scanned, team};
use crate::real::{
    cluster::{KINDS, Team, eventually, manifest},
    controlplane::{ControlPlane, Options, Said, feed, plane, usher::with_usher},
};

#[test]
fn nobody_binds_what_they_do_not_hold_but_whoever_may_bind() {
    let team = Team::new("ways-binds");
    let Team { namespace, user } = &team;
    let rbac = |verb, kind: &str| {
        let resource = format!("{kind}.rbac.authorization.k8s.io");
        gives(plane(), Some(namespace), user, verb, &resource);
    };
    rbac("create", "rolebindings");
    rbac("create", "roles");
    let account = format!("--serviceaccount={namespace}:default");
    let bind = |name| {
        let binding = ["create", "rolebinding", name, "--clusterrole=admin"];
        team.run(&[&binding[..], &[&account]].concat())
    };
    let write = |name: &str| {
        let role = format!(
            "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: {name}}}, \
             rules: [{{apiGroups: [''], resources: [serviceaccounts], verbs: [use]}}]}}"
        );
        team.create(&role, &[])
    };
    let held = || scanned(plane(), user);
    let by_edit = "ways-binds: impersonate, secrets";
    assert_eq!(held(), [by_edit]);
    for said in [bind("alone"), write("alone")] {
        assert!(
            !said.success
                && said
                    .stderr
                    .contains("is attempting to grant RBAC permissions not currently held"),
            "{said:?}"
        );
    }
    rbac("bind", "clusterroles");
    rbac("escalate", "roles");
    assert_eq!(
        held(),
        [by_edit, "ways-binds: bind", "ways-binds: escalate"]
    );
    bind("helped").passes();
    write("helped").passes();
}

#[test]
fn a_driver_has_kubelets_hand_it_tokens() {
    let team = Team::new("ways-driver");
    let Team { namespace, user } = &team;
    let node = "system:node:ways-driver-1";
    plane()
        .apply("apiVersion: v1\nkind: Node\nmetadata: {name: ways-driver-1}")
        .unwrap();
    let spec = "nodeName: ways-driver-1, serviceAccountName: deployer, volumes: [{name: v, csi: {driver: tokens.example.org, volumeAttributes: {audience: vault}}}]";
    let pod = manifest(KINDS[0].1, "web", spec);
    let placed = pod.replace("{name: web}", "{namespace: ways-driver, name: web}");
    plane().apply(&placed).unwrap();
    let get = [
        "-n",
        namespace,
        "get",
        "pod",
        "web",
        "-o",
        "jsonpath={.metadata.uid}",
    ];
    let uid = format!("--bound-object-uid={}", plane().run(&get).unwrap());
    let kubelet = plane().kubeconfig_for(node, &["system:nodes"]).unwrap();
    let asks = || -> Said {
        let mut kubectl = plane().kubectl();
        kubectl.env("KUBECONFIG", &kubelet);
        kubectl.args([
            "-n",
            namespace,
            "create",
            "token",
            "deployer",
            "--audience=vault",
            &uid,
        ]);
        kubectl.args(["--bound-object-kind=Pod", "--bound-object-name=web"]);
        kubectl.output().unwrap().into()
    };
    // Without such a driver a kubelet has no use for the audience, whatever the volume says, and is not given it.
    let before = eventually("the node is known to have the pod", || {
        let said = asks();
        said.stderr.contains("audience").then_some(said)
    });
    assert!(
        !before.success && !before.stderr.contains("usher"),
        "{before:?}"
    );

    gives(plane(), None, user, "create", "csidrivers.storage.k8s.io");
    let driver = "{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: tokens.example.org}, \
                  spec: {volumeLifecycleModes: [Ephemeral], tokenRequests: [{audience: vault}]}}";
    team.create(driver, &[]).passes();
    eventually("the kubelet is given a token for the driver", || {
        asks().success.then_some(())
    });
    assert_eq!(
        scanned(plane(), user),
        [
            "the whole cluster: csi-drivers",
            "ways-driver: impersonate, secrets"
        ]
    );
}

#[test]
fn the_registration_is_taken_away() {
    // Its own: the others need theirs.
    let plane = ControlPlane::start(Options::default()).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/cluster/usher.yaml");
    let _usher = with_usher(&plane, Path::new(env!("CARGO_BIN_EXE_usher")), &config).unwrap();
    team(&plane);
    let kind = "validatingwebhookconfigurations";
    let resource = format!("{kind}.admissionregistration.k8s.io");
    gives(&plane, None, "jane", "list,delete", &resource);
    let borrows = || -> Said {
        let mut kubectl = plane.kubectl_as("jane");
        kubectl.args(["-n", "team", "create", "-f", "-"]);
        let pod = manifest(KINDS[0].1, "web", "serviceAccountName: deployer");
        feed(&mut kubectl, &pod).unwrap().into()
    };
    borrows().refused_by(
        super::WEBHOOK,
        "jane may not use serviceaccount \"deployer\" in namespace team",
    );
    assert_eq!(
        scanned(&plane, "jane"),
        ["the whole cluster: webhooks", "team: impersonate, secrets"]
    );
    let taken = plane
        .kubectl_as("jane")
        .args(["delete", kind, "--all"])
        .output();
    Said::from(taken.unwrap()).passes();
    eventually("the API server learns of it", || {
        borrows().success.then_some(())
    });
}
