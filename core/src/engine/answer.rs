//! Answers to questions, one reference at a time.

use std::{borrow::Cow, cell::OnceCell};

use super::{
    case::{Case, Known, Pod},
    facts::FactError,
    owner::{CarriedOut, Maker},
    policy::Authorizer,
    reason::Reason,
    unknown::Unknown,
    verdict::{Finding, Outcome},
    world::World,
};
use crate::{
    inject::{GivenVolume, Plan},
    reference::{Check, MASTERS, Pattern, Question, Reference, Resource, Target, node_label_names},
};

/// Answers the questions of one case.
pub(super) struct Answers<'a, 'f> {
    pub(super) case: Case<'a, 'f>,
    /// Found out once.
    maker: OnceCell<Known<Maker<'f>>>,
    /// Profiles that the pod of the request gets, with the volume of each; found out once.
    given: OnceCell<Known<Vec<GivenVolume<'a>>>>,
}

impl<'a: 'f, 'f> Answers<'a, 'f> {
    pub(super) fn new(case: Case<'a, 'f>) -> Self {
        Self {
            case,
            maker: OnceCell::new(),
            given: OnceCell::new(),
        }
    }

    /// The finding about one reference of a pod, from the cheapest source to the dearest.
    pub(super) fn finding(
        &self,
        pod: &Pod<'a, '_>,
        reference: Reference<'a>,
    ) -> Known<Finding<'a>> {
        let outcome = self.outcome(pod, &reference)?;
        Ok(self.case.finding(pod, reference, outcome))
    }

    /// The same without what it leads to.
    pub(super) fn outcome(&self, pod: &Pod<'a, '_>, reference: &Reference<'a>) -> Known<Outcome> {
        let case = &self.case;
        let requester = &case.request.requester;
        let namespace = reference.namespace.as_ref().unwrap_or(&pod.namespace);
        let World { policy, rights, .. } = case.world;
        let check = reference.check;
        // Without the owner the answer has to wait, and all is asked once more when it is there.
        if let Some(Err(pending)) = self.maker.get() {
            return Err(*pending);
        }
        if let Some(node) = pod.mirror {
            return Ok(Outcome::Allowed(Reason::Mirror(node.to_owned())));
        }
        let (resource, names) = match &reference.target {
            Target::Object { resource, name } => {
                let names = match *resource {
                    Resource::NODE_LABELS => node_label_names(name),
                    _ => vec![Cow::Borrowed(&**name)],
                };
                let everybodys = policy.baseline.names(*resource);
                // What everybody may use of its own namespace is not everybody's from elsewhere.
                if *namespace == pod.namespace
                    && names.iter().any(|name| Pattern::any(everybodys, name))
                {
                    return Ok(Outcome::Allowed(Reason::Baseline));
                }
                (*resource, names)
            }
            Target::Taints(toleration) => {
                if policy.baseline.tolerates(toleration) {
                    return Ok(Outcome::Allowed(Reason::Baseline));
                }
                match toleration.names() {
                    Ok(names) => (Resource::TOLERATIONS, names),
                    Err(malformed) => return Ok(Outcome::Malformed(malformed.to_string())),
                }
            }
        };
        let narrowest = names.first().cloned().unwrap_or_default();
        let missing = Question::new(resource, namespace.to_string(), narrowest);
        let itself = requester.account().is_some_and(|account| {
            *account.namespace == **namespace && *account.name == *missing.name
        });
        if resource == Resource::SERVICE_ACCOUNTS && itself {
            return Ok(Outcome::Allowed(Reason::Itself));
        }
        if let Some(index) = policy.granted(requester, namespace, resource, &names) {
            return Ok(Outcome::Allowed(Reason::Configured(index)));
        }
        let instead = missing.instead();
        if policy.authorizer != Authorizer::Review {
            let granted = |question: &Question<'_>| rights.find_any(requester, question, &names);
            let grant = granted(&missing).or_else(|| granted(instead.as_ref()?));
            if let Some(grant) = grant {
                return Ok(Outcome::Allowed(Reason::Granted(grant)));
            }
            // No binding has to say so, and files may lack the one that mostly does.
            if requester.is_in(MASTERS) {
                return Ok(Outcome::Allowed(Reason::Master));
            }
        }
        let (mut note, unknown) = match self.carried_out(pod, reference, None)? {
            CarriedOut::Yes(owner) => return Ok(Outcome::Allowed(Reason::Controller(owner))),
            CarriedOut::No(note) => (note, None),
            CarriedOut::Unknown(unknown) => (None, Some(unknown)),
        };
        if check == Check::PriorityClasses
            && case.is_pod()
            && case.is_default_priority(&missing.name)?
        {
            let what = "the cluster's default priority class";
            return Ok(Outcome::Allowed(Reason::System(what)));
        }
        if let Target::Taints(toleration) = &reference.target
            && case.is_pod()
            && case.may_be_controller()
            && case.is_given(namespace, toleration)?
        {
            let what = "its namespace gives it to every pod";
            return Ok(Outcome::Allowed(Reason::System(what)));
        }
        if policy.authorizer != Authorizer::Rbac {
            let questions = std::iter::once(&missing).chain(&instead);
            match case.reviewed(questions, &names)? {
                Ok(Some(reason)) => return Ok(Outcome::Allowed(Reason::Review(reason))),
                Ok(None) => {}
                // What the index says stands, so that the requester still reads what to grant.
                Err(FactError::TooMany(most)) if policy.authorizer != Authorizer::Review => {
                    note = Some(format!(
                        "no more than {most} facts are gathered for one request"
                    ));
                }
                Err(error) => return Ok(Outcome::Unknown(Unknown::Review(error))),
            }
        }
        Ok(unknown.map_or_else(
            || Outcome::Denied {
                missing: missing.into_owned(),
                note,
            },
            Outcome::Unknown,
        ))
    }

    /// Whether a controller only carries out what the owner says: of a token also its lifetime, if `seconds` gives one.
    pub(super) fn carried_out(
        &self,
        pod: &Pod<'a, '_>,
        reference: &Reference<'a>,
        seconds: Option<i64>,
    ) -> Known<CarriedOut> {
        let maker = self.maker.get_or_init(|| Maker::find(&self.case));
        let maker = maker.as_ref().map_err(|pending| *pending)?;
        maker.carries_out(&self.case, pod, reference, seconds)
    }

    /// The profile that gives the pod of the request a token for this audience in a volume of this name. An audience that the
    /// pod chose itself is not the profile's.
    pub(super) fn by_profile(&self, volume: &str, audience: &str) -> Known<Option<Reason>> {
        let case = &self.case;
        let profiles = &case.world.policy.profiles;
        let pod = case.request.object.filter(|_| case.is_pod());
        let (Some(pod), false) = (pod, profiles.is_empty()) else {
            return Ok(None);
        };
        let given = self.given.get_or_init(|| {
            let plan = case.plan(profiles, pod)?;
            // What cannot be read is given nothing.
            Ok(plan.map_or_else(|_| Vec::new(), Plan::volumes))
        });
        let given = given.as_ref().map_err(|pending| *pending)?;
        let mut of_profile = given.iter().filter(|held| held.name == volume);
        let held = of_profile.find(|held| held.profile.is_for(audience));
        Ok(held.map(|held| Reason::Profile(held.profile.name.to_string())))
    }
}
