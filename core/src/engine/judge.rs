use jiff::civil::Date;
use serde_json::value::RawValue;

use std::borrow::Cow;

use super::{
    alike::alike,
    answer::Asker,
    custom::{of_fields, of_unknown_version},
    facts::{Facts, Need},
    policy::Policy,
    request::{Operation, Request},
    tokens,
    verdict::{Finding, Outcome, Passed, Verdict},
};
use crate::{
    catalogue::{Catalogue, Content, Field, Kind},
    object::{BadObject, PodSpec, TokenRequest, at},
    reference::{Check, Path, Reference, Resource, Target},
    rights::Rights,
};

pub(super) use crate::object::TOLERATIONS;

/// How many groups a requester may be in; every question asks about each of them.
const GROUPS: usize = 5000;

/// What a request is judged by: one snapshot, the same for the whole request.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Which fields are references.
    pub catalogue: &'a Catalogue,
    /// The configuration.
    pub policy: &'a Policy,
    /// Who may use what.
    pub rights: &'a Rights,
    /// The day (UTC) by which exemptions expire.
    pub today: Date,
}

/// What [`judge`] came to.
#[derive(Debug)]
pub enum Judgement<'a> {
    /// Facts are missing, each named once. Gather them and judge again; one that cannot be had is an error among
    /// the facts.
    Needs(Vec<Need>),
    /// All is said.
    Verdict(Verdict<'a>),
}

/// Judges a request.
///
/// Never fails: what cannot be read, or cannot be known, is a refusal with its reason.
pub fn judge<'a>(request: &'a Request<'a>, world: &World<'a>, facts: &Facts) -> Judgement<'a> {
    match governed(request, world) {
        Err(Stop::Passed(why)) => Judgement::Verdict(Verdict::passed(request, why)),
        Err(Stop::Broken(why)) => Judgement::Verdict(Verdict::broken(request, why)),
        Ok(governed) => ask(request, world, facts, &governed),
    }
}

/// Why there are no questions.
enum Stop {
    Broken(String),
    Passed(Passed),
}

impl From<BadObject> for Stop {
    fn from(bad: BadObject) -> Self {
        Self::Broken(bad.to_string())
    }
}

/// The part of the object that decides.
struct Governed<'a> {
    kind: &'a Kind,
    /// Where the part stands.
    base: Cow<'a, str>,
    part: Part<'a>,
}

enum Part<'a> {
    /// A pod spec, and what it was before an update.
    PodSpec(PodSpec<'a>, Option<Box<PodSpec<'a>>>),
    /// What a TokenRequest asks for.
    TokenRequest(TokenRequest<'a>),
    /// A custom resource, of which these fields are known.
    Fields(&'a [Field], &'a RawValue),
    /// A custom resource of another version than those whose fields are known.
    UnknownVersion,
}

fn governed<'a>(request: &'a Request<'a>, world: &World<'a>) -> Result<Governed<'a>, Stop> {
    match &request.operation {
        Operation::Connect | Operation::Delete => return Err(Stop::Passed(Passed::Operation)),
        Operation::Create | Operation::Update => {}
        Operation::Unknown(operation) => {
            return Err(Stop::Broken(format!(
                "\"{operation}\" is no operation that can be judged"
            )));
        }
    }
    if request.kind.kind.is_empty() {
        return Err(Stop::Broken("the request names no kind".to_owned()));
    }
    let kind = world
        .catalogue
        .find(&request.kind.group, &request.kind.kind)
        .ok_or(Stop::Passed(Passed::Kind))?;
    let known = world.catalogue.version(
        &request.kind.group,
        &request.kind.kind,
        &request.kind.version,
    );
    if !known.unwrap_or(kind).governs(&request.subresource) {
        return Err(Stop::Passed(Passed::Subresource));
    }
    if request.namespace.is_empty() && !kind.cluster {
        return Err(Stop::Broken("the request names no namespace".to_owned()));
    }
    if world.policy.excludes(&request.namespace) {
        return Err(Stop::Passed(Passed::Namespace));
    }
    if known.is_none() && !matches!(kind.content, Content::Fields(_)) {
        return Err(Stop::Broken(format!(
            "version \"{}\" of {} is not known, only {}",
            request.kind.version,
            kind.kind,
            kind.versions.join(", ")
        )));
    }
    if request.requester.username.is_empty() {
        return Err(Stop::Broken("the request names no user".to_owned()));
    }
    if request.requester.groups.len() > GROUPS {
        return Err(Stop::Broken(format!(
            "the requester is in more than {GROUPS} groups"
        )));
    }
    let missing = |what: &str| Stop::Broken(format!("the request has no {what}"));
    let object = request.object.ok_or_else(|| missing("object"))?;
    let of_object = |kind, part| Governed {
        kind,
        base: Cow::Borrowed(""),
        part,
    };
    let Some(kind) = known else {
        return Ok(of_object(kind, Part::UnknownVersion));
    };
    let route = match &kind.content {
        Content::PodSpec(route) => route,
        Content::Fields(fields) => {
            if request.operation == Operation::Update {
                let before = request.old.ok_or_else(|| missing("oldObject"))?;
                if as_before(kind, object, before) {
                    return Err(Stop::Passed(Passed::Unchanged));
                }
            }
            return Ok(of_object(kind, Part::Fields(fields, object)));
        }
        Content::TokenRequest(route) => {
            let part = token_request(request, at(object, &route.keys)?)?;
            return Ok(Governed {
                kind,
                base: Cow::Borrowed(&route.dotted),
                part,
            });
        }
    };
    let governed = |spec, old| Governed {
        kind,
        base: Cow::Borrowed(&route.dotted),
        part: Part::PodSpec(spec, old),
    };
    let keys = &route.keys;
    if request.operation == Operation::Create {
        let spec = at(object, keys)?.ok_or(Stop::Passed(Passed::NoPodSpec))?;
        return Ok(governed(spec, None));
    }
    let before = request.old.ok_or_else(|| missing("oldObject"))?;
    if as_before(kind, object, before) {
        return Err(Stop::Passed(Passed::Unchanged));
    }
    let spec = at(object, keys)?.ok_or(Stop::Passed(Passed::NoPodSpec))?;
    Ok(governed(spec, at(before, keys)?.map(Box::new)))
}

/// Whether the governed parts say what they said. What cannot be read does not. Of kinds of Kubernetes the API server writes
/// both from the same types, so that equal parts are equal text.
pub(super) fn as_before(kind: &Kind, new: &RawValue, old: &RawValue) -> bool {
    kind.governed().iter().all(|part| {
        let read = |object| at::<&RawValue>(object, part);
        match (read(new), read(old)) {
            (Ok(Some(new)), Ok(Some(old))) if new.get() == old.get() => true,
            _ if kind.is_exact() => false,
            (Ok(new), Ok(old)) => alike(new, old, &kind.free(part)),
            _ => false,
        }
    })
}

/// A TokenRequest is only ever created. That of a kubelet is judged by the API server, which knows the pods of the node
/// (`plugin/pkg/admission/noderestriction`); without its tokens no pod starts.
fn token_request<'a>(
    request: &Request<'_>,
    token: Option<TokenRequest<'a>>,
) -> Result<Part<'a>, Stop> {
    if request.operation != Operation::Create {
        return Err(Stop::Broken("a TokenRequest is never updated".to_owned()));
    }
    if request.requester.node().is_some() {
        return Err(Stop::Passed(Passed::Kubelet));
    }
    if request.name.is_empty() {
        return Err(Stop::Broken(
            "the request names no service account".to_owned(),
        ));
    }
    Ok(Part::TokenRequest(token.unwrap_or_default()))
}

/// Whether a live pod held this before the update, and got it from Kubernetes: its node from the scheduler, which no
/// update can change, and tolerations of the state of a node from the controller of a DaemonSet.
fn given(world: &World<'_>, kind: &Kind, reference: &Reference<'_>, old: &PodSpec<'_>) -> bool {
    kind.is_pod()
        && match (&reference.target, reference.check) {
            (Target::Object { name, .. }, Check::Nodes) => name == old.node(),
            (Target::Taints(toleration), _) => {
                let mut held = old.tolerations().iter().take(TOLERATIONS);
                world.catalogue.is_added(kind, toleration) && held.any(|held| held.same(toleration))
            }
            _ => false,
        }
}

fn ask<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    facts: &Facts,
    governed: &Governed<'a>,
) -> Judgement<'a> {
    let Governed { kind, base, part } = governed;
    let custom = match part {
        Part::Fields(fields, object) => {
            Some(of_fields(request, world, facts, kind, fields, object))
        }
        Part::UnknownVersion => Some(of_unknown_version(request, world, facts, kind)),
        Part::PodSpec(..) | Part::TokenRequest(_) => None,
    };
    if let Some((findings, needs)) = custom {
        return judged(request, findings, needs);
    }
    let no_pod = PodSpec::default();
    let spec = match part {
        Part::PodSpec(spec, _) => spec,
        _ => &no_pod,
    };
    let mut asker = Asker::new(request, world, facts, kind, spec);
    let findings = match part {
        Part::PodSpec(_, old) => of_pod_spec(&mut asker, base, old.as_deref()),
        Part::TokenRequest(token) => of_token_request(&mut asker, base, token),
        Part::Fields(..) | Part::UnknownVersion => Vec::new(),
    };
    let needs = asker.needs();
    judged(request, findings, needs)
}

fn judged<'a>(
    request: &'a Request<'a>,
    findings: Vec<Finding<'a>>,
    needs: Vec<Need>,
) -> Judgement<'a> {
    if !needs.is_empty() {
        return Judgement::Needs(needs);
    }
    Judgement::Verdict(Verdict {
        request,
        passed: None,
        broken: None,
        findings,
    })
}

pub(super) fn of_pod_spec<'a>(
    asker: &mut Asker<'a, '_>,
    base: &Cow<'a, str>,
    old: Option<&PodSpec<'a>>,
) -> Vec<Finding<'a>> {
    let (world, kind, spec) = (asker.world, asker.kind, asker.spec);
    let mut findings = Vec::new();
    let mut class_refused = false;
    for reference in spec.references(base) {
        let check = reference.check;
        let no_account = check == Check::ServiceAccounts && !asker.names_account;
        if no_account
            || asker.is_off(check)
            || old.is_some_and(|old| given(&world, kind, &reference, old))
        {
            continue;
        }
        let outcome = match reference.path.index() {
            Some(index) if index > TOLERATIONS => continue,
            Some(TOLERATIONS) => Some(Outcome::Unknown(format!(
                "no more than {TOLERATIONS} tolerations are looked at"
            ))),
            _ => asker.answer(&reference),
        };
        let answered = outcome.map(|outcome| asker.finding(reference, outcome));
        class_refused |=
            check == Check::RuntimeClasses && answered.as_ref().is_none_or(Finding::refuses);
        findings.extend(answered);
    }
    // Nothing is said about a class that may not be used.
    if !spec.runtime_class().is_empty() && !asker.is_off(Check::Tolerations) && !class_refused {
        let brought = asker.class_tolerations(base);
        findings.extend(
            brought
                .into_iter()
                .map(|(r, outcome)| asker.finding(r, outcome)),
        );
    }
    if kind.is_pod() && old.is_none() && !asker.is_off(Check::Profiles) && !asker.is_mirror() {
        let held = asker.required_profiles(base);
        findings.extend(
            held.into_iter()
                .map(|(r, outcome)| asker.finding(r, outcome)),
        );
    }
    if !asker.is_off(Check::Tokens) {
        let live = kind.is_pod() && old.is_some();
        let tokens = tokens::projected(asker, base, live);
        findings.extend(
            tokens
                .into_iter()
                .map(|(r, outcome)| asker.finding(r, outcome)),
        );
    }
    findings
}

fn of_token_request<'a>(
    asker: &mut Asker<'a, '_>,
    base: &Cow<'a, str>,
    token: &TokenRequest<'a>,
) -> Vec<Finding<'a>> {
    let mut findings = Vec::new();
    if !asker.is_off(Check::ServiceAccounts) {
        let account = Reference {
            check: Check::ServiceAccounts,
            path: Path::new("metadata", "name"),
            target: Target::Object {
                resource: Resource::SERVICE_ACCOUNTS,
                name: asker.request.name.clone(),
            },
            namespace: None,
        };
        let outcome = asker.answer(&account);
        findings.extend(outcome.map(|outcome| asker.finding(account, outcome)));
    }
    if !asker.is_off(Check::Tokens) {
        let tokens = tokens::requested(asker, base, token);
        findings.extend(
            tokens
                .into_iter()
                .map(|(r, outcome)| asker.finding(r, outcome)),
        );
    }
    findings
}
