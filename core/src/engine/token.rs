//! What a token of a service account is: who mounts it, what it dies with, and how messages call it.

use super::bounds::TOKENS;
use crate::{
    object::{Credential, PodSpec, TokenRequest, TokenSource},
    reference::{Text, token::EXTENDED},
};

/// Whether Kubernetes itself mounts this token into the pod, if it is one and not a template, so that nobody wrote it by hand: such a token is not limited.
pub(super) fn is_mounted_by_kubernetes(
    is_pod: bool,
    spec: &PodSpec<'_>,
    credential: &Credential<'_, '_>,
    token: &TokenSource<'_>,
) -> bool {
    is_pod
        && !spec.refuses_automount()
        && credential.volume.name.starts_with("kube-api-access-")
        && credential.projected.is_automounted()
        // A shorter lifetime is not Kubernetes' own, but whoever wrote it gains nothing by it.
        && token.seconds() <= EXTENDED
}

/// Whether the token dies with a pod: only such a one is extended to a year.
pub(super) fn is_bound_to_pod(token: &TokenRequest<'_>) -> bool {
    token.bound_to() == Some("Pod")
}

/// `a token of 3600 s for audience "vault"`.
pub(super) fn words(seconds: i64, audiences: &[Text<'_>]) -> String {
    let named = audiences.iter().take(TOKENS);
    let named: Vec<String> = named
        .filter(|name| !name.is_empty())
        .map(|name| format!("\"{}\"", &**name))
        .collect();
    let whom = match &*named {
        [] => "the API server".to_owned(),
        [one] => format!("audience {one}"),
        several => format!("audiences {}", several.join(", ")),
    };
    format!("a token of {seconds} s for {whom}")
}
