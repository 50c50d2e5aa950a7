//! Named waivers, each with an owner, a reason and a last day.

use std::fmt;

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

/// Exemptions that end within so many days are told of.
const SOON: i64 = 30;

/// An exemption that has ended, or soon will.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'p> {
    /// The exemption.
    pub exemption: &'p Exemption,
    /// In how many days its last one is; less than none: since so many days it no longer counts.
    pub days: i64,
}

/// One line: which, whose, when.
impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exemption {
            name,
            owner,
            expires,
            ..
        } = self.exemption;
        let plural = if self.days.abs() == 1 { "" } else { "s" };
        write!(f, "exemption \"{name}\" of {owner} ")?;
        match self.days {
            days @ ..0 => write!(f, "ended {} day{plural} ago, on {expires}", -days),
            0 => write!(f, "ends today, on {expires}"),
            days @ 1.. => write!(f, "ends in {days} day{plural}, on {expires}"),
        }
    }
}

impl Ending<'_> {
    /// Whether it no longer counts.
    pub fn is_over(&self) -> bool {
        self.days < 0
    }
}

impl Exemption {
    /// How long it still counts, if that is worth to be told.
    pub(super) fn ending(&self, today: Date) -> Option<Ending<'_>> {
        let days = today.duration_until(self.expires).as_hours() / 24;
        (days <= SOON).then_some(Ending {
            exemption: self,
            days,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_and_what_soon_will_is_told() {
        let exemption = |expires| Exemption {
            name: "old".to_owned(),
            matches: ExemptionMatch::default(),
            owner: "o@example.org".to_owned(),
            reason: String::new(),
            expires,
        };
        let today = Date::constant(2026, 11, 26);
        let jane = Requester::named("jane", std::iter::empty());
        for (expires, said) in [
            (Date::MIN, Some("ended 4392370 days ago, on -009999-01-01")),
            (
                Date::constant(2025, 11, 26),
                Some("ended 365 days ago, on 2025-11-26"),
            ),
            (
                Date::constant(2026, 11, 25),
                Some("ended 1 day ago, on 2026-11-25"),
            ),
            (
                Date::constant(2026, 11, 26),
                Some("ends today, on 2026-11-26"),
            ),
            (
                Date::constant(2026, 11, 27),
                Some("ends in 1 day, on 2026-11-27"),
            ),
            (
                Date::constant(2026, 12, 26),
                Some("ends in 30 days, on 2026-12-26"),
            ),
            (Date::constant(2026, 12, 27), None),
            (Date::MAX, None),
        ] {
            let exemption = exemption(expires);
            let ending = exemption.ending(today);
            let line = ending.map(|ending| ending.to_string());
            let expected = said.map(|said| format!("exemption \"old\" of o@example.org {said}"));
            assert_eq!(line, expected);
            // What is said to have ended waives nothing, and what is not does.
            let waives = exemption.waives(&jane, "a", Check::Nodes, "n", today);
            assert_eq!(waives, ending.is_none_or(|ending| !ending.is_over()));
        }
    }
}
