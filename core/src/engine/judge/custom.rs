//! What the fields of a custom resource lead to.

use std::{borrow::Cow, collections::HashMap};

use serde_json::value::RawValue;

use super::{pod, tokens};
use crate::{
    catalogue::{Field, Sort},
    engine::{
        answer::Answers,
        case::{Case, Known, Pending, Pod},
        facts::{Looked, ObjectRef},
        owner::CarriedOut,
        reason::Reason,
        unknown::{Unknown, Unread},
        verdict::{Finding, Outcome},
    },
    object::{Metadata, PodSpec, at},
    reference::{Check, Path, Reference, Resource, Target},
    sight::Sighting,
};

/// The findings about a custom resource. What has to wait for a fact is left out: the case notes the fact.
pub(super) fn of_fields<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    fields: &[Field],
    object: &'a RawValue,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let namespace = case.request.namespace.clone();
    let no_pod = PodSpec::default();
    let itself = Pod::described(&no_pod, namespace.clone(), true);
    let mut findings = Vec::new();
    for sighting in case.sightings(fields, object, namespace) {
        match sighting {
            Sighting::Reference(reference) => {
                findings.extend(of_reference(answers, &itself, reference));
            }
            Sighting::PodSpec {
                base,
                spec,
                account,
                namespace,
            } => {
                let pod = Pod::described(&spec, namespace, account);
                findings.extend(pod::findings(answers, &pod, &Cow::Owned(base), None));
            }
            Sighting::ConfigMap {
                path,
                namespace,
                name,
                key,
                otherwise,
            } => {
                let map = ObjectRef {
                    api_version: "v1".to_owned(),
                    kind: "ConfigMap".to_owned(),
                    resource: "configmaps".to_owned(),
                    namespace: Some(namespace.to_string()),
                    name: name.to_string(),
                };
                if !case.is_off(Check::ServiceAccounts) {
                    let of_map = of_config_map(answers, &itself, path, map, &key, otherwise);
                    findings.extend(of_map.unwrap_or_default());
                }
            }
            Sighting::Credential {
                path,
                namespace,
                token,
                certificate,
            } => {
                let pod = Pod::described(&no_pod, namespace, false);
                let (token, certificate) = (token.as_ref(), certificate.as_ref());
                findings.extend(tokens::patched(answers, &pod, &path, token, certificate));
            }
            Sighting::Made(reference, uid) => {
                if !case.is_off(reference.check) {
                    let found = of_made(answers, &itself, reference, &uid);
                    findings.extend(found.unwrap_or_default());
                }
            }
            Sighting::Malformed(reference, why) => {
                if !case.is_off(reference.check) {
                    findings.push(case.finding(&itself, reference, Outcome::Malformed(why)));
                }
            }
            Sighting::Lost(path, why) => {
                findings.extend(unknown(case, &itself, path, Unknown::Lost(why)));
            }
            Sighting::Opaque(path, what) => {
                if !case.is_off(Check::Opaque) {
                    findings.extend(of_opaque(answers, &itself, path, what));
                }
            }
        }
    }
    findings
}

/// The findings about an update of a custom resource that changes nothing but where its pods go: what is new of that, in each of
/// its pod specs.
pub(super) fn of_placements<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    fields: &[Field],
    object: &'a RawValue,
    old: &'a RawValue,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let seen = |object| case.sightings(fields, object, case.request.namespace.clone());
    let before: HashMap<_, _> = seen(old)
        .into_iter()
        .filter_map(|sighting| match sighting {
            Sighting::PodSpec { base, spec, .. } => Some((base, spec)),
            _ => None,
        })
        .collect();
    let nowhere = Box::default();
    let no_pod = PodSpec::default();
    let itself = Pod::described(&no_pod, case.request.namespace.clone(), true);
    let mut findings = Vec::new();
    for sighting in seen(object) {
        match sighting {
            Sighting::PodSpec {
                base,
                spec,
                account,
                namespace,
            } => {
                let old = before.get(&base).unwrap_or(&nowhere);
                let pod = Pod::described(&spec, namespace, account);
                findings.extend(pod::placed(answers, &pod, &Cow::Owned(base), old));
            }
            Sighting::Lost(path, why) => {
                findings.extend(unknown(case, &itself, path, Unknown::Lost(why)));
            }
            // Nothing of it has changed.
            Sighting::ConfigMap { .. }
            | Sighting::Credential { .. }
            | Sighting::Made(..)
            | Sighting::Malformed(..)
            | Sighting::Opaque(..)
            | Sighting::Reference(_) => {}
        }
    }
    findings
}

/// A reference that a field or a patch names, and, of a runtime class that may be used, what it brings.
fn of_reference<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    itself: &Pod<'a, '_>,
    reference: Reference<'a>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let class = match &reference.target {
        Target::Object { resource, name } if *resource == Resource::RUNTIME_CLASSES => {
            let there = reference.namespace.clone();
            let there = there.unwrap_or_else(|| itself.namespace.clone());
            Some((name.clone(), reference.path.clone(), there))
        }
        Target::Object { .. } | Target::Taints(_) => None,
    };
    let mut findings = Vec::new();
    if !case.is_off(reference.check) {
        match answers.finding(itself, reference) {
            Ok(finding) => findings.push(finding),
            Err(Pending) => return findings,
        }
    }
    // Nothing is said about a class that may not be used.
    if let Some((class, path, there)) = class
        && !case.is_off(Check::Tolerations)
        && !findings.iter().any(Finding::refuses)
    {
        let pod = Pod::described(itself.spec, there, true);
        findings.extend(pod::of_class(answers, &pod, &class, &path));
    }
    findings
}

/// That an object of a kind of the catalogue has a version whose fields are not known.
pub(super) fn of_unknown_version<'a: 'f, 'f>(answers: &Answers<'a, 'f>) -> Vec<Finding<'a>> {
    let asked = &answers.case.request.kind;
    let why = Unknown::Version(asked.version.to_string(), asked.kind.to_string());
    of_unknown(answers, Path::new("", "apiVersion"), why)
}

/// That it cannot be known, for this reason, what stands at a path of the object itself.
pub(super) fn of_unknown<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    path: Path<'a>,
    why: Unknown,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let no_pod = PodSpec::default();
    let itself = Pod::described(&no_pod, case.request.namespace.clone(), true);
    Vec::from_iter(unknown(case, &itself, path, why))
}

/// That it cannot be known what stands at a path. It may name anything, so that the check that is taken most seriously
/// decides, of all that could have asked, and among equals the first.
fn unknown<'a>(
    case: &Case<'a, '_>,
    itself: &Pod<'a, '_>,
    path: Path<'a>,
    why: Unknown,
) -> Option<Finding<'a>> {
    let asking = Check::ALL
        .into_iter()
        .filter(|check| could_ask(case, *check));
    // Of equals, max_by_key takes the last.
    let check = asking.rev().max_by_key(|check| case.mode(*check))?;
    let reference = Reference {
        check,
        ..account(path, String::new())
    };
    (!case.is_off(check)).then(|| case.finding(itself, reference, Outcome::Unknown(why)))
}

/// Whether a check could have asked about a part of an object, had it been readable. A check that is not named here
/// could have.
fn could_ask(case: &Case<'_, '_>, check: Check) -> bool {
    let kind = case.kind;
    // What stands in an unknown version nobody knows.
    let known = kind.filter(|kind| kind.has(&case.request.kind.version));
    let holds = |sorts: fn(&Sort) -> bool| {
        known.is_none_or(|kind| {
            let mut fields = kind.content.fields().unwrap_or_default().iter();
            fields.any(|field| sorts(&field.sort))
        })
    };
    if let Some(only) = kind.and_then(|kind| kind.content.only_checks()) {
        return only.contains(&check);
    }
    match check {
        // Asked of pods when they are made, never of what describes them; and of connections.
        Check::Profiles | Check::Connections | Check::Proxies => false,
        // Asked of objects that stand in others.
        Check::Accounts | Check::TokenSecrets => holds(|sort| matches!(sort, Sort::Manifest)),
        // Asked where a limit says so: here, and where pods will be that are described for elsewhere.
        Check::Tokens => {
            let policy = case.world.policy;
            let everywhere = kind.is_some_and(|kind| kind.cluster)
                || holds(|sort| match sort {
                    Sort::Manifest => true,
                    Sort::PodSpec(pod) => pod.within.is_some(),
                    _ => false,
                });
            everywhere && !policy.tokens.is_empty()
                || policy.limits_tokens_in(&case.request.namespace)
        }
        _ => true,
    }
}

/// The account that a config map names, as it is now, or what is asked about `otherwise`. While that cannot be known, only
/// who may use every account may use whichever it will name.
fn of_config_map<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    itself: &Pod<'a, '_>,
    path: Path<'a>,
    map: ObjectRef,
    key: &str,
    otherwise: Option<Reference<'a>>,
) -> Known<Vec<Finding<'a>>> {
    let case = &answers.case;
    let asked = match named_by(case, &map, key)? {
        Ok(Some(named)) => vec![account(path, named)],
        Ok(None) => Vec::from_iter(otherwise),
        Err(why) => {
            let every = account(path.clone(), "*".to_owned());
            let asked: Vec<_> = std::iter::once(every).chain(otherwise).collect();
            // All are asked, so that their facts are gathered together.
            let outcomes: Vec<_> = asked
                .iter()
                .map(|held| answers.outcome(itself, held))
                .collect();
            let mut known = outcomes.iter().flatten();
            if known.any(|outcome| !outcome.is_allowed()) {
                let reference = account(path, String::new());
                let outcome = Outcome::Unknown(Unknown::ConfigMap(map, why));
                return Ok(vec![case.finding(itself, reference, outcome)]);
            }
            asked
        }
    };
    let asked = asked.into_iter();
    let found = asked.filter_map(|reference| answers.finding(itself, reference).ok());
    Ok(found.collect())
}

/// An account that a controller makes for the object of this uid. Where there is one of this name that does not belong to the object,
/// the controller takes that.
fn of_made<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    itself: &Pod<'a, '_>,
    reference: Reference<'a>,
    uid: &str,
) -> Known<Option<Finding<'a>>> {
    let case = &answers.case;
    let Target::Object { name, .. } = &reference.target else {
        return Ok(None);
    };
    let namespace = reference.namespace.as_ref().unwrap_or(&itself.namespace);
    let at = ObjectRef::account(namespace, name);
    let outcome = match case.object(&at)? {
        Looked::Absent => return Ok(None),
        Looked::There(account) if belongs_to(account, uid) => return Ok(None),
        Looked::There(_) => answers.outcome(itself, &reference)?,
        Looked::Failed(error) => match answers.outcome(itself, &reference)? {
            allowed @ Outcome::Allowed(_) => allowed,
            _ => Outcome::Unknown(Unknown::Account(at, Unread::Failed(error.clone()))),
        },
    };
    Ok(Some(case.finding(itself, reference, outcome)))
}

/// Whether an object is owned by the one of this uid. What cannot be read is not.
fn belongs_to(object: &RawValue, uid: &str) -> bool {
    let metadata = Metadata::of(object).unwrap_or_default();
    let owners = metadata.owners().unwrap_or_default();
    !uid.is_empty() && owners.iter().any(|owner| *owner.uid == *uid)
}

/// What a key of a config map says, if anything.
fn named_by(
    case: &Case<'_, '_>,
    map: &ObjectRef,
    key: &str,
) -> Known<Result<Option<String>, Unread>> {
    // Nobody learns here what stands elsewhere.
    if map.namespace.as_deref() != Some(&*case.request.namespace) {
        return Ok(Err(Unread::Elsewhere));
    }
    Ok(match case.object(map)? {
        Looked::There(held) => match at::<String>(held, &["data".into(), key.into()]) {
            Ok(named) => Ok(named.filter(|named| !named.is_empty())),
            Err(bad) => Err(Unread::Bad(bad.to_string())),
        },
        Looked::Absent => Err(Unread::Absent),
        Looked::Failed(error) => Err(Unread::Failed(error.clone())),
    })
}

/// Something that is not looked into: only a controller that carries out what the owner says may set it.
fn of_opaque<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    itself: &Pod<'a, '_>,
    path: Path<'a>,
    what: String,
) -> Known<Finding<'a>> {
    let reference = Reference::opaque(path, what.clone());
    let outcome = match answers.carried_out(itself, &reference, None)? {
        CarriedOut::Yes(owner) => Outcome::Allowed(Reason::Controller(owner)),
        CarriedOut::No(_) | CarriedOut::Unknown(_) => Outcome::Unknown(Unknown::Opaque(what)),
    };
    Ok(answers.case.finding(itself, reference, outcome))
}

fn account(path: Path<'_>, name: String) -> Reference<'_> {
    Reference::to(
        Check::ServiceAccounts,
        path,
        Resource::SERVICE_ACCOUNTS,
        name,
    )
}
