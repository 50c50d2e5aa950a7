//! The table of checks: one row each, from which everything else that is said or done about checks is made.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

crate::words! {
    /// What a finding leads to. Chosen per check and namespace, applied after the findings.
    #[derive(
        Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
    )]
    #[serde(rename_all = "lowercase")]
    pub enum Mode,
    /// The name that the configuration, reports and metrics use.
    fn name {
        /// The check is not made.
        Off = "off",
        /// The finding goes into the audit log of the API server and the metrics.
        Audit = "audit",
        /// The finding also goes to the requester, as a warning.
        Warn = "warn",
        /// The request is refused.
        Enforce = "enforce",
    }
}

/// Makes the type and what is known of each of its variants of one table: what it asks, its name, its mode without a
/// configuration.
macro_rules! checks {
    ($($(#[doc = $asks:literal])+ $check:ident $name:literal $mode:ident)+) => {
        /// One class of references, switched as a whole: a mode is chosen per check and namespace.
        #[derive(
            Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
        )]
        pub enum Check {
            $($(#[doc = $asks])+ #[serde(rename = $name)] $check,)+
        }

        impl Check {
            /// Every check, in the order in which findings are reported.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$check),+];

            /// The name that the configuration, reports and metrics use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)+
                }
            }

            /// Its mode where no configuration says otherwise.
            pub const fn default_mode(self) -> Mode {
                match self {
                    $(Self::$check => Mode::$mode,)+
                }
            }

            /// What it asks about, in a sentence.
            pub fn asks(self) -> &'static str {
                match self {
                    $(Self::$check => concat!($($asks),+).trim_start(),)+
                }
            }
        }
    };
}

checks! {
    /// The account that a pod runs as.
    ServiceAccounts "serviceAccounts" Enforce
    /// The taints that a pod tolerates.
    Tolerations "tolerations" Enforce
    /// The node that a pod is put on past the scheduler: `nodeName`.
    Nodes "nodes" Enforce
    /// The priority class of a pod.
    PriorityClasses "priorityClasses" Audit
    /// The runtime class of a pod. The tolerations that a class brings belong to the check `tolerations`.
    RuntimeClasses "runtimeClasses" Audit
    /// The scheduler that chooses a node for a pod: `schedulerName`.
    Schedulers "schedulers" Off
    /// The labels by which a pod chooses its nodes: `nodeSelector` and node affinity.
    NodeLabels "nodeLabels" Off
    /// The account of a running pod that somebody connects to with `exec` or `attach`: whoever is in the pod has its token.
    Connections "connections" Enforce
    /// The account of a running pod, or the service, that somebody reaches through the API server: `port-forward` and `proxy`.
    Proxies "proxies" Audit
    /// The account whose token Kubernetes fills into a Secret: a token that never ends, for whoever may read the Secret.
    TokenSecrets "tokenSecrets" Enforce
    /// The account whose cloud identity or pull secrets somebody changes, by annotations that webhooks and clouds read; one that
    /// is made although a binding names it already; one whose name a client certificate would bear.
    Accounts "accounts" Enforce
    /// The audiences and lifetimes of the tokens that a pod, a template or a TokenRequest asks for. Nothing is asked where
    /// the configuration limits none.
    Tokens "tokens" Enforce
    /// What the configuration says that every pod of a namespace must hold: profiles that are required.
    Profiles "profiles" Enforce
    /// Objects of other namespaces, or of the whole cluster, that a custom resource names.
    CrossNamespace "crossNamespace" Enforce
    /// Cloud identities that a custom resource names.
    CloudIdentities "cloudIdentities" Enforce
    /// What an autoscaler scales.
    ScaleTargets "scaleTargets" Enforce
    /// Secrets that a pod reads, or a custom resource, whose controller does.
    Secrets "secrets" Off
    /// Config maps that a pod reads, or a custom resource, whose controller does.
    ConfigMaps "configMaps" Off
    /// What may name anything and is not read: templates, values, patches.
    Opaque "opaque" Warn
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_name_everywhere() {
        for check in Check::ALL {
            let written = format!("\"{check}\"");
            assert_eq!(serde_json::to_string(&check).unwrap(), written);
            assert_eq!(serde_json::from_str::<Check>(&written).unwrap(), check);
            assert!(check.asks().ends_with('.'), "{}", check.asks());
        }
    }
}
