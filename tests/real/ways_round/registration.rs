//! Way 26, as far as a tenant can try it: to be where Usher is not asked. And that Usher does not ask itself.

use std::{thread::sleep, time::Duration};

use serde_json::json;

use super::{Tenants, WEBHOOK};
use crate::real::{cluster::port, controlplane::plane};

#[test]
fn a_namespace_is_labelled_as_one_that_is_left_out() {
    let tenants = Tenants::new("relabelled");
    tenants.may("get,patch,update", "namespaces");
    let guarded = &tenants.guarded;
    let namespace = &guarded.namespace;
    for label in [
        "kubernetes.io/metadata.name=kube-system",
        "control-plane=true",
        "admission.usher.dev/ignore=true",
        "usher.dev/exclude=true",
    ] {
        guarded
            .run(&["label", "namespace", namespace, label, "--overwrite"])
            .passes();
        guarded
            .pod("web", "serviceAccountName: deployer")
            .refused_by(WEBHOOK, "may not use serviceaccount \"deployer\"");
    }
    // The API server writes the real name back.
    let path = r"jsonpath={.metadata.labels.kubernetes\.io/metadata\.name}";
    let name = plane().run(&["get", "namespace", namespace, "-o", path]);
    assert_eq!(name.unwrap(), *namespace);
    // Where it is left out by its name, the same works.
    tenants
        .free
        .pod("web", "serviceAccountName: deployer")
        .passes();
}

/// Somebody registers Usher for all that there is, its own access reviews included.
#[test]
fn access_reviews_of_usher_come_back_to_usher() {
    let tenants = Tenants::new("recursive");
    let registration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "recursive"},
        "webhooks": [{
            "name": "recursive.usher.dev",
            "clientConfig": {
                "url": format!("https://127.0.0.1:{}/validate", port()),
                "caBundle": k8s_openapi::ByteString(plane().ca_pem().as_bytes().to_vec()),
            },
            "rules": [{"operations": ["*"], "apiGroups": ["authorization.k8s.io"], "apiVersions": ["*"], "resources": ["*/*"]}],
            // Those of Usher itself, and nobody else's.
            "matchConditions": [{
                "name": "of-usher",
                "expression": "request.userInfo.username == 'system:serviceaccount:usher-system:usher'",
            }],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    });
    plane().apply(&registration.to_string()).unwrap();
    // The API server learns of it a moment later.
    sleep(Duration::from_secs(2));
    let guarded = &tenants.guarded;
    let deployer = "serviceAccountName: deployer";
    for _ in 0..3 {
        guarded.pod("web", deployer).refused_by(
            WEBHOOK,
            "ways-recursive-jane may not use serviceaccount \"deployer\" in namespace ways-recursive",
        );
    }
    // The API server counts what it asked of the registration, by name, and what came back.
    let metrics = plane().run(&["get", "--raw", "/metrics"]).unwrap();
    let is_answered = |line: &&str| {
        [
            "_request_total{",
            "name=\"recursive.usher.dev\"",
            "code=\"200\"",
            "rejected=\"false\"",
        ]
        .iter()
        .all(|part| line.contains(part))
    };
    let answered = metrics.lines().find(is_answered);
    assert!(
        answered.is_some(),
        "no review of Usher's own came back to it"
    );
    // A grant that only the access review knows.
    guarded.grant("serviceaccounts/deployer");
    guarded.pod("web", deployer).passes();
    plane()
        .run(&["delete", "validatingwebhookconfiguration", "recursive"])
        .unwrap();
}
