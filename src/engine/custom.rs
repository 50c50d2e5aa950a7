use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    answer::Asker,
    facts::{Facts, Need},
    judge::{World, of_pod_spec},
    request::Request,
    verdict::{Finding, Outcome},
};
use crate::{
    catalogue::{Field, Identity, Kind, PodSpec, Sighting, sightings},
    reference::{Check, Path, Reference, Resource, Target, Text},
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
                let (check, resource) = (of_anything(&asker), Resource::SERVICE_ACCOUNTS);
                findings.extend(unknown(&asker, check, resource, "", path, why));
            }
            Sighting::Opaque(path, what) => {
                let resource = Resource::named("opaque.usher.dev");
                let why = format!("{what} is not looked into");
                findings.extend(unknown(&asker, Check::Opaque, resource, &what, path, why));
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
    let (check, resource) = (of_anything(&asker), Resource::SERVICE_ACCOUNTS);
    let path = Path::new("", "apiVersion");
    let finding = unknown(&asker, check, resource, "", path, why);
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

fn unknown<'a>(
    asker: &Asker<'a, '_>,
    check: Check,
    resource: Resource,
    name: &str,
    path: Path<'a>,
    why: String,
) -> Option<Finding<'a>> {
    let reference = Reference {
        check,
        path,
        target: Target::Object {
            resource,
            name: Text::from(name.to_owned()),
        },
        namespace: None,
    };
    (!asker.is_off(check)).then(|| asker.finding(reference, Outcome::Unknown(why)))
}

/// Who a controller is: as the configuration says, or as its project installs it.
pub(super) fn identity<'w>(world: &World<'w>, name: &str) -> Option<&'w Identity> {
    let configured = world.policy.controllers.get(name);
    configured.or_else(|| world.catalogue.identity(name))
}
