//! Every verb of the role is needed, resource by resource: with all of them nothing fails, and without one the thing that it is
//! for does.

use std::time::{Duration, Instant};

use kube::Client;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::{Value, json};
use usher::{
    cluster::{Live, connect},
    facts::{RightsSource as _, change, decide, today},
};
use usher_core::{
    catalogue::Catalogue,
    config,
    engine::{self, World},
    review::read,
    rights::Rights,
};

use super::{installed, of_kind};
use crate::real::controlplane::plane;

const NAMESPACE: &str = "needed";
/// As long as a list or an answer may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the role gives: group, resource, verb.
type Right = (String, String, String);

/// All that the role gives.
fn rights() -> Vec<Right> {
    let role = of_kind(installed(), "ClusterRole");
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        let texts = rule[key].as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let rules = role["rules"].as_array().unwrap().iter();
    let mut rights = Vec::new();
    for rule in rules {
        for resource in texts(rule, "resources") {
            for verb in texts(rule, "verbs") {
                rights.push((texts(rule, "apiGroups").concat(), resource.clone(), verb));
            }
        }
    }
    rights
}

/// Somebody who holds these rights, and nothing else.
fn somebody(user: &str, rights: &[Right]) -> std::path::PathBuf {
    let rules: Vec<Value> = rights
        .iter()
        .map(|(group, resource, verb)| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}))
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]},
    ]});
    plane().apply(&list.to_string()).unwrap();
    plane().kubeconfig_for(user, &[]).unwrap()
}

fn review(user: &str, (group, version, kind): (&str, &str, &str), object: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1", "operation": "CREATE", "namespace": NAMESPACE, "name": "it", "userInfo": {"username": user},
        "kind": {"group": group, "version": version, "kind": kind}, "object": object,
    }})
}

fn pod(spec: &Value) -> Value {
    review(
        "jane",
        ("", "v1", "Pod"),
        &json!({"metadata": {"name": "it"}, "spec": spec}),
    )
}

/// What a controller of Kubernetes makes of an owner.
fn made(controller: &str, kind: (&str, &str, &str), owner: (&str, &str), spec: &Value) -> Value {
    let user = format!("system:serviceaccount:kube-system:{controller}");
    let owner = json!({"apiVersion": owner.0, "kind": owner.1, "name": "set", "uid": "1", "controller": true});
    let labels = json!({"controller-revision-hash": "set-old"});
    review(
        &user,
        kind,
        &json!({"metadata": {"name": "it", "labels": labels, "ownerReferences": [owner]}, "spec": spec}),
    )
}

/// A request that leads to the resource.
fn case(resource: &str) -> Value {
    let account = json!({"serviceAccountName": "ci"});
    let template = json!({"template": {"spec": account}});
    let of = |controller, owner| made(controller, ("", "v1", "Pod"), owner, &account);
    match resource {
        // Which may have brought the toleration.
        "runtimeclasses" => pod(&json!({"runtimeClassName": "sandbox"})),
        "namespaces" => made(
            "replicaset-controller",
            ("", "v1", "Pod"),
            ("apps/v1", "ReplicaSet"),
            &json!({"tolerations": [{"key": "gpu", "operator": "Exists"}]}),
        ),
        "priorityclasses" => pod(&json!({"priorityClassName": "nobody-made-this"})),
        "subjectaccessreviews" | "serviceaccounts" => pod(&account),
        "pods" => {
            let mut review = review("jane", ("", "v1", "PodExecOptions"), &json!({}));
            review["request"]["operation"] = json!("CONNECT");
            review["request"]["subResource"] = json!("exec");
            review
        }
        "replicationcontrollers" => of("replication-controller", ("v1", "ReplicationController")),
        "replicasets" => of("replicaset-controller", ("apps/v1", "ReplicaSet")),
        "daemonsets" => of("daemon-set-controller", ("apps/v1", "DaemonSet")),
        "statefulsets" | "controllerrevisions" => {
            of("statefulset-controller", ("apps/v1", "StatefulSet"))
        }
        "jobs" => of("job-controller", ("batch/v1", "Job")),
        "deployments" => {
            let kind = ("apps", "v1", "ReplicaSet");
            made(
                "deployment-controller",
                kind,
                ("apps/v1", "Deployment"),
                &template,
            )
        }
        "cronjobs" => {
            let kind = ("batch", "v1", "Job");
            made(
                "cronjob-controller",
                kind,
                ("batch/v1", "CronJob"),
                &template,
            )
        }
        other => panic!("nothing shows that Usher needs {other}"),
    }
}

/// How often the API server refused to answer, where somebody with this client judges the request.
async fn failures(client: Client, review: &Value) -> u64 {
    let mut registry = Registry::default();
    let (live, _watches) = Live::new(client, &mut registry);
    let settings =
        config::parse("{checks: {priorityClasses: enforce}, profiles: [{preset: aws-irsa}]}")
            .unwrap();
    let catalogue = Catalogue::embedded().unwrap();
    let world = World {
        catalogue: &catalogue,
        policy: &settings.policy,
        rights: &Rights::default(),
        today: today(),
    };
    let bytes = review.to_string();
    let request = read(bytes.as_bytes()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    decide(&request, &world, &live, deadline).await;
    let work = |facts: &_| engine::mutate(&request, &catalogue, &settings.policy, facts);
    change(&request, work, &live, deadline).await;
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let failed = text
        .lines()
        .filter(|line| line.contains("result=\"error\""));
    let counts = failed.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
    counts.sum()
}

/// Which of the RBAC objects cannot be listed or followed, once this much is known of them.
async fn unfollowed(client: Client, known: impl Fn(&Live, &[String]) -> bool) -> Vec<String> {
    let mut registry = Registry::default();
    let (live, watches) = Live::new(client, &mut registry);
    let failed = || {
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let failures = text.lines().filter(|line| !line.ends_with(" 0"));
        let resource = |line: &str| {
            let label = line.strip_prefix("watch_failures_total{resource=\"")?;
            label.split_once('"').map(|(name, _)| name.to_owned())
        };
        failures.filter_map(resource).collect::<Vec<_>>()
    };
    let looks = async {
        let end = Instant::now() + PATIENCE;
        while !known(&live, &failed()) {
            assert!(Instant::now() < end, "all can be followed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        failed()
    };
    tokio::select! {
        failed = looks => failed,
        never = watches.run() => match never {},
    }
}

#[test]
fn without_any_verb_of_the_role_something_fails() {
    plane().namespace(NAMESPACE).unwrap();
    // A pod of it that its template no longer describes leads to a revision.
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "set", "namespace": NAMESPACE}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"app": "set"}}, "serviceName": "set",
        "template": {"metadata": {"labels": {"app": "set"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }});
    plane().apply(&set.to_string()).unwrap();
    let all = rights();
    let whole = somebody("needed-all", &all);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = connect(Some(&whole)).await.unwrap();
        let all_there = |live: &Live, _: &[String]| live.rights().is_ok();
        assert!(unfollowed(client, all_there).await.is_empty());
        for (at, (group, resource, verb)) in all.iter().enumerate() {
            // Told in tests/real/server/missing.rs: the answer does not depend on it.
            if resource == "events" {
                continue;
            }
            let mut less = all.clone();
            less.remove(at);
            let less = connect(Some(&somebody(&format!("needed-{at}"), &less)))
                .await
                .unwrap();
            if group == "rbac.authorization.k8s.io" {
                let failed = unfollowed(less, |_, failed| !failed.is_empty()).await;
                assert_eq!(failed, [resource.as_str()], "{verb}");
                continue;
            }
            let mut review = case(resource);
            if resource == "controllerrevisions" {
                let uid = plane().run(&[
                    "-n",
                    NAMESPACE,
                    "get",
                    "statefulset",
                    "set",
                    "-o",
                    "jsonpath={.metadata.uid}",
                ]);
                review["request"]["object"]["metadata"]["ownerReferences"][0]["uid"] =
                    json!(uid.unwrap());
            }
            let with = failures(connect(Some(&whole)).await.unwrap(), &review).await;
            assert_eq!(with, 0, "{resource}");
            let without = failures(less, &review).await;
            assert!(without > 0, "nothing fails without {resource}");
        }
    });
}
