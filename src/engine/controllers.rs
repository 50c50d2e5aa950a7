use std::{cell::OnceCell, collections::HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    answer::Asker,
    custom::identity,
    facts::{Need, ObjectRef},
    judge::{TOLERATIONS, World},
    request::{Operation, Request},
    tokens::TOKENS,
};
use crate::{
    catalogue::{Controller, Kind, PodSpec, Volume, at, credentials, parse},
    reference::{Check, Reference, Resource, Target, Text, Toleration},
};

/// Who made the object, if the requester is a controller of Kubernetes.
///
/// Nothing is trusted by group, namespace, label or owner reference alone: the identity must be the one that makes
/// this kind for that kind of owner, and the owner is read live.
pub(super) enum Maker<'f> {
    /// The owner is there; whatever its template says was judged when its author wrote it.
    Controller {
        owner: String,
        controller: &'f Controller,
        template: Box<PodSpec<'f>>,
        /// Those of the template, read when they are first asked about.
        volumes: OnceCell<Vec<Volume<'f>>>,
    },
    /// A person, or somebody who only looks like a controller; the text says why.
    Nobody(Option<String>),
    /// The owner is not known yet.
    Pending,
    /// The owner could not be read.
    Unknown(String),
}

/// Whether a reference is only what the owner's template says.
pub(super) enum CarriedOut {
    /// It is not, or there is no such owner; the text says why.
    No(Option<String>),
    /// It cannot be known.
    Unknown(String),
    /// It is; the text names the owner.
    Yes(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, default)]
    uid: Text<'a>,
    #[serde(borrow, default)]
    deletion_timestamp: Text<'a>,
    #[serde(borrow, default)]
    annotations: Option<HashMap<Text<'a>, &'a RawValue>>,
    #[serde(borrow, default)]
    owner_references: Option<Vec<OwnerReference<'a>>>,
}

/// An owner, as an object names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnerReference<'a> {
    #[serde(borrow, default)]
    pub(super) api_version: Text<'a>,
    #[serde(borrow, default)]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) uid: Text<'a>,
    #[serde(default)]
    pub(super) controller: Option<bool>,
}

/// The node whose kubelet shows one of its static pods with this request. Annotation, identity and node must agree,
/// and a static pod runs as no account (`plugin/pkg/admission/serviceaccount`).
pub(super) fn mirror<'a>(
    request: &'a Request<'a>,
    kind: &Kind,
    spec: &PodSpec<'a>,
) -> Option<&'a str> {
    let node = request.requester.node()?;
    let placed = kind.is_pod() && **spec.node() == *node;
    if request.operation != Operation::Create || !placed || !spec.names_no_account() {
        return None;
    }
    let object: Object<'_> = parse(request.object?).ok()?;
    let annotations = object.metadata.annotations?;
    annotations
        .contains_key("kubernetes.io/config.mirror")
        .then_some(node)
}

impl<'f> Maker<'f> {
    /// Finds out who made the object.
    pub(super) fn find<'a: 'f>(asker: &mut Asker<'a, 'f>) -> Self {
        let request = asker.request;
        let catalogue = asker.world.catalogue;
        let world = asker.world;
        let may_be = catalogue
            .makers(asker.kind)
            .any(|maker| acts(&world, request, maker));
        if request.operation != Operation::Create || !may_be {
            return Self::Nobody(None);
        }
        let stranger = |why: &str| Self::Nobody(Some(why.to_owned()));
        let references = match request.object.map(parse::<Object<'_>>) {
            Some(Ok(object)) => object.metadata.owner_references.unwrap_or_default(),
            _ => return stranger("its metadata cannot be read"),
        };
        let mut owners = references
            .iter()
            .filter(|owner| owner.controller == Some(true));
        let (Some(owner), None) = (owners.next(), owners.next()) else {
            return stranger("it does not have exactly one controller as its owner");
        };
        let group = owner
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        let entries = catalogue.makers_for(asker.kind, group, &owner.kind);
        let kind = catalogue.find(group, &owner.kind);
        let Some(kind) = kind.filter(|_| !entries.is_empty()) else {
            return stranger("its owner is of a kind that no controller makes it for");
        };
        let mut entries = entries.into_iter();
        let Some(controller) = entries.find(|maker| acts(&world, request, maker)) else {
            return stranger("its owner belongs to another controller");
        };
        let Some(route) = controller.template.as_ref().or_else(|| kind.pod_spec()) else {
            return stranger("its owner is of a kind that has no template");
        };
        let wanted = ObjectRef {
            api_version: kind.api_version(),
            kind: kind.kind.to_string(),
            resource: kind.resource.to_string(),
            namespace: Some(request.namespace.to_string()),
            name: owner.name.to_string(),
        };
        let who = format!("{} {}", wanted.kind, wanted.name);
        let found = match asker.facts.of_object(&wanted) {
            None => {
                asker.need(Need::Object(wanted));
                return Self::Pending;
            }
            Some(Err(error)) => {
                return Self::Unknown(format!("{who} could not be read: {error}"));
            }
            Some(Ok(None)) => return stranger(&format!("{who} was not found")),
            Some(Ok(Some(found))) => found,
        };
        let template = at(found, &route.keys);
        match (parse::<Object<'_>>(found), template) {
            (Ok(live), _) if live.metadata.uid != owner.uid || owner.uid.is_empty() => {
                Self::Nobody(Some(format!("{who} has another uid")))
            }
            (Ok(live), _) if !live.metadata.deletion_timestamp.is_empty() => {
                Self::Nobody(Some(format!("{who} is being deleted")))
            }
            (Ok(_), Ok(Some(template))) => Self::Controller {
                owner: who,
                controller,
                template: Box::new(template),
                volumes: OnceCell::new(),
            },
            (Ok(_), Ok(None)) => Self::Nobody(Some(format!("{who} has no pod template"))),
            (Err(error), _) | (_, Err(error)) => Self::Unknown(format!("{who}: {error}")),
        }
    }

    /// Whether the owner's template says the same, or Kubernetes itself adds it; `None` while facts are missing.
    pub(super) fn carries_out<'a: 'f>(
        &self,
        asker: &mut Asker<'a, 'f>,
        reference: &Reference<'_>,
        seconds: Option<i64>,
    ) -> Option<CarriedOut> {
        let (owner, controller, template, volumes) = match self {
            Self::Pending => return None,
            Self::Nobody(note) => return Some(CarriedOut::No(note.clone())),
            Self::Unknown(error) => return Some(CarriedOut::Unknown(error.clone())),
            Self::Controller {
                owner,
                controller,
                template,
                volumes,
            } => (owner, controller, template, volumes),
        };
        let same = match (&reference.target, reference.check) {
            (Target::Taints(toleration), _) => {
                let held = template.tolerations().iter().take(TOLERATIONS);
                held.into_iter().any(|held| held.same(toleration))
                    || asker.kind.is_pod() && added(asker, controller, toleration)
                    || by_class(asker, template, toleration)?
            }
            (Target::Object { name, .. }, Check::ServiceAccounts) => *name == template.account().1,
            (Target::Object { name, .. }, Check::Nodes) => name == template.node(),
            (Target::Object { name, .. }, Check::PriorityClasses) => {
                name == template.priority_class()
            }
            (Target::Object { name, .. }, Check::RuntimeClasses) => {
                name == template.runtime_class()
            }
            (Target::Object { resource, name }, Check::Tokens) => {
                // What cannot be read says nothing.
                let volumes = volumes.get_or_init(|| template.volumes().unwrap_or_default());
                let mut held = credentials(volumes).take(TOKENS);
                // The account decides what its tokens are limited to.
                template.account().1 == asker.spec.account().1
                    && held.any(|held| {
                        let (token, certificate) = (
                            &held.source.service_account_token,
                            &held.source.pod_certificate,
                        );
                        if *resource == Resource::SIGNERS {
                            certificate.as_ref().is_some_and(|c| c.signer_name == *name)
                        } else {
                            token.as_ref().is_some_and(|token| {
                                token.audience == *name
                                    && seconds.is_none_or(|seconds| token.seconds() == seconds)
                            })
                        }
                    })
            }
            (Target::Object { .. }, _) => false,
        };
        Some(if same {
            CarriedOut::Yes(owner.clone())
        } else {
            CarriedOut::No(Some(format!("{owner} does not say so")))
        })
    }
}

/// Whether the requester is this controller: of Kubernetes, by its account in kube-system or by the one user that all of
/// them share; of a project, by its account, and only if the configuration names it.
fn acts(world: &World<'_>, request: &Request<'_>, controller: &Controller) -> bool {
    let account = request.requester.account();
    let is = |namespace: &str, name: &str| {
        account.is_some_and(|account| account.namespace == namespace && account.name == name)
    };
    match &controller.controller {
        None => {
            let shared = world.policy.controller_manager.as_deref();
            shared.is_some_and(|user| *user == *request.requester.username)
                || is("kube-system", &controller.account)
        }
        Some(name) => {
            world.policy.controllers.contains_key(&**name)
                && identity(world, name)
                    .is_some_and(|known| is(&known.namespace, &known.service_account))
        }
    }
}

/// Whether Kubernetes itself adds this toleration to a pod of such an owner
/// (`plugin/pkg/admission/{podtolerationrestriction,extendedresourcetoleration}`).
fn added(asker: &mut Asker<'_, '_>, controller: &Controller, toleration: &Toleration<'_>) -> bool {
    let names = toleration.names().unwrap_or_default();
    let by_controller = names.iter().any(|name| {
        *name == "node.kubernetes.io/memory-pressure:NoSchedule"
            || controller.tolerations.iter().any(|added| **added == **name)
    });
    let for_resource = *toleration.operator == *"Exists"
        && *toleration.effect == *"NoSchedule"
        && toleration.seconds.is_none();
    by_controller || for_resource && asker.requests(&toleration.key)
}

/// Whether the toleration comes with the runtime class that the template names
/// (`plugin/pkg/admission/runtimeclass`); `None` while the class is not known.
fn by_class<'a: 'f, 'f>(
    asker: &mut Asker<'a, 'f>,
    template: &PodSpec<'_>,
    toleration: &Toleration<'_>,
) -> Option<bool> {
    let class = asker.spec.runtime_class();
    if class.is_empty() || class != template.runtime_class() {
        return Some(false);
    }
    let brought = asker.brought(class)?;
    Some(brought.is_ok_and(|brought| brought.iter().any(|held| held.same(toleration))))
}
