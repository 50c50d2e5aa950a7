use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    answer::Asker,
    controllers::CarriedOut,
    facts::{Facts, Need},
    judge::{World, of_pod_spec},
    request::Request,
    verdict::{Finding, Outcome},
};
use crate::{
    catalogue::{Field, Identity, Kind, PodSpec, Sighting, sightings},
    reference::{Check, Path, Reference, Resource, Target, Text},
    rights::Grant,
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
            Sighting::Malformed(reference, why) => {
                if !asker.is_off(reference.check) {
                    findings.push(asker.finding(reference, Outcome::Malformed(why)));
                }
            }
            Sighting::Lost(path, why) => {
                findings.extend(unknown(&asker, path, why));
            }
            Sighting::Opaque(path, what) => {
                let why = format!("{what} is not looked into");
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
    let finding = unknown(&asker, Path::new("", "apiVersion"), why);
    (finding.into_iter().collect(), Vec::new())
}

/// That it cannot be known what stands at a path: it may name an account.
fn unknown<'a>(asker: &Asker<'a, '_>, path: Path<'a>, why: String) -> Option<Finding<'a>> {
    let reference = Reference {
        check: Check::ServiceAccounts,
        path,
        target: Target::Object {
            resource: Resource::SERVICE_ACCOUNTS,
            name: Text::default(),
        },
        namespace: None,
    };
    (!asker.is_off(reference.check)).then(|| asker.finding(reference, Outcome::Unknown(why)))
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
