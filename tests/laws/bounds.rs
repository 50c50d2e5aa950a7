//! How much of one request is looked at, to the one: what lies beyond is refused, also to somebody who may use everything.

use jiff::civil::Date;
use serde_json::{Value, json};
use usher_core::config;

use crate::support::stage::{Answer, Stage};

/// A world in which olga may use everything, and tokens for `a…` need no grant.
fn stage() -> Stage {
    let settings = config::parse("tokens: [{namespaces: ['*'], audiences: ['a*']}]").unwrap();
    let role = json!({"kind": "ClusterRole", "metadata": {"name": "all"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    let binding = json!({"kind": "ClusterRoleBinding", "metadata": {"name": "all"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all"},
        "subjects": [{"kind": "User", "name": "olga"}]});
    Stage::new(
        settings,
        &[role, binding],
        &[],
        Date::constant(2026, 11, 21),
    )
}

fn asked(kind: [&str; 3], groups: usize, object: &Value) -> Answer {
    let [group, version, kind] = kind;
    let groups: Vec<String> = (0..groups).map(|n| format!("g{n}")).collect();
    let request = json!({
        "uid": "u",
        "kind": {"group": group, "version": version, "kind": kind},
        "namespace": "team-a",
        "name": "team-a",
        "operation": "CREATE",
        "userInfo": {"username": "olga", "groups": groups},
        "object": object,
    });
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    stage().answer(&serde_json::to_vec(&review).unwrap())
}

fn of_pod(spec: &Value) -> Answer {
    asked(["", "v1", "Pod"], 0, &json!({"spec": spec}))
}

fn tolerations(count: usize) -> Vec<Value> {
    let toleration = |n| json!({"key": format!("k{n}"), "operator": "Exists"});
    (0..count).map(toleration).collect()
}

/// Up to `most` all are answered. One thing more is said about those beyond, however many they are: at which path, and why.
fn bounded(check: &str, most: usize, path: &str, why: &str, of: impl Fn(usize) -> Answer) {
    for count in [most - 1, most, most + 1, most + 2, most + 100] {
        let answer = of(count);
        let about = answer.findings.iter().filter(|seen| seen.check == check);
        let seen: Vec<_> = about.collect();
        let beyond: Vec<_> = seen
            .iter()
            .filter(|seen| seen.grant.is_none())
            .map(|seen| (&*seen.path, seen.outcome, seen.line.ends_with(why)))
            .collect();
        let expected = [(path, "unknown", true)];
        let expected = if count > most { &expected[..] } else { &[] };
        assert_eq!(beyond, expected, "{count}");
        assert_eq!(seen.len(), count.min(most + 1), "{count}");
        assert_eq!(answer.allowed, count <= most, "{count}");
    }
}

#[test]
fn a_thousand_tolerations_of_a_pod() {
    let why = "no more than 1000 tolerations are looked at";
    bounded(
        "tolerations",
        1000,
        "spec.tolerations[1000]",
        why,
        |count| of_pod(&json!({"tolerations": tolerations(count)})),
    );
}

#[test]
fn a_thousand_tolerations_that_a_namespace_gives() {
    let key = "scheduler.alpha.kubernetes.io/defaultTolerations";
    let path = format!("metadata.annotations[\"{key}\"][1000]");
    let why = "no more than 1000 tolerations are looked at";
    bounded("tolerations", 1000, &path, why, |count| {
        let said = json!(tolerations(count)).to_string();
        let object = json!({"metadata": {"name": "team-a", "annotations": {key: said}}});
        asked(["", "v1", "Namespace"], 0, &object)
    });
}

#[test]
fn two_hundred_projected_tokens() {
    let path = "spec.volumes[6].projected.sources[20]";
    let why = "no more than 200 projected tokens are looked at";
    bounded("tokens", 200, path, why, |count| {
        let token = |n| json!({"serviceAccountToken": {"audience": format!("a{n}"), "path": "t"}});
        let sources: Vec<Value> = (0..count).map(token).collect();
        let volumes = sources
            .chunks(30)
            .map(|sources| json!({"name": "v", "projected": {"sources": sources}}));
        of_pod(&json!({"volumes": volumes.collect::<Value>()}))
    });
}

#[test]
fn two_hundred_audiences_of_a_token_request() {
    let why = "no more than 200 audiences are looked at";
    bounded("tokens", 200, "spec.audiences[200]", why, |count| {
        let audiences: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
        let kind = ["authentication.k8s.io", "v1", "TokenRequest"];
        asked(kind, 0, &json!({"spec": {"audiences": audiences}}))
    });
}

#[test]
fn five_thousand_groups_of_a_requester() {
    for (count, allowed) in [(4999, true), (5000, true), (5001, false), (5002, false)] {
        let answer = asked(["", "v1", "Pod"], count, &json!({"spec": {}}));
        assert_eq!(answer.allowed, allowed, "{count}");
        let broken = (!allowed).then_some("the requester is in more than 5000 groups");
        assert_eq!(answer.broken.as_deref(), broken, "{count}");
    }
}
