//! Grants of the configuration, for names that follow a pattern.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::{Account, Known, Pattern, Requester, Resource};

/// A grant where names follow a pattern: RBAC has none.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrantEntry {
    /// Who holds it.
    pub subjects: Vec<GrantSubject>,
    /// In which namespaces.
    pub namespaces: Vec<Pattern>,
    /// What may be used.
    #[serde(rename = "use")]
    pub names: GrantedNames,
}

/// A holder of a grant.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GrantSubject {
    /// Everybody in this group.
    Group(Pattern),
    /// A service account, as `namespace/name`.
    ServiceAccount(Pattern),
    /// A user, by user name.
    User(Pattern),
}

/// What a grant lets its holders use, by name or pattern.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct GrantedNames {
    /// Service accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<Pattern>,
    /// Tolerations, as `key=value:Effect` and its wider forms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Pattern>,
    /// Nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Pattern>,
    /// Priority classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_classes: Vec<Pattern>,
    /// Runtime classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime_classes: Vec<Pattern>,
    /// Schedulers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedulers: Vec<Pattern>,
    /// Labels of nodes, as `key=value`, or `key` for whatever is asked of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_labels: Vec<Pattern>,
    /// Secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Pattern>,
    /// Config maps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_maps: Vec<Pattern>,
    /// Audiences of tokens, where `tokens` limits them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_audiences: Vec<Pattern>,
    /// Signers of pod certificates, where `tokens` limits them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<Pattern>,
}

impl GrantEntry {
    /// Whether it lets the requester use one of these names.
    pub(super) fn gives<N: AsRef<str>>(
        &self,
        requester: &Requester<'_>,
        namespace: &str,
        resource: Resource,
        names: &[N],
    ) -> bool {
        let patterns = self.names.of(resource);
        Pattern::any(&self.namespaces, namespace)
            && names
                .iter()
                .any(|name| Pattern::any(patterns, name.as_ref()))
            && self.subjects.iter().any(|subject| subject.holds(requester))
    }
}

impl GrantSubject {
    fn holds(&self, requester: &Requester<'_>) -> bool {
        match self {
            Self::Group(group) => requester.groups.iter().any(|held| group.matches(held)),
            Self::User(user) => user.matches(&requester.username),
            Self::ServiceAccount(account) => {
                requester
                    .account()
                    .is_some_and(|Account { namespace, name }| {
                        account.matches(&format!("{namespace}/{name}"))
                    })
            }
        }
    }
}

impl GrantedNames {
    fn of(&self, resource: Resource) -> &[Pattern] {
        // What only a catalogue knows is granted by RBAC alone.
        let Some(known) = resource.known() else {
            return &[];
        };
        match known {
            Known::ConfigMaps => &self.config_maps,
            Known::NodeLabels => &self.node_labels,
            Known::Nodes => &self.nodes,
            Known::PriorityClasses => &self.priority_classes,
            Known::RuntimeClasses => &self.runtime_classes,
            Known::Schedulers => &self.schedulers,
            Known::Secrets => &self.secrets,
            Known::ServiceAccounts => &self.service_accounts,
            Known::Signers => &self.signers,
            Known::TokenAudiences => &self.token_audiences,
            Known::Tolerations => &self.tolerations,
            // So are these.
            Known::CloudIdentities
            | Known::Kinds
            | Known::Namespaces
            | Known::Opaque
            | Known::Profiles
            | Known::Services => &[],
        }
    }
}
