//! What is refused by itself is refused as well where it stands in an object that somebody else applies: there is one answer to an
//! object of Kubernetes, whichever door it comes through.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use usher_core::{catalogue::Catalogue, reference::Check};

use crate::{
    stories::scenarios::told,
    support::stage::{Answer, Seen},
};

const KINDS: &str = "
about: Kinds that hold objects.
kinds:
  - {group: mill.example, kind: Mill, resource: mills, versions: [v1], fields: [{path: 'spec.objects[]', manifest: {}}]}
  - {group: mill.example, kind: Ring, resource: rings, versions: [v1], scope: Cluster, fields: [{path: 'spec.objects[]', manifest: {}}]}
";

/// The same request of the same requester, of whose object only an object that holds it is written.
fn within(review: &Value) -> Value {
    let request = &review["request"];
    let namespace = request["namespace"].as_str().unwrap_or_default();
    let kind = if namespace.is_empty() { "Ring" } else { "Mill" };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"group": "mill.example", "version": "v1", "kind": kind}, "name": "it",
        "namespace": namespace, "operation": "CREATE", "userInfo": request["userInfo"],
        "object": {"apiVersion": "mill.example/v1", "kind": kind, "metadata": {"name": "it", "namespace": namespace},
            "spec": {"objects": [request["object"]]}}}})
}

/// What was asked and refused, wherever it stood.
fn refused(answer: &Answer) -> impl Iterator<Item = &Seen> {
    let findings = answer.findings.iter();
    findings.filter(|seen| seen.outcome != "allowed" && seen.exemption.is_none())
}

/// Whether it is said only of what is a pod already: which profiles it must hold, and how long its tokens live, which are
/// shortened when it is made.
fn is_of_a_pod(kind: &str, seen: &Seen) -> bool {
    kind == "Pod"
        && [Check::Profiles, Check::Tokens]
            .iter()
            .any(|check| check.name() == seen.check)
}

#[test]
fn what_is_refused_by_itself_is_refused_in_an_object_that_holds_it() {
    let catalogue = Catalogue::embedded().unwrap();
    let (mut tried, mut wrong) = (BTreeMap::<String, usize>::new(), Vec::new());
    for scenario in told() {
        let stage = scenario.stage_with(KINDS);
        for (story, review) in scenario.reviews() {
            let answer = stage.answer(&review);
            let review: Value = serde_json::from_slice(&review).unwrap();
            let request = &review["request"];
            let text = |pointer: &str| {
                request
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let (group, kind) = (text("/kind/group"), text("/kind/kind"));
            let core = catalogue.version(group, kind, text("/kind/version"));
            let is_applied = text("/operation") == "CREATE"
                && text("/subResource").is_empty()
                && request["object"].is_object();
            // What cannot be read is said of the whole object.
            if !is_applied || answer.broken.is_some() || core.is_none() {
                continue;
            }
            let held = stage.answer(&serde_json::to_vec(&within(&review)).unwrap());
            let mut alone = refused(&answer)
                .filter(|seen| !is_of_a_pod(kind, seen))
                .peekable();
            *tried.entry(kind.to_owned()).or_default() += usize::from(alone.peek().is_some());
            let named: BTreeSet<_> = refused(&held)
                .map(|seen| (seen.check, &*seen.target))
                .collect();
            let lacks: Vec<_> = alone
                .filter(|seen| match seen.outcome {
                    // Whatever it is that could not be read.
                    "unknown" => named.is_empty(),
                    _ => !named.contains(&(seen.check, &*seen.target)),
                })
                .collect();
            if !lacks.is_empty() {
                wrong.push(format!(
                    "{}: {story}: {kind} {lacks:?} not among {held:?}",
                    scenario.name
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried:?}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    println!("{tried:?}");
    for kind in [
        "Pod",
        "Deployment",
        "ServiceAccount",
        "Secret",
        "CertificateSigningRequest",
        "Namespace",
        "ControllerRevision",
    ] {
        assert!(tried.contains_key(kind), "{kind} is not tried: {tried:?}");
    }
}
