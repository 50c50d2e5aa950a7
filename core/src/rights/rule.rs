//! The rules of a role that can ever answer a question.

use std::sync::Arc;

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::reference::{Resource, Verb};

/// One rule of a role that holds the verb `use`, or `*`, for something that questions are about; or `get` for what may be read
/// instead.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct UseRule {
    /// What it answers.
    pub(super) verb: Verb,
    /// What it is about, of what every cluster has.
    pub(super) resources: Resources,
    /// What it is about otherwise.
    pub(super) others: Option<Others>,
    /// Names; none means every name.
    pub(super) names: Box<[Arc<str>]>,
}

impl UseRule {
    /// The rules of a role that can ever answer a question.
    pub(super) fn read(rules: Option<&[PolicyRule]>) -> Vec<Self> {
        let names = |rule: &PolicyRule| {
            let names = rule.resource_names.iter().flatten();
            names.map(|name| name.as_str().into()).collect()
        };
        rules
            .unwrap_or_default()
            .iter()
            .flat_map(|rule| {
                let holds = |verb: Verb| {
                    let mut verbs = rule.verbs.iter();
                    verbs.any(|held| held == verb.word() || held == "*")
                };
                let used = holds(Verb::Use).then(|| Self {
                    verb: Verb::Use,
                    resources: Resources::of(rule),
                    others: Others::of(rule),
                    names: names(rule),
                });
                let read = holds(Verb::Get).then(|| Self {
                    verb: Verb::Get,
                    resources: Resources::of(rule).readable(),
                    others: None,
                    names: names(rule),
                });
                used.into_iter().chain(read)
            })
            .filter(|rule| rule.resources != Resources::default() || rule.others.is_some())
            .collect()
    }
}

/// A set of resources, each known by its place in [`Resource::ALL`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Resources(u32);

impl Resources {
    /// `pkg/apis/rbac/v1/evaluation_helpers.go`: `APIGroupMatches`, `ResourceMatches`. A target of ours has no
    /// subresource, so that `x/sub` and `*/sub` never match.
    fn of(rule: &PolicyRule) -> Self {
        let holds = |texts: &Option<Vec<String>>, wanted: &str| {
            let mut texts = texts.iter().flatten();
            texts.any(|text| text == "*" || text == wanted)
        };
        let covered = |resource: &Resource| {
            holds(&rule.api_groups, resource.group) && holds(&rule.resources, resource.name)
        };
        let places = Resource::ALL.iter().enumerate();
        let places = places.filter(|(_, resource)| covered(resource));
        Self(places.fold(0, |set, (place, _)| set | 1 << place))
    }

    /// Those of them that may be read instead of used.
    fn readable(self) -> Self {
        let readable = |place: &usize| {
            let held = Resource::ALL.get(*place);
            held.is_some_and(|resource| resource.is_readable())
        };
        let places = self.places().filter(readable);
        Self(places.fold(0, |set, place| set | 1 << place))
    }

    /// Their places.
    pub(super) fn places(self) -> impl Iterator<Item = usize> {
        (0..Resource::ALL.len()).filter(move |place| self.0 >> place & 1 == 1)
    }
}

/// Groups and resources of a rule, where it may match something that is not in [`Resource::ALL`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Others {
    groups: Box<[Arc<str>]>,
    resources: Box<[Arc<str>]>,
}

impl Others {
    fn of(rule: &PolicyRule) -> Option<Self> {
        let kept = |texts: &Option<Vec<String>>| -> Box<[Arc<str>]> {
            let texts = texts.iter().flatten();
            texts.map(|text| text.as_str().into()).collect()
        };
        let others = Self {
            groups: kept(&rule.api_groups),
            resources: kept(&rule.resources),
        };
        let known = |group: &str, name: &str| {
            let mut known = Resource::ALL.iter();
            known.any(|known| *known.group == *group && *known.name == *name)
        };
        let beyond = others.groups.iter().any(|group| {
            let mut resources = others.resources.iter();
            // A subresource is never a target.
            resources.any(|name| !name.contains('/') && !known(group, name))
        });
        beyond.then_some(others)
    }

    /// As [`Resources::of`] compares.
    pub(super) fn hold(&self, resource: Resource) -> bool {
        let holds = |texts: &[Arc<str>], wanted: &str| {
            texts.iter().any(|text| **text == *"*" || **text == *wanted)
        };
        holds(&self.groups, resource.group) && holds(&self.resources, resource.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_that_can_answer_are_kept() {
        let owned = |texts: &[&str]| Some(texts.iter().map(ToString::to_string).collect());
        let kept = |verb: &str, groups: &[&str], resources: &[&str]| {
            let rule = PolicyRule {
                api_groups: owned(groups),
                resources: owned(resources),
                verbs: vec![verb.to_owned()],
                ..PolicyRule::default()
            };
            let rules = UseRule::read(Some(&[rule]));
            let of = |rule: &UseRule| {
                let places = rule.resources.places();
                let names: Vec<String> = places.map(|at| Resource::ALL[at].to_string()).collect();
                names.join(" ")
            };
            rules.iter().map(of).next()
        };
        let all = Resource::ALL.map(|resource| resource.to_string()).join(" ");
        for (verb, groups, resources, held) in [
            (
                "use",
                &[""][..],
                &["serviceaccounts"][..],
                Some("serviceaccounts"),
            ),
            (
                "*",
                &["usher.dev", ""],
                &["nodes", "tolerations"],
                Some("tolerations.usher.dev nodes"),
            ),
            ("use", &["*"], &["*"], Some(&*all)),
            (
                "use",
                &[""],
                &["*"],
                Some("serviceaccounts nodes namespaces secrets configmaps services"),
            ),
            ("get", &[""], &["serviceaccounts"], None),
            (
                "get",
                &[""],
                &["secrets", "pods", "secrets/x"],
                Some("secrets"),
            ),
            ("get", &["*"], &["*"], Some("secrets configmaps")),
            ("get", &["apps"], &["*"], None),
            ("list", &[""], &["secrets"], None),
            // Nothing that every cluster has, but something that a catalogue may name.
            ("use", &["apps"], &["serviceaccounts"], Some("")),
            ("use", &[""], &["serviceaccounts/token", "*/token"], None),
            ("*", &[""], &["pods"], Some("")),
            ("use", &[], &["*"], None),
            ("use", &["*"], &[], None),
        ] {
            assert_eq!(
                kept(verb, groups, resources).as_deref(),
                held,
                "{verb} {groups:?} {resources:?}"
            );
        }
    }
}
