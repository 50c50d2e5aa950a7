//! Which profiles a pod gets, and which of its containers.

use std::collections::HashSet;

use super::{
    effect::{Effect, Skipped},
    pod::Head,
    profile::Profile,
    why::{ASKS, Declined, Passed},
};
use crate::reference::Pattern;

/// The annotation by which a pod leaves out containers, whatever the profile.
const SKIPS: &str = "usher.dev/skip-containers";

/// What a pod says about profiles.
#[derive(Default)]
pub(super) struct Asks {
    pub(super) names: Vec<String>,
    declined: Vec<String>,
    none: bool,
}

impl Asks {
    pub(super) fn of(head: &Head<'_>) -> Self {
        let text = head.annotation(ASKS);
        let mut asks = Self::default();
        for name in names(text.as_deref().unwrap_or_default()) {
            match name.strip_prefix('-') {
                // No profile has a capital in its name: "False" cannot be meant as one.
                _ if name.eq_ignore_ascii_case("false") => asks.none = true,
                // What it says for every profile that does not have to be asked for.
                _ if name.eq_ignore_ascii_case("true") => {}
                Some(declined) => asks.declined.push(declined.to_owned()),
                None => asks.names.push(name.to_owned()),
            }
        }
        asks
    }

    /// Whether the pod says that it does not want this profile.
    pub(super) fn declines(&self, profile: &Profile) -> bool {
        self.none || self.declined.iter().any(|name| **name == *profile.name)
    }

    /// Whether the pod asks for this profile by name.
    pub(super) fn is_for(&self, profile: &Profile) -> bool {
        self.names.iter().any(|name| **name == *profile.name)
    }
}

/// Whether a profile is for this pod, as far as the pod itself says; if not, what comes of it.
pub(super) fn passes_over<'a>(
    profile: &'a Profile,
    namespace: &'a str,
    head: &Head<'_>,
    asks: &Asks,
) -> Option<Effect<'a>> {
    let select = &profile.select;
    let any = |patterns: &Option<Vec<Pattern>>, name: &str| {
        patterns
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|known| known.matches(name)))
    };
    let account = head.spec.account();
    let no_annotation = |key: &&String| head.annotation(key).is_none();
    let other_label =
        |(key, value): &(&String, &String)| head.label(key).is_none_or(|held| *held != ***value);
    Some(if !any(&select.namespaces, namespace) {
        Effect::Passed(Passed::Namespace(namespace))
    } else if !any(&select.service_accounts, account) {
        Effect::Passed(Passed::Account(account.to_owned()))
    } else if let Some(key) = select.pod_annotations.iter().find(no_annotation) {
        Effect::Passed(Passed::NoAnnotation(key))
    } else if let Some((key, value)) = select.pod_labels.iter().find(other_label) {
        Effect::Passed(Passed::NoLabel(key, value))
    } else if select.on_request && !asks.is_for(profile) {
        Effect::Passed(Passed::NotAsked(&profile.name))
    } else if head.is_mirror() {
        Effect::Declined(Declined::Mirror)
    } else if asks.declines(profile) {
        Effect::Declined(Declined::Annotation)
    } else if let Some(key) = select
        .unless_pod_labels
        .iter()
        .find(|key| head.has_label(key))
    {
        Effect::Declined(Declined::Label(key))
    } else {
        return None;
    })
}

/// Which containers are to have the volume.
pub(super) struct Chosen<'a> {
    include: Option<&'a [Pattern]>,
    skip: &'a [Pattern],
    named: Option<HashSet<String>>,
    left_out: HashSet<String>,
}

impl<'a> Chosen<'a> {
    pub(super) fn of(profile: &'a Profile, head: &Head<'_>) -> Self {
        let containers = &profile.containers;
        let listed = |key: &str| {
            let text = head.annotation(key)?;
            // What follows a colon is for somebody else.
            let name = |name: &str| name.split(':').next().unwrap_or_default().trim().to_owned();
            Some(names(&text).map(name).collect::<HashSet<String>>())
        };
        let mut left_out = listed(SKIPS).unwrap_or_default();
        left_out.extend(
            containers
                .skip_annotation
                .as_deref()
                .and_then(listed)
                .unwrap_or_default(),
        );
        Self {
            include: containers.include.as_deref(),
            skip: &containers.skip,
            named: containers.include_annotation.as_deref().and_then(listed),
            left_out,
        }
    }

    /// Why a container is left out, if it is.
    pub(super) fn skips(&self, name: &str) -> Option<Skipped> {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        if any(self.skip) || self.include.is_some_and(|include| !any(include)) {
            Some(Skipped::ByProfile)
        } else if self.left_out.contains(name)
            || self
                .named
                .as_ref()
                .is_some_and(|named| !named.contains(name))
        {
            Some(Skipped::ByPod)
        } else {
            None
        }
    }
}

/// Names in an annotation: between "," or ";", without the blanks around them.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
}
