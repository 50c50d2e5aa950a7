//! A service mesh beside Usher: another webhook gives every pod a proxy, and Usher refuses nothing of it, by its own count.

use std::path::Path;

use serde_json::json;

use super::{KINDS, Meddler, Team, eventually, manifest};
use crate::real::controlplane::{
    plane,
    usher::{UsherOptions, UsherProcess},
};

/// What the injector of Istio adds to a pod, as far as it names anything (`manifests/charts/istio-control/istio-discovery/files/
/// injection-template.yaml`): a container that sets up the network, the certificate of the mesh from a config map, a token for
/// its authority.
fn proxy() -> String {
    json!({
        "initContainers": [{
            "name": "istio-init", "image": "proxy",
            "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}, "runAsUser": 0},
        }],
        "containers": [{
            "name": "istio-proxy", "image": "proxy",
            "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "volumeMounts": [
                {"name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio"},
                {"name": "istio-token", "mountPath": "/var/run/secrets/tokens"},
            ],
        }],
        "volumes": [
            {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
            {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}},
            {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token",
            }}]}},
        ],
    })
    .to_string()
}

#[test]
fn a_service_mesh_gives_every_pod_a_proxy() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/cluster/mesh.yaml");
    let options = UsherOptions {
        namespaces: vec!["mesh".to_owned()],
        generated: true,
        ..UsherOptions::new(Path::new(env!("CARGO_BIN_EXE_usher")), &config)
    };
    let usher = UsherProcess::start(plane(), &options).unwrap_or_else(|error| panic!("{error}"));
    let team = Team::new("mesh");
    // The injector of a mesh looks at the annotations of a pod, which it has from its template.
    let meshed = |manifest: String| {
        let annotations = format!("annotations: {{meddler.example.org/spec: '{}'}}", proxy());
        let label = "labels: {app: ";
        if manifest.contains(label) {
            manifest.replace(label, &format!("{annotations}, {label}"))
        } else {
            manifest.replace(
                "metadata: {name: pod",
                &format!("metadata: {{{annotations}, name: pod"),
            )
        }
    };
    let _injector = Meddler::start("mesh");
    let kinds = ["Pod", "ReplicationController", "Deployment", "StatefulSet"];
    for (kind, template) in KINDS.iter().filter(|(kind, _)| kinds.contains(kind)) {
        let name = kind.to_lowercase();
        team.create(&meshed(manifest(template, &name, "")), &[])
            .passes();
    }
    for label in [
        "app=replicationcontroller",
        "app=deployment",
        "app=statefulset",
    ] {
        let spec = "jsonpath={.items[*].spec.containers[*].name}";
        let containers = ["get", "pods", "-l", label, "-o", spec];
        eventually(&format!("a pod with a proxy: {label}"), || {
            let names = team.run(&containers).stdout;
            names.contains("istio-proxy").then_some(())
        });
    }
    // Daily work on such a pod.
    team.run(&["label", "pod", "pod", "color=blue"]).passes();
    team.run(&["set", "image", "pod/pod", "c=nginx:2"]).passes();
    team.run(&["rollout", "restart", "deployment/deployment"])
        .passes();
    eventually("the deployment has rolled on", || {
        let sets = team.run(&["get", "replicasets", "-o", "name"]).stdout;
        (sets.lines().count() == 2).then_some(())
    });

    let metrics = usher.metrics().unwrap();
    let counted = |verdict: &str| -> u64 {
        let label = format!("verdict=\"{verdict}\"}} ");
        let requests = metrics
            .lines()
            .filter(|line| line.starts_with("usher_requests_total"));
        let values = requests.filter_map(|line| line.split_once(&label)?.1.parse::<u64>().ok());
        values.sum()
    };
    assert_eq!((counted("refused"), counted("error")), (0, 0), "{metrics}");
    assert!(counted("allowed") > 10, "{metrics}");
}
