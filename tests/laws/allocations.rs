//! How often the hot path allocates: a figure that repeats to the last digit, unlike time.

#[cfg(test)]
#[path = "../../benches/workload/mod.rs"]
#[expect(dead_code, reason = "shared with the benches, which use other parts")]
mod workload;

use std::io::Write as _;

use allocation_counter::measure;
use serde_json::{Value, json};
use workload::{cluster::Layout, judging::Judging, review::Review};

/// What a review of an ordinary pod may cost, parsing and answering included.
const BUDGET: u64 = 60;
/// What a review of a Kustomization without patches may cost, and each patch of some lines.
const KUSTOMIZATION: u64 = 120;
const PATCH: u64 = 80;
/// What each secret may cost that a pod reads, where that is asked about.
const SECRET: u64 = 60;

fn allocations(judging: &Judging, review: &str, allowed: bool) -> u64 {
    // What is made once, for the life of the process, does not count.
    judging.answer(review.as_bytes());
    let mut right = false;
    let counted = measure(|| {
        let (verdict, answer) = judging.answer(review.as_bytes());
        right = verdict == allowed && !answer.is_empty();
    });
    assert!(right, "the verdict is not {allowed}");
    assert_eq!(counted.count_current, 0, "something is not freed");
    counted.count_total
}

#[test]
fn an_ordinary_review_stays_within_its_budget() {
    let judging = Judging::by(Layout::Spread.rights(1000));
    for (what, review, budget) in [
        ("new pod", Review::SMALL, BUDGET),
        ("large new pod", Review::LARGE, BUDGET),
        (
            "label of a pod",
            Review {
                update: true,
                ..Review::SMALL
            },
            60,
        ),
    ] {
        for number in [0, 999] {
            let json = Review { number, ..review }.json();
            let count = allocations(&judging, &json, true);
            println!("{what}: {count} allocations");
            assert!(count <= budget, "{what}: {count} allocations, not {budget}");
        }
    }
}

#[test]
fn what_no_check_asks_about_is_not_read() {
    let judging = Judging::by(Layout::Spread.rights(1000));
    let review = Review::SMALL.json();
    let with = |more: &str| {
        let json = review.replacen("\"spec\":{", &format!("\"spec\":{{{more}"), 1);
        assert_ne!(json, review);
        allocations(&judging, &json, true)
    };
    let none = allocations(&judging, &review, true);
    // Not even whether it could be read.
    for more in [
        r#""affinity":7,"#,
        r#""nodeSelector":{"pool":"a"},"imagePullSecrets":[{"name":"s"}],"#,
        r#""affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"pool","operator":"In","values":["a"]}]}]}}},"#,
        r#""ephemeralContainers":[{"envFrom":[{"secretRef":{"name":"s"}},{"configMapRef":{"name":"c"}}]}],"#,
    ] {
        assert_eq!(with(more), none, "{more}");
    }
    let asking = Judging::configured("checks: {secrets: enforce, nodeLabels: enforce}");
    let json = review.replacen("\"spec\":{", "\"spec\":{\"nodeSelector\":7,", 1);
    let (allowed, answer) = asking.answer(json.as_bytes());
    assert!(!allowed && !answer.is_empty());
}

#[test]
fn what_a_pod_reads_costs_as_much_as_it_names() {
    let judging = Judging::configured("{checks: {secrets: enforce}, baseline: {secrets: ['s*']}}");
    let with = |names: usize| {
        let held = (0..names).map(|name| json!({"secret": {"secretName": format!("s{name}")}}));
        let volumes: Vec<Value> = held.collect();
        pod_reading(&json!(volumes))
    };
    // The table of paths is made once.
    assert!(judging.answer(with(1).as_bytes()).0);
    let [none, fifty, many] = [0, 50, 500].map(|names| allocations(&judging, &with(names), true));
    println!("0, 50 and 500 secrets: {none}, {fifty} and {many} allocations");
    let (one, later) = ((fifty - none).div_ceil(50), (many - fifty) / 450);
    assert!(
        one <= SECRET && later <= one,
        "{one} and {later} for each secret"
    );
    // The same one by each of many variables is one question.
    let variable = json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
    let review = |variables: usize| {
        let env = vec![&variable; variables];
        pod_reading(&json!([])).replacen(
            "\"containers\":[{",
            &format!("\"containers\":[{{\"env\":{},", json!(env)),
            1,
        )
    };
    let asked = |variables| {
        let (allowed, answer) = judging.answer(review(variables).as_bytes());
        assert!(allowed);
        answer.len()
    };
    assert_eq!(asked(1), asked(500));
}

/// The review of a new pod with these volumes.
fn pod_reading(volumes: &Value) -> String {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "30882d2b-4359-4689-88b4-000000000000",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "name": "web",
            "namespace": "team-a",
            "operation": "CREATE",
            "userInfo": {"username": "jane"},
            "object": {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c"}], "volumes": volumes}},
        },
    })
    .to_string()
}

#[test]
fn allocations_do_not_grow_with_the_bindings() {
    let review = Review::SMALL.json();
    for (layout, what) in [
        (Layout::Spread, "spread"),
        (Layout::OneUser, "one user"),
        (Layout::OneRole, "one role"),
    ] {
        let few = allocations(&Judging::by(layout.rights(1)), &review, true);
        let many = allocations(&Judging::by(layout.rights(20_000)), &review, true);
        assert_eq!(few, many, "{what}");
        let stranger = Review {
            number: 30_000,
            ..Review::SMALL
        }
        .json();
        let few = allocations(&Judging::by(layout.rights(1)), &stranger, false);
        let many = allocations(&Judging::by(layout.rights(20_000)), &stranger, false);
        assert_eq!(few, many, "{what}, refused");
    }
}

/// The review of a new Kustomization with so many patches.
fn kustomization(patches: usize) -> String {
    let patch = |number| {
        let patch = format!(
            "spec:\n  replicas: {number}\n  template: {{spec: {{serviceAccountName: default}}}}\n"
        );
        json!({"patch": patch, "target": {"kind": "Deployment"}})
    };
    let patches: Vec<Value> = (100..100 + patches).map(patch).collect();
    let kind =
        json!({"group": "kustomize.toolkit.fluxcd.io", "version": "v1", "kind": "Kustomization"});
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "30882d2b-4359-4689-88b4-000000000000",
            "kind": kind,
            "name": "apps",
            "namespace": "team-a",
            "operation": "CREATE",
            "userInfo": {"username": "jane"},
            "object": {"metadata": {"name": "apps"}, "spec": {
                "serviceAccountName": "default", "path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "apps"}, "patches": patches,
            }},
        },
    })
    .to_string()
}

#[test]
fn a_kustomization_costs_as_much_as_it_has_patches() {
    let judging = Judging::configured("catalogue: {enable: [flux]}");
    let [none, fifty, many] =
        [0, 50, 500].map(|patches| allocations(&judging, &kustomization(patches), true));
    println!("0, 50 and 500 patches: {none}, {fifty} and {many} allocations");
    let (one, later) = ((fifty - none).div_ceil(50), (many - fifty) / 450);
    assert!(
        none <= KUSTOMIZATION && one <= PATCH,
        "{none} and {one} for each patch"
    );
    assert!(
        later <= one,
        "{one} for each of the first 50, {later} for each of the next"
    );
}

#[test]
fn an_entry_of_another_kind_costs_nothing() {
    let judging = |entries: usize| {
        let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        writeln!(file, "about: a\nkinds:").unwrap();
        for number in 0..entries {
            writeln!(
                file,
                "- {{group: g{}, kind: K{number}, resource: ks, versions: [v1], fields: [{{path: spec.a, serviceAccount: {{}}}}]}}",
                number % 20
            )
            .unwrap();
        }
        let text = format!(
            "catalogue: {{enable: [flux], files: ['{}']}}",
            file.path().display()
        );
        Judging::configured(&text)
    };
    let (few, many) = (judging(1), judging(500));
    let pod = Review::SMALL.json();
    for (what, review, allowed) in [
        ("a pod", pod, false),
        ("a Kustomization", kustomization(1), true),
    ] {
        let (few, many) = (
            allocations(&few, &review, allowed),
            allocations(&many, &review, allowed),
        );
        println!("{what}: {few} allocations");
        assert_eq!(few, many, "{what}");
    }
}
