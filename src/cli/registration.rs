//! The registration of the webhook, for the kinds that a configuration turns on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    catalogue::{Catalogue, Content, Kind},
    engine::Policy,
};

/// What is registered always.
const CORE: &str = include_str!("../../webhook-config/validating.yaml");
/// The namespaces that it leaves out.
const EXCLUDED: &str = "[kube-system, usher-system]";

/// The rules of one group: resources that are served in the same versions and scope.
type Rules<'c> = BTreeMap<(&'c str, Vec<&'c str>, bool), BTreeSet<String>>;

/// The ValidatingWebhookConfiguration for the kinds of the catalogue.
pub(super) fn validating(policy: &Policy, catalogue: &Catalogue) -> String {
    let mut text = CORE.to_owned();
    let customs: Vec<&Kind> = catalogue
        .kinds()
        .filter(|kind| matches!(kind.content, Content::Fields(_)))
        .collect();
    if !customs.is_empty() {
        text.push_str(HEAD);
        for ((group, versions, cluster), resources) in rules(&customs) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "      - operations: [CREATE, UPDATE]\n        apiGroups: [{group}]\n        apiVersions: [{}]\n        \
                 resources: [{}]\n        scope: {}",
                versions.join(", "),
                resources.into_iter().collect::<Vec<_>>().join(", "),
                if cluster { "Cluster" } else { "Namespaced" }
            );
        }
        text.push_str(TAIL);
    }
    let excluded: Vec<String> = policy
        .excluded_namespaces
        .iter()
        .map(ToString::to_string)
        // A selector knows no patterns: Usher lets these through by itself.
        .filter(|name| !name.contains('*'))
        .collect();
    text.replace(EXCLUDED, &format!("[{}]", excluded.join(", ")))
}

fn rules<'c>(kinds: &[&'c Kind]) -> Rules<'c> {
    let mut by_resource: BTreeMap<(&str, &str, bool), (BTreeSet<&str>, bool)> = BTreeMap::new();
    for kind in kinds {
        let key = (&*kind.group, &*kind.resource, kind.cluster);
        let (versions, status) = by_resource.entry(key).or_default();
        versions.extend(kind.versions.iter().map(|version| &**version));
        *status |= kind.governs("status");
    }
    let mut rules = Rules::new();
    for ((group, resource, cluster), (versions, status)) in by_resource {
        let versions = versions.into_iter().collect();
        let held = rules.entry((group, versions, cluster)).or_default();
        held.insert(resource.to_owned());
        // A status that steers a controller decides like a field of the object.
        if status {
            held.insert(format!("{resource}/status"));
        }
    }
    rules
}

const HEAD: &str = "  # Custom resources whose controllers act for whoever wrote them. Versions are named one by one; Usher refuses one that it
  # does not know.
  - name: validate-customs.usher.dev
    clientConfig:
      service:
        namespace: usher-system
        name: usher
        path: /validate
        port: 443
    rules:
";

const TAIL: &str = "    failurePolicy: Fail
    matchPolicy: Equivalent
    sideEffects: None
    timeoutSeconds: 10
    admissionReviewVersions: [v1]
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values: [kube-system, usher-system]
";
