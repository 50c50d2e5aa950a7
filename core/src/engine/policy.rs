use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{defaults::DefaultAccount, limits::TokenLimit};
use crate::{
    catalogue::{Catalogue, Identity},
    inject::Profile,
    reference::{Account, Check, Known, Pattern, Requester, Resource, Toleration},
};

pub use crate::reference::Mode;

/// What the configuration says, ready to judge by.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who answers questions.
    pub authorizer: Authorizer,
    /// Modes per check and namespace.
    pub modes: Modes,
    /// Namespaces whose objects are not judged.
    pub excluded_namespaces: Vec<Pattern>,
    /// What everybody may use.
    pub baseline: Baseline,
    /// Grants added to RBAC.
    pub grants: Vec<GrantEntry>,
    /// Limits on tokens, the first that matches counts.
    pub tokens: Vec<TokenLimit>,
    /// The audiences for which the API server itself accepts tokens.
    pub api_audiences: Vec<Pattern>,
    /// Waivers.
    pub exemptions: Vec<Exemption>,
    /// The one user that all controllers of Kubernetes share, where they do; otherwise each has its own account.
    pub controller_manager: Option<String>,
    /// What pods get.
    pub profiles: Vec<Profile>,
    /// Controllers that act for custom resources, by name, where they are not as their projects install them.
    pub controllers: BTreeMap<String, Identity>,
    /// Accounts that are written into custom resources which name none; the first that matches counts.
    pub default_accounts: Vec<DefaultAccount>,
    /// The catalogue, where it holds more than the kinds of Kubernetes itself.
    pub catalogue: Option<Arc<Catalogue>>,
}

/// Who answers questions.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Authorizer {
    /// The index of the cluster's RBAC alone.
    #[serde(rename = "rbac")]
    Rbac,
    /// The index; before a denial counts, an access review of the API server is asked.
    #[default]
    #[serde(rename = "rbac+review")]
    RbacThenReview,
    /// Access reviews alone.
    #[serde(rename = "review")]
    Review,
}

/// Modes per check, with what namespaces change.
#[derive(Clone, Debug)]
pub struct Modes {
    /// The mode of each check where no namespace says otherwise.
    pub default: Vec<(Check, Mode)>,
    /// Changes, the first that matches and names the check wins.
    pub namespaces: Vec<NamespaceModes>,
}

/// What some namespaces change.
#[derive(Clone, Debug)]
pub struct NamespaceModes {
    /// Which namespaces.
    pub matches: Vec<Pattern>,
    /// Which modes.
    pub checks: Vec<(Check, Mode)>,
}

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
    /// Audiences of tokens, where `tokens` limits them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_audiences: Vec<Pattern>,
    /// Signers of pod certificates, where `tokens` limits them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<Pattern>,
}

/// A named waiver of what a finding would lead to.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Its name, which every use of it is reported under.
    pub name: String,
    /// What it waives.
    #[serde(rename = "match", deserialize_with = "legal::some_match")]
    pub matches: ExemptionMatch,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// From this day on (UTC) it no longer counts.
    #[schemars(with = "String", extend("format" = "date"))]
    pub expires: Date,
}

/// What an exemption waives. All that are given must match; a list that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExemptionMatch {
    /// User names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Pattern>,
    /// Groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Pattern>,
    /// Namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Pattern>,
    /// Checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Names of targets, as a denial gives them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Pattern>,
}

impl Default for Policy {
    /// What holds without a configuration file.
    fn default() -> Self {
        Self {
            authorizer: Authorizer::default(),
            modes: Modes::default(),
            excluded_namespaces: ["kube-system", "usher-system"]
                .into_iter()
                .filter_map(|name| Pattern::parse(name).ok())
                .collect(),
            baseline: Baseline::default(),
            grants: Vec::new(),
            tokens: Vec::new(),
            // What most clusters accept; the second is also the usual issuer.
            api_audiences: [
                "https://kubernetes.default.svc",
                "https://kubernetes.default.svc.cluster.local",
            ]
            .into_iter()
            .filter_map(|name| Pattern::parse(name).ok())
            .collect(),
            exemptions: Vec::new(),
            controller_manager: None,
            profiles: Vec::new(),
            controllers: BTreeMap::new(),
            default_accounts: Vec::new(),
            catalogue: None,
        }
    }
}

impl Default for Modes {
    /// Every check as its row of the table says.
    fn default() -> Self {
        Self {
            default: Check::ALL.map(|check| (check, check.default_mode())).into(),
            namespaces: Vec::new(),
        }
    }
}

impl Default for Baseline {
    /// The account that every namespace has, and the two tolerations that the API server itself gives to every pod
    /// (`plugin/pkg/admission/defaulttolerationseconds`).
    fn default() -> Self {
        let toleration = |key: &str| BoundedToleration {
            key: key.to_owned(),
            value: None,
            effect: Some("NoExecute".to_owned()),
            max_seconds: Some(300),
        };
        Self {
            service_accounts: Pattern::parse("default").into_iter().collect(),
            tolerations: vec![
                toleration("node.kubernetes.io/not-ready"),
                toleration("node.kubernetes.io/unreachable"),
            ],
            nodes: Vec::new(),
            priority_classes: Vec::new(),
            runtime_classes: Vec::new(),
        }
    }
}

impl Modes {
    /// The mode of a check in a namespace. A check that nobody names is enforced.
    pub fn of(&self, check: Check, namespace: &str) -> Mode {
        let in_namespace = self
            .namespaces
            .iter()
            .filter(|entry| any(&entry.matches, namespace))
            .map(|entry| &entry.checks);
        in_namespace
            .chain([&self.default])
            .find_map(|checks| checks.iter().find(|(named, _)| *named == check))
            .map_or(Mode::Enforce, |(_, mode)| *mode)
    }
}

impl Policy {
    /// The catalogue to judge by: its own, or the kinds of Kubernetes itself.
    pub fn catalogue<'c>(&'c self, core: &'c Catalogue) -> &'c Catalogue {
        self.catalogue.as_deref().unwrap_or(core)
    }

    /// Whether objects of this namespace are not judged.
    pub fn excludes(&self, namespace: &str) -> bool {
        any(&self.excluded_namespaces, namespace)
    }

    /// The first entry of `grants` that lets the requester use one of these names.
    pub(super) fn granted<N: AsRef<str>>(
        &self,
        requester: &Requester<'_>,
        namespace: &str,
        resource: Resource,
        names: &[N],
    ) -> Option<usize> {
        self.grants.iter().position(|grant| {
            let patterns = grant.names.of(resource);
            any(&grant.namespaces, namespace)
                && names.iter().any(|name| any(patterns, name.as_ref()))
                && grant
                    .subjects
                    .iter()
                    .any(|subject| subject.holds(requester))
        })
    }
}

impl Baseline {
    /// What everybody may use, by name. Tolerations are compared whole, by [`Baseline::tolerates`].
    pub(super) fn names(&self, check: Check) -> &[Pattern] {
        match check {
            Check::Nodes => &self.nodes,
            Check::PriorityClasses => &self.priority_classes,
            Check::RuntimeClasses => &self.runtime_classes,
            Check::ServiceAccounts => &self.service_accounts,
            // Nobody may use any of these without being told so.
            Check::CloudIdentities
            | Check::ConfigMaps
            | Check::CrossNamespace
            | Check::Opaque
            | Check::Profiles
            | Check::ScaleTargets
            | Check::Secrets
            | Check::Tokens
            | Check::Tolerations => &[],
        }
    }

    /// Whether everybody may tolerate all of this.
    pub(super) fn tolerates(&self, toleration: &Toleration<'_>) -> bool {
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
            Known::Nodes => &self.nodes,
            Known::PriorityClasses => &self.priority_classes,
            Known::RuntimeClasses => &self.runtime_classes,
            Known::ServiceAccounts => &self.service_accounts,
            Known::Signers => &self.signers,
            Known::TokenAudiences => &self.token_audiences,
            Known::Tolerations => &self.tolerations,
            // So are these.
            Known::CloudIdentities
            | Known::ConfigMaps
            | Known::Kinds
            | Known::Namespaces
            | Known::Opaque
            | Known::Profiles
            | Known::Secrets
            | Known::Services => &[],
        }
    }
}

impl Exemption {
    /// Whether it waives a finding about a target of this name, on this day.
    pub(super) fn waives(
        &self,
        requester: &Requester<'_>,
        namespace: &str,
        check: Check,
        target: &str,
        today: Date,
    ) -> bool {
        let ExemptionMatch {
            users,
            groups,
            namespaces,
            checks,
            targets,
        } = &self.matches;
        let fits = |patterns: &[Pattern], name| patterns.is_empty() || any(patterns, name);
        today < self.expires
            && fits(users, &requester.username)
            && (groups.is_empty() || requester.groups.iter().any(|group| any(groups, group)))
            && fits(namespaces, namespace)
            && (checks.is_empty() || checks.contains(&check))
            && fits(targets, target)
    }
}

/// Values that would read well and mean something else than their author thinks.
pub(super) mod legal {
    use serde::{Deserialize, Deserializer, de::Error};

    use super::ExemptionMatch;
    use crate::reference::{Toleration, is_object_name};

    pub(crate) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let list = Vec::deserialize(deserializer)?;
        if list.is_empty() {
            return Err(D::Error::custom("an empty list matches nothing"));
        }
        Ok(list)
    }

    pub(crate) fn object_name<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<String, D::Error> {
        let name = String::deserialize(deserializer)?;
        if !is_object_name(&name) {
            return Err(D::Error::custom(format_args!(
                "no object can be called \"{name}\""
            )));
        }
        Ok(name)
    }

    pub(super) fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        let named = Toleration {
            key: key.as_str().into(),
            ..Toleration::default()
        };
        if key.is_empty() || named.names().is_err() {
            return Err(D::Error::custom(format_args!(
                "\"{key}\" is not a legal label key"
            )));
        }
        Ok(key)
    }

    pub(super) fn effect<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        let effect = String::deserialize(deserializer)?;
        match &*effect {
            "NoSchedule" | "PreferNoSchedule" | "NoExecute" => Ok(Some(effect)),
            _ => Err(D::Error::custom(format_args!(
                "\"{effect}\" is not an effect: NoSchedule, PreferNoSchedule or NoExecute"
            ))),
        }
    }

    pub(super) fn some_match<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ExemptionMatch, D::Error> {
        let matches = ExemptionMatch::deserialize(deserializer)?;
        let ExemptionMatch {
            users,
            groups,
            namespaces,
            checks,
            targets,
        } = &matches;
        if [users, groups, namespaces, targets]
            .iter()
            .all(|list| list.is_empty())
            && checks.is_empty()
        {
            return Err(D::Error::custom(
                "an exemption without any match would waive everything; name users, groups, namespaces, checks or targets",
            ));
        }
        Ok(matches)
    }
}

pub(super) fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}
