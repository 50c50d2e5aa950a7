//! The part of an object that decides, and every reason for which there is nothing to ask.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{
    catalogue::{Content, Field, Kind, Route},
    engine::{
        bounds::GROUPS,
        broken::Broken,
        owner::{controllers, is_controller_manager, is_of_kubernetes, keeps},
        request::{Operation, Request},
        unchanged::Change,
        verdict::Passed,
        world::World,
    },
    object::{
        BadObject, Metadata, NamespaceAnnotation, Owner, PodSpec, ServiceAccount, TokenRequest,
        TokenSecret, at, is_approved, namespace_tolerations, revised, user_names,
    },
    reference::{Account, COLLECTOR, Check, KEEPERS, Pattern, Text},
};

/// Why there are no questions.
pub(super) enum Stop {
    /// The request cannot be judged: it is refused.
    Broken(Broken),
    /// There is nothing to ask.
    Passed(Passed),
}

impl<B: Into<Broken>> From<B> for Stop {
    fn from(bad: B) -> Self {
        Self::Broken(bad.into())
    }
}

/// A request of which is known what decides. That is found once, however often it is judged.
pub struct Governed<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) world: World<'a>,
    pub(super) kind: &'a Kind,
    /// The metadata of the object, where they were read on the way to the part.
    pub(super) metadata: Option<Metadata<'a>>,
    /// Where the part stands.
    pub(super) base: Cow<'a, str>,
    pub(super) part: Part<'a>,
}

/// What decides, by what the catalogue says of the kind.
pub(super) enum Part<'a> {
    /// The account of the request's name, whose identity is written at this path, and the Secrets that its pods get from now on, each
    /// with where it stands.
    Account(Cow<'static, str>, Vec<(String, Text<'a>)>),
    /// The node that a pod is put on.
    Binding(Text<'a>),
    /// The running pod of the request's name: this check asks about its account.
    Connection(Check),
    /// What cannot be read, for this reason, of an object that the API server takes as it is: it may name anything.
    Lost(String),
    /// The user names that a certificate is asked for, or approved, of which some are accounts.
    Names(Vec<String>),
    /// The object of the request's name: this check asks about it.
    Named(Check),
    /// Annotations of a namespace that are new or say something else.
    Namespace(Vec<NamespaceAnnotation>),
    /// A pod spec of which an update changes nothing but where its pods go, and what it was before.
    Placement(PodSpec<'a>, Box<PodSpec<'a>>),
    /// A custom resource, of which these fields are known, where an update changes nothing but where its pods go, and what it was
    /// before.
    Placements(&'a [Field], &'a RawValue, &'a RawValue),
    /// A pod spec, and what it was before an update.
    PodSpec(PodSpec<'a>, Option<Box<PodSpec<'a>>>),
    /// What a TokenRequest asks for.
    TokenRequest(TokenRequest<'a>),
    /// A Secret that holds a token.
    TokenSecret(TokenSecret<'a>),
    /// A custom resource, of which these fields are known.
    Fields(&'a [Field], &'a RawValue),
    /// A custom resource of another version than those whose fields are known.
    UnknownVersion,
}

/// Finds the part that decides. The order counts: what is not judged passes before anything is missed in it.
pub(super) fn governed<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
) -> Result<Governed<'a>, Stop> {
    if let Operation::Unknown(operation) = &request.operation {
        return Err(Broken::Operation(operation.to_string()).into());
    }
    let (kind, is_known) = entry(request, world)?;
    is_whole(request)?;
    let object = if request.operation == Operation::Delete {
        request.old.ok_or(Broken::Lacks("oldObject"))?
    } else {
        request.object.ok_or(Broken::Lacks("object"))?
    };
    if !is_known {
        return Ok(Governed {
            request,
            world: *world,
            kind,
            metadata: None,
            base: Cow::Borrowed(""),
            part: Part::UnknownVersion,
        });
    }
    let mut metadata = None;
    let (base, part) = match &kind.content {
        Content::PodSpec(route) => {
            let before = before(request, kind, object)?;
            let (read, spec) = Metadata::and_part(object, &route.keys)?;
            metadata = Some(read);
            (&*route.dotted, pod_spec(route, spec, before)?)
        }
        Content::TokenRequest(route) => {
            let token = at(object, &route.keys)?;
            (&*route.dotted, token_request(request, world, token)?)
        }
        Content::Account(steering) => ("", account(request, world, steering, object)?),
        Content::Binding(route) => {
            let node = at(object, &route.keys)?;
            let node = node.ok_or(Broken::NoNode)?;
            (&*route.dotted, Part::Binding(node))
        }
        Content::Connection(check) => {
            is_named(request, "pod")?;
            ("", Part::Connection(*check))
        }
        Content::Named(check) => {
            is_named(request, "object")?;
            ("", Part::Named(*check))
        }
        Content::SigningRequest => ("spec.request", signing_request(request, object)?),
        Content::TokenSecret => (TokenSecret::PATH, token_secret(request, object)?),
        Content::NamespaceTolerations => {
            let old = before(request, kind, object)?.object();
            ("", Part::Namespace(namespace_tolerations(object, old)?))
        }
        Content::Revision(route) => {
            is_kept(request, world, kind, object)?;
            before(request, kind, object)?;
            metadata = Some(Metadata::of(object)?);
            (&*route.dotted, revision(request, route, object)?)
        }
        Content::Fields(fields) => {
            let part = match before(request, kind, object)? {
                Before::Placed(old) => Part::Placements(fields, object, old),
                Before::Nothing | Before::Other(_) => Part::Fields(fields, object),
            };
            ("", part)
        }
    };
    Ok(Governed {
        request,
        world: *world,
        kind,
        metadata,
        base: Cow::Borrowed(base),
        part,
    })
}

/// Whether the operation is one that can use something of this kind.
fn may_use(operation: &Operation<'_>, kind: &Kind) -> Result<(), Stop> {
    let judged = Operation::judged(&kind.content);
    match operation {
        judged_one if judged.contains(judged_one) => Ok(()),
        Operation::Create | Operation::Update => Err(Stop::Broken(Broken::OperationOn {
            operation: operation.word().to_owned(),
            kind: kind.kind.to_string(),
        })),
        _ => Err(Stop::Passed(Passed::Operation)),
    }
}

/// The catalogue's entry for the kind, and whether it knows the version.
fn entry<'a>(request: &Request<'_>, world: &World<'a>) -> Result<(&'a Kind, bool), Stop> {
    let asked = &request.kind;
    if asked.kind.is_empty() {
        return Err(Broken::Nameless("kind").into());
    }
    let any = world.catalogue.find(&asked.group, &asked.kind);
    let any = any.ok_or(Stop::Passed(Passed::Kind))?;
    may_use(&request.operation, any)?;
    let known = world
        .catalogue
        .version(&asked.group, &asked.kind, &asked.version);
    let kind = known.unwrap_or(any);
    if !kind.governs(&request.subresource) {
        return Err(Stop::Passed(Passed::Subresource));
    }
    if request.namespace.is_empty() && !any.cluster {
        return Err(Broken::Nameless("namespace").into());
    }
    if world.policy.excludes(&request.namespace) {
        return Err(Stop::Passed(Passed::Namespace));
    }
    if known.is_none() && !matches!(any.content, Content::Fields(_)) {
        return Err(Broken::version(asked, world.catalogue).into());
    }
    Ok((kind, known.is_some()))
}

/// Whether the request says who asks, within bounds.
fn is_whole(request: &Request<'_>) -> Result<(), Stop> {
    if request.requester.username.is_empty() {
        return Err(Broken::Nameless("user").into());
    }
    if request.requester.groups.len() > GROUPS {
        return Err(Broken::Groups.into());
    }
    Ok(())
}

/// A service account is used when it is made to be somebody else: where an annotation is written that the cloud or a profile
/// reads, or a list of Secrets, and where it is made although a binding names it already.
fn account<'a>(
    request: &Request<'a>,
    world: &World<'a>,
    steering: &[Pattern],
    object: &'a RawValue,
) -> Result<Part<'a>, Stop> {
    let account = ServiceAccount::of(object)?;
    let before = match request.operation {
        Operation::Update => {
            let old = request.old.ok_or(Broken::Lacks("oldObject"))?;
            Some(ServiceAccount::of(old)?)
        }
        _ => None,
    };
    is_named(request, "service account")?;
    let path = account.identity(
        before.as_ref(),
        |key| Pattern::any(steering, key) || world.steers(key),
        // A binding gives what it gives to whoever bears the name.
        || {
            let user = Account {
                namespace: &request.namespace,
                name: &request.name,
            };
            world.rights.names(&user.to_string())
        },
    );
    let path = path.ok_or(Stop::Passed(Passed::NoIdentity))?;
    Ok(Part::Account(path, account.pull_secrets(before.as_ref())?))
}

/// A certificate in the name of an account is the account: asked for by one, given by another, who approves it.
fn signing_request<'a>(request: &Request<'a>, object: &RawValue) -> Result<Part<'a>, Stop> {
    if request.operation == Operation::Update {
        let old = request.old.ok_or(Broken::Lacks("oldObject"))?;
        // What is asked for cannot change (`pkg/registry/certificates`).
        if is_approved(old)? || !is_approved(object)? {
            return Err(Stop::Passed(Passed::Unchanged));
        }
    }
    let mut names = match user_names(object) {
        Ok(names) => names,
        Err(bad) => return Ok(Part::Lost(bad.to_string())),
    };
    names.retain(|name| Account::of_user(name).is_some());
    if names.is_empty() {
        return Err(Stop::Passed(Passed::NoIdentity));
    }
    Ok(Part::Names(names))
}

/// A Secret is a use of its account when it is written, and when the account or the token changes.
fn token_secret<'a>(request: &Request<'a>, object: &'a RawValue) -> Result<Part<'a>, Stop> {
    let secret = TokenSecret::of(object)?.ok_or(Stop::Passed(Passed::NoToken))?;
    if request.operation == Operation::Update {
        let old = request.old.ok_or(Broken::Lacks("oldObject"))?;
        if TokenSecret::of(old)?.is_some_and(|old| secret.is_as(&old)) {
            return Err(Stop::Passed(Passed::Unchanged));
        }
    }
    Ok(Part::TokenSecret(secret))
}

/// Whether the request says which object it is about.
fn is_named(request: &Request<'_>, what: &'static str) -> Result<(), Stop> {
    if request.name.is_empty() {
        return Err(Broken::Nameless(what).into());
    }
    Ok(())
}

/// What was there before.
enum Before<'a> {
    /// Nothing: the object is new.
    Nothing,
    /// An object, whose update changes nothing that decides but where pods go.
    Placed(&'a RawValue),
    /// An object.
    Other(&'a RawValue),
}

impl<'a> Before<'a> {
    /// The object, if there was one.
    fn object(&self) -> Option<&'a RawValue> {
        match self {
            Self::Nothing => None,
            Self::Placed(old) | Self::Other(old) => Some(old),
        }
    }
}

/// The object before an update. Stops where nothing that decides has changed.
fn before<'a>(request: &Request<'a>, kind: &Kind, object: &RawValue) -> Result<Before<'a>, Stop> {
    if request.operation != Operation::Update {
        return Ok(Before::Nothing);
    }
    let old = request.old.ok_or(Broken::Lacks("oldObject"))?;
    match Change::of(kind, object, old) {
        Change::Nothing => Err(Stop::Passed(Passed::Unchanged)),
        Change::Placement => Ok(Before::Placed(old)),
        Change::Other => Ok(Before::Other(old)),
    }
}

fn pod_spec<'a>(
    route: &Route,
    spec: Option<PodSpec<'a>>,
    before: Before<'a>,
) -> Result<Part<'a>, Stop> {
    let spec = spec.ok_or(Stop::Passed(Passed::NoPodSpec))?;
    let old = match before.object() {
        Some(old) => at(old, &route.keys)?.map(Box::new),
        None => None,
    };
    Ok(match (before, old) {
        (Before::Placed(_), Some(old)) => Part::Placement(spec, old),
        (_, old) => Part::PodSpec(spec, old),
    })
}

/// Stops where a revision is written by a controller that keeps revisions, or taken away by the one that made it, or is none that
/// such a controller would use: those of other kinds that belong to an object of their own. The controller looks at the kind, the
/// name and the uid of the owner, not at its group (`ControllerRevisionControllerIndexKey`), and takes in what belongs to nobody.
fn is_kept(
    request: &Request<'_>,
    world: &World<'_>,
    kind: &Kind,
    object: &RawValue,
) -> Result<(), Stop> {
    let is_foreign = |held| {
        let owners = controllers(held)?;
        let foreign = |owner: &Owner<'_>| !matches!(&*owner.kind, "StatefulSet" | "DaemonSet");
        Ok::<_, BadObject>(!owners.is_empty() && owners.iter().all(foreign))
    };
    let now = is_foreign(object)?;
    let before = request.old.map_or(Ok(now), is_foreign)?;
    let mut keepers = KEEPERS.into_iter().chain([COLLECTOR]);
    let is_keeper = keepers.any(|account| is_of_kubernetes(world, request, account));
    // Of a foreign one nobody was asked. The garbage collector makes it one of nobody's, on anybody's word (`--cascade=orphan`),
    // for a set to take in.
    let is_set_free = before && !now;
    if is_keeper && !is_set_free
        || request.operation == Operation::Delete && keeps(world, request, kind, object)
    {
        return Err(Stop::Passed(Passed::Keeper));
    }
    if now && before {
        return Err(Stop::Passed(Passed::ForeignRevision));
    }
    Ok(())
}

/// The pod spec that a revision keeps. One that cannot be read was made past Usher, and who takes it away takes nothing that a pod
/// could be made of without being asked about.
fn revision<'a>(
    request: &Request<'_>,
    route: &Route,
    object: &'a RawValue,
) -> Result<Part<'a>, Stop> {
    match revised(object, &route.keys) {
        Ok(spec) => Ok(Part::PodSpec(spec, None)),
        Err(_) if request.operation == Operation::Delete => Err(Stop::Passed(Passed::NoPodSpec)),
        Err(bad) => Ok(Part::Lost(bad.to_string())),
    }
}

/// A TokenRequest is only ever created. That of a kubelet is judged by the API server, which knows the pods of the node
/// (`plugin/pkg/admission/noderestriction`); without its tokens no pod starts. Nor does a controller of Kubernetes without the one
/// that the controller manager asks for, for an account of kube-system
/// (`staging/src/k8s.io/controller-manager/pkg/clientbuilder`).
fn token_request<'a>(
    request: &Request<'_>,
    world: &World<'_>,
    token: Option<TokenRequest<'a>>,
) -> Result<Part<'a>, Stop> {
    if request.requester.node().is_some() {
        return Err(Stop::Passed(Passed::Kubelet));
    }
    if *request.namespace == *"kube-system" && is_controller_manager(world, request) {
        return Err(Stop::Passed(Passed::ControllerManager));
    }
    is_named(request, "service account")?;
    Ok(Part::TokenRequest(token.unwrap_or_default()))
}
