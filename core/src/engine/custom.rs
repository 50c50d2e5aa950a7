use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    answer::Asker,
    controllers::CarriedOut,
    facts::{Facts, Need, ObjectRef},
    judge::{World, of_pod_spec},
    request::Request,
    verdict::{Finding, Outcome},
};
use crate::{
    catalogue::{Field, Identity, Kind},
    object::{PodSpec, at},
    reference::{Check, Path, Reference, Resource, Target},
    rights::Grant,
    sight::{Sighting, sightings},
};

/// Findings, and what has to be known for the others.
pub(super) type Found<'a> = (Vec<Finding<'a>>, Vec<Need>);

/// What the fields of a custom resource lead to.
pub(super) fn of_fields<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    facts: &Facts,
    kind: &'a Kind,
    fields: &[Field],
    object: &'a RawValue,
) -> Found<'a> {
    let controller = |name: &str| identity(world, name);
    let namespace = request.namespace.clone();
    let seen = sightings(world.catalogue, fields, object, namespace, &controller);
    let no_pod = PodSpec::default();
    let mut asker = Asker::new(request, world, facts, kind, &no_pod);
    let (mut findings, mut needs) = (Vec::new(), Vec::new());
    for sighting in seen {
        match sighting {
            Sighting::Reference(reference) => {
                if !asker.is_off(reference.check) {
                    let outcome = asker.answer(&reference);
                    findings.extend(outcome.map(|outcome| asker.finding(reference, outcome)));
                }
            }
            Sighting::PodSpec {
                base,
                spec,
                account,
                namespace,
            } => {
                let mut asker = Asker::new(request, world, facts, kind, &spec);
                asker.namespace = namespace;
                asker.names_account = account;
                findings.extend(of_pod_spec(&mut asker, &Cow::Owned(base), None));
                needs.extend(asker.needs());
            }
            Sighting::ConfigMap {
                path,
                namespace,
                name,
                key,
                otherwise,
            } => {
                if asker.is_off(Check::ServiceAccounts) {
                    continue;
                }
                let asked = match named_by(&mut asker, &namespace, &name, key) {
                    None => continue,
                    Some(Ok(Some(named))) => vec![account(path, named)],
                    Some(Ok(None)) => Vec::from_iter(otherwise),
                    Some(Err(why)) => {
                        // Who may use every account may use whichever it will name.
                        let every = account(path.clone(), "*".to_owned());
                        let asked: Vec<_> = std::iter::once(every).chain(otherwise).collect();
                        let outcomes: Vec<_> =
                            asked.iter().map(|held| asker.answer(held)).collect();
                        let refused = |outcome: &Option<Outcome>| {
                            !matches!(outcome, None | Some(Outcome::Allowed(_)))
                        };
                        if outcomes.iter().any(refused) {
                            let check = Check::ServiceAccounts;
                            findings.extend(unknown(&asker, check, path, why));
                            continue;
                        }
                        asked
                    }
                };
                for reference in asked {
                    let outcome = asker.answer(&reference);
                    findings.extend(outcome.map(|outcome| asker.finding(reference, outcome)));
                }
            }
            Sighting::Malformed(reference, why) => {
                if !asker.is_off(reference.check) {
                    findings.push(asker.finding(reference, Outcome::Malformed(why)));
                }
            }
            Sighting::Lost(path, why) => {
                let check = of_anything(&asker);
                findings.extend(unknown(&asker, check, path, why));
            }
            Sighting::Opaque(path, what) => {
                let why = format!("not looked into: {what}");
                let reference = opaque(path, what);
                if !asker.is_off(reference.check) {
                    let outcome = match asker.by_maker(&reference, None) {
                        None => continue,
                        Some(CarriedOut::Yes(owner)) => Outcome::Allowed(Grant::Controller(owner)),
                        Some(_) => Outcome::Unknown(why),
                    };
                    findings.push(asker.finding(reference, outcome));
                }
            }
        }
    }
    needs.extend(asker.needs());
    needs.sort_unstable();
    needs.dedup();
    (findings, needs)
}

/// That an object of a kind of the catalogue has a version whose fields are not known.
pub(super) fn of_unknown_version<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    facts: &Facts,
    kind: &'a Kind,
) -> Found<'a> {
    let no_pod = PodSpec::default();
    let asker = Asker::new(request, world, facts, kind, &no_pod);
    let why = format!(
        "the fields of version \"{}\" of {} are not known",
        request.kind.version, kind.kind
    );
    let (check, path) = (of_anything(&asker), Path::new("", "apiVersion"));
    let finding = unknown(&asker, check, path, why);
    (finding.into_iter().collect(), Vec::new())
}

/// The check of what cannot be read. It may name anything, so that is the one that is taken most seriously, and among equals
/// the first of these.
fn of_anything(asker: &Asker<'_, '_>) -> Check {
    const CHECKS: [Check; 9] = [
        Check::CrossNamespace,
        Check::CloudIdentities,
        Check::ScaleTargets,
        Check::Tolerations,
        Check::Nodes,
        Check::PriorityClasses,
        Check::RuntimeClasses,
        Check::Secrets,
        Check::ConfigMaps,
    ];
    CHECKS
        .into_iter()
        .fold(Check::ServiceAccounts, |most, check| {
            if asker.mode(check) > asker.mode(most) {
                check
            } else {
                most
            }
        })
}

/// The account that a config map names, as it is now, if it names one; an error if that cannot be known. `None` while the
/// config map is not.
fn named_by(
    asker: &mut Asker<'_, '_>,
    namespace: &str,
    name: &str,
    key: String,
) -> Option<Result<Option<String>, String>> {
    let map = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        resource: "configmaps".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let bad = |why: &str| Err(format!("{map}, which may name the account, {why}"));
    // Nobody learns here what stands elsewhere.
    if *namespace != *asker.request.namespace {
        return Some(bad("is one of another namespace and not read"));
    }
    Some(match asker.facts.of_object(&map) {
        None => {
            asker.need(Need::Object(map));
            return None;
        }
        Some(Err(error)) => bad(&format!("could not be read: {error}")),
        Some(Ok(None)) => bad("was not found"),
        Some(Ok(Some(held))) => match at::<String>(held, &["data".into(), key.into()]) {
            Ok(named) => Ok(named.filter(|named| !named.is_empty())),
            Err(error) => bad(&format!("could not be read: {error}")),
        },
    })
}

fn account(path: Path<'_>, name: String) -> Reference<'_> {
    Reference {
        check: Check::ServiceAccounts,
        path,
        target: Target::Object {
            resource: Resource::SERVICE_ACCOUNTS,
            name: name.into(),
        },
        namespace: None,
    }
}

/// That it cannot be known what stands at a path.
fn unknown<'a>(
    asker: &Asker<'a, '_>,
    check: Check,
    path: Path<'a>,
    why: String,
) -> Option<Finding<'a>> {
    let reference = Reference {
        check,
        ..account(path, String::new())
    };
    (!asker.is_off(check)).then(|| asker.finding(reference, Outcome::Unknown(why)))
}

/// Something that is not looked into, as a reference.
pub(super) fn opaque(path: Path<'_>, what: String) -> Reference<'_> {
    Reference {
        check: Check::Opaque,
        path,
        target: Target::Object {
            resource: Resource::named("opaque.usher.dev"),
            name: what.into(),
        },
        namespace: None,
    }
}

/// Who a controller is: as the configuration says, or as its project installs it.
pub(super) fn identity<'w>(world: &World<'w>, name: &str) -> Option<&'w Identity> {
    let configured = world.policy.controllers.get(name);
    configured.or_else(|| world.catalogue.identity(name))
}
