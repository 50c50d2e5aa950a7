//! Who answers, and what a finding leads to: modes per check and namespace.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::{Check, Mode, Pattern};

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

impl Default for Modes {
    /// Every check as its row of the table says.
    fn default() -> Self {
        let checks = Check::ALL.into_iter();
        Self {
            default: checks.map(|check| (check, check.default_mode())).collect(),
            namespaces: Vec::new(),
        }
    }
}

impl Modes {
    /// Whether a check is made nowhere.
    pub fn is_off_everywhere(&self, check: Check) -> bool {
        let of = |checks: &BTreeMap<Check, Mode>| checks.get(&check).copied();
        let mut in_namespaces = self.namespaces.iter().filter_map(|entry| of(&entry.checks));
        of(&self.default) == Some(Mode::Off) && in_namespaces.all(|mode| mode == Mode::Off)
    }

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
