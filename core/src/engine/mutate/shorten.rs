//! Lifetimes of tokens that the mutating side shortens.

use json_patch::jsonptr::PointerBuf;

use crate::{
    catalogue::{Catalogue, Content, Kind},
    engine::{
        bounds::TOKENS,
        policy::{Policy, TokenLimit},
        request::{Operation, Request},
        token::{is_bound_to_pod, is_mounted_by_kubernetes, words},
    },
    object::{BadObject, PodSpec, TokenRequest, at, credentials, lifetime, pointer},
    reference::{Check, Mode, Text},
};

/// A lifetime that the mutating side is to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shortened {
    /// Where it stands in the object. The field itself may be absent, what holds it is there.
    pub(super) path: PointerBuf,
    /// The lifetime in seconds.
    pub(super) seconds: i64,
    /// What happens, as a sentence for whoever asked for more.
    pub(super) why: String,
}

/// The lifetimes of a new pod, or of a TokenRequest, that `tooLong: shorten`, `extendedApiToken: rewrite` and
/// `kubelets: shorten` have the mutating side write. Of anything else, and where the check tokens does not refuse, none.
/// The volumes `by_profile` hold what a profile gives, within its own bounds.
///
/// An error if the object cannot be read.
pub(super) fn shortened(
    request: &Request<'_>,
    catalogue: &Catalogue,
    policy: &Policy,
    by_profile: &[String],
) -> Result<Vec<Shortened>, BadObject> {
    let Request {
        kind,
        namespace,
        requester,
        ..
    } = request;
    let entry = catalogue.find(&kind.group, &kind.kind);
    let entry = entry.filter(|entry| entry.has(&kind.version));
    let judged = request.operation == Operation::Create
        && !policy.tokens.is_empty()
        && !policy.excludes(namespace)
        && policy.modes.of(Check::Tokens, namespace) == Mode::Enforce;
    let (Some(entry), Some(object), true) = (entry, request.object, judged) else {
        return Ok(Vec::new());
    };
    match &entry.content {
        // What a kubelet makes is a mirror pod, which nobody may change.
        Content::PodSpec(route) if entry.is_pod() && requester.node().is_none() => {
            match at::<PodSpec<'_>>(object, &route.keys)? {
                None => Ok(Vec::new()),
                Some(spec) => of_pod(request, policy, by_profile, entry, &spec, &route.keys),
            }
        }
        Content::Account(_)
        | Content::PodSpec(_)
        | Content::Fields(_)
        | Content::Binding(_)
        | Content::Connection(_)
        | Content::Named(_)
        | Content::NamespaceTolerations
        | Content::Revision(_)
        | Content::SigningRequest
        | Content::TokenSecret => Ok(Vec::new()),
        Content::TokenRequest(route) => {
            let token = at::<TokenRequest<'_>>(object, &route.keys)?;
            let written = token.and_then(|token| {
                let (index, limit) = policy.limit(namespace, &request.name)?;
                let (asked, bound) = (token.seconds(), is_bound_to_pod(&token));
                let seconds = if requester.node().is_some() {
                    limit.corrected_for_kubelet(asked, bound)
                } else {
                    limit.corrected(asked, bound)
                };
                Some(Shortened {
                    path: pointer(&route.keys, &["expirationSeconds"]),
                    seconds: seconds?,
                    why: why(asked, token.audiences(), seconds?, index),
                })
            });
            Ok(written.into_iter().collect())
        }
    }
}

fn of_pod(
    request: &Request<'_>,
    policy: &Policy,
    by_profile: &[String],
    kind: &Kind,
    spec: &PodSpec<'_>,
    base: &[Box<str>],
) -> Result<Vec<Shortened>, BadObject> {
    let limit: Option<(usize, &TokenLimit)> = policy.limit(&request.namespace, &spec.account());
    let Some((index, limit)) = limit else {
        return Ok(Vec::new());
    };
    let volumes = spec.volumes()?;
    let written = credentials(&volumes).take(TOKENS).filter_map(|credential| {
        let token = credential.source.service_account_token.as_ref()?;
        let held = by_profile
            .iter()
            .any(|volume| **volume == *credential.volume.name);
        if held || is_mounted_by_kubernetes(kind.is_pod(), spec, &credential, token) {
            return None;
        }
        let seconds = limit.corrected(token.seconds(), true)?;
        let (volume, source) = (credential.volume_index, credential.source_index);
        let audience = std::slice::from_ref(&token.audience);
        Some(Shortened {
            path: lifetime(base, &[], volume, source),
            seconds,
            why: why(token.seconds(), audience, seconds, index),
        })
    });
    Ok(written.collect())
}

fn why(asked: i64, audiences: &[Text<'_>], seconds: i64, index: usize) -> String {
    let wanted = words(asked, audiences);
    format!("{wanted} is shortened to {seconds} s by tokens[{index}] of the configuration")
}
