use std::{cell::OnceCell, collections::HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    answer::Asker,
    custom::{identity, opaque},
    facts::{Need, ObjectRef},
    judge::{TOLERATIONS, World},
    request::{Operation, Request},
    tokens::TOKENS,
};
use crate::{
    catalogue::{Content, Controller, Kind},
    object::{BadObject, PodSpec, Volume, at, credentials, parse},
    reference::{Check, Reference, Resource, Target, Text, Toleration},
    sight::{Sighting, sightings},
};

/// Who made the object, if the requester is a controller.
///
/// Nothing is trusted by group, namespace, label or owner reference alone: the identity must be the one that makes
/// this kind for that kind of owner, and the owner is read live.
pub(super) enum Maker<'f> {
    /// The owner is there; whatever it names was judged when its author wrote it.
    Controller {
        owner: String,
        controller: &'f Controller,
        said: Said<'f>,
    },
    /// A person, or somebody who only looks like a controller; the text says why.
    Nobody(Option<String>),
    /// The owner is not known yet.
    Pending,
    /// The owner could not be read.
    Unknown(String),
}

/// What an owner names.
#[derive(Default)]
pub(super) struct Said<'f> {
    templates: Vec<Template<'f>>,
    references: Vec<Reference<'f>>,
}

/// A pod spec of an owner.
struct Template<'f> {
    spec: Box<PodSpec<'f>>,
    /// Whether the account is one of its fields.
    account: bool,
    /// Where its pods are.
    namespace: Text<'f>,
    /// Read when they are first asked about.
    volumes: OnceCell<Vec<Volume<'f>>>,
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
        let writes = matches!(request.operation, Operation::Create | Operation::Update);
        if !writes || !may_be {
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
        let (group, version) = owner
            .api_version
            .split_once('/')
            .unwrap_or(("", &*owner.api_version));
        let entries = catalogue.makers_for(asker.kind, group, &owner.kind);
        let known = catalogue.version(group, &owner.kind, version);
        let kind = known.or_else(|| catalogue.find(group, &owner.kind));
        let Some(kind) = kind.filter(|_| !entries.is_empty()) else {
            return stranger("its owner is of a kind that no controller makes it for");
        };
        let mut entries = entries.into_iter();
        let Some(controller) = entries.find(|maker| acts(&world, request, maker)) else {
            return stranger("its owner belongs to another controller");
        };
        let wanted = ObjectRef {
            api_version: match known {
                Some(_) => owner.api_version.to_string(),
                None => kind.api_version(),
            },
            kind: kind.kind.to_string(),
            resource: kind.resource.to_string(),
            namespace: (!kind.cluster).then(|| request.namespace.to_string()),
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
        match parse::<Object<'_>>(found) {
            Ok(live) if live.metadata.uid != owner.uid || owner.uid.is_empty() => {
                return Self::Nobody(Some(format!("{who} has another uid")));
            }
            Ok(live) if !live.metadata.deletion_timestamp.is_empty() => {
                return Self::Nobody(Some(format!("{who} is being deleted")));
            }
            Ok(_) => {}
            Err(error) => return Self::Unknown(format!("{who}: {error}")),
        }
        match Said::by(asker, kind, found) {
            Ok(Some(said)) => Self::Controller {
                owner: who,
                controller,
                said,
            },
            Ok(None) => Self::Nobody(Some(format!("{who} has no pod template"))),
            Err(error) => Self::Unknown(format!("{who}: {error}")),
        }
    }

    /// Whether the owner says the same, or Kubernetes itself adds it; `None` while facts are missing.
    pub(super) fn carries_out<'a: 'f>(
        &self,
        asker: &mut Asker<'a, 'f>,
        reference: &Reference<'_>,
        seconds: Option<i64>,
    ) -> Option<CarriedOut> {
        let (owner, controller, said) = match self {
            Self::Pending => return None,
            Self::Nobody(note) => return Some(CarriedOut::No(note.clone())),
            Self::Unknown(error) => return Some(CarriedOut::Unknown(error.clone())),
            Self::Controller {
                owner,
                controller,
                said,
            } => (owner, controller, said),
        };
        let mut same = match &reference.target {
            Target::Taints(toleration) if asker.kind.is_pod() => {
                added(asker, controller, toleration)
            }
            _ => false,
        };
        same = same || said.names(asker, reference);
        for template in &said.templates {
            same = same || template.says(asker, reference, seconds)?;
        }
        Some(if same {
            CarriedOut::Yes(owner.clone())
        } else {
            CarriedOut::No(Some(format!("{owner} does not say so")))
        })
    }
}

impl<'f> Said<'f> {
    /// Everything that an owner of this kind names; none if it has no pod template and can name nothing else.
    fn by<'a: 'f>(
        asker: &Asker<'a, 'f>,
        kind: &'f Kind,
        owner: &'f RawValue,
    ) -> Result<Option<Self>, BadObject> {
        let world = asker.world;
        // The author of an object of the whole cluster was asked in no namespace, which stands for every one.
        let namespace = if kind.cluster {
            Text::default()
        } else {
            asker.request.namespace.clone()
        };
        let mut said = Self::default();
        match &kind.content {
            Content::PodSpec(route) => match at(owner, &route.keys)? {
                Some(spec) => said.templates.push(Template::new(spec, true, namespace)),
                None => return Ok(None),
            },
            Content::TokenRequest(_) => return Ok(None),
            Content::Fields(fields) => {
                let controller = |name: &str| identity(&world, name);
                let seen = sightings(
                    world.catalogue,
                    fields,
                    owner,
                    namespace.clone(),
                    &controller,
                );
                for sighting in seen {
                    match sighting {
                        Sighting::Reference(mut reference) => {
                            reference.namespace.get_or_insert_with(|| namespace.clone());
                            said.references.push(reference);
                        }
                        Sighting::Opaque(path, what) => said.references.push(Reference {
                            namespace: Some(namespace.clone()),
                            ..opaque(path, what)
                        }),
                        Sighting::PodSpec {
                            spec,
                            account,
                            namespace,
                            ..
                        } => said.templates.push(Template::new(spec, account, namespace)),
                        // What cannot be read says nothing, and what a config map names is its author's affair.
                        Sighting::ConfigMap { .. }
                        | Sighting::Lost(..)
                        | Sighting::Malformed(..) => {}
                    }
                }
            }
        }
        Ok(Some(said))
    }

    /// Whether a field of the owner, other than those of pod specs, names the same.
    fn names(&self, asker: &Asker<'_, '_>, wanted: &Reference<'_>) -> bool {
        self.references.iter().any(|held| {
            let same = match (&held.target, &wanted.target) {
                (Target::Taints(held), Target::Taints(wanted)) => held.same(wanted),
                (
                    Target::Object { resource, name },
                    Target::Object {
                        resource: of,
                        name: wanted,
                    },
                ) => resource == of && name == wanted,
                _ => false,
            };
            let namespace = held.namespace.as_deref().unwrap_or_default();
            same && held.check == wanted.check && is_there(asker, namespace, wanted)
        })
    }
}

impl<'f> Template<'f> {
    fn new(spec: Box<PodSpec<'f>>, account: bool, namespace: Text<'f>) -> Self {
        Self {
            spec,
            account,
            namespace,
            volumes: OnceCell::new(),
        }
    }

    /// Whether this pod spec says the same; `None` while facts are missing.
    fn says<'a: 'f>(
        &self,
        asker: &mut Asker<'a, 'f>,
        reference: &Reference<'_>,
        seconds: Option<i64>,
    ) -> Option<bool> {
        let spec = &self.spec;
        if !is_there(asker, &self.namespace, reference) {
            return Some(false);
        }
        Some(match (&reference.target, reference.check) {
            (Target::Taints(toleration), _) => {
                let mut held = spec.tolerations().iter().take(TOLERATIONS);
                held.any(|held| held.same(toleration)) || by_class(asker, spec, toleration)?
            }
            (Target::Object { name, .. }, Check::ServiceAccounts) => {
                self.account && *name == spec.account().1
            }
            (Target::Object { name, .. }, Check::Nodes) => name == spec.node(),
            (Target::Object { name, .. }, Check::PriorityClasses) => name == spec.priority_class(),
            (Target::Object { name, .. }, Check::RuntimeClasses) => name == spec.runtime_class(),
            (Target::Object { resource, name }, Check::Tokens) => {
                // What cannot be read says nothing.
                let volumes = self
                    .volumes
                    .get_or_init(|| spec.volumes().unwrap_or_default());
                let mut held = credentials(volumes).take(TOKENS);
                // The account decides what its tokens are limited to.
                spec.account().1 == asker.spec.account().1
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
        })
    }
}

/// Whether what is asked about is in this namespace; the empty one stands for all.
fn is_there(asker: &Asker<'_, '_>, namespace: &str, wanted: &Reference<'_>) -> bool {
    let wanted = wanted.namespace.as_ref().unwrap_or(&asker.namespace);
    namespace.is_empty() || **wanted == *namespace
}

/// Whether the requester is this controller: of Kubernetes, by its account in kube-system or by the one user that all of
/// them share; of a project, by its account, and only if the configuration names it. Those of Kubernetes only create; those of
/// projects also update what they made when its owner changes.
fn acts(world: &World<'_>, request: &Request<'_>, controller: &Controller) -> bool {
    let account = request.requester.account();
    let is = |namespace: &str, name: &str| {
        account.is_some_and(|account| account.namespace == namespace && account.name == name)
    };
    match &controller.controller {
        None => {
            let shared = world.policy.controller_manager.as_deref();
            let named = shared.is_some_and(|user| *user == *request.requester.username)
                || is("kube-system", &controller.account);
            named && request.operation == Operation::Create
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
