//! Who is part of Kubernetes itself, by name: users (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`) and accounts in kube-system.

/// The scheduler.
pub const SCHEDULER: &str = "system:kube-scheduler";

/// The controllers that write revisions: what they write was asked of the author of a StatefulSet or DaemonSet
/// (`pkg/controller/history`), or they only take away what nobody needs.
pub const KEEPERS: [&str; 3] = [
    "statefulset-controller",
    "daemon-set-controller",
    "namespace-controller",
];

/// The controller of Kubernetes that takes away what belongs to nobody that lives, and takes owners off.
pub const COLLECTOR: &str = "generic-garbage-collector";

/// What the user name of a kubelet begins with, and the group that it is in, which must both say so, as the NodeRestriction plugin
/// demands (`pkg/auth/nodeidentifier`).
pub const KUBELET: (&str, &str) = ("system:node:", "system:nodes");

/// The group that the API server lets do everything, without asking an authorizer
/// (`k8s.io/apiserver/pkg/authorization/authorizerfactory`, `NewPrivilegedGroups`).
pub const MASTERS: &str = "system:masters";
