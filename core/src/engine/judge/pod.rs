//! What a pod spec leads to.

use std::{borrow::Cow, fmt};

use super::tokens;
use crate::{
    engine::{
        answer::Answers,
        bounds::TOLERATIONS,
        case::{Case, Known, Pod},
        reason::Reason,
        unknown::Unknown,
        verdict::{Finding, Outcome},
    },
    inject::{Effect, Step},
    object::{Listed, Named, PodField, PodSpec, Says},
    reference::{Check, Path, Reference, Resource, Target, Text, Toleration},
};

/// The findings about a pod spec, which stands at `base`. `old` is what a live pod or a template was before. What has to wait
/// for a fact is left out: the case notes the fact.
pub(super) fn findings<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    base: &Cow<'a, str>,
    old: Option<&PodSpec<'a>>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let spec = pod.spec;
    let mut findings = Vec::new();
    let mut class_refused = false;
    for reference in spec.references(base) {
        let check = reference.check;
        let no_account = check == Check::ServiceAccounts && !pod.names_account;
        if no_account
            || case.is_off(check)
            || old.is_some_and(|old| held_before(case, &reference, old))
        {
            continue;
        }
        let Some(finding) = of_field(answers, pod, reference) else {
            continue;
        };
        class_refused |=
            check == Check::RuntimeClasses && finding.as_ref().map_or(true, Finding::refuses);
        findings.extend(finding);
    }
    // Nothing is said about a class that may not be used.
    if !spec.runtime_class().is_empty() && !case.is_off(Check::Tolerations) && !class_refused {
        let path = Path::new(base.clone(), "runtimeClassName");
        findings.extend(of_class(answers, pod, spec.runtime_class(), &path));
    }
    if case.is_pod() && old.is_none() && !case.is_off(Check::Profiles) && pod.mirror.is_none() {
        findings.extend(of_profiles(answers, pod, base).unwrap_or_default());
    }
    findings.extend(of_lists(
        answers,
        pod,
        base,
        old.filter(|_| case.is_pod()),
        |_| true,
    ));
    if !case.is_off(Check::Tokens) {
        let live = case.is_pod() && old.is_some();
        findings.extend(tokens::projected(answers, pod, base, live));
    }
    findings
}

/// The findings about an update that changes nothing but where the pods of a pod spec go, which stands at `base` and was `old`: the
/// tolerations, and the labels of nodes, that are new.
pub(super) fn placed<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    base: &Cow<'a, str>,
    old: &PodSpec<'a>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let taints = PodField::of(Check::Tolerations).filter(|field| !case.is_off(field.check));
    let new = pod.spec.references(base).filter(|reference| {
        taints.is_some_and(|field| {
            reference.check == field.check && !field.says(old, &reference.target)
        })
    });
    let findings = new.filter_map(|reference| of_field(answers, pod, reference)?.ok());
    let mut findings: Vec<_> = findings.collect();
    let chooses = |check| check == Check::NodeLabels;
    findings.extend(of_lists(answers, pod, base, Some(old), chooses));
    findings
}

/// The finding about a field of a pod spec; none about an item of a list that is far too long already.
fn of_field<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    reference: Reference<'a>,
) -> Option<Known<Finding<'a>>> {
    match reference.path.index() {
        Some(index) if index > TOLERATIONS => None,
        Some(TOLERATIONS) => {
            let why = Unknown::TooMany(TOLERATIONS, "tolerations");
            Some(Ok(answers.case.finding(
                pod,
                reference,
                Outcome::Unknown(why),
            )))
        }
        _ => Some(answers.finding(pod, reference)),
    }
}

/// Whether a live pod held this before the update, and got it from Kubernetes: its node from the scheduler, which no
/// update can change, and tolerations of the state of a node from the controller of a DaemonSet.
fn held_before(case: &Case<'_, '_>, reference: &Reference<'_>, old: &PodSpec<'_>) -> bool {
    let Some(pod) = case.kind.filter(|kind| kind.is_pod()) else {
        return false;
    };
    let kept = PodField::of(reference.check).filter(|field| field.kept);
    kept.is_some_and(|field| field.says(old, &reference.target))
        && match &reference.target {
            Target::Object { .. } => true,
            Target::Taints(toleration) => case.world.catalogue.is_added(pod, toleration),
        }
}

/// The tolerations that a runtime class brings, which is named at a path, as references of their own. Those that the pod already
/// holds were asked there.
pub(super) fn of_class<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    class: &str,
    path: &Path<'a>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let reference = |toleration| Reference {
        check: Check::Tolerations,
        path: path.clone(),
        target: Target::Taints(toleration),
        namespace: None,
    };
    if pod.mirror.is_some() {
        return Vec::new();
    }
    let known = case.brought(class);
    let brought = match &known {
        Err(_) => return Vec::new(),
        Ok(Ok(brought)) => brought.tolerations(),
        Ok(Err(why)) => {
            // Who may tolerate every taint may tolerate whatever the class brings.
            let every = reference(Toleration::default());
            let outcome = match answers.outcome(pod, &every) {
                Err(_) => return Vec::new(),
                Ok(allowed @ Outcome::Allowed(_)) => allowed,
                Ok(_) => Outcome::Unknown(Unknown::Class(class.to_string(), why.clone())),
            };
            return vec![case.finding(pod, every, outcome)];
        }
    };
    brought
        .iter()
        .filter(|brought| {
            let mut held = pod.spec.tolerations().iter();
            !held.any(|held| held.same(brought))
        })
        .filter_map(|brought| {
            let brought = brought.clone().into_owned();
            answers.finding(pod, reference(brought)).ok()
        })
        .collect()
}

/// What the pod spec names inside of its lists and maps, by the checks that are `meant`. The labels that it already chose its nodes
/// by, when it was `old`, are left out. What it reads is not: who changes what runs in it, reads it too.
pub(super) fn of_lists<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    base: &Cow<'a, str>,
    old: Option<&PodSpec<'a>>,
    meant: impl Fn(Check) -> bool,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let listed = pod.spec.listed(|check| meant(check) && !case.is_off(check));
    let chooses = |check| check == Check::NodeLabels;
    let choice = |said: &Listed<'_>| chooses(said.says.check());
    let old = old.filter(|_| listed.iter().any(choice));
    let chosen = old.map_or_else(Vec::new, |old| old.listed(chooses));
    let is_new = |said: &Listed<'a>| {
        let mut chosen = chosen.iter();
        !choice(said)
            || !chosen.any(|held| match (&held.named, &said.named) {
                (Named::One(resource, name), Named::One(of, named)) => {
                    resource == of && name == named
                }
                _ => false,
            })
    };
    let listed = listed.into_iter().filter(is_new);
    let finding = |Listed { path, says, named }: Listed<'a>| {
        let path = match &**base {
            "" => path,
            base => format!("{base}.{path}"),
        };
        let reference = |resource, name| Reference {
            check: says.check(),
            path: Path::new(path, ""),
            target: Target::Object { resource, name },
            namespace: None,
        };
        let no_name = Text::default();
        Ok(match named {
            Named::One(resource, name) => {
                let reference = reference(resource, name.clone());
                let outcome = match brings(case, pod, says, &name)? {
                    Some(what) => Outcome::Allowed(Reason::System(what)),
                    None => answers.outcome(pod, &reference)?,
                };
                case.finding(pod, reference, outcome)
            }
            Named::Malformed(why) => {
                let reference = reference(says.resource(), no_name);
                case.finding(pod, reference, Outcome::Malformed(why))
            }
            Named::Lost(why) => {
                let reference = reference(says.resource(), no_name);
                case.finding(pod, reference, Outcome::Unknown(Unknown::Lost(why)))
            }
        })
    };
    let findings = listed.map(finding);
    findings
        .filter_map(|finding: Known<Finding<'a>>| finding.ok())
        .collect()
}

/// What brings into a pod what it would not be given otherwise: its account a pull secret, its runtime class a label.
fn brings(
    case: &Case<'_, '_>,
    pod: &Pod<'_, '_>,
    says: Says,
    name: &str,
) -> Known<Option<&'static str>> {
    Ok(match says {
        _ if pod.mirror.is_some() => None,
        // Nearly all come from there. Where the pod spec does not say which account it is, nothing does.
        Says::PullSecret if pod.names_account => case
            .is_pull_secret(pod, name)?
            .then_some("a pull secret of the pod's account"),
        Says::Labels if !pod.spec.runtime_class().is_empty() => {
            let brought = case.brought(pod.spec.runtime_class())?;
            let chooses = brought.is_ok_and(|brought| brought.chooses(name));
            chooses.then_some("the runtime class of the pod chooses so")
        }
        Says::ConfigMap
        | Says::Expression
        | Says::Field
        | Says::Labels
        | Says::PullSecret
        | Says::Secret => None,
    })
}

/// Every profile that this pod must hold, as a reference of its own.
fn of_profiles<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    base: &Cow<'a, str>,
) -> Known<Vec<Finding<'a>>> {
    let case = &answers.case;
    let Some(object) = case.request.object else {
        return Ok(Vec::new());
    };
    let required = case.world.policy.profiles.iter();
    let mut findings = Vec::new();
    for profile in required.filter(|profile| profile.required) {
        let name = &profile.name;
        let mut add = |outcome| {
            let reference = Reference::to(
                Check::Profiles,
                Path::new(base.clone(), "volumes"),
                Resource::PROFILES,
                &**name,
            );
            findings.push(case.finding(pod, reference, outcome));
        };
        let lacks = |why: &dyn fmt::Display| {
            Outcome::Forbidden(format!(
                "every pod that profile \"{name}\" selects must hold it, and this one does not: {why}"
            ))
        };
        let plan = match case.plan(std::slice::from_ref(profile), object)? {
            Ok(plan) => plan,
            Err(bad) => {
                add(lacks(&bad));
                continue;
            }
        };
        for Step { effect, .. } in plan.steps {
            match effect {
                Effect::Passed(_) => {}
                Effect::Given(given) if !given.changed => {
                    add(Outcome::Allowed(Reason::Profile(name.to_string())));
                }
                other => {
                    let why = other.nothing();
                    add(lacks(why.unwrap_or(&"the mutating webhook did not add it")));
                }
            }
        }
    }
    Ok(findings)
}
