//! Judges one request: the part that decides, the questions that it raises, the verdict.

mod custom;
mod governed;
mod namespace;
mod pod;
mod single;
mod tokens;

use std::borrow::Cow;

use super::{
    answer::Answers,
    case::{Case, Pod},
    facts::{Facts, Need},
    request::Request,
    unknown::Unknown,
    verdict::{Finding, Verdict},
    world::World,
};
use crate::{
    object::PodSpec,
    reference::{Path, Reference},
};
pub use governed::Governed;
use governed::{Part, Stop, governed};

/// What [`judge`] came to.
#[derive(Debug)]
pub enum Judgement<'a> {
    /// Facts are missing, each named once. Gather them and judge again; one that cannot be had is an error among
    /// the facts.
    Needs(Vec<Need>),
    /// All is said.
    Verdict(Verdict<'a>),
}

/// Asks one question that no object raises: may the requester use the target of this reference, in the namespace of the
/// request? An error names the facts that are missing.
pub fn ask<'a>(
    request: &'a Request<'a>,
    reference: Reference<'a>,
    world: &World<'a>,
    facts: &Facts,
) -> Result<Finding<'a>, Vec<Need>> {
    let answers = Answers::new(Case::new(request, world, facts));
    let no_pod = PodSpec::default();
    let itself = Pod::described(&no_pod, request.namespace.clone(), true);
    let finding = answers.finding(&itself, reference);
    finding.map_err(|_| answers.case.needs())
}

/// Judges a request: [`Governed::of`] and [`Governed::judge`] in one.
///
/// Never fails: what cannot be read, or cannot be known, is a refusal with its reason.
pub fn judge<'a>(request: &'a Request<'a>, world: &World<'a>, facts: &Facts) -> Judgement<'a> {
    match Governed::of(request, world) {
        Ok(governed) => governed.judge(facts),
        Err(verdict) => Judgement::Verdict(verdict),
    }
}

impl<'a> Governed<'a> {
    /// Finds what decides in a request; a verdict where there is nothing to ask.
    pub fn of(request: &'a Request<'a>, world: &World<'a>) -> Result<Self, Verdict<'a>> {
        governed(request, world).map_err(|stop| match stop {
            Stop::Passed(why) => Verdict::passed(request, why),
            Stop::Broken(why) => Verdict::broken(request, why),
        })
    }

    /// Judges the request by what is known so far.
    pub fn judge(&self, facts: &Facts) -> Judgement<'a> {
        let case = Case::new(self.request, &self.world, facts);
        let answers = Answers::new(case.about(self.kind, self.metadata.as_ref()));
        let findings = findings(&answers, &self.base, &self.part);
        let needs = answers.case.needs();
        if needs.is_empty() {
            Judgement::Verdict(Verdict {
                request: self.request,
                passed: None,
                broken: None,
                findings,
            })
        } else {
            Judgement::Needs(needs)
        }
    }
}

/// The findings about the part that decides, which stands at `base`.
fn findings<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    base: &Cow<'a, str>,
    part: &Part<'a>,
) -> Vec<Finding<'a>> {
    match part {
        Part::Account(path, secrets) => single::of_account(answers, path.clone(), secrets),
        Part::Binding(node) => single::bound(answers, base, node),
        Part::Connection(check) => single::of_pod(answers, *check),
        Part::Lost(why) => {
            let path = Path::new(base.clone(), "");
            custom::of_unknown(answers, path, Unknown::Lost(why.clone()))
        }
        Part::Names(names) => single::of_names(answers, base, names),
        Part::Named(check) => single::of_object(answers, *check),
        Part::Namespace(annotations) => namespace::annotated(answers, annotations),
        Part::Placement(spec, old) => {
            let pod = Pod::of(&answers.case, spec);
            pod::placed(answers, &pod, base, old)
        }
        Part::Placements(fields, object, old) => {
            custom::of_placements(answers, fields, object, old)
        }
        Part::PodSpec(spec, old) => {
            let pod = Pod::of(&answers.case, spec);
            pod::findings(answers, &pod, base, old.as_deref())
        }
        Part::TokenRequest(token) => {
            let no_pod = PodSpec::default();
            let pod = Pod::of(&answers.case, &no_pod);
            tokens::requested(answers, &pod, base, token)
        }
        Part::TokenSecret(secret) => single::of_secret(answers, base, secret),
        Part::Fields(fields, object) => custom::of_fields(answers, fields, object),
        Part::UnknownVersion => custom::of_unknown_version(answers),
    }
}
