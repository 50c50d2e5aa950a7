//! Controllers of Kubernetes carry out what an author was asked about: hundreds of pods at once, with an identity each or with
//! one for all, and with what the API server adds to pods of its own accord.

use std::{fs, net::SocketAddr, path::Path, thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::real::{
    cluster::{KINDS, Team, eventually, manifest},
    controlplane::{
        ControlPlane, Options, Said, feed, plane,
        usher::{UsherOptions, UsherProcess},
    },
    server::metric,
};

/// Usher with this configuration, in front of one namespace.
fn usher<'a>(plane: &'a ControlPlane, namespace: &str, config: &str) -> UsherProcess<'a> {
    let file = plane.dir().join(format!("{namespace}.yaml"));
    fs::write(&file, config).unwrap();
    let options = UsherOptions {
        namespaces: vec![namespace.to_owned()],
        mutates: false,
        ..UsherOptions::new(Path::new(env!("CARGO_BIN_EXE_usher")), &file)
    };
    UsherProcess::start(plane, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// The objects of a namespace.
fn listed(plane: &ControlPlane, namespace: &str, what: &[&str]) -> Vec<Value> {
    let get = [&["-n", namespace, "get"], what, &["-o", "json"]].concat();
    let list: Value = serde_json::from_str(&plane.run(&get).unwrap()).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// How many pods of one owner are made at once.
const MANY: usize = 500;

#[test]
fn five_hundred_pods_of_one_owner_are_made_at_once() {
    // The Usher of all other tests leaves it alone; one of its own counts nothing else.
    let team = Team::new("unguarded-many");
    let usher = usher(plane(), "unguarded-many", "{}");
    team.grant("serviceaccounts/deployer");
    let health = SocketAddr::from(([127, 0, 0, 1], usher.health_port()));
    let counted = |line: &str| metric(health, line);
    let read = || counted("usher_objects_read_total{result=\"found\"}");
    let asked = || {
        ["allowed", "denied", "error", "shared"]
            .map(|result| {
                counted(&format!(
                    "usher_access_reviews_total{{result=\"{result}\"}}"
                ))
            })
            .iter()
            .sum::<f64>()
    };
    let many = MANY.to_string();
    let in_front = |kind: usize, name: &str, head: &str, spec: &str| {
        manifest(KINDS[kind].1, name, spec).replacen("spec: {", &format!("spec: {{{head}, "), 1)
    };
    let deployer = "serviceAccountName: deployer";
    let parallel = format!("parallelism: {many}, completions: {many}");
    let replicas = format!("replicas: {many}");
    for (name, object, label, reads) in [
        (
            "Job",
            in_front(7, "batch", &parallel, deployer),
            "job-name=batch",
            true,
        ),
        (
            "Deployment",
            in_front(4, "web", &replicas, deployer),
            "app=web",
            true,
        ),
        // Of the account that everybody may use, nobody looks at the owner.
        (
            "Deployment",
            in_front(4, "plain", &replicas, ""),
            "app=plain",
            false,
        ),
    ] {
        let (before, asked_before) = (read(), asked());
        team.create(&object, &[]).passes();
        let made = || {
            let path = ["get", "pods", "-l", label, "-o", "name"];
            team.run(&path).stdout.lines().count()
        };
        for _ in 0..1200 {
            if made() >= MANY {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        assert_eq!(made(), MANY, "{name}");
        let (objects, reviews) = (read() - before, asked() - asked_before);
        println!(
            "{MANY} pods of a {name} ({label}): {objects} objects read, {reviews} access reviews"
        );
        let refused = counted("usher_requests_total{path=\"validate\",verdict=\"refused\"}");
        assert!(refused < 1.0, "{refused} were refused");
        // Of each pod its owner, once, and nothing else; the grant is known to the index or asked once, for the author. A
        // Deployment has its ReplicaSet made by a controller, too. A pod whose creation ended in a conflict is made anew.
        let made = f64::from(u32::try_from(MANY).unwrap());
        if reads {
            assert!(objects >= made && objects <= made * 1.1, "{objects}");
        } else {
            assert!(objects < 1.0, "{objects}");
        }
        assert!(reviews <= 1.0, "{reviews}");
        let delete = [
            "delete",
            "job,deployment",
            "--all",
            "--cascade=foreground",
            "--wait=false",
        ];
        team.run(&delete).passes();
    }
}

/// A class that every pod gets which names none, and a node for a DaemonSet.
const CLASS_AND_NODE: &str = "
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: ordinary}
value: 1
globalDefault: true
---
apiVersion: v1
kind: Node
metadata: {name: alone}
";

#[test]
#[expect(clippy::too_many_lines, reason = "one story told in order")]
fn all_controllers_come_as_one_user() {
    let gates =
        "--feature-gates=PodCertificateRequest=true,TaintTolerationComparisonOperators=true";
    let plane = ControlPlane::start(Options {
        shared_identity: true,
        apiserver_args: vec![
            gates.to_owned(),
            "--runtime-config=certificates.k8s.io/v1beta1=true".to_owned(),
        ],
        ..Options::default()
    })
    .unwrap();
    plane.apply(CLASS_AND_NODE).unwrap();
    let shared =
        "controllers: {kube-controller-manager: {user: \"system:kube-controller-manager\"}}";
    let enforced = "checks: {priorityClasses: enforce}";
    let mut ushers = Vec::new();
    for (namespace, config) in [
        (
            "named",
            format!("{shared}\n{enforced}\ntokens: [{{namespaces: ['*'], signers: []}}]"),
        ),
        ("stranger", enforced.to_owned()),
    ] {
        plane.namespace(namespace).unwrap();
        plane
            .run(&["-n", namespace, "create", "serviceaccount", "deployer"])
            .unwrap();
        ushers.push(usher(&plane, namespace, &config));
    }
    // The administrator may all, so that only what controllers make is asked about.
    let create = |namespace: &str, object: &str| -> Said {
        let mut command = plane.kubectl();
        command.args(["-n", namespace, "create", "-f", "-"]);
        feed(&mut command, object).unwrap().into()
    };
    let spec = "serviceAccountName: deployer, tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]";
    for namespace in ["named", "stranger"] {
        for (kind, template) in &KINDS[2..9] {
            let name = format!("a-{}", kind.to_lowercase());
            create(namespace, &manifest(template, &name, spec)).passes();
        }
        // It is told that it missed an hour, and so makes a job at once.
        let missed = "{\"status\": {\"lastScheduleTime\": \"2026-01-01T00:00:00Z\"}}";
        let patch = [
            "patch",
            "cronjob",
            "a-cronjob",
            "--subresource=status",
            "--type=merge",
            "-p",
            missed,
        ];
        plane
            .run(&[&["-n", namespace], &patch[..]].concat())
            .unwrap();
    }
    for (namespace, owners) in [
        (
            "named",
            &[
                "DaemonSet",
                "Job",
                "ReplicaSet",
                "ReplicationController",
                "StatefulSet",
            ][..],
        ),
        ("stranger", &[]),
    ] {
        for owner in owners {
            let pod = eventually(&format!("a pod of a {owner}"), || {
                let mut pods = listed(&plane, namespace, &["pods"]).into_iter();
                pods.find(|pod| pod["metadata"]["ownerReferences"][0]["kind"] == *owner)
            });
            let spec = &pod["spec"];
            assert_eq!(spec["serviceAccountName"], "deployer", "{pod}");
            // What admission added, nobody is asked about: the class that all get, and the tolerations of every pod.
            assert_eq!(spec["priorityClassName"], "ordinary", "{pod}");
            let tolerations = spec["tolerations"].to_string();
            assert!(
                tolerations.contains("node.kubernetes.io/unreachable"),
                "{pod}"
            );
        }
    }
    // One Job is the cron job's.
    eventually("the job of the cron job", || {
        let mut jobs = listed(&plane, "named", &["jobs"]).into_iter();
        jobs.find(|job| job["metadata"]["ownerReferences"][0]["kind"] == "CronJob")
    });
    // Where the configuration does not name the user, it is somebody, who may nothing.
    eventually("a refusal that is told", || {
        let events = listed(&plane, "stranger", &["events"]);
        let refused = "system:kube-controller-manager may not use serviceaccount \\\"deployer\\\"";
        Value::from(events)
            .to_string()
            .contains(refused)
            .then_some(())
    });
    assert!(listed(&plane, "stranger", &["pods"]).is_empty());

    // And what only a later version takes by default.
    let jane = |object: &str| -> Said {
        let mut command = plane.kubectl_as("jane");
        command.args(["-n", "named", "create", "-f", "-"]);
        feed(&mut command, object).unwrap().into()
    };
    plane
        .run(&[
            "-n",
            "named",
            "create",
            "rolebinding",
            "jane",
            "--clusterrole=edit",
            "--user=jane",
        ])
        .unwrap();
    let certificate = "volumes: [{name: v, projected: {sources: [{podCertificate: {signerName: example.org/s, keyType: ED25519, credentialBundlePath: p}}]}}]";
    let pod = manifest(KINDS[0].1, "certified", certificate);
    jane(&pod).refused("jane may not use signer \"example.org/s\" in namespace named (spec.volumes[0].projected.sources[0].podCertificate.signerName)");
    for operator in ["Lt", "Gt"] {
        let compares = format!(
            "tolerations: [{{key: size, operator: {operator}, value: '5', effect: NoSchedule}}]"
        );
        let pod = manifest(KINDS[0].1, "compares", &compares);
        jane(&pod).refused("needs: verb use on tolerations.usher.dev \"size:NoSchedule\" in named");
    }
    // Without Usher the API server takes both.
    drop(ushers);
    let both = format!(
        "{certificate}, tolerations: [{{key: size, operator: Lt, value: '5', effect: NoSchedule}}]"
    );
    let made = jane(&manifest(KINDS[0].1, "both", &both));
    made.passes();
    let pods = listed(
        &plane,
        "named",
        &["pods", "--field-selector=metadata.name=both"],
    );
    let text = json!(pods).to_string();
    assert!(
        text.contains("podCertificate") && text.contains("\"Lt\""),
        "{text}"
    );
}
