use std::{borrow::Cow, collections::HashSet};

use serde::Deserialize;

use super::{
    controllers::{CarriedOut, Maker, mirror},
    facts::{FactError, Facts, Need, ObjectRef},
    judge::World,
    mutate::{Stop, subject, with_account},
    policy::{Authorizer, Mode},
    request::Request,
    verdict::{Finding, Outcome},
};
use crate::{
    catalogue::Kind,
    inject::{Effect, Profile, Step},
    object::{PodSpec, parse},
    reference::{Check, Path, Question, Reference, Resource, Target, Text, Toleration},
    rights::Grant,
};

/// Answers the questions of one request, and notes what it would have to know.
pub(super) struct Asker<'a, 'f> {
    pub(super) request: &'a Request<'a>,
    pub(super) world: World<'a>,
    pub(super) facts: &'f Facts,
    pub(super) kind: &'a Kind,
    pub(super) spec: &'f PodSpec<'a>,
    /// Where the pods are.
    pub(super) namespace: Text<'a>,
    /// Whether the pod spec has an account.
    pub(super) names_account: bool,
    mirror: Option<&'a str>,
    /// Found out once.
    maker: Option<Maker<'f>>,
    extended: Option<HashSet<Text<'a>>>,
    /// Profiles that the pod has, with the volume of each.
    given: Option<Vec<(&'a Profile, String)>>,
    needs: Vec<Need>,
}

/// Facts are missing.
pub(super) struct Pending;

impl<'a, 'f> Asker<'a, 'f> {
    pub(super) fn new(
        request: &'a Request<'a>,
        world: &World<'a>,
        facts: &'f Facts,
        kind: &'a Kind,
        spec: &'f PodSpec<'a>,
    ) -> Self {
        Self {
            request,
            world: *world,
            facts,
            kind,
            spec,
            namespace: request.namespace.clone(),
            names_account: true,
            mirror: mirror(request, kind, spec),
            maker: None,
            extended: None,
            given: None,
            needs: Vec::new(),
        }
    }

    /// What is still to be found out, each once.
    pub(super) fn needs(mut self) -> Vec<Need> {
        self.needs.sort_unstable();
        self.needs.dedup();
        self.needs
    }

    /// The mode of a check in the namespace of the request.
    pub(super) fn mode(&self, check: Check) -> Mode {
        self.world.policy.modes.of(check, &self.request.namespace)
    }

    /// Whether a check is not made.
    pub(super) fn is_off(&self, check: Check) -> bool {
        self.mode(check) == Mode::Off
    }

    /// A reference and its answer, with what they lead to.
    pub(super) fn finding(&self, mut reference: Reference<'a>, outcome: Outcome) -> Finding<'a> {
        let mode = self.mode(reference.check);
        if reference.namespace.is_none() && self.namespace != self.request.namespace {
            reference.namespace = Some(self.namespace.clone());
        }
        Finding::new(self.request, &self.world, reference, outcome, mode)
    }

    /// Whether the request only shows a pod that a kubelet runs already.
    pub(super) fn is_mirror(&self) -> bool {
        self.mirror.is_some()
    }

    pub(super) fn need(&mut self, need: Need) {
        self.needs.push(need);
    }

    /// The answer to one reference, from the cheapest source to the dearest; `None` while facts are missing.
    pub(super) fn answer(&mut self, reference: &Reference<'a>) -> Option<Outcome> {
        let requester = &self.request.requester;
        let namespace = reference
            .namespace
            .clone()
            .unwrap_or_else(|| self.namespace.clone());
        let namespace = &namespace;
        let World { policy, rights, .. } = self.world;
        let check = reference.check;
        if let Some(node) = self.mirror {
            return Some(Outcome::Allowed(Grant::Mirror(node.to_owned())));
        }
        let (resource, names) = match &reference.target {
            Target::Object { resource, name } => {
                let mut everybodys = policy.baseline.names(check).iter();
                // What everybody may use of its own namespace is not everybody's from elsewhere.
                if *namespace == self.namespace && everybodys.any(|pattern| pattern.matches(name)) {
                    return Some(Outcome::Allowed(Grant::Baseline));
                }
                (*resource, vec![Cow::Borrowed(&**name)])
            }
            Target::Taints(toleration) => {
                if policy.baseline.tolerates(toleration) {
                    return Some(Outcome::Allowed(Grant::Baseline));
                }
                match toleration.names() {
                    Ok(names) => (Resource::TOLERATIONS, names),
                    Err(malformed) => return Some(Outcome::Malformed(malformed.to_string())),
                }
            }
        };
        let narrowest = names.first().cloned().unwrap_or_default();
        let missing = Question::new(resource, namespace.to_string(), narrowest);
        let itself = requester.account().is_some_and(|account| {
            *account.namespace == **namespace && *account.name == *missing.name
        });
        if check == Check::ServiceAccounts && itself {
            return Some(Outcome::Allowed(Grant::Itself));
        }
        if let Some(index) = policy.granted(requester, namespace, resource, &names) {
            return Some(Outcome::Allowed(Grant::Configured(index)));
        }
        if policy.authorizer != Authorizer::Review
            && let Some(grant) = rights.find_any(requester, &missing, &names)
        {
            return Some(Outcome::Allowed(grant));
        }
        let (mut note, unknown) = match self.by_maker(reference, None)? {
            CarriedOut::Yes(owner) => return Some(Outcome::Allowed(Grant::Controller(owner))),
            CarriedOut::No(note) => (note, None),
            CarriedOut::Unknown(error) => (None, Some(error)),
        };
        if check == Check::PriorityClasses
            && self.kind.is_pod()
            && self.is_default(&missing.name)?
        {
            return Some(Outcome::Allowed(Grant::System(
                "the cluster's default priority class",
            )));
        }
        if policy.authorizer != Authorizer::Rbac {
            match self.reviewed(&missing, &names)? {
                Ok(Some(reason)) => return Some(Outcome::Allowed(Grant::Review(reason))),
                Ok(None) => {}
                // What the index says stands, so that the requester still reads what to grant.
                Err(FactError::TooMany(most)) if policy.authorizer != Authorizer::Review => {
                    note = Some(format!(
                        "no more than {most} facts are gathered for one request"
                    ));
                }
                Err(error) => return Some(Outcome::Unknown(error.to_string())),
            }
        }
        Some(unknown.map_or_else(
            || Outcome::Denied {
                missing: missing.into_owned(),
                note,
            },
            Outcome::Unknown,
        ))
    }

    /// The tolerations that the runtime class brings, as references of their own. Those that the pod already holds
    /// were asked there.
    pub(super) fn class_tolerations(
        &mut self,
        base: &Cow<'a, str>,
    ) -> Vec<(Reference<'a>, Outcome)> {
        let path = Path::new(base.clone(), "runtimeClassName");
        let reference = |toleration| Reference {
            check: Check::Tolerations,
            path: path.clone(),
            target: Target::Taints(toleration),
            namespace: None,
        };
        if self.is_mirror() {
            return Vec::new();
        }
        let class = self.spec.runtime_class();
        let brought = match self.brought(class) {
            None => return Vec::new(),
            Some(Ok(brought)) => brought,
            Some(Err(error)) => {
                // Who may tolerate every taint may tolerate whatever the class brings.
                let every = reference(Toleration::default());
                return match self.answer(&every) {
                    None => Vec::new(),
                    Some(allowed @ Outcome::Allowed(_)) => vec![(every, allowed)],
                    Some(_) => {
                        let why = format!(
                            "the tolerations of runtimeclass \"{class}\" are not known: {error}"
                        );
                        vec![(every, Outcome::Unknown(why))]
                    }
                };
            }
        };
        let spec = self.spec;
        let mut answers = Vec::new();
        for toleration in brought {
            if !spec.tolerations().iter().any(|held| held.same(&toleration)) {
                let reference = reference(toleration);
                let outcome = self.answer(&reference);
                answers.extend(outcome.map(|outcome| (reference, outcome)));
            }
        }
        answers
    }

    /// Every profile that this pod must hold, as a reference of its own.
    pub(super) fn required_profiles(
        &mut self,
        base: &Cow<'a, str>,
    ) -> Vec<(Reference<'a>, Outcome)> {
        let Some(pod) = self.request.object else {
            return Vec::new();
        };
        let subject = subject(self.request, pod);
        let required = self.world.policy.profiles.iter();
        let mut answers = Vec::new();
        for profile in required.filter(|profile| profile.required) {
            let reference = Reference {
                check: Check::Profiles,
                path: Path::new(base.clone(), "volumes"),
                target: Target::Object {
                    resource: Resource::PROFILES,
                    name: (&*profile.name).into(),
                },
                namespace: None,
            };
            let name = &profile.name;
            let lacks = |why: &str| {
                Outcome::Forbidden(format!(
                    "every pod that profile \"{name}\" selects must hold it, and this one does not: {why}"
                ))
            };
            let plan = match with_account(std::slice::from_ref(profile), &subject, self.facts) {
                Ok(plan) => plan,
                Err(Stop::Bad(why)) => {
                    answers.push((reference, lacks(&why)));
                    continue;
                }
                Err(Stop::Needs(need)) => {
                    self.need(need);
                    continue;
                }
            };
            for Step { effect, .. } in plan.steps {
                let outcome = match effect {
                    Effect::Passed(_) => continue,
                    Effect::Given(given) if !given.changed => {
                        Outcome::Allowed(Grant::Profile(name.to_string()))
                    }
                    Effect::Given(_) => lacks("the mutating webhook did not add it"),
                    Effect::Declined(why) | Effect::Missed(why) | Effect::Refused(why) => {
                        lacks(&why)
                    }
                };
                answers.push((reference.clone(), outcome));
            }
        }
        answers
    }

    /// The profile that gives this pod a token for this audience in a volume of this name. An audience that the pod chose itself is not the profile's.
    pub(super) fn by_profile(
        &mut self,
        volume: &str,
        audience: &str,
    ) -> Result<Option<Grant>, Pending> {
        let profiles = &self.world.policy.profiles;
        let pod = self.request.object.filter(|_| self.kind.is_pod());
        let (Some(pod), false) = (pod, profiles.is_empty()) else {
            return Ok(None);
        };
        let given = match self.given.take() {
            Some(known) => known,
            None => match with_account(profiles, &subject(self.request, pod), self.facts) {
                Ok(plan) => plan.volumes(),
                // What cannot be read is given nothing.
                Err(Stop::Bad(_)) => Vec::new(),
                Err(Stop::Needs(need)) => {
                    self.need(need);
                    return Err(Pending);
                }
            },
        };
        let mut of_profile = given.iter().filter(|(_, held)| held == volume);
        let profile = of_profile.find(|(profile, _)| profile.is_for(audience));
        let grant = profile.map(|(profile, _)| Grant::Profile(profile.name.to_string()));
        self.given = Some(given);
        Ok(grant)
    }

    /// The tolerations of a runtime class; `None` while it is not known.
    pub(super) fn brought(
        &mut self,
        class: &str,
    ) -> Option<Result<Vec<Toleration<'static>>, String>> {
        #[derive(Deserialize)]
        struct Class<'a> {
            #[serde(borrow, default)]
            scheduling: Option<Scheduling<'a>>,
        }
        #[derive(Deserialize)]
        struct Scheduling<'a> {
            #[serde(borrow, default)]
            tolerations: Option<Vec<Toleration<'a>>>,
        }

        let at = ObjectRef {
            api_version: "node.k8s.io/v1".to_owned(),
            kind: "RuntimeClass".to_owned(),
            resource: "runtimeclasses".to_owned(),
            namespace: None,
            name: class.to_owned(),
        };
        Some(match self.facts.of_object(&at) {
            None => {
                self.need(Need::Object(at));
                return None;
            }
            Some(Ok(Some(object))) => parse(object)
                .map(|class: Class<'_>| {
                    let held = class
                        .scheduling
                        .and_then(|s| s.tolerations)
                        .unwrap_or_default();
                    held.into_iter().map(Toleration::into_owned).collect()
                })
                .map_err(|bad| bad.to_string()),
            Some(Ok(None)) => Err("it was not found".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
        })
    }

    /// Whether this priority class is the one that the API server gives to every pod that names none
    /// (`plugin/pkg/admission/priority`). What cannot be known is no.
    fn is_default(&mut self, class: &str) -> Option<bool> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Class {
            #[serde(default)]
            global_default: bool,
        }

        let at = ObjectRef {
            api_version: "scheduling.k8s.io/v1".to_owned(),
            kind: "PriorityClass".to_owned(),
            resource: "priorityclasses".to_owned(),
            namespace: None,
            name: class.to_owned(),
        };
        match self.facts.of_object(&at) {
            None => {
                self.need(Need::Object(at));
                None
            }
            Some(Ok(Some(object))) => {
                Some(parse(object).is_ok_and(|class: Class| class.global_default))
            }
            Some(Ok(None) | Err(_)) => Some(false),
        }
    }

    /// What the API server's access reviews say: yes if any of the names is granted, an error if none is and one
    /// could not be asked.
    fn reviewed(
        &mut self,
        question: &Question<'_>,
        names: &[Cow<'_, str>],
    ) -> Option<Result<Option<String>, FactError>> {
        let mut pending = false;
        let mut error = None;
        for name in names {
            let question =
                Question::new(question.resource, &*question.namespace, &**name).into_owned();
            match self.facts.of_review(&question) {
                None => {
                    self.need(Need::Review(question));
                    pending = true;
                }
                Some(Ok(Some(reason))) => return Some(Ok(Some(reason.clone()))),
                Some(Ok(None)) => {}
                Some(Err(failed)) => error = Some(failed.clone()),
            }
        }
        (!pending).then(|| error.map_or(Ok(None), Err))
    }

    /// Whether a container requests this extended resource. What cannot be read requests none.
    pub(super) fn requests(&mut self, resource: &str) -> bool {
        let spec = self.spec;
        self.extended
            .get_or_insert_with(|| spec.extended_resources().unwrap_or_default())
            .contains(resource)
    }

    /// Whether a controller only carries out what the owner's template says: of a token also its lifetime, if `seconds`
    /// gives one. `None` while facts are missing.
    pub(super) fn by_maker(
        &mut self,
        reference: &Reference<'a>,
        seconds: Option<i64>,
    ) -> Option<CarriedOut> {
        let maker = match self.maker.take() {
            Some(known) => known,
            None => Maker::find(self),
        };
        let outcome = maker.carries_out(self, reference, seconds);
        self.maker = Some(maker);
        outcome
    }
}
