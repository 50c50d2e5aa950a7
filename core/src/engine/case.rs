//! One request, with what is known of it and what is still needed.

use std::{
    borrow::Cow,
    cell::{OnceCell, RefCell},
    collections::{HashMap, HashSet},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    facts::{FactError, Facts, Looked, Need, ObjectRef, Reviewed},
    profiles::{Unplanned, plan, subject},
    request::{Operation, Request},
    unknown::Unread,
    verdict::{Finding, Outcome},
    world::World,
};
use crate::{
    catalogue::{Field, Kind},
    inject::{Plan, Profile},
    object::{BadObject, Metadata, PodSpec, given_tolerations, parse},
    reference::{Check, Mode, Question, Reference, Text, Toleration},
    sight::{Around, Sighting, sightings},
};

/// A fact is missing. What it is stands in the [`Case`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending;

/// What can only be said once all facts are there.
pub(super) type Known<T> = Result<T, Pending>;

/// One request, with what is known of it and what is still needed.
pub(super) struct Case<'a, 'f> {
    pub(super) request: &'a Request<'a>,
    pub(super) world: World<'a>,
    /// The kind of the object; none if the question is about no object.
    pub(super) kind: Option<&'a Kind>,
    /// The metadata of the object, if it was read already.
    metadata: Option<&'f Metadata<'a>>,
    facts: &'f Facts,
    needs: RefCell<Vec<Need>>,
}

/// What a runtime class brings (`k8s.io/api/node/v1 Scheduling`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Brought<'f> {
    #[serde(borrow, default)]
    tolerations: Option<Vec<Toleration<'f>>>,
    #[serde(borrow, default)]
    node_selector: Option<HashMap<Text<'f>, Text<'f>>>,
}

impl Brought<'_> {
    /// The taints that its pods tolerate.
    pub(super) fn tolerations(&self) -> &[Toleration<'_>] {
        self.tolerations.as_deref().unwrap_or_default()
    }

    /// Whether its pods choose nodes by this label, `key=value`.
    pub(super) fn chooses(&self, label: &str) -> bool {
        let (Some((key, value)), Some(held)) = (label.split_once('='), &self.node_selector) else {
            return false;
        };
        held.get(key).is_some_and(|held| **held == *value)
    }
}

/// The pod that references belong to: one that is made now, or one of those that a template describes. Of references that
/// belong to none, its pod spec is empty.
pub(super) struct Pod<'a, 's> {
    pub(super) spec: &'s PodSpec<'a>,
    /// Where it will be.
    pub(super) namespace: Text<'a>,
    /// Whether the account is one of the fields of the pod spec.
    pub(super) names_account: bool,
    /// The node whose kubelet shows it, if the request only does that.
    pub(super) mirror: Option<&'a str>,
    extended: OnceCell<HashSet<Text<'a>>>,
}

impl<'a, 'f> Case<'a, 'f> {
    pub(super) fn new(request: &'a Request<'a>, world: &World<'a>, facts: &'f Facts) -> Self {
        Self {
            request,
            world: *world,
            kind: None,
            metadata: None,
            facts,
            needs: RefCell::default(),
        }
    }

    /// The same about an object of this kind, whose metadata may have been read already.
    pub(super) fn about(self, kind: &'a Kind, metadata: Option<&'f Metadata<'a>>) -> Self {
        Self {
            kind: Some(kind),
            metadata,
            ..self
        }
    }

    /// The metadata of the object; empty if there is none.
    pub(super) fn metadata(&self) -> Result<Cow<'f, Metadata<'a>>, BadObject> {
        Ok(match (self.metadata, self.request.object) {
            (Some(metadata), _) => Cow::Borrowed(metadata),
            (None, Some(object)) => Cow::Owned(Metadata::of(object)?),
            (None, None) => Cow::default(),
        })
    }

    /// What is still to be found out, each once.
    pub(super) fn needs(self) -> Vec<Need> {
        let mut needs = self.needs.into_inner();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Whether the object is a pod, not a template of one.
    pub(super) fn is_pod(&self) -> bool {
        self.kind.is_some_and(Kind::is_pod)
    }

    /// The mode of a check in the namespace of the request.
    pub(super) fn mode(&self, check: Check) -> Mode {
        self.world.policy.modes.of(check, &self.request.namespace)
    }

    /// Whether a check is not made.
    pub(super) fn is_off(&self, check: Check) -> bool {
        self.mode(check) == Mode::Off
    }

    /// Whether a check could ask about anything.
    pub(super) fn asks(&self, check: Check) -> bool {
        let is_idle = check == Check::Tokens && self.world.policy.tokens.is_empty();
        !self.is_off(check) && !is_idle
    }

    /// A reference of a pod and its answer, with what they lead to.
    pub(super) fn finding(
        &self,
        pod: &Pod<'a, '_>,
        mut reference: Reference<'a>,
        outcome: Outcome,
    ) -> Finding<'a> {
        let mode = self.mode(reference.check);
        reference
            .namespace
            .get_or_insert_with(|| pod.namespace.clone());
        Finding::new(self.request, &self.world, reference, outcome, mode)
    }

    /// Everything that these fields of an object name, which is in this namespace.
    pub(super) fn sightings<'o>(
        &self,
        fields: &[Field],
        object: &'o RawValue,
        namespace: Text<'o>,
    ) -> Vec<Sighting<'o>> {
        let world = self.world;
        let around = Around {
            catalogue: world.catalogue,
            controller: &|name| world.identity(name),
            asks: &|check| self.asks(check),
            steers: &|annotation| world.steers(annotation),
            is_bound: &|user| world.rights.names(user),
        };
        sightings(around, fields, object, namespace)
    }

    /// An object of the cluster.
    pub(super) fn object(&self, at: &ObjectRef) -> Known<Looked<'f>> {
        self.facts
            .of_object(at)
            .ok_or_else(|| self.need(Need::Object(at.clone())))
    }

    /// What the API server's access reviews say of several names in each of several questions, all asked at once: yes, with its
    /// reason, if any of them is granted; an error if none is and one could not be asked.
    pub(super) fn reviewed<'q, N: AsRef<str>>(
        &self,
        questions: impl Iterator<Item = &'q Question<'q>>,
        names: &[N],
    ) -> Known<Result<Option<String>, FactError>> {
        let (mut answer, mut pending) = (Ok(None), None);
        for question in questions {
            for name in names {
                let question = Question {
                    name: name.as_ref().into(),
                    ..question.clone()
                };
                let question = question.into_owned();
                match self.facts.of_review(&question) {
                    None => pending = Some(self.need(Need::Review(question))),
                    Some(Reviewed::Yes(reason)) => return Ok(Ok(Some(reason.to_owned()))),
                    Some(Reviewed::No) => {}
                    Some(Reviewed::Failed(error)) => answer = Err(error.clone()),
                }
            }
        }
        pending.map_or(Ok(answer), Err)
    }

    /// What a runtime class brings into every pod of it (`plugin/pkg/admission/runtimeclass`).
    pub(super) fn brought(&self, class: &str) -> Known<Result<Brought<'f>, Unread>> {
        #[derive(Deserialize)]
        struct Class<'a> {
            #[serde(borrow, default)]
            scheduling: Option<Brought<'a>>,
        }

        let at = of_cluster("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", class);
        Ok(match self.object(&at)? {
            Looked::There(object) => match parse::<Class<'_>>(object) {
                Ok(class) => Ok(class.scheduling.unwrap_or_default()),
                Err(bad) => Err(Unread::Bad(bad.to_string())),
            },
            Looked::Absent => Err(Unread::Absent),
            Looked::Failed(error) => Err(Unread::Failed(error.clone())),
        })
    }

    /// Whether the account of a pod has this pull secret, which the API server writes into every pod of it that has none of its
    /// own (`plugin/pkg/admission/serviceaccount`). What cannot be known is no.
    pub(super) fn is_pull_secret(&self, pod: &Pod<'_, '_>, secret: &str) -> Known<bool> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Account<'a> {
            #[serde(borrow, default)]
            image_pull_secrets: Option<Vec<Named<'a>>>,
        }
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow, default)]
            name: Text<'a>,
        }

        let at = ObjectRef::account(&pod.namespace, &pod.spec.account());
        Ok(match self.object(&at)? {
            Looked::There(object) => parse(object).is_ok_and(|account: Account<'_>| {
                let mut held = account.image_pull_secrets.into_iter().flatten();
                held.any(|held| *held.name == *secret)
            }),
            Looked::Absent | Looked::Failed(_) => false,
        })
    }

    /// Whether the requester may be a controller: an account, or the user that all of Kubernetes' share.
    pub(super) fn may_be_controller(&self) -> bool {
        let requester = &self.request.requester;
        requester.account().is_some() || self.world.is_shared(&requester.username)
    }

    /// Whether a namespace gives this toleration to every pod in it (`plugin/pkg/admission/podtolerationrestriction`): whoever
    /// wrote so was asked. What cannot be known is no. Asked for controllers alone, which cannot leave it out and cannot be told: of
    /// everybody's refusal it would be one more look at the API server.
    pub(super) fn is_given(&self, namespace: &str, toleration: &Toleration<'_>) -> Known<bool> {
        let at = of_cluster("v1", "Namespace", "namespaces", namespace);
        Ok(match self.object(&at)? {
            Looked::There(object) => {
                let given = given_tolerations(object);
                given.iter().any(|given| given.same(toleration))
            }
            Looked::Absent | Looked::Failed(_) => false,
        })
    }

    /// Whether this priority class is the one that the API server gives to every pod that names none
    /// (`plugin/pkg/admission/priority`). What cannot be known is no.
    pub(super) fn is_default_priority(&self, class: &str) -> Known<bool> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Class {
            #[serde(default)]
            global_default: bool,
        }

        let at = of_cluster(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "priorityclasses",
            class,
        );
        Ok(match self.object(&at)? {
            Looked::There(object) => parse(object).is_ok_and(|class: Class| class.global_default),
            Looked::Absent | Looked::Failed(_) => false,
        })
    }

    /// What the pod of the request gets by these profiles; an error if it cannot be read.
    pub(super) fn plan(
        &self,
        profiles: &'a [Profile],
        pod: &'a RawValue,
    ) -> Known<Result<Plan<'a>, BadObject>> {
        match plan(profiles, &subject(self.request, pod), self.facts) {
            Ok(plan) => Ok(Ok(plan)),
            Err(Unplanned::Bad(why)) => Ok(Err(why)),
            Err(Unplanned::Needs(need)) => Err(self.need(need)),
        }
    }

    fn need(&self, need: Need) -> Pending {
        self.needs.borrow_mut().push(need);
        Pending
    }
}

impl<'a, 's> Pod<'a, 's> {
    /// The pod of the object itself.
    pub(super) fn of(case: &Case<'a, '_>, spec: &'s PodSpec<'a>) -> Self {
        Self {
            mirror: mirror(case, spec),
            ..Self::described(spec, case.request.namespace.clone(), true)
        }
    }

    /// A pod that a part of the object describes.
    pub(super) fn described(
        spec: &'s PodSpec<'a>,
        namespace: Text<'a>,
        names_account: bool,
    ) -> Self {
        Self {
            spec,
            namespace,
            names_account,
            mirror: None,
            extended: OnceCell::new(),
        }
    }

    /// Whether a container requests this extended resource. What cannot be read requests none.
    pub(super) fn requests(&self, resource: &str) -> bool {
        self.extended
            .get_or_init(|| self.spec.extended_resources().unwrap_or_default())
            .contains(resource)
    }
}

/// A cluster-scoped object of Kubernetes itself.
fn of_cluster(api_version: &str, kind: &str, resource: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        resource: resource.to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// The node whose kubelet shows one of its static pods with this request. Annotation, identity and node must agree,
/// and a static pod runs as no account (`plugin/pkg/admission/serviceaccount`).
fn mirror<'a>(case: &Case<'a, '_>, spec: &PodSpec<'a>) -> Option<&'a str> {
    let request = case.request;
    let node = request.requester.node()?;
    let placed = case.is_pod() && **spec.node() == *node;
    if request.operation != Operation::Create || !placed || !spec.names_no_account() {
        return None;
    }
    let metadata = case.metadata().ok()?;
    let annotations = metadata.annotations().ok()??;
    annotations
        .contains_key("kubernetes.io/config.mirror")
        .then_some(node)
}
