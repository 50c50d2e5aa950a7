//! The service account of the deployment may do what Usher does, and nothing else.

use super::installed;
use crate::real::controlplane::{feed, plane};
use serde_json::{Value, json};

const ACCOUNT: &str = "system:serviceaccount:usher-system:usher";

/// Asks the API server itself, with one access review for each right of the form `verb group/resource`.
fn rights_of_the_account(rights: &[String]) -> Vec<bool> {
    let reviews: Vec<_> = rights
        .iter()
        .map(|right| {
            let (verb, resource) = right.split_once(' ').unwrap();
            let (group, resource) = resource.split_once('/').unwrap();
            let groups = ["system:serviceaccounts", "system:serviceaccounts:usher-system", "system:authenticated"];
            json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {"user": ACCOUNT, "groups": groups, "resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
            })
        })
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews});
    let mut kubectl = plane().kubectl();
    let output = feed(
        kubectl.args(["create", "-o", "json", "-f", "-"]),
        &list.to_string(),
    )
    .unwrap();
    // One document after the other, in the order of the questions.
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let answers: Vec<_> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), rights.len());
    answers
        .iter()
        .map(|answer| answer["status"]["allowed"].as_bool().unwrap())
        .collect()
}

#[test]
fn the_account_has_the_rights_that_usher_needs_and_no_others() {
    installed();
    let watched = [
        "rbac.authorization.k8s.io/roles",
        "rbac.authorization.k8s.io/clusterroles",
        "rbac.authorization.k8s.io/rolebindings",
        "rbac.authorization.k8s.io/clusterrolebindings",
    ];
    let read = [
        "node.k8s.io/runtimeclasses",
        "scheduling.k8s.io/priorityclasses",
        "/namespaces",
        "/serviceaccounts",
        "/pods",
        "/replicationcontrollers",
        "apps/deployments",
        "apps/replicasets",
        "apps/statefulsets",
        "apps/daemonsets",
        "apps/controllerrevisions",
        "batch/jobs",
        "batch/cronjobs",
    ];
    // What would be worst if somebody took Usher over.
    let precious = [
        "/secrets",
        "/pods/exec",
        "/configmaps",
        "/serviceaccounts/token",
        "/nodes",
        "/users",
        "/groups",
        "admissionregistration.k8s.io/validatingwebhookconfigurations",
        "admissionregistration.k8s.io/mutatingwebhookconfigurations",
        "authorization.k8s.io/localsubjectaccessreviews",
        "authentication.k8s.io/tokenreviews",
        "certificates.k8s.io/certificatesigningrequests",
        "events.k8s.io/events",
    ];
    let verbs = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "use",
        "impersonate",
        "bind",
        "escalate",
    ];
    let mut expected = Vec::new();
    for verb in verbs {
        // What is told to the API server, and never read back or changed.
        let told = ["authorization.k8s.io/subjectaccessreviews", "/events"];
        expected.extend(told.map(|resource| (format!("{verb} {resource}"), verb == "create")));
        let reads = ["list", "watch"].contains(&verb);
        expected.extend(
            watched
                .iter()
                .map(|resource| (format!("{verb} {resource}"), reads)),
        );
        expected.extend(
            read.iter()
                .map(|resource| (format!("{verb} {resource}"), verb == "get")),
        );
        expected.extend(
            precious
                .iter()
                .map(|resource| (format!("{verb} {resource}"), false)),
        );
    }
    let (rights, expected): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
    let answers = rights_of_the_account(&rights);
    let wrong: Vec<_> = rights
        .iter()
        .zip(&expected)
        .zip(&answers)
        .filter(|((_, expected), answer)| expected != answer)
        .collect();
    assert!(wrong.is_empty(), "((right, expected), is): {wrong:?}");
}
