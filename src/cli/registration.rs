//! The registrations of the webhook, for the kinds that a configuration turns on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::served::Served;
use usher_core::{
    catalogue::{Catalogue, Content, Kind},
    engine::Policy,
};

/// What is registered always.
const VALIDATING: &str = include_str!("../../webhook-config/validating.yaml");
const MUTATING: &str = include_str!("../../webhook-config/mutating.yaml");
/// The namespaces that they leave out.
const EXCLUDED: &str = "[kube-system, usher-system]";

/// The rules of one group: resources that are registered in the same versions and scope.
type Rules<'c> = BTreeMap<(&'c str, Vec<&'c str>, bool), BTreeSet<String>>;

/// A registration, and what its reader should know about it.
#[derive(Debug, Default)]
pub(super) struct Registration {
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

/// The ValidatingWebhookConfiguration for the kinds of the catalogue; with `served` for those alone that the cluster has.
pub(super) fn validating(
    policy: &Policy,
    catalogue: &Catalogue,
    served: Option<&Served>,
) -> Registration {
    let customs = |kind: &&Kind| matches!(kind.content, Content::Fields(_));
    let customs: Vec<&Kind> = catalogue.kinds().filter(customs).collect();
    registration(VALIDATING, JUDGED, &customs, true, served).without(policy)
}

/// The MutatingWebhookConfiguration, likewise: of the kinds of the catalogue those into which an account is written.
pub(super) fn mutating(
    policy: &Policy,
    catalogue: &Catalogue,
    served: Option<&Served>,
) -> Registration {
    let entries = policy.default_accounts.iter();
    let controllers: BTreeSet<&String> = entries.flat_map(|entry| &entry.controllers).collect();
    let changed = |kind: &&Kind| controllers.iter().any(|name| kind.leaves_accounts_to(name));
    let changed: Vec<&Kind> = catalogue.kinds().filter(changed).collect();
    registration(MUTATING, CHANGED, &changed, false, served).without(policy)
}

impl Registration {
    /// The same without the namespaces that the configuration leaves out.
    fn without(mut self, policy: &Policy) -> Self {
        let excluded: Vec<String> = policy
            .excluded_namespaces
            .iter()
            .map(ToString::to_string)
            // A selector knows no patterns: Usher lets these through by itself.
            .filter(|name| !name.contains('*'))
            .collect();
        let excluded = format!("[{}]", excluded.join(", "));
        self.text = self.text.replace(EXCLUDED, &excluded);
        self
    }
}

fn registration(
    core: &str,
    (head, tail): (&str, &str),
    kinds: &[&Kind],
    statuses: bool,
    served: Option<&Served>,
) -> Registration {
    let mut notes = Vec::new();
    let rules = rules(kinds, statuses, served, &mut notes);
    let mut text = core.to_owned();
    if !rules.is_empty() {
        text.push_str(head);
        for ((group, versions, cluster), resources) in rules {
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
        text.push_str(tail);
        text.push_str(SELECTOR);
    }
    Registration { text, notes }
}

fn rules<'c>(
    kinds: &[&'c Kind],
    statuses: bool,
    served: Option<&'c Served>,
    notes: &mut Vec<String>,
) -> Rules<'c> {
    let mut by_resource: BTreeMap<(&str, &str, bool), (BTreeSet<&str>, bool)> = BTreeMap::new();
    for kind in kinds {
        let key = (&*kind.group, &*kind.resource, kind.cluster);
        let (versions, status) = by_resource.entry(key).or_default();
        versions.extend(kind.versions.iter().map(|version| &**version));
        *status |= statuses && kind.governs("status");
    }
    let mut rules = Rules::new();
    for ((group, resource, cluster), (versions, status)) in by_resource {
        let versions = match served {
            Some(served) => in_cluster(&versions, served, group, resource, notes),
            None => versions.into_iter().collect(),
        };
        if versions.is_empty() {
            continue;
        }
        let held = rules.entry((group, versions, cluster)).or_default();
        held.insert(resource.to_owned());
        // A status that steers a controller decides like a field of the object.
        if status {
            held.insert(format!("{resource}/status"));
        }
    }
    rules
}

/// The versions to register of a resource: the known ones that the cluster serves. With `matchPolicy: Equivalent` the API
/// server converts objects of its other versions to one of these, as long as there is one; so where it serves none of
/// them, those that it does serve are registered, and Usher refuses what it does not know.
fn in_cluster<'c>(
    known: &BTreeSet<&'c str>,
    served: &'c Served,
    group: &str,
    resource: &str,
    notes: &mut Vec<String>,
) -> Vec<&'c str> {
    let served = served.versions(group, resource);
    let (mut both, unknown): (Vec<&str>, Vec<&str>) = served
        .iter()
        .map(String::as_str)
        .partition(|version| known.contains(version));
    let named = format!("{resource}.{group}");
    if served.is_empty() {
        notes.push(format!(
            "{named} is left out: the cluster does not serve it"
        ));
    } else if both.is_empty() {
        let known: Vec<&str> = known.iter().copied().collect();
        notes.push(format!(
            "{named} is served in {} alone, and Usher knows {}: every change of such an object is refused",
            unknown.join(", "),
            known.join(", ")
        ));
        return unknown;
    } else if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        notes.push(format!(
            "{named} is also served in {unknown}, which Usher does not know: the API server converts to {}",
            both.join(" or ")
        ));
    }
    both.sort_unstable();
    both
}

/// The namespaces of a webhook, behind everything else of it.
const SELECTOR: &str = "    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values: [kube-system, usher-system]
";

const JUDGED: (&str, &str) = (
    "  # Custom resources whose controllers act for whoever wrote them. Versions are named one by one; Usher refuses one that it
  # does not know.
  - name: validate-customs.usher.dev
    clientConfig:
      service:
        namespace: usher-system
        name: usher
        path: /validate
        port: 443
    rules:
",
    "    failurePolicy: Fail
    matchPolicy: Equivalent
    sideEffects: None
    timeoutSeconds: 10
    admissionReviewVersions: [v1]
",
);

const CHANGED: (&str, &str) = (
    "  # Custom resources into which the configuration has an account written where they name none (defaultServiceAccounts).
  - name: mutate-customs.usher.dev
    clientConfig:
      service:
        namespace: usher-system
        name: usher
        path: /mutate
        port: 443
    rules:
",
    "    # An object without an account is its controller's, and validate-customs.usher.dev asks for that one.
    failurePolicy: Ignore
    reinvocationPolicy: IfNeeded
    matchPolicy: Equivalent
    sideEffects: None
    timeoutSeconds: 5
    admissionReviewVersions: [v1]
",
);
