use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One class of references, switched as a whole: a mode is chosen per check and namespace.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// Cloud identities that a custom resource names.
    CloudIdentities,
    /// Config maps that a custom resource names, which its controller reads.
    ConfigMaps,
    /// Objects of other namespaces, or of the whole cluster, that a custom resource names.
    CrossNamespace,
    /// The node that a pod is put on past the scheduler: `nodeName`.
    Nodes,
    /// What may name anything and is not read: templates, values, patches.
    Opaque,
    /// What the configuration says that every pod of a namespace must hold: profiles that are required.
    Profiles,
    /// The priority class of a pod.
    PriorityClasses,
    /// The runtime class of a pod. The tolerations that a class brings belong to [`Check::Tolerations`].
    RuntimeClasses,
    /// What an autoscaler scales.
    ScaleTargets,
    /// Secrets that a custom resource names, which its controller reads.
    Secrets,
    /// The account that a pod runs as.
    ServiceAccounts,
    /// The audiences and lifetimes of the tokens that a pod, a template or a TokenRequest asks for.
    Tokens,
    /// The taints that a pod tolerates.
    Tolerations,
}

impl Check {
    /// Every check, in the order in which findings are reported.
    pub const ALL: [Self; 13] = [
        Self::ServiceAccounts,
        Self::Tolerations,
        Self::Nodes,
        Self::PriorityClasses,
        Self::RuntimeClasses,
        Self::Tokens,
        Self::Profiles,
        Self::CrossNamespace,
        Self::CloudIdentities,
        Self::ScaleTargets,
        Self::Secrets,
        Self::ConfigMaps,
        Self::Opaque,
    ];

    /// The name that the configuration, reports and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudIdentities => "cloudIdentities",
            Self::ConfigMaps => "configMaps",
            Self::CrossNamespace => "crossNamespace",
            Self::Nodes => "nodes",
            Self::Opaque => "opaque",
            Self::Profiles => "profiles",
            Self::PriorityClasses => "priorityClasses",
            Self::RuntimeClasses => "runtimeClasses",
            Self::ScaleTargets => "scaleTargets",
            Self::Secrets => "secrets",
            Self::ServiceAccounts => "serviceAccounts",
            Self::Tokens => "tokens",
            Self::Tolerations => "tolerations",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
