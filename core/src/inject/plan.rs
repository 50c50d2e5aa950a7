//! What the profiles come to for a pod.

use json_patch::Patch;

use super::{
    account::{Account, annotations},
    draft::Draft,
    effect::{Effect, Step},
    make::Maker,
    pod::Head,
    profile::Profile,
    select::{Asks, passes_over},
    subject::Subject,
    why::Refusal,
};
use crate::object::BadObject;

/// How many names that are no profile are told of.
const UNKNOWN: usize = 5;

/// What a pod gets, and why.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What each profile comes to.
    pub steps: Vec<Step<'a>>,
    /// What the pod asks for and cannot have.
    pub refusals: Vec<Refusal<'a>>,
    /// What is to be changed; empty if nothing is.
    pub patch: Patch,
}

/// A volume that a pod gets or has by a profile.
#[derive(Debug)]
pub(crate) struct GivenVolume<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Its name in the pod.
    pub name: String,
}

/// There is no plan yet.
#[derive(Debug)]
pub enum NoPlan {
    /// The pod is none that Kubernetes could run.
    Bad(BadObject),
    /// The service account of this name has to be read first.
    NeedsAccount(String),
}

impl From<BadObject> for NoPlan {
    fn from(bad: BadObject) -> Self {
        Self::Bad(bad)
    }
}

/// What the profiles come to for a pod. Pure: the same pod and account give the same plan; applied to its own result it
/// changes nothing.
pub fn plan<'a, 'k>(
    profiles: &'a [Profile],
    subject: &Subject<'a>,
    account: impl FnOnce(&str) -> Option<Account<'k>>,
) -> Result<Plan<'a>, NoPlan> {
    let mut plan = Plan {
        steps: Vec::new(),
        refusals: Vec::new(),
        patch: Patch(Vec::new()),
    };
    if profiles.is_empty() {
        return Ok(plan);
    }
    let head = Head::of(subject.pod)?;
    let asks = if head.is_mirror() {
        // Nobody could change it, whatever it says.
        Asks::default()
    } else {
        Asks::of(&head)
    };
    let namespace = subject.namespace;
    let passed: Vec<Option<Effect<'a>>> = profiles
        .iter()
        .map(|profile| passes_over(profile, namespace, &head, &asks))
        .collect();
    let selected: Vec<&Profile> = profiles
        .iter()
        .zip(&passed)
        .filter_map(|(profile, why)| why.is_none().then_some(profile))
        .collect();
    let account_name = head.spec.account();
    let unknown = asks
        .names
        .iter()
        .filter(|name| !selected.iter().any(|profile| *profile.name == ***name));
    let unknown = unknown.take(UNKNOWN).map(|name| Refusal::Unknown {
        name: name.clone(),
        account: account_name.to_owned(),
        namespace,
        gets: selected.iter().map(|profile| &*profile.name).collect(),
    });
    plan.refusals.extend(unknown);
    // Most pods get nothing, and are not looked into.
    if selected.is_empty() {
        let steps = profiles.iter().zip(passed);
        let steps = steps.filter_map(|(profile, effect)| {
            Some(Step {
                profile,
                effect: effect?,
            })
        });
        plan.steps = steps.collect();
        return Ok(plan);
    }
    let known =
        account(account_name).ok_or_else(|| NoPlan::NeedsAccount(account_name.to_owned()))?;
    let account = annotations(known);
    let mut draft = None;
    for (profile, why) in profiles.iter().zip(passed) {
        let effect = if let Some(effect) = why {
            effect
        } else {
            let draft = match &mut draft {
                Some(draft) => draft,
                none => none.insert(Draft::new(&head, subject.base)?),
            };
            let maker = Maker {
                profile,
                subject,
                head: &head,
                asks: &asks,
                account: &account,
            };
            maker.effect(draft)
        };
        plan.steps.push(Step { profile, effect });
    }
    // Nothing is done by halves.
    let refused = |step: &Step<'_>| matches!(step.effect, Effect::Refused(_));
    if plan.refusals.is_empty() && !plan.steps.iter().any(refused) {
        plan.patch = draft.map_or(Patch(Vec::new()), Draft::patch);
    }
    Ok(plan)
}

impl<'a> Plan<'a> {
    /// The profiles that the pod gets or has. One whose token still lives for a year is left out: the profile gives another.
    pub(crate) fn volumes(self) -> Vec<GivenVolume<'a>> {
        let given = self.steps.into_iter().filter_map(|step| match step.effect {
            Effect::Given(given) if given.shortened.is_none() => Some(GivenVolume {
                profile: step.profile,
                name: given.volume,
            }),
            _ => None,
        });
        given.collect()
    }
}
