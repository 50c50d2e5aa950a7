//! Who made the object: a person, or a controller that carries out what an owner's author was asked about.

use std::cell::OnceCell;

use serde_json::value::RawValue;

use super::{
    bounds::TOKENS,
    case::{Case, Known, Pod},
    facts::{Looked, ObjectRef},
    request::{Operation, Request},
    unknown::{Unknown, Unread},
    world::World,
};
use crate::{
    catalogue::{Content, Kind, Making},
    object::{
        BadObject, Listed, Metadata, Named, Owner, PodCertificateSource, PodField, PodSpec, Says,
        TokenSource, Volume, credentials, revised, text,
    },
    reference::{Check, Reference, Resource, Target, Text, Toleration},
    sight::Sighting,
};

/// Who made the object, if the requester is a controller.
///
/// Nothing is trusted by group, namespace, label or owner reference alone: the identity must be the one that makes
/// this kind for that kind of owner, and the owner is read live.
pub(super) enum Maker<'f> {
    /// The owner is there; whatever it names was judged when its author wrote it.
    Controller {
        owner: String,
        controller: &'f Making,
        said: Said<'f>,
        /// The revision of the owner that it was made of, if it says so.
        revision: Option<Revision<'f>>,
    },
    /// A person, or somebody who only looks like a controller; the text says why.
    Nobody(Option<String>),
    /// The owner could not be read.
    Unknown(Unknown),
}

/// What an owner names.
#[derive(Default)]
pub(super) struct Said<'f> {
    templates: Vec<Template<'f>>,
    references: Vec<Reference<'f>>,
    /// What patches of it project into volumes, and where.
    credentials: Vec<(
        Text<'f>,
        Option<TokenSource<'f>>,
        Option<PodCertificateSource<'f>>,
    )>,
}

/// What an owner said when its controller noted it down, which may be something else than what it says now.
pub(super) struct Revision<'f> {
    at: ObjectRef,
    kind: &'f Kind,
    /// Whose it must be.
    owner: Owner<'f>,
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
    listed: OnceCell<Vec<Listed<'f>>>,
}

/// Whether a reference is only what the owner's template says.
pub(super) enum CarriedOut {
    /// It is not, or there is no such owner; the text says why.
    No(Option<String>),
    /// It cannot be known.
    Unknown(Unknown),
    /// It is; the text names the owner.
    Yes(String),
}

impl<'f> Maker<'f> {
    /// Finds out who made the object.
    pub(super) fn find<'a: 'f>(case: &Case<'a, 'f>) -> Known<Self> {
        let Case { request, world, .. } = case;
        let catalogue = world.catalogue;
        let Some(made) = case.kind else {
            return Ok(Self::Nobody(None));
        };
        let may_be = catalogue
            .makers(made)
            .any(|maker| acts(world, request, maker));
        // A connection makes nothing, and no owner says a container that is added to a pod while it runs.
        let adds = *request.subresource == *"ephemeralcontainers";
        if request.operation == Operation::Connect || adds || !may_be {
            return Ok(Self::Nobody(None));
        }
        let stranger = |why: &str| Ok(Self::Nobody(Some(why.to_owned())));
        let Ok(owners) = case.metadata().and_then(|object| object.controllers()) else {
            return stranger("its metadata cannot be read");
        };
        let [owner] = &*owners else {
            return stranger("it does not have exactly one controller as its owner");
        };
        if owner.name.is_empty() {
            return stranger("its owner has no name");
        }
        let (group, version) = owner.group_and_version();
        let entries = catalogue.makers_for(made, group, &owner.kind);
        let known = catalogue.version(group, &owner.kind, version);
        let kind = known.or_else(|| catalogue.find(group, &owner.kind));
        let Some(kind) = kind.filter(|_| !entries.is_empty()) else {
            return stranger("its owner is of a kind that no controller makes it for");
        };
        let mut entries = entries.into_iter();
        let Some(controller) = entries.find(|maker| acts(world, request, maker)) else {
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
        let found = match case.object(&wanted)? {
            Looked::There(found) => found,
            Looked::Absent => return stranger(&format!("{who} was not found")),
            Looked::Failed(error) => {
                let why = Unread::Failed(error.clone());
                return Ok(Self::Unknown(Unknown::Owner(who, why)));
            }
        };
        let (live, spec) = match met(kind, found) {
            Ok(met) => met,
            Err(bad) => {
                let why = Unread::Bad(bad.to_string());
                return Ok(Self::Unknown(Unknown::Owner(who, why)));
            }
        };
        if live.uid != owner.uid || owner.uid.is_empty() {
            return stranger(&format!("{who} has another uid"));
        }
        if !live.deletion_timestamp.is_empty() {
            return stranger(&format!("{who} is being deleted"));
        }
        match Said::by(case, kind, found, spec) {
            Some(said) => Ok(Self::Controller {
                owner: who,
                controller,
                said,
                revision: Revision::of(case, controller, owner),
            }),
            None => stranger(&format!("{who} has no pod template")),
        }
    }

    /// Whether the owner says the same, or Kubernetes itself adds it.
    pub(super) fn carries_out(
        &self,
        case: &Case<'_, '_>,
        pod: &Pod<'_, '_>,
        reference: &Reference<'_>,
        seconds: Option<i64>,
    ) -> Known<CarriedOut> {
        let (owner, controller, said, revision) = match self {
            Self::Nobody(note) => return Ok(CarriedOut::No(note.clone())),
            Self::Unknown(unknown) => return Ok(CarriedOut::Unknown(unknown.clone())),
            Self::Controller {
                owner,
                controller,
                said,
                revision,
            } => (owner, controller, said, revision),
        };
        let mut same = said.names(pod, reference) || said.projects(pod, reference, seconds);
        for template in &said.templates {
            same = same || template.says(case, pod, reference, seconds)?;
        }
        same = same
            || match &reference.target {
                Target::Taints(toleration) => case.is_pod() && added(pod, controller, toleration),
                // Each of them has its own node.
                Target::Object { resource, .. } => {
                    case.is_pod()
                        && controller.pins
                        && reference.check == Check::NodeLabels
                        && *resource == Resource::NODES
                }
            };
        if same {
            return Ok(CarriedOut::Yes(owner.clone()));
        }
        let says_not = format!("{owner} does not say so");
        let Some(revision) = revision else {
            return Ok(CarriedOut::No(Some(says_not)));
        };
        let who = format!("{} {}", revision.at.kind, revision.at.name);
        let nor = |why: &str| CarriedOut::No(Some(format!("{says_not}, and {who} {why}")));
        Ok(match revision.template(case)? {
            Ok(Some(template)) if template.says(case, pod, reference, seconds)? => {
                CarriedOut::Yes(format!("{owner}, as {who} says"))
            }
            Ok(Some(_)) => nor("neither"),
            Ok(None) => nor("is none of its own"),
            Err(Unread::Absent) => nor("was not found"),
            Err(why) => CarriedOut::Unknown(Unknown::Owner(who, why)),
        })
    }
}

impl<'f> Revision<'f> {
    /// The revision that the object of the request names, if such a controller makes objects of revisions.
    fn of<'a: 'f>(case: &Case<'a, 'f>, controller: &Making, owner: &Owner<'f>) -> Option<Self> {
        let label = controller.revision.as_deref()?;
        let labels = case.metadata().ok()?.labels().ok()??;
        let kind = case.world.catalogue.find("apps", "ControllerRevision")?;
        Some(Self {
            at: ObjectRef {
                api_version: kind.api_version(),
                kind: kind.kind.to_string(),
                resource: kind.resource.to_string(),
                namespace: Some(case.request.namespace.to_string()),
                name: text(labels.get(label)?)
                    .filter(|name| !name.is_empty())?
                    .to_string(),
            },
            kind,
            owner: owner.clone(),
        })
    }

    /// What it says; none if it is another owner's. Who writes one is asked about what it says, but for the controller, which
    /// notes down what the author of the owner was asked about.
    fn template<'c>(&self, case: &Case<'_, 'c>) -> Known<Result<Option<Template<'c>>, Unread>> {
        let found = match case.object(&self.at)? {
            Looked::There(found) => found,
            Looked::Absent => return Ok(Err(Unread::Absent)),
            Looked::Failed(error) => return Ok(Err(Unread::Failed(error.clone()))),
        };
        let (Content::Revision(route), Ok(owners)) = (&self.kind.content, controllers(found))
        else {
            return Ok(Ok(None));
        };
        if owners != std::slice::from_ref(&self.owner) {
            return Ok(Ok(None));
        }
        let namespace = case.request.namespace.to_string().into();
        Ok(match revised(found, &route.keys) {
            Ok(spec) => Ok(Some(Template::new(Box::new(spec), true, namespace))),
            Err(bad) => Err(Unread::Bad(bad.to_string())),
        })
    }
}

impl<'f> Said<'f> {
    /// Everything that an owner of this kind and pod spec names; none if it has no pod template and can name nothing else.
    fn by<'a: 'f>(
        case: &Case<'a, 'f>,
        kind: &'f Kind,
        owner: &'f RawValue,
        spec: Option<Box<PodSpec<'f>>>,
    ) -> Option<Self> {
        // The author of an object of the whole cluster was asked in no namespace, which stands for every one.
        let namespace = if kind.cluster {
            Text::default()
        } else {
            case.request.namespace.clone()
        };
        let mut said = Self::default();
        match &kind.content {
            Content::PodSpec(_) => said.templates.push(Template::new(spec?, true, namespace)),
            Content::Account(_)
            | Content::Binding(_)
            | Content::Connection(_)
            | Content::Named(_)
            | Content::NamespaceTolerations
            | Content::Revision(_)
            | Content::TokenRequest(_)
            | Content::SigningRequest
            | Content::TokenSecret => return None,
            Content::Fields(fields) => {
                for sighting in case.sightings(fields, owner, namespace.clone()) {
                    match sighting {
                        Sighting::Made(mut reference, _) | Sighting::Reference(mut reference) => {
                            reference.namespace.get_or_insert_with(|| namespace.clone());
                            said.references.push(reference);
                        }
                        Sighting::Credential {
                            namespace,
                            token,
                            certificate,
                            ..
                        } => said.credentials.push((namespace, token, certificate)),
                        Sighting::Opaque(path, what) => said.references.push(Reference {
                            namespace: Some(namespace.clone()),
                            ..Reference::opaque(path, what)
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
        Some(said)
    }

    /// Whether a field of the owner, other than those of pod specs, names the same.
    fn names(&self, pod: &Pod<'_, '_>, wanted: &Reference<'_>) -> bool {
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
            same && held.check == wanted.check && is_there(pod, namespace, wanted)
        })
    }
}

impl Said<'_> {
    /// Whether a patch of the owner projects the same token or certificate. Its author was asked about it by whatever could limit
    /// it, so that it is the same whatever the account.
    fn projects(&self, pod: &Pod<'_, '_>, wanted: &Reference<'_>, seconds: Option<i64>) -> bool {
        let Target::Object { resource, name } = &wanted.target else {
            return false;
        };
        wanted.check == Check::Tokens
            && self
                .credentials
                .iter()
                .any(|(namespace, token, certificate)| {
                    let (token, certificate) = (token.as_ref(), certificate.as_ref());
                    is_there(pod, namespace, wanted)
                        && is_same(token, certificate, *resource, name, seconds)
                })
    }
}

/// Whether this token or certificate is the one that is asked about.
fn is_same(
    token: Option<&TokenSource<'_>>,
    certificate: Option<&PodCertificateSource<'_>>,
    resource: Resource,
    name: &Text<'_>,
    seconds: Option<i64>,
) -> bool {
    if resource == Resource::SIGNERS {
        return certificate.is_some_and(|held| held.signer_name == *name);
    }
    token.is_some_and(|held| {
        held.audience == *name && seconds.is_none_or(|seconds| held.seconds() == seconds)
    })
}

impl<'f> Template<'f> {
    fn new(spec: Box<PodSpec<'f>>, account: bool, namespace: Text<'f>) -> Self {
        Self {
            spec,
            account,
            namespace,
            volumes: OnceCell::new(),
            listed: OnceCell::new(),
        }
    }

    /// Whether this pod spec says the same.
    fn says(
        &self,
        case: &Case<'_, '_>,
        pod: &Pod<'_, '_>,
        reference: &Reference<'_>,
        seconds: Option<i64>,
    ) -> Known<bool> {
        let spec = &self.spec;
        if !is_there(pod, &self.namespace, reference) {
            return Ok(false);
        }
        if let Some(field) = PodField::of(reference.check) {
            let names = self.account || field.check != Check::ServiceAccounts;
            return Ok(names && field.says(spec, &reference.target)
                || match &reference.target {
                    Target::Taints(toleration) => by_class(case, pod, spec, toleration)?,
                    Target::Object { .. } => false,
                });
        }
        Ok(match &reference.target {
            Target::Object { resource, name } if Says::asked_by(reference.check) => {
                let listed = self.listed.get_or_init(|| self.spec.listed(|_| true));
                listed.iter().any(|held| match &held.named {
                    Named::One(of, held) => of == resource && held == name,
                    // What cannot be read says nothing.
                    Named::Malformed(_) | Named::Lost(_) => false,
                })
            }
            // Of what no field of a table names, a pod spec holds only tokens.
            Target::Object { resource, name } if reference.check == Check::Tokens => {
                self.projects(pod, *resource, name, seconds)
            }
            Target::Object { .. } | Target::Taints(_) => false,
        })
    }

    /// Whether it projects the same token or certificate.
    fn projects(
        &self,
        pod: &Pod<'_, '_>,
        resource: Resource,
        name: &Text<'_>,
        seconds: Option<i64>,
    ) -> bool {
        // What cannot be read says nothing.
        let volumes = self
            .volumes
            .get_or_init(|| self.spec.volumes().unwrap_or_default());
        let mut held = credentials(volumes).take(TOKENS);
        // The account decides what its tokens are limited to. Where the owner's author was asked by whatever could limit them, it
        // is the same whatever the account.
        let is_of_account =
            !self.account || pod.names_account && self.spec.account() == pod.spec.account();
        is_of_account
            && held.any(|held| {
                let token = held.source.service_account_token.as_ref();
                let certificate = held.source.pod_certificate.as_ref();
                is_same(token, certificate, resource, name, seconds)
            })
    }
}

/// Whether what is asked about is in this namespace; the empty one stands for all.
fn is_there(pod: &Pod<'_, '_>, namespace: &str, wanted: &Reference<'_>) -> bool {
    let wanted = wanted.namespace.as_ref().unwrap_or(&pod.namespace);
    namespace.is_empty() || **wanted == *namespace
}

/// The metadata of an owner of this kind, and its pod spec where the kind has one.
fn met<'f>(
    kind: &Kind,
    owner: &'f RawValue,
) -> Result<(Metadata<'f>, Option<Box<PodSpec<'f>>>), BadObject> {
    let Content::PodSpec(route) = &kind.content else {
        return Ok((Metadata::of(owner)?, None));
    };
    Metadata::and_part(owner, &route.keys)
}

/// The owners of an object that are its controllers.
pub(super) fn controllers(object: &RawValue) -> Result<Vec<Owner<'_>>, BadObject> {
    Metadata::of(object)?.controllers()
}

/// Whether the requester is a controller that makes objects of this kind for the owner of this one.
pub(super) fn keeps(
    world: &World<'_>,
    request: &Request<'_>,
    kind: &Kind,
    object: &RawValue,
) -> bool {
    let owners = controllers(object).unwrap_or_default();
    owners.iter().any(|owner| {
        let (group, _) = owner.group_and_version();
        let makers = world.catalogue.makers_for(kind, group, &owner.kind);
        makers.into_iter().any(|maker| acts(world, request, maker))
    })
}

/// Whether the requester is this controller: of Kubernetes, by its account in kube-system or by the one user that all of
/// them share; of a project, by its account, and only if the configuration names it. Those of Kubernetes only create; those of
/// projects also update what they made when its owner changes.
fn acts(world: &World<'_>, request: &Request<'_>, controller: &Making) -> bool {
    let account = request.requester.account();
    let is = |namespace: &str, name: &str| {
        account.is_some_and(|account| account.namespace == namespace && account.name == name)
    };
    match &controller.controller {
        None => {
            request.operation == Operation::Create
                && is_of_kubernetes(world, request, &controller.account)
        }
        Some(name) => {
            world.policy.controllers.contains_key(&**name)
                && world
                    .identity(name)
                    .is_some_and(|known| is(&known.namespace, &known.service_account))
        }
    }
}

/// The user that the controller manager of Kubernetes is (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

/// Whether the requester is the controller manager of Kubernetes itself, by its own user or by the one that the configuration
/// names.
pub(super) fn is_controller_manager(world: &World<'_>, request: &Request<'_>) -> bool {
    let user = &*request.requester.username;
    *user == *CONTROLLER_MANAGER || world.is_shared(user)
}

/// Whether the requester is the controller of Kubernetes that has this account in kube-system, or the one user that all of them
/// share.
pub(super) fn is_of_kubernetes(world: &World<'_>, request: &Request<'_>, account: &str) -> bool {
    world.is_shared(&request.requester.username)
        || request
            .requester
            .account()
            .is_some_and(|known| *known.namespace == *"kube-system" && *known.name == *account)
}

/// Whether Kubernetes itself adds this toleration to a pod of such an owner
/// (`plugin/pkg/admission/{podtolerationrestriction,extendedresourcetoleration}`).
fn added(pod: &Pod<'_, '_>, controller: &Making, toleration: &Toleration<'_>) -> bool {
    let names = toleration.names().unwrap_or_default();
    let by_controller = names.iter().any(|name| {
        *name == "node.kubernetes.io/memory-pressure:NoSchedule"
            || controller.tolerations.iter().any(|added| **added == **name)
    });
    let for_resource = *toleration.operator == *"Exists"
        && *toleration.effect == *"NoSchedule"
        && toleration.seconds.is_none();
    by_controller || for_resource && pod.requests(&toleration.key)
}

/// Whether the toleration comes with the runtime class that the template names
/// (`plugin/pkg/admission/runtimeclass`).
fn by_class(
    case: &Case<'_, '_>,
    pod: &Pod<'_, '_>,
    template: &PodSpec<'_>,
    toleration: &Toleration<'_>,
) -> Known<bool> {
    let class = pod.spec.runtime_class();
    if class.is_empty() || class != template.runtime_class() {
        return Ok(false);
    }
    let brought = case.brought(class)?;
    Ok(brought.is_ok_and(|brought| {
        let mut held = brought.tolerations().iter();
        held.any(|held| held.same(toleration))
    }))
}
