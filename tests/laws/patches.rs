//! What a patch sets is asked about as where it is written in the pod spec itself: every row of the tables of pod fields, tokens,
//! certificates, and what a runtime class brings; in every form that a patch has.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Value, json};
use usher_core::{
    config,
    object::{FIELDS, PATHS, Says, Step},
    reference::Check,
};

use crate::support::stage::{Answer, Stage};

const KINDS: &str = "
about: One kind that holds a pod spec, one that holds a patch of it, and one that does not say whose pods those are.
kinds:
  - {group: mill.example, kind: Mill, resource: mills, versions: [v1], fields: [{path: spec.template.spec, podSpec: {}}]}
  - {group: mill.example, kind: Loom, resource: looms, versions: [v1], fields: [{path: spec.patch, patch: {}}]}
  - {group: mill.example, kind: Inn, resource: inns, versions: [v1], fields: [{path: spec.pod, podSpec: {account: false}}]}
  - {group: mill.example, kind: Ring, resource: rings, versions: [v1], scope: Cluster, fields: [{path: spec.pod, podSpec: {}}]}
";

/// A stage where nobody may use anything but the runtime class `fast`, which brings a toleration.
fn stage(tokens: &str) -> Stage {
    let modes: Vec<String> = Check::ALL
        .iter()
        .map(|check| format!("{check}: enforce"))
        .collect();
    let configuration = format!(
        "{{authorizer: rbac, checks: {{{}}}, tokens: {tokens}}}",
        modes.join(", ")
    );
    let mut settings = config::parse(&configuration).unwrap();
    settings.catalogue.add("mill.yaml", KINDS).unwrap();
    let rbac = [
        json!({"kind": "ClusterRole", "metadata": {"name": "fast"}, "rules": [
            {"apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"], "resourceNames": ["fast"], "verbs": ["use"]}]}),
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "fast"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fast"},
            "subjects": [{"kind": "User", "name": "jane"}]}),
    ];
    let class = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "fast"},
        "scheduling": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}});
    Stage::new(settings, &rbac, &[class], Date::constant(2026, 11, 21))
}

fn sent(stage: &Stage, kind: &str, spec: &Value) -> Answer {
    let namespace = if kind == "Ring" { "" } else { "team-a" };
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"group": "mill.example", "version": "v1", "kind": kind}, "name": "it",
        "namespace": namespace, "operation": "CREATE", "userInfo": {"username": "jane"},
        "object": {"apiVersion": "mill.example/v1", "kind": kind, "metadata": {"name": "it"}, "spec": spec}}});
    let answer = stage.answer(review.to_string().as_bytes());
    assert_eq!(answer.broken, None, "{spec}");
    answer
}

/// What was asked and what came of it, wherever it stood.
fn asked(answer: &Answer) -> BTreeSet<String> {
    let said = answer.findings.iter().map(|seen| {
        format!(
            "{} {} {} {:?}",
            seen.check, seen.target, seen.outcome, seen.missing
        )
    });
    said.collect()
}

/// What a pod spec says at the end of a path, and nothing else.
fn saying(steps: &[Step], end: Value) -> Value {
    steps.iter().rev().fold(end, |below, step| match step {
        Step::Items => json!([below]),
        Step::Key(key) => json!({ &**key: below }),
        Step::Values => json!({ "x": below }),
    })
}

/// A pod spec for every row, and what else a patch must not pass over.
fn specs() -> Vec<Value> {
    let mut specs: Vec<Value> = FIELDS
        .iter()
        .map(|field| field.naming("team-a").unwrap())
        .collect();
    specs.extend(PATHS.iter().map(|row| {
        let end = match row.says {
            Says::Expression => json!({"key": "k", "operator": "In", "values": ["v", "w"]}),
            Says::Field => json!({"key": "metadata.name", "operator": "In", "values": ["v"]}),
            Says::Labels => json!({"k": "v"}),
            Says::ConfigMap | Says::PullSecret | Says::Secret => json!("v"),
        };
        saying(row.path.steps(), end)
    }));
    let sources = [
        json!({"serviceAccountToken": {"audience": "vault"}}),
        json!({"serviceAccountToken": {"audience": "vault", "expirationSeconds": 9000, "path": "t"}}),
        json!({"serviceAccountToken": {"audience": "ci", "expirationSeconds": 9000, "path": "t"}}),
        json!({"serviceAccountToken": {"path": "t"}}),
        json!({"podCertificate": {"signerName": "example.org/s"}}),
        json!({"serviceAccountToken": {"path": "t"}, "podCertificate": {"signerName": "example.org/s"}}),
    ];
    let projected = |source| json!({"volumes": [{"projected": {"sources": [source]}}]});
    specs.extend(sources.into_iter().map(projected));
    specs.push(json!({"runtimeClassName": "fast"}));
    specs.push(json!({"runtimeClassName": "slow"}));
    specs
}

/// An operation of a JSON patch that adds this much of a value: as deep as it is the only thing that it sets.
fn operations(spec: &Value, base: &str) -> Vec<Value> {
    let (mut path, mut value) = (base.to_owned(), spec);
    let mut operations = Vec::new();
    loop {
        operations.push(json!({"op": "add", "path": path, "value": value}));
        // A toleration is asked about whole.
        let is_toleration = path.ends_with("/tolerations");
        let key;
        (key, value) = match value {
            Value::Object(map) if map.len() == 1 => {
                let (key, value) = map.iter().next().unwrap();
                (key.replace('~', "~0").replace('/', "~1"), value)
            }
            Value::Array(items) if items.len() == 1 && !is_toleration => {
                ("-".to_owned(), &items[0])
            }
            _ => return operations,
        };
        path = format!("{path}/{key}");
    }
}

#[test]
fn a_patch_asks_what_the_pod_spec_asks_that_it_sets() {
    let stage = stage(
        "[{namespaces: [team-a], audiences: [ci], signers: [], apiTokens: refuse, maxSeconds: 700}]",
    );
    let of_nothing = asked(&sent(
        &stage,
        "Mill",
        &json!({"template": {"spec": {"hostname": "h"}}}),
    ));
    let (mut wrong, mut patches) = (Vec::new(), 0);
    for spec in specs() {
        let template = json!({"template": {"spec": spec}});
        let written = asked(&sent(&stage, "Mill", &template));
        let expected: BTreeSet<_> = written.difference(&of_nothing).cloned().collect();
        assert!(!expected.is_empty(), "{spec} asks nothing");
        let whole = json!({"spec": template});
        let mut forms = vec![whole.clone(), json!(whole.to_string())];
        for operation in operations(&spec, "/spec/template/spec") {
            forms.push(json!([operation]));
            forms.push(json!(json!([operation]).to_string()));
        }
        for patch in forms {
            patches += 1;
            let said = asked(&sent(&stage, "Loom", &json!({"patch": patch})));
            if said != expected {
                wrong.push(format!("{patch}\n  {said:?}\n  {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(patches > 400, "{patches}");
}

#[test]
fn where_nobody_knows_whose_token_it_is_every_limit_counts_that_could() {
    let spec = |audience: &str| json!({"volumes": [{"projected": {"sources": [{"serviceAccountToken": {"audience": audience}}]}}]});
    let patch = |audience: &str| json!({"patch": {"spec": spec(audience)}});
    let pod = |audience: &str| json!({"pod": spec(audience)});
    let both = "[{namespaces: [team-a], serviceAccounts: [payments], audiences: [vault, ci]}, {namespaces: ['*'], audiences: [vault]}, \
        {namespaces: ['*'], audiences: []}]";
    let elsewhere = "[{namespaces: [team-b], audiences: []}]";
    for (tokens, kind, spec, expected) in [
        (both, "Loom", patch("vault"), &["allowed"][..]),
        (both, "Loom", patch("ci"), &["denied"][..]),
        (both, "Inn", pod("vault"), &["allowed"][..]),
        (both, "Inn", pod("ci"), &["denied"][..]),
        (both, "Ring", pod("vault"), &["allowed"][..]),
        (both, "Ring", pod("ci"), &["denied"][..]),
        (elsewhere, "Loom", patch("vault"), &[]),
        (elsewhere, "Inn", pod("vault"), &[]),
        // Of the whole cluster: its pods may be in team-b.
        (elsewhere, "Ring", pod("vault"), &["denied"][..]),
    ] {
        let answer = sent(&stage(tokens), kind, &spec);
        let of_tokens = answer.findings.iter().filter(|seen| seen.check == "tokens");
        let outcomes: Vec<_> = of_tokens.map(|seen| seen.outcome).collect();
        assert_eq!(
            outcomes, expected,
            "{tokens}: {kind} {spec}: {}",
            answer.message
        );
    }
}
