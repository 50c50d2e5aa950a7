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
    object::{NAMESPACE_TOLERATIONS, TokenSecret},
    reference::{COLLECTOR, KEEPERS, KUBELET, SCHEDULER},
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

";

usher_core::words! {
    /// One entry of the ValidatingWebhookConfiguration, in the order in which they are written: what somebody else does than to
    /// write a pod spec is registered apart, for it may have a condition of its own, or be left out.
    #[derive(Clone, Copy, PartialEq)]
    enum Entry,
    /// Its name.
    fn name {
        Pods = "validate.usher.dev",
        Tokens = "validate-tokens.usher.dev",
        Bindings = "validate-bindings.usher.dev",
        Accounts = "validate-accounts.usher.dev",
        Secrets = "validate-secrets.usher.dev",
        Revisions = "validate-revisions.usher.dev",
        Namespaces = "validate-namespaces.usher.dev",
        Connections = "validate-connections.usher.dev",
        Customs = "validate-customs.usher.dev",
    }
}

impl Entry {
    /// Where a kind belongs.
    const fn of(content: &Content) -> Self {
        match content {
            Content::Account(_) | Content::SigningRequest => Self::Accounts,
            Content::Binding(_) => Self::Bindings,
            Content::Connection(_) | Content::Named(_) => Self::Connections,
            Content::Fields(_) => Self::Customs,
            Content::NamespaceTolerations => Self::Namespaces,
            Content::PodSpec(_) => Self::Pods,
            Content::Revision(_) => Self::Revisions,
            Content::TokenRequest(_) => Self::Tokens,
            Content::TokenSecret => Self::Secrets,
        }
    }

    /// What is said of it at the head.
    const fn about(self) -> &'static str {
        match self {
            Self::Pods => "",
            Self::Tokens => {
                "\
validate-tokens.usher.dev: A token of a service account is the account. An entry of its own, because it has a condition: a
  kubelet that gets no token starts no pod, also none of Usher. It gets tokens only for pods on its own node (admission
  plugin NodeRestriction), and Usher would let it pass. Name and group must both say that it is one.
"
            }
            Self::Bindings => {
                "\
validate-bindings.usher.dev: Whoever binds a pod to a node needs no toleration. The scheduler of Kubernetes does nothing else,
  and Usher would let it pass: it must be able to place the pods of Usher.
"
            }
            Self::Accounts => {
                "\
validate-accounts.usher.dev: What is written on a service account says which identity of a cloud its pods get, and which pull
  secrets. A client certificate can bear the name of one.
"
            }
            Self::Secrets => {
                "\
validate-secrets.usher.dev: Whoever may write a Secret of this type has a token of the account that it names, for ever. Other
  Secrets are not sent.
"
            }
            Self::Revisions => {
                "\
validate-revisions.usher.dev: What a StatefulSet said before is what some of its pods say. Usher lets pass what the controllers
  write and take away that keep revisions, and a namespace must come to its end while Usher is down.
"
            }
            Self::Namespaces => {
                "\
validate-namespaces.usher.dev: Annotations of a namespace give its pods tolerations, and limit theirs (admission plugin
  PodTolerationRestriction). Only namespaces that bear one are sent. namespaceSelector looks at the namespace itself.
"
            }
            Self::Connections => {
                "\
validate-connections.usher.dev: Whoever connects to a pod that runs has its token. Only what the checks connections and proxies
  ask about is sent.
"
            }
            Self::Customs => {
                "\
validate-customs.usher.dev: Custom resources whose controllers act for whoever wrote them. Usher refuses a version that it
  does not know.
"
            }
        }
    }

    /// Only requests that hold this are sent.
    fn condition(self, policy: &Policy) -> Option<Condition> {
        match self {
            Self::Accounts | Self::Connections | Self::Customs | Self::Pods => None,
            Self::Bindings => Some(not_the_scheduler()),
            Self::Namespaces => Some(with_tolerations()),
            Self::Revisions => Some(not_a_keeper(policy)),
            Self::Secrets => Some(holds_a_token()),
            Self::Tokens => Some(not_a_kubelet()),
        }
    }
}

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
/// A name, and what it says in CEL.
type Condition = (&'static str, String);

/// A request of a kubelet is none that Usher is asked about.
fn not_a_kubelet() -> Condition {
    let (prefix, group) = KUBELET;
    let (prefix, group) = (literal(prefix), literal(group));
    let says = format!(
        "!(request.userInfo.username.startsWith({prefix}) && has(request.userInfo.groups) && \
         {group} in request.userInfo.groups)"
    );
    ("not-a-kubelet", says)
}

/// The scheduler of Kubernetes is not asked where it puts pods.
fn not_the_scheduler() -> Condition {
    let says = format!("request.userInfo.username != {}", literal(SCHEDULER));
    ("not-the-scheduler", says)
}

/// Only Secrets that Kubernetes fills with a token are of interest. The type of a Secret cannot change.
fn holds_a_token() -> Condition {
    let holds = literal(TokenSecret::TYPE);
    let says = format!("has(object.type) && object.type == {holds}");
    ("holds-a-token", says)
}

/// A controller that keeps revisions is not asked about them, whether it has its own account or is the user that all share. The
/// garbage collector is where it takes owners off: then one of which nobody was asked may become one that a set takes in.
fn not_a_keeper(policy: &Policy) -> Condition {
    let users = |names: &[&str]| -> Vec<String> {
        let user = |name: &&str| literal(&format!("system:serviceaccount:kube-system:{name}"));
        names.iter().map(user).collect()
    };
    let mut collectors = users(&[COLLECTOR]);
    collectors.extend(policy.controller_manager.as_deref().map(literal));
    let says = format!(
        "!(request.userInfo.username in [{}] || request.operation != 'UPDATE' && request.userInfo.username in [{}])",
        users(&KEEPERS).join(", "),
        collectors.join(", ")
    );
    ("not-a-keeper", says)
}

/// A namespace without these annotations gives nothing.
fn with_tolerations() -> Condition {
    let is_there = |key| format!("{} in object.metadata.annotations", literal(key));
    let says = format!(
        "has(object.metadata.annotations) && ({})",
        NAMESPACE_TOLERATIONS.map(is_there).join(" || ")
    );
    ("with-tolerations", says)
}

/// A text as CEL writes it.
fn literal(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '\'' | '\\' => format!("\\{letter}"),
        _ if letter.is_ascii_control() => format!("\\x{:02x}", u32::from(letter)),
        _ => letter.to_string(),
    });
    format!("'{}'", escaped.collect::<String>())
}

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
    let mut notes = Vec::new();
    let mut about = VALIDATING.to_owned();
    let mut webhooks = Vec::new();
    for entry in Entry::ALL {
        let kinds = catalogue
            .kinds()
            .filter(|kind| Entry::of(&kind.content) == entry);
        let asked = kinds.filter(|kind| is_asked(&kind.content, policy));
        let all = |kind: &Kind| taken_by(kind).collect();
        // Custom resources are left out where the cluster does not serve them.
        let served = served.filter(|_| entry == Entry::Customs);
        let rules = rules(asked, all, served, &mut notes);
        if rules.is_empty() {
            continue;
        }
        about.push_str(entry.about());
        webhooks.push(ValidatingWebhook {
            match_conditions: entry.condition(policy).map(only),
            ..hook(entry.name(), rules)
        });
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
        &[Operation::Create.word()],
        "",
        &["v1"],
        false,
        ["pods".to_owned()],
    )];
    let mut notes = Vec::new();
    let is_token = |kind: &&Kind| matches!(kind.content, Content::TokenRequest(_));
    let all = |kind: &Kind| taken_by(kind).collect();
    let tokens = rules(catalogue.kinds().filter(is_token), all, None, &mut notes);
    let mut webhooks = vec![
        MutatingWebhook {
            side_effects: "NoneOnDryRun".to_owned(),
            ..hook("mutate.usher.dev", pods)
        },
        MutatingWebhook {
            match_conditions: Some(only(not_a_kubelet())),
            ..hook("mutate-tokens.usher.dev", tokens)
        },
    ];
    let entries = policy.default_accounts.iter();
    let controllers: BTreeSet<&String> = entries.flat_map(|entry| &entry.controllers).collect();
    let changed = catalogue
        .kinds()
        .filter(|kind| controllers.iter().any(|name| kind.leaves_accounts_to(name)));
    let mut about = MUTATING.to_owned();
    let itself = |kind: &Kind| vec![kind.resource.to_string()];
    let changed = rules(changed, itself, served, &mut notes);
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

/// That only requests which hold this are sent.
fn only((name, expression): Condition) -> Vec<MatchCondition> {
    vec![MatchCondition {
        name: name.to_owned(),
        expression,
    }]
}

/// Whether a check that asks about such a kind is on anywhere.
pub(super) fn is_asked(content: &Content, policy: &Policy) -> bool {
    let is_on = |check: &_| !policy.modes.is_off_everywhere(*check);
    let checks = content.only_checks();
    checks.is_none_or(|checks| checks.iter().any(is_on))
}

/// The resources and subresources that take a kind and can use what it names: of a custom resource also a status that steers
/// its controller.
fn taken_by(kind: &Kind) -> impl Iterator<Item = String> {
    let status = kind.content.fields().is_some() && kind.governs("status");
    let status = status.then(|| format!("{}/status", kind.resource));
    kind.taken_by.iter().map(ToString::to_string).chain(status)
}

/// Rules for kinds: one for all that are registered in the same group and versions, with the same scope and operations.
fn rules<'c>(
    kinds: impl Iterator<Item = &'c Kind>,
    taken_by: impl Fn(&Kind) -> Vec<String>,
    served: Option<&'c Served>,
    notes: &mut Vec<String>,
) -> Vec<RuleWithOperations> {
    /// What is registered of a resource: versions, and all that takes it.
    type Registered<'c> = (BTreeSet<&'c str>, BTreeSet<String>);
    /// The words of the operations come first, so that equal ones stand together.
    type Operations = Vec<&'static str>;

    let mut by_resource: BTreeMap<(Operations, &str, &str, bool), Registered<'_>> = BTreeMap::new();
    for kind in kinds {
        let operations = Operation::judged(&kind.content).iter();
        let operations = operations.map(Operation::word).collect();
        let key = (
            operations,
            &*kind.resource_group,
            &*kind.resource,
            kind.cluster,
        );
        let (versions, resources) = by_resource.entry(key).or_default();
        versions.extend(kind.versions.iter().map(|version| &**version));
        resources.extend(taken_by(kind));
    }
    let mut rules: BTreeMap<(Operations, &str, Vec<&str>, bool), BTreeSet<String>> =
        BTreeMap::new();
    for ((operations, group, resource, cluster), (versions, resources)) in by_resource {
        let versions = match served {
            Some(served) => in_cluster(&versions, served, group, resource, notes),
            None => versions.into_iter().collect(),
        };
        if !versions.is_empty() {
            let held = rules.entry((operations, group, versions, cluster));
            held.or_default().extend(resources);
        }
    }
    let rules = rules.into_iter();
    rules
        .map(|((operations, group, versions, cluster), resources)| {
            rule(&operations, group, &versions, cluster, resources)
        })
        .collect()
}

fn rule(
    operations: &[&str],
    group: &str,
    versions: &[&str],
    cluster: bool,
    resources: impl IntoIterator<Item = String>,
) -> RuleWithOperations {
    let operations = operations.iter().map(ToString::to_string);
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
