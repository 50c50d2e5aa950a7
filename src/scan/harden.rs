//! Takes ways out of a role.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};

use super::way::{Right, Way};

/// The roles that edit, admin and view are put together of, by label (`pkg/apis/rbac`, `AggregationRule`).
const AGGREGATES: [&str; 3] = [
    "rbac.authorization.k8s.io/aggregate-to-admin",
    "rbac.authorization.k8s.io/aggregate-to-edit",
    "rbac.authorization.k8s.io/aggregate-to-view",
];
/// Without this annotation the API server writes the rules of its own roles back at every start
/// (`pkg/registry/rbac/reconciliation`).
const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// A role without some of its ways.
#[derive(Debug)]
pub struct Hardened {
    /// The role, to be applied in place of the one that is there.
    pub role: ClusterRole,
    /// The ways that were taken out.
    pub without: Vec<&'static Way>,
    /// Ways that are still in it: a rule with a star gives them, and nobody can take one word out of a star.
    pub wide: Vec<&'static Way>,
}

/// A role that edit, admin or view is put together of, without these ways; none for any other role, and where there is
/// nothing to take out.
pub fn hardened(role: &ClusterRole, ways: &[&'static Way]) -> Option<Hardened> {
    let labels = role.metadata.labels.as_ref()?;
    let is_on = |label: &&str| labels.get(*label).is_some_and(|value| value == "true");
    // A role that is itself put together of others gets its rules from them.
    if role.aggregation_rule.is_some() || !AGGREGATES.iter().any(is_on) {
        return None;
    }
    let mut hardened = Hardened {
        role: role.clone(),
        without: Vec::new(),
        wide: Vec::new(),
    };
    for way in ways {
        let rules = hardened.role.rules.get_or_insert_default();
        let is_held = |rules: &[PolicyRule]| rules.iter().any(|rule| way.is_in(rule, true));
        if is_held(rules) {
            *rules = way.rights.iter().fold(std::mem::take(rules), without);
            let told = if is_held(rules) {
                &mut hardened.wide
            } else {
                &mut hardened.without
            };
            told.push(way);
        }
    }
    if hardened.without.is_empty() && hardened.wide.is_empty() {
        return None;
    }
    let metadata = &mut hardened.role.metadata;
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(AUTOUPDATE.to_owned(), "false".to_owned());
    Some(hardened)
}

/// Rules without a right, as far as they name it.
fn without(rules: Vec<PolicyRule>, right: &Right) -> Vec<PolicyRule> {
    rules
        .into_iter()
        .flat_map(|rule| split(rule, right))
        .collect()
}

/// A rule in the parts that are left of it: the other groups, the other resources, the other verbs. What a star gives stays.
fn split(rule: PolicyRule, right: &Right) -> Vec<PolicyRule> {
    let of = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (groups, resources) = (of(&rule.api_groups), of(&rule.resources));
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|group| *group == right.group);
    let (named, others): (Vec<_>, Vec<_>) = resources
        .into_iter()
        .partition(|resource| right.resources.contains(&&**resource));
    let (taken, left): (Vec<_>, Vec<_>) = rule
        .verbs
        .iter()
        .cloned()
        .partition(|verb| right.verbs.contains(&&**verb));
    if here.is_empty() || named.is_empty() || taken.is_empty() {
        return vec![rule];
    }
    let part = |groups: &[String], resources: Option<&[String]>, verbs: &[String]| PolicyRule {
        api_groups: Some(groups.to_vec()),
        resources: resources
            .map(<[_]>::to_vec)
            .or_else(|| rule.resources.clone()),
        verbs: verbs.to_vec(),
        ..rule.clone()
    };
    let parts = [
        part(&elsewhere, None, &rule.verbs),
        part(&here, Some(&others), &rule.verbs),
        part(&here, Some(&named), &left),
    ];
    let says = |part: &PolicyRule| {
        let empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
        !empty(&part.api_groups) && !empty(&part.resources) && !part.verbs.is_empty()
    };
    parts.into_iter().filter(says).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        PolicyRule {
            api_groups: Some(owned(groups)),
            resources: Some(owned(resources)),
            verbs: owned(verbs),
            ..PolicyRule::default()
        }
    }

    fn role(rules: &[PolicyRule]) -> ClusterRole {
        let mut role = ClusterRole {
            rules: Some(rules.to_vec()),
            ..ClusterRole::default()
        };
        let label = (AGGREGATES[1].to_owned(), "true".to_owned());
        role.metadata.labels = Some([label].into());
        role
    }

    #[test]
    fn what_is_taken_out_is_gone_and_the_rest_stays() {
        let ways = ["impersonate", "secrets"].map(|name| Way::named(name).unwrap());
        for (given, left) in [
            (
                vec![rule(&[""], &["serviceaccounts"], &["impersonate"])],
                vec![],
            ),
            (
                vec![rule(&[""], &["pods", "secrets"], &["get", "create"])],
                vec![
                    rule(&[""], &["pods"], &["get", "create"]),
                    rule(&[""], &["secrets"], &["create"]),
                ],
            ),
            (
                vec![rule(
                    &["", "apps"],
                    &["serviceaccounts"],
                    &["impersonate", "get"],
                )],
                vec![
                    rule(&["apps"], &["serviceaccounts"], &["impersonate", "get"]),
                    rule(&[""], &["serviceaccounts"], &["get"]),
                ],
            ),
        ] {
            let hardened = hardened(&role(&given), &ways).unwrap();
            assert_eq!(hardened.role.rules.unwrap(), left);
            assert!(hardened.wide.is_empty());
        }
        assert!(hardened(&role(&[rule(&[""], &["pods"], &["get"])]), &ways).is_none());
        assert!(hardened(&ClusterRole::default(), &ways).is_none());
    }

    #[test]
    fn a_star_is_told_of() {
        let impersonate = Way::named("impersonate").unwrap();
        for wide in [
            rule(&["*"], &["serviceaccounts"], &["impersonate"]),
            rule(&[""], &["*"], &["impersonate"]),
            rule(&[""], &["serviceaccounts"], &["*"]),
        ] {
            let hardened = hardened(&role(&[wide]), &[impersonate]).unwrap();
            assert_eq!((hardened.without.len(), hardened.wide.len()), (0, 1));
        }
    }
}
