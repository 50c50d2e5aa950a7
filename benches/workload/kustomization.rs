//! Custom resources with patches.

use serde_json::{Value, json};

use super::cluster::{account, groups, namespace, user};

/// The AdmissionReview of a new Kustomization with so many patches, each of its own, in the namespace of review `n`. Of so
/// many patches one sets an account, the one that review `n` may use.
pub(crate) fn kustomization(n: usize, patches: usize, one_of: usize) -> String {
    let kind =
        json!({"group": "kustomize.toolkit.fluxcd.io", "version": "v1", "kind": "Kustomization"});
    let resource = json!({"group": "kustomize.toolkit.fluxcd.io", "version": "v1", "resource": "kustomizations"});
    let patches: Vec<Value> = (0..patches)
        .map(|index| patch(n, index, index.is_multiple_of(one_of)))
        .collect();
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": format!("30882d2b-4359-4689-88b4-{n:012x}"),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": format!("shop-{n}"),
            "namespace": namespace(n),
            "operation": "CREATE",
            "userInfo": {"username": user(n), "groups": groups(n)},
            "object": {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": {"name": format!("shop-{n}"), "namespace": namespace(n)},
                "spec": {
                    "interval": "10m0s",
                    "path": format!("./shops/{n}"),
                    "prune": true,
                    "serviceAccountName": account(n),
                    "sourceRef": {"kind": "GitRepository", "name": "shops"},
                    "patches": patches,
                },
            },
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
    .to_string()
}

fn patch(n: usize, index: usize, account_is_set: bool) -> Value {
    let text = if account_is_set {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{index}\nspec:\n  template:\n    spec:\n      \
             serviceAccountName: {}\n",
            account(n)
        )
    } else {
        format!(
            "- op: replace\n  path: /spec/template/spec/containers/0/resources/limits/memory\n  value: {index}Mi\n\
             - op: add\n  path: /metadata/labels/tier\n  value: tier-{index}\n"
        )
    };
    json!({"patch": text, "target": {"kind": "Deployment", "name": format!("web-{index}")}})
}
