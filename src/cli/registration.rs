//! The registrations of the webhook, for the kinds that a configuration turns on, made of Kubernetes' own types.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
        ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta},
};

use super::{Failure, roles::USHER, served::Served, yaml};
use crate::server::Hook;
use usher_core::{
    catalogue::{Catalogue, Content, Kind},
    engine::{Operation, Policy},
    reference::Resource,
};

/// What is said at the head of the ValidatingWebhookConfiguration.
const VALIDATING: &str = "\
Tells the API server to ask Usher before it stores anything that decides under which identity, and where, a pod runs.

annotations: cert-manager fills caBundle in from here (see certs/). Without cert-manager, fill it in by hand: certs/README.md.
rules: Versions are named one by one: a new version of a kind is looked at before it is served. Subresources that carry
  no pod spec (status, scale, eviction, ...) are not sent.
failurePolicy: A guard that is not there must not be a guard that says yes.
matchPolicy: The same object sent in another version of its group is converted and sent too.
sideEffects: Usher stores nothing, so that a dry run can be judged like the real thing. A token cannot be called back, but
  it is the API server that issues it.
timeoutSeconds: Room for a live access review before a refusal. The API server ends every request after 34 s.
namespaceSelector: Usher's own pods and those of the control plane must start while Usher is down. The API server sets
  this label itself on every write, so that nobody can leave or enter by relabelling. Keep tenants out of these namespaces.
There is no objectSelector: the labels of an object are written by the one who is to be judged.

validate-tokens.usher.dev: A token of a service account is the account. An entry of its own, because it has a condition: a
  kubelet that gets no token starts no pod, also none of Usher. It gets tokens only for pods on its own node (admission
  plugin NodeRestriction), and Usher would let it pass. Name and group must both say that it is one.
";
/// What is added where custom resources are judged.
const CUSTOMS: &str = "\
validate-customs.usher.dev: Custom resources whose controllers act for whoever wrote them. Usher refuses a version that it
  does not know.
";
/// What is said at the head of the MutatingWebhookConfiguration.
const MUTATING: &str = "\
Tells the API server to ask Usher what is to be added to a new pod, and whether a new token is to live shorter.

annotations: As in validating.yaml.
failurePolicy: An addition that fails must not stop pods. What a pod must have is checked, with Fail, by
  validate.usher.dev, which sees the pod as it is after all additions.
reinvocationPolicy: Ask again when another webhook has changed the object after us; the second answer adds nothing twice.
timeoutSeconds: The service account of a pod that a profile selects is read once, live. The time of mutating webhooks adds up.

mutate.usher.dev: What is added cannot be changed in a living pod, so only the creation is of interest. Templates stay as
  their authors wrote them: every pod that comes of one is asked about. Its side effect: an event is written if a pod does
  not get what it should; never for a dry run.
mutate-tokens.usher.dev: A lifetime that is not shortened here is refused by validate-tokens.usher.dev, if the limits of the
  configuration are enforced. Kubelets ask for what the volumes of pods say, and those were judged with the pods. Remove the
  condition where the requests of kubelets are to be shortened too: that also reaches pods which are older than Usher.
";
/// What is added where accounts are written into custom resources.
const CHANGED: &str = "\
mutate-customs.usher.dev: Custom resources into which the configuration has an account written where they name none
  (defaultServiceAccounts). An object without an account is its controller's, and validate-customs.usher.dev asks for that
  one.
";
/// A request of a kubelet is none that Usher is asked about.
const NOT_A_KUBELET: &str = "!(request.userInfo.username.startsWith('system:node:') && has(request.userInfo.groups) && \
                             'system:nodes' in request.userInfo.groups)";

/// A registration, and what its reader should know about it.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

/// The ValidatingWebhookConfiguration for the kinds of the catalogue; with `served` for those custom resources alone that
/// the cluster has.
pub(super) fn validating(
    policy: &Policy,
    catalogue: &Catalogue,
    served: Option<&Served>,
) -> Result<Registration, Failure> {
    let hook = |name, rules| ValidatingWebhook {
        failure_policy: Some("Fail".to_owned()),
        timeout_seconds: Some(10),
        ..webhook(name, Hook::Validate, policy, rules)
    };
    let of_kubernetes = catalogue
        .kinds()
        .filter(|kind| matches!(kind.content, Content::PodSpec(_)));
    let mut notes = Vec::new();
    let mut about = VALIDATING.to_owned();
    let tokens = ValidatingWebhook {
        match_conditions: Some(vec![not_a_kubelet()]),
        ..hook("validate-tokens.usher.dev", tokens())
    };
    let core = rules(of_kubernetes, with_pod_specs, None, &mut notes);
    let mut webhooks = vec![hook("validate.usher.dev", core), tokens];
    let custom = catalogue
        .kinds()
        .filter(|kind| matches!(kind.content, Content::Fields(_)));
    let customs = rules(custom, governed, served, &mut notes);
    if !customs.is_empty() {
        about.push_str(CUSTOMS);
        webhooks.push(hook("validate-customs.usher.dev", customs));
    }
    let object = ValidatingWebhookConfiguration {
        metadata: metadata(),
        webhooks: Some(webhooks),
    };
    Ok(Registration {
        text: yaml::comment(&about) + &yaml::document(&object)?,
        notes,
    })
}

/// The MutatingWebhookConfiguration, likewise: of the kinds of the catalogue those into which an account is written.
pub(super) fn mutating(
    policy: &Policy,
    catalogue: &Catalogue,
    served: Option<&Served>,
) -> Result<Registration, Failure> {
    let hook = |name, rules| {
        let ValidatingWebhook {
            admission_review_versions,
            client_config,
            match_policy,
            name,
            namespace_selector,
            rules,
            side_effects,
            ..
        } = webhook(name, Hook::Mutate, policy, rules);
        MutatingWebhook {
            admission_review_versions,
            client_config,
            failure_policy: Some("Ignore".to_owned()),
            match_policy,
            name,
            namespace_selector,
            reinvocation_policy: Some("IfNeeded".to_owned()),
            rules,
            side_effects,
            timeout_seconds: Some(5),
            ..MutatingWebhook::default()
        }
    };
    let pods = vec![rule(
        &[Operation::Create],
        "",
        &["v1"],
        false,
        ["pods".to_owned()],
    )];
    let mut webhooks = vec![
        MutatingWebhook {
            side_effects: "NoneOnDryRun".to_owned(),
            ..hook("mutate.usher.dev", pods)
        },
        MutatingWebhook {
            match_conditions: Some(vec![not_a_kubelet()]),
            ..hook("mutate-tokens.usher.dev", tokens())
        },
    ];
    let entries = policy.default_accounts.iter();
    let controllers: BTreeSet<&String> = entries.flat_map(|entry| &entry.controllers).collect();
    let changed = catalogue
        .kinds()
        .filter(|kind| controllers.iter().any(|name| kind.leaves_accounts_to(name)));
    let mut notes = Vec::new();
    let mut about = MUTATING.to_owned();
    let changed = rules(changed, |_| Vec::new(), served, &mut notes);
    if !changed.is_empty() {
        about.push_str(CHANGED);
        webhooks.push(hook("mutate-customs.usher.dev", changed));
    }
    let object = MutatingWebhookConfiguration {
        metadata: metadata(),
        webhooks: Some(webhooks),
    };
    Ok(Registration {
        text: yaml::comment(&about) + &yaml::document(&object)?,
        notes,
    })
}

fn metadata() -> ObjectMeta {
    let annotation = (
        "cert-manager.io/inject-ca-from".to_owned(),
        format!("{}/usher-serving", USHER.namespace),
    );
    ObjectMeta {
        name: Some(USHER.name.to_owned()),
        annotations: Some(BTreeMap::from([annotation])),
        ..ObjectMeta::default()
    }
}

/// What all entries have in common.
fn webhook(
    name: &str,
    hook: Hook,
    policy: &Policy,
    rules: Vec<RuleWithOperations>,
) -> ValidatingWebhook {
    let excluded = policy.excluded_namespaces.iter().map(ToString::to_string);
    // A selector knows no patterns: Usher lets these through by itself.
    let excluded = excluded.filter(|name| !name.contains('*'));
    ValidatingWebhook {
        admission_review_versions: vec!["v1".to_owned()],
        client_config: WebhookClientConfig {
            service: Some(ServiceReference {
                name: USHER.name.to_owned(),
                namespace: USHER.namespace.to_owned(),
                path: Some(hook.path().to_owned()),
                port: Some(443),
            }),
            ..WebhookClientConfig::default()
        },
        match_policy: Some("Equivalent".to_owned()),
        name: name.to_owned(),
        namespace_selector: Some(LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "kubernetes.io/metadata.name".to_owned(),
                operator: "NotIn".to_owned(),
                values: Some(excluded.collect()),
            }]),
            ..LabelSelector::default()
        }),
        rules: Some(rules),
        side_effects: "None".to_owned(),
        ..ValidatingWebhook::default()
    }
}

fn not_a_kubelet() -> MatchCondition {
    MatchCondition {
        name: "not-a-kubelet".to_owned(),
        expression: NOT_A_KUBELET.to_owned(),
    }
}

/// Requests for tokens. A token is made, never changed.
fn tokens() -> Vec<RuleWithOperations> {
    let Resource { group, name, .. } = Resource::SERVICE_ACCOUNTS;
    let resource = format!("{name}/token");
    vec![rule(
        &[Operation::Create],
        group,
        &["v1"],
        false,
        [resource],
    )]
}

/// The subresources of a kind of Kubernetes that carry a pod spec and are no copy of it that the kind's own rule brings.
fn with_pod_specs(kind: &Kind) -> Vec<&'static str> {
    if *kind.group == *"" && *kind.kind == *"Pod" {
        vec!["ephemeralcontainers"]
    } else {
        Vec::new()
    }
}

/// The subresources of a custom resource that decide like a field of the object: a status that steers a controller.
fn governed(kind: &Kind) -> Vec<&'static str> {
    kind.governs("status")
        .then_some("status")
        .into_iter()
        .collect()
}

/// Rules for kinds and some of their subresources: one for all that are registered in the same group, versions and scope.
fn rules<'c>(
    kinds: impl Iterator<Item = &'c Kind>,
    subresources: fn(&Kind) -> Vec<&'static str>,
    served: Option<&'c Served>,
    notes: &mut Vec<String>,
) -> Vec<RuleWithOperations> {
    /// What is registered of a resource: versions and subresources.
    type Registered<'c> = (BTreeSet<&'c str>, BTreeSet<&'c str>);

    let mut by_resource: BTreeMap<(&str, &str, bool), Registered<'_>> = BTreeMap::new();
    for kind in kinds {
        let key = (&*kind.group, &*kind.resource, kind.cluster);
        let (versions, below) = by_resource.entry(key).or_default();
        versions.extend(kind.versions.iter().map(|version| &**version));
        below.extend(subresources(kind));
    }
    let mut rules: BTreeMap<(&str, Vec<&str>, bool), BTreeSet<String>> = BTreeMap::new();
    for ((group, resource, cluster), (versions, below)) in by_resource {
        let versions = match served {
            Some(served) => in_cluster(&versions, served, group, resource, notes),
            None => versions.into_iter().collect(),
        };
        if versions.is_empty() {
            continue;
        }
        let held = rules.entry((group, versions, cluster)).or_default();
        held.insert(resource.to_owned());
        held.extend(below.iter().map(|below| format!("{resource}/{below}")));
    }
    let judged: Vec<Operation<'_>> = Operation::judged().collect();
    let rule = |((group, versions, cluster), resources): ((&str, Vec<&str>, bool), _)| {
        rule(&judged, group, &versions, cluster, resources)
    };
    rules.into_iter().map(rule).collect()
}

fn rule(
    operations: &[Operation<'_>],
    group: &str,
    versions: &[&str],
    cluster: bool,
    resources: impl IntoIterator<Item = String>,
) -> RuleWithOperations {
    let operations = operations
        .iter()
        .map(|operation| operation.word().to_owned());
    let scope = if cluster { "Cluster" } else { "Namespaced" };
    RuleWithOperations {
        api_groups: Some(vec![group.to_owned()]),
        api_versions: Some(versions.iter().map(ToString::to_string).collect()),
        operations: Some(operations.collect()),
        resources: Some(resources.into_iter().collect()),
        // A grant is looked up in the namespace of the object.
        scope: Some(scope.to_owned()),
    }
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
