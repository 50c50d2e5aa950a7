//! One request, however large, costs a bounded amount of work, and its answer stays small. The contract of answers,
//! with its lengths, is checked on the way.

use std::time::{Duration, Instant};

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::support::stage::{Answer, Stage};

/// Far more than any of these takes in a debug build on a busy machine, far less than work without bound would take.
const SOON: Duration = Duration::from_secs(15);

fn stage(objects: &[Value]) -> Stage {
    let waiver = r#"{"checks": {"nodes": "warn"}, "exemptions": [{"name": "old", "match": {"groups": ["old-*", "older-*"]},
        "owner": "o", "reason": "r", "expires": "2027-01-31"}]}"#;
    let settings = usher_core::config::parse(waiver).unwrap();
    Stage::new(settings, &[], objects, Date::constant(2026, 11, 21))
}

fn review(user: &str, groups: &[String], object: &Value) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "team-a",
            "operation": "CREATE",
            "userInfo": {"username": user, "groups": groups},
            "object": object,
        }
    });
    serde_json::to_vec(&review).unwrap()
}

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "team-a", "name": "p"}, "spec": spec})
}

fn tolerations(count: usize) -> Value {
    let toleration = |n| json!({"key": format!("k{n}"), "operator": "Equal", "value": "v", "effect": "NoSchedule"});
    (0..count).map(toleration).collect()
}

fn soon(stage: &Stage, review: &[u8]) -> Answer {
    let start = Instant::now();
    let answer = stage.answer(review);
    assert!(
        start.elapsed() < SOON,
        "{:?} for {} bytes",
        start.elapsed(),
        review.len()
    );
    answer
}

#[test]
fn a_hundred_thousand_tolerations_are_refused_after_a_thousand() {
    let body = review(
        "jane",
        &[],
        &pod(&json!({"tolerations": tolerations(100_000)})),
    );
    let answer = soon(&stage(&[]), &body);
    assert!(!answer.allowed);
    let tolerations: Vec<_> = answer
        .findings
        .iter()
        .filter(|seen| seen.check == "tolerations")
        .collect();
    assert_eq!(tolerations.len(), 1001);
    assert!(
        tolerations[..1000]
            .iter()
            .all(|seen| seen.outcome == "denied")
    );
    let rest = tolerations[1000];
    assert_eq!(
        (&*rest.path, rest.outcome),
        ("spec.tolerations[1000]", "unknown")
    );
    assert!(
        rest.line
            .ends_with("no more than 1000 tolerations are looked at"),
        "{}",
        rest.line
    );
    // Six names for each toleration that is looked at.
    assert!(answer.facts <= 6000, "{}", answer.facts);
}

#[test]
fn a_pod_of_an_owner_with_very_many_tolerations() {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"namespace": "team-a", "name": "web", "uid": "w"},
        "spec": {"template": {"spec": {"tolerations": tolerations(50_000)}}}});
    let reference = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "w", "controller": true});
    let mut many: Vec<Value> = tolerations(50_000).as_array().unwrap().clone();
    many.reverse();
    let containers = json!([{"name": "c", "resources": {"requests":
        (0..50_000).map(|n| (format!("a.example/{n}"), json!("1"))).collect::<serde_json::Map<_, _>>()}}]);
    let mut made = pod(&json!({"tolerations": many, "containers": containers}));
    made["metadata"]["ownerReferences"] = json!([reference]);
    let body = review(
        "system:serviceaccount:kube-system:replicaset-controller",
        &[],
        &made,
    );
    assert!(!soon(&stage(&[owner]), &body).allowed);
}

#[test]
fn somebody_in_very_many_groups() {
    let groups: Vec<String> = (0..100_000).map(|n| format!("group-{n}")).collect();
    let object = pod(&json!({"tolerations": tolerations(1000)}));
    let answer = soon(&stage(&[]), &review("jane", &groups, &object));
    assert!(
        answer.message.contains("more than 5000 groups"),
        "{}",
        answer.message
    );
    let answer = soon(&stage(&[]), &review("jane", &groups[..5000], &object));
    assert_eq!(answer.findings.len(), 1001);
}

#[test]
fn very_long_names_make_no_long_answers() {
    let long = "x".repeat(1 << 18);
    let named = |name: &str| {
        pod(&json!({
            "serviceAccountName": name,
            "nodeName": name,
            "priorityClassName": name,
            "tolerations": [
                {"key": name, "value": name, "effect": "NoSchedule"},
                {"key": "k", "value": name},
                {"key": "k", "operator": name},
                {"key": "k", "effect": name},
            ],
        }))
    };
    for name in [&*long, &"ä\n".repeat(1 << 17)] {
        let answer = soon(&stage(&[]), &review(name, &[], &named(name)));
        assert!(!answer.allowed);
        assert_eq!(answer.warnings.len(), 1);
        assert!(!answer.message.trim_end().contains("\n\n"));
    }
    let mut body: Value = serde_json::from_slice(&review("jane", &[], &pod(&json!({})))).unwrap();
    body["request"]["operation"] = json!(long);
    assert!(!soon(&stage(&[]), &serde_json::to_vec(&body).unwrap()).allowed);
}

#[test]
fn names_do_not_speak_in_our_place() {
    let spec = json!({"serviceAccountName": "a\" in namespace b (c)\nneeds: nothing\u{1b}[2K"});
    let answer = soon(&stage(&[]), &review("jane\r\nok", &[], &pod(&spec)));
    assert_eq!(answer.message.lines().count(), 2, "{}", answer.message);
    assert!(
        !answer
            .message
            .contains(|c: char| c.is_control() && c != '\n'),
        "{:?}",
        answer.message
    );
}

#[test]
fn deep_nesting_is_skipped_where_nobody_looks_and_refused_where_somebody_does() {
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    let body = |spec: &str| {
        let body = review("jane", &[], &pod(&json!("SPEC")));
        String::from_utf8(body)
            .unwrap()
            .replace("\"SPEC\"", spec)
            .into_bytes()
    };
    let stage = stage(&[]);
    assert!(
        soon(
            &stage,
            &body(&format!(r#"{{"volumes":{deep},"containers":[{deep}]}}"#))
        )
        .allowed
    );
    assert!(!soon(&stage, &body(&format!(r#"{{"tolerations":{deep}}}"#))).allowed);
    assert!(!soon(&stage, &body(&deep)).allowed);
}

#[test]
fn two_hundred_projected_tokens_and_no_more_are_looked_at() {
    let settings =
        usher_core::config::parse("tokens: [{namespaces: ['*'], audiences: ['a*'], signers: []}]");
    let stage = Stage::new(settings.unwrap(), &[], &[], Date::constant(2026, 11, 21));
    let token =
        |n| json!({"serviceAccountToken": {"audience": format!("a{n}"), "path": format!("{n}")}});
    let volumes = |count: usize| -> Value {
        let sources: Vec<Value> = (0..count).map(token).collect();
        let volume = |(n, sources): (usize, &[Value])| json!({"name": format!("v{n}"), "projected": {"sources": sources}});
        sources.chunks(30).enumerate().map(volume).collect()
    };
    let said = |count| {
        soon(
            &stage,
            &review("jane", &[], &pod(&json!({"volumes": volumes(count)}))),
        )
    };
    assert!(said(200).allowed);
    for count in [201, 100_000] {
        let answer = said(count);
        let last = answer.findings.last().unwrap();
        assert_eq!(
            (answer.allowed, answer.findings.len(), last.outcome),
            (false, 202, "unknown")
        );
        assert_eq!(last.path, "spec.volumes[6].projected.sources[20]");
        assert!(
            last.line
                .ends_with("no more than 200 projected tokens are looked at"),
            "{}",
            last.line
        );
    }
    let request = |count: usize| {
        let audiences: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
        let body = review(
            "system:serviceaccount:team-a:ci",
            &[],
            &json!({"spec": {"audiences": audiences}}),
        );
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        body["request"]["kind"] =
            json!({"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"});
        body["request"]["name"] = json!("ci");
        soon(&stage, &serde_json::to_vec(&body).unwrap())
    };
    assert!(request(200).allowed);
    let answer = request(100_000);
    assert!(!answer.allowed);
    assert!(
        answer
            .message
            .contains("no more than 200 audiences are looked at"),
        "{}",
        answer.message
    );
}

#[test]
fn a_pod_of_an_owner_with_very_many_tokens() {
    let settings =
        usher_core::config::parse("tokens: [{namespaces: ['*'], audiences: []}]").unwrap();
    let token = |n| json!({"serviceAccountToken": {"audience": format!("a{n}"), "path": "t"}});
    let volumes = |count| {
        let sources: Vec<Value> = (0..count).map(token).collect();
        json!([{"name": "t", "projected": {"sources": sources}}])
    };
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"namespace": "team-a", "name": "web", "uid": "w"},
        "spec": {"template": {"spec": {"volumes": volumes(100_000)}}}});
    let stage = Stage::new(settings, &[], &[owner], Date::constant(2026, 11, 21));
    let mut made = pod(&json!({"volumes": volumes(200)}));
    made["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "w", "controller": true}]);
    let user = "system:serviceaccount:kube-system:replicaset-controller";
    assert!(soon(&stage, &review(user, &[], &made)).allowed);
    made["spec"]["volumes"] = volumes(201);
    assert!(!soon(&stage, &review(user, &[], &made)).allowed);
}
