//! Named waivers, each with an owner, a reason and a last day.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::legal;
use crate::reference::{Check, Pattern, Requester};

/// A named waiver of what a finding would lead to.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Its name, which every use of it is reported under.
    pub name: String,
    /// What it waives.
    #[serde(rename = "match", deserialize_with = "some_match")]
    pub matches: ExemptionMatch,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// The last day (UTC) on which it counts.
    #[serde(deserialize_with = "legal::day")]
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

/// For how many days before its last one it is told that an exemption ends.
pub(super) const SOON: i64 = 30;

/// Where an exemption stands in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Life {
    /// It counts, and will for a while.
    Active,
    /// It ended; so many days ago its last day was.
    Ended(i64),
    /// It counts, and ends soon: in so many days is its last day.
    Ending(i64),
}

impl Exemption {
    /// Where it stands on this day.
    pub fn life(&self, today: Date) -> Life {
        let left = i64::from(today.until(self.expires).map_or(0, |span| span.get_days()));
        match left {
            ..0 => Life::Ended(-left),
            0..=SOON => Life::Ending(left),
            _ => Life::Active,
        }
    }

    /// Whether it waives a finding about a target of this name, on this day.
    pub(in crate::engine) fn waives(
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
        let fits = |patterns: &[Pattern], name| patterns.is_empty() || Pattern::any(patterns, name);
        today <= self.expires
            && fits(users, &requester.username)
            && (groups.is_empty()
                || requester
                    .groups
                    .iter()
                    .any(|group| Pattern::any(groups, group)))
            && fits(namespaces, namespace)
            && (checks.is_empty() || checks.contains(&check))
            && fits(targets, target)
    }
}

/// An exemption that matches everything is a mistake.
fn some_match<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ExemptionMatch, D::Error> {
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
