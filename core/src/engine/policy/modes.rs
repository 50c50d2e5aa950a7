//! Who answers, and what a finding leads to: modes per check and namespace.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::{Check, Pattern};

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

/// What a finding leads to. Chosen per check and namespace, applied after the findings.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The check is not made.
    Off,
    /// The finding goes into the audit log of the API server and the metrics.
    Audit,
    /// The finding also goes to the requester, as a warning.
    Warn,
    /// The request is refused.
    Enforce,
}

/// Modes per check, with what namespaces change.
#[derive(Clone, Debug)]
pub struct Modes {
    /// The mode of each check where no namespace says otherwise.
    pub default: BTreeMap<Check, Mode>,
    /// Changes, the first that matches and names the check wins.
    pub namespaces: Vec<NamespaceModes>,
}

/// What some namespaces change.
#[derive(Clone, Debug)]
pub struct NamespaceModes {
    /// Which namespaces.
    pub matches: Vec<Pattern>,
    /// Which modes.
    pub checks: BTreeMap<Check, Mode>,
}

impl Mode {
    /// Every mode, from the mildest.
    pub const ALL: [Self; 4] = [Self::Off, Self::Audit, Self::Warn, Self::Enforce];

    /// The name that the configuration, reports and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }
}

impl Default for Modes {
    /// Accounts, tolerations and nodes are enforced, classes audited.
    fn default() -> Self {
        Self {
            default: Check::ALL
                .into_iter()
                .map(|check| (check, default_mode(check)))
                .collect(),
            namespaces: Vec::new(),
        }
    }
}

/// What holds without a configuration file.
fn default_mode(check: Check) -> Mode {
    match check {
        Check::PriorityClasses | Check::RuntimeClasses => Mode::Audit,
        Check::ConfigMaps | Check::Secrets => Mode::Off,
        Check::Opaque => Mode::Warn,
        Check::ServiceAccounts
        | Check::Tolerations
        | Check::Nodes
        | Check::CrossNamespace
        | Check::CloudIdentities
        | Check::ScaleTargets
        // Profiles and tokens are not asked about where the configuration names none.
        | Check::Profiles
        | Check::Tokens => Mode::Enforce,
    }
}

impl Modes {
    /// The mode of a check in a namespace. A check that nobody names is enforced.
    pub fn of(&self, check: Check, namespace: &str) -> Mode {
        let mut in_namespace = self
            .namespaces
            .iter()
            .filter(|entry| Pattern::any(&entry.matches, namespace));
        in_namespace
            .find_map(|entry| entry.checks.get(&check))
            .or_else(|| self.default.get(&check))
            .copied()
            .unwrap_or(Mode::Enforce)
    }
}
