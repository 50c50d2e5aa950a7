//! What everybody may use, without any grant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::legal;
use crate::reference::{Known, Pattern, Resource, Toleration};

/// What everybody may use.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Baseline {
    /// Service accounts, each in its own namespace.
    pub service_accounts: Vec<Pattern>,
    /// Tolerations.
    pub tolerations: Vec<BoundedToleration>,
    /// Nodes.
    pub nodes: Vec<Pattern>,
    /// Priority classes.
    pub priority_classes: Vec<Pattern>,
    /// Runtime classes.
    pub runtime_classes: Vec<Pattern>,
    /// Schedulers.
    pub schedulers: Vec<Pattern>,
    /// Labels of nodes, as `key=value`, or `key` for whatever is asked of it.
    pub node_labels: Vec<Pattern>,
    /// Secrets, each in its own namespace.
    pub secrets: Vec<Pattern>,
    /// Config maps, each in its own namespace.
    pub config_maps: Vec<Pattern>,
}

/// A set of taints that everybody may tolerate, if need be for a limited time.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BoundedToleration {
    /// The key of the taint.
    #[serde(deserialize_with = "legal::key")]
    pub key: String,
    /// The value of the taint; left out, every value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The effect of the taint: NoSchedule, PreferNoSchedule or NoExecute; left out, every effect.
    #[serde(
        default,
        deserialize_with = "legal::effect",
        skip_serializing_if = "Option::is_none"
    )]
    pub effect: Option<String>,
    /// The longest `tolerationSeconds` in seconds; left out, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<i64>,
}

impl Default for Baseline {
    /// The account that every namespace has, the scheduler that a pod has that names none, the two tolerations that the API
    /// server itself gives to every pod (`plugin/pkg/admission/defaulttolerationseconds`), the config map that it projects into
    /// every pod (`plugin/pkg/admission/serviceaccount`), and the choice of nodes that can run an image at all.
    fn default() -> Self {
        let toleration = |key: &str| BoundedToleration {
            key: key.to_owned(),
            value: None,
            effect: Some("NoExecute".to_owned()),
            max_seconds: Some(300),
        };
        let names = |names: &[&str]| -> Vec<Pattern> {
            let names = names.iter().filter_map(|name| Pattern::parse(name).ok());
            names.collect()
        };
        Self {
            service_accounts: names(&["default"]),
            tolerations: vec![
                toleration("node.kubernetes.io/not-ready"),
                toleration("node.kubernetes.io/unreachable"),
            ],
            nodes: Vec::new(),
            priority_classes: Vec::new(),
            runtime_classes: Vec::new(),
            schedulers: names(&["default-scheduler"]),
            node_labels: names(&["kubernetes.io/arch=*", "kubernetes.io/os=*"]),
            secrets: Vec::new(),
            config_maps: names(&["kube-root-ca.crt"]),
        }
    }
}

impl Baseline {
    /// What everybody may use, by name. Tolerations are compared whole, by [`Baseline::tolerates`].
    pub(in crate::engine) fn names(&self, resource: Resource) -> &[Pattern] {
        match resource.known() {
            Some(Known::ConfigMaps) => &self.config_maps,
            Some(Known::NodeLabels) => &self.node_labels,
            Some(Known::Nodes) => &self.nodes,
            Some(Known::PriorityClasses) => &self.priority_classes,
            Some(Known::RuntimeClasses) => &self.runtime_classes,
            Some(Known::Schedulers) => &self.schedulers,
            Some(Known::Secrets) => &self.secrets,
            Some(Known::ServiceAccounts) => &self.service_accounts,
            // Nobody may use any of these without being told so.
            Some(
                Known::CloudIdentities
                | Known::Kinds
                | Known::Namespaces
                | Known::Opaque
                | Known::Profiles
                | Known::Services
                | Known::Signers
                | Known::TokenAudiences
                | Known::Tolerations,
            )
            | None => &[],
        }
    }

    /// Whether everybody may tolerate all of this.
    pub(in crate::engine) fn tolerates(&self, toleration: &Toleration<'_>) -> bool {
        self.tolerations
            .iter()
            .any(|entry| entry.covers(toleration))
    }
}

impl BoundedToleration {
    /// Whether every taint of the toleration is one of this entry, and no longer than it says.
    fn covers(&self, toleration: &Toleration<'_>) -> bool {
        let value = match (&self.value, &*toleration.operator) {
            (None, "" | "Equal" | "Exists" | "Lt" | "Gt") => true,
            (Some(value), "" | "Equal") => **value == *toleration.value,
            _ => false,
        };
        let in_time = |most: i64| toleration.seconds.is_some_and(|seconds| seconds <= most);
        value
            && *self.key == *toleration.key
            && self
                .effect
                .as_deref()
                .is_none_or(|effect| *effect == *toleration.effect)
            && self.max_seconds.is_none_or(in_time)
    }
}
