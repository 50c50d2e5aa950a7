//! Ways 2 to 5, 22 and those to a tainted node, as a tenant tries them on a pod or a template.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{Tenants, WEBHOOK};
use crate::real::{
    cluster::{KINDS, Meddler, Team, manifest},
    controlplane::{Said, feed, plane},
};

/// An object as the API server has it.
fn live(team: &Team, kind: &str, name: &str) -> Value {
    let get = ["-n", &team.namespace, "get", kind, name, "-o", "json"];
    serde_json::from_str(&plane().run(&get).unwrap()).unwrap()
}

#[test]
fn an_ephemeral_container_mounts_the_token() {
    let tenants = Tenants::new("ephemeral");
    tenants.pod("web", "serviceAccountName: deployer");
    let add = |team: &Team| -> Said {
        let mut pod = live(team, "pod", "web");
        let volume = pod["spec"]["volumes"][0]["name"].clone();
        assert!(volume.as_str().unwrap().starts_with("kube-api-access-"));
        pod["spec"]["ephemeralContainers"] = json!([{
            "name": "thief", "image": "busybox",
            "volumeMounts": [{"name": volume, "mountPath": "/token"}],
        }]);
        let path = format!(
            "/api/v1/namespaces/{}/pods/web/ephemeralcontainers",
            team.namespace
        );
        let mut replace = team.kubectl();
        replace.args(["replace", "--raw", &path, "-f", "-"]);
        feed(&mut replace, &pod.to_string()).unwrap().into()
    };
    add(&tenants.free).passes();
    add(&tenants.guarded).refused_by(
        WEBHOOK,
        "ways-ephemeral-jane may not use serviceaccount \"deployer\" in namespace ways-ephemeral (spec.serviceAccountName)",
    );
    tenants.guarded.grant("serviceaccounts/deployer");
    add(&tenants.guarded).passes();
}

#[test]
fn another_webhook_makes_the_two_fields_of_the_account_disagree() {
    let tenants = Tenants::new("disagree");
    let _meddlers = tenants.both().map(|team| Meddler::start(&team.namespace));
    let make = |team: &Team, name: &str, spec: &str| {
        let pod = manifest(KINDS[0].1, name, "");
        let annotated = format!("{{annotations: {{meddler.example.org/spec: '{spec}'}}, name");
        team.create(&pod.replacen("{name", &annotated, 1), &[])
    };
    let newer = r#"{"serviceAccountName": "deployer", "serviceAccount": "default"}"#;
    let resurrected = r#"{"serviceAccountName": null, "serviceAccount": "deployer"}"#;
    for (name, spec) in [("newer", newer), ("resurrected", resurrected)] {
        make(&tenants.free, name, spec).passes();
        let made = live(&tenants.free, "pod", name);
        assert_eq!(made["spec"]["serviceAccountName"], "deployer", "{made}");
        make(&tenants.guarded, name, spec).refused_by(
            WEBHOOK,
            "may not use serviceaccount \"deployer\" in namespace ways-disagree (spec.serviceAccount",
        );
    }
    // The older field alone says nothing.
    let older = r#"{"serviceAccountName": "default", "serviceAccount": "deployer"}"#;
    make(&tenants.guarded, "older", older).passes();
    let made = live(&tenants.guarded, "pod", "older");
    assert_eq!(made["spec"]["serviceAccountName"], "default", "{made}");
    assert_eq!(made["spec"]["serviceAccount"], "default", "{made}");
}

#[test]
fn a_suspended_job_is_given_tolerations() {
    let tenants = Tenants::new("suspended");
    let job = manifest(KINDS[7].1, "batch", "").replacen("spec: {", "spec: {suspend: true, ", 1);
    let tolerations = r#"[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]"#;
    let patch =
        format!("{{\"spec\": {{\"template\": {{\"spec\": {{\"tolerations\": {tolerations}}}}}}}}}");
    let tolerate = ["patch", "job", "batch", "-p", &patch];
    for team in tenants.both() {
        team.create(&job, &[]).passes();
    }
    tenants.free.run(&tolerate).passes();
    let guarded = &tenants.guarded;
    guarded.run(&tolerate).refused_by(
        WEBHOOK,
        "needs: verb use on tolerations.usher.dev \"gpu:NoSchedule\" in ways-suspended",
    );
    guarded.grant("tolerations.usher.dev/gpu:NoSchedule");
    guarded.run(&tolerate).passes();
    // To let it run is no use of anything new.
    let resume = [
        "patch",
        "job",
        "batch",
        "-p",
        r#"{"spec": {"suspend": false}}"#,
    ];
    guarded.run(&resume).passes();
}

#[test]
fn a_template_names_a_node() {
    let tenants = Tenants::new("template-node");
    let [free, guarded] = tenants.both();
    let kinds = &KINDS[1..];
    for (kind, template) in kinds {
        let object = manifest(template, "pinned", "nodeName: tainted");
        // Nobody wants their pods.
        let object = object.replacen("replicas: 1", "replicas: 0", 1).replacen(
            "selector: {matchLabels",
            "replicas: 0, selector: {matchLabels",
            1,
        );
        let object = if *kind == "DaemonSet" {
            object.replacen("replicas: 0, ", "", 1)
        } else {
            object
        };
        free.create(&object, &[]).passes();
        let said = guarded.create(&object, &[]);
        said.refused_by(
            WEBHOOK,
            "may not use node \"tainted\" in namespace ways-template-node",
        );
    }
}

#[test]
fn a_toleration_of_a_daemon_set_is_taken_by_a_tenant() {
    let tenants = Tenants::new("daemon");
    for (index, name) in [
        "disk-pressure",
        "pid-pressure",
        "unschedulable",
        "network-unavailable",
    ]
    .iter()
    .enumerate()
    {
        let spec = format!(
            "tolerations: [{{key: node.kubernetes.io/{name}, operator: Exists, effect: NoSchedule}}]"
        );
        let pod = format!("t-{index}");
        tenants.free.pod(&pod, &spec).passes();
        let needs = format!(
            "needs: verb use on tolerations.usher.dev \"node.kubernetes.io/{name}:NoSchedule\""
        );
        tenants.guarded.pod(&pod, &spec).refused_by(WEBHOOK, &needs);
    }
}

#[test]
fn a_replication_controller_has_no_template() {
    let tenants = Tenants::new("no-template");
    let none = "{apiVersion: v1, kind: ReplicationController, metadata: {name: web}, spec: {replicas: 0, selector: {app: web}, template: null}}";
    for team in tenants.both() {
        let said = team.create(none, &[]);
        assert!(!said.success, "{said:?}");
        assert!(
            said.stderr.contains("spec.template: Required value"),
            "{said:?}"
        );
    }
}

/// The user of a node, by a certificate: with its group, the kubelet.
fn kubelet(node: &str, groups: &[&str]) -> Command {
    let file = plane()
        .kubeconfig_for(&format!("system:node:{node}"), groups)
        .unwrap();
    let mut command = plane().kubectl();
    command.env("KUBECONFIG", file);
    command
}

#[test]
fn a_tenant_calls_a_pod_the_mirror_of_a_static_one() {
    let tenants = Tenants::new("mirror");
    for node in ["mirror-1", "mirror-2"] {
        plane()
            .apply(&format!(
                "apiVersion: v1\nkind: Node\nmetadata: {{name: {node}}}"
            ))
            .unwrap();
    }
    let uid = |node: &str| {
        let get = ["get", "node", node, "-o", "jsonpath={.metadata.uid}"];
        plane().run(&get).unwrap()
    };
    let mirror = |name: &str, node: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "annotations": {"kubernetes.io/config.mirror": "x", "kubernetes.io/config.source": "file"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid(node), "controller": true}],
            },
            "spec": {
                "nodeName": node,
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "c", "image": "nginx"}],
            },
        })
        .to_string()
    };
    let create = |mut kubectl: Command, team: &Team, pod: &str| -> Said {
        kubectl.args(["-n", &team.namespace, "create", "-f", "-"]);
        feed(&mut kubectl, pod).unwrap().into()
    };
    let [free, guarded] = tenants.both();
    let pod = mirror("static", "mirror-1");
    create(free.kubectl(), free, &pod).passes();
    let said = create(guarded.kubectl(), guarded, &pod);
    said.refused_by(WEBHOOK, "ways-mirror-jane may not use node \"mirror-1\"");
    said.refused_by(
        WEBHOOK,
        "verb use on tolerations.usher.dev \"*\" in ways-mirror",
    );
    // The kubelet itself shows its static pod; on another node the API server does not let it.
    create(kubelet("mirror-1", &["system:nodes"]), guarded, &pod).passes();
    let said = create(
        kubelet("mirror-1", &["system:nodes"]),
        guarded,
        &mirror("other", "mirror-2"),
    );
    assert!(!said.success && !said.stderr.contains("usher"), "{said:?}");
    // The name of a node without its group is nobody, whatever RBAC gives to it.
    let half = "system:node:mirror-1";
    for team in tenants.both() {
        let bind = [
            "create",
            "rolebinding",
            "half",
            "--clusterrole=edit",
            "--user",
            half,
        ];
        plane()
            .run(&[&["-n", &*team.namespace], &bind[..]].concat())
            .unwrap();
    }
    let pod = mirror("half", "mirror-1");
    create(kubelet("mirror-1", &[]), free, &pod).passes();
    create(kubelet("mirror-1", &[]), guarded, &pod)
        .refused_by(WEBHOOK, "may not use node \"mirror-1\"");
}

/// A Deployment whose only container has this in a variable.
fn large(account: &str, value: &str) -> String {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "large"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "large"}},
            "template": {
                "metadata": {"labels": {"app": "large"}},
                "spec": {
                    "serviceAccountName": account,
                    "containers": [{"name": "c", "image": "nginx", "env": [{"name": "A", "value": value}]}],
                },
            },
        },
    })
    .to_string()
}

#[test]
fn an_object_is_so_large_that_nobody_might_read_it() {
    let tenants = Tenants::new("large");
    // As it is: kubectl itself would write some signs in another way.
    let send = |team: &Team, verb: &str, object: &str| -> Said {
        let file = plane().dir().join(format!("{}-large.json", team.namespace));
        fs::write(&file, object).unwrap();
        let name = if verb == "create" { "" } else { "/large" };
        let Team { namespace, .. } = team;
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments{name}");
        team.run(&[verb, "--raw", &path, "-f", file.to_str().unwrap()])
    };
    // As large as etcd takes it; the review holds it twice.
    let plain = "x".repeat(1_400_000);
    for team in tenants.both() {
        send(team, "create", &large("default", &plain)).passes();
    }
    let taken = large("deployer", &plain);
    send(&tenants.free, "replace", &taken).passes();
    send(&tenants.guarded, "replace", &taken).refused_by(
        WEBHOOK,
        "ways-large-jane may not use serviceaccount \"deployer\" in namespace ways-large",
    );
    // In JSON as Go writes it, this sign is six bytes: more than Usher reads. What it does not read is refused.
    let escaped = "<".repeat(1_300_000);
    for team in tenants.both() {
        send(team, "replace", &large("default", &escaped)).passes();
    }
    // Nor is anything else that is so large, be it in a namespace that the configuration excludes: Usher has not read that.
    let taken = large("deployer", &escaped);
    let said = send(&tenants.guarded, "replace", &taken);
    assert!(!said.success, "{said:?}");
    assert!(
        said.stderr
            .contains("failed calling webhook \"validate.usher.dev\""),
        "{said:?}"
    );
}
