//! Who holds which way, and by which binding.

use k8s_openapi::{api::rbac::v1::Subject, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    cluster::{Bound, Cluster},
    way::{WAYS, Way},
};
use usher_core::reference::{KUBELET, MASTERS};

/// A subject that holds ways round the webhook, by one binding.
#[derive(Debug)]
pub struct Holding {
    /// Who: `user jane`, `group team-a`, `serviceaccount team-a/ci`.
    pub subject: String,
    /// The namespace in which it holds; none: in all of them.
    pub namespace: Option<String>,
    /// The ways, in the order of the table. Where it is everything, no other is named.
    pub ways: Vec<&'static Way>,
    /// The binding and its role, in words.
    pub by: String,
    /// Whether Kubernetes itself makes the binding, at every start.
    pub is_kubernetes: bool,
}

/// All of them, sorted: the whole cluster first, then by namespace and subject. `unguarded` says whether the webhook leaves out
/// this namespace; of none, whether it leaves out any.
pub fn holdings(cluster: &Cluster, unguarded: impl Fn(Option<&str>) -> bool) -> Vec<Holding> {
    let mut found = Vec::new();
    for bound in cluster.bindings() {
        let ways = held(cluster, &bound, &unguarded);
        if ways.is_empty() {
            continue;
        }
        let namespace = bound.metadata.namespace.clone();
        for subject in bound.subjects {
            found.push(Holding {
                subject: name_of(subject, namespace.as_deref()),
                namespace: namespace.clone(),
                ways: ways.clone(),
                by: by(&bound),
                is_kubernetes: is_labelled(bound.metadata) && is_of_kubernetes(subject),
            });
        }
    }
    let key = |holding: &Holding| {
        let Holding {
            namespace,
            subject,
            by,
            ..
        } = holding;
        (namespace.clone(), subject.clone(), by.clone())
    };
    found.sort_by_key(key);
    found
}

/// The ways that a binding gives.
fn held(
    cluster: &Cluster,
    bound: &Bound<'_>,
    unguarded: &impl Fn(Option<&str>) -> bool,
) -> Vec<&'static Way> {
    let rules = cluster.rules(bound);
    let namespace = bound.metadata.namespace.as_deref();
    let unguarded = unguarded(namespace);
    let counts = |way: &&Way| !way.guarded || unguarded;
    let ways = WAYS.iter().filter(counts);
    let ways: Vec<_> = ways
        .filter(|way| {
            rules
                .iter()
                .any(|rule| way.is_in(rule, namespace.is_none()))
        })
        .collect();
    let mut all = ways.iter().filter(|way| way.is_all);
    all.next().map_or(ways.clone(), |all| vec![*all])
}

fn name_of(subject: &Subject, namespace: Option<&str>) -> String {
    match &*subject.kind {
        "ServiceAccount" => {
            let namespace = subject
                .namespace
                .as_deref()
                .or(namespace)
                .unwrap_or_default();
            format!("serviceaccount {namespace}/{}", subject.name)
        }
        kind => format!("{} {}", kind.to_ascii_lowercase(), subject.name),
    }
}

fn by(bound: &Bound<'_>) -> String {
    let name = bound.metadata.name.as_deref().unwrap_or_default();
    let binding = match &bound.metadata.namespace {
        Some(namespace) => format!("RoleBinding {namespace}/{name}"),
        None => format!("ClusterRoleBinding {name}"),
    };
    format!("{binding}, {} {}", bound.role.kind, bound.role.name)
}

/// Whether a subject is a part of the control plane. The label of a binding alone, which everybody may write, hides nobody.
fn is_of_kubernetes(subject: &Subject) -> bool {
    match &*subject.kind {
        "ServiceAccount" => subject.namespace.as_deref() == Some("kube-system"),
        "User" => subject.name.starts_with("system:kube-"),
        _ => [MASTERS, KUBELET.1].contains(&&*subject.name),
    }
}

fn is_labelled(metadata: &ObjectMeta) -> bool {
    let labels = metadata.labels.iter().flatten();
    let mut labels = labels.map(|(key, value)| (&**key, &**value));
    labels.any(|label| label == ("kubernetes.io/bootstrapping", "rbac-defaults"))
}
