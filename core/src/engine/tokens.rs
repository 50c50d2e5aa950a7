use std::borrow::Cow;

use super::{
    answer::{Asker, Pending},
    controllers::CarriedOut,
    limits::{Access, Fault, TokenLimit},
    policy::any,
    request::Request,
    verdict::Outcome,
};
use crate::{
    catalogue::Kind,
    object::{Credential, PodSpec, TokenRequest, TokenSource, credentials},
    reference::{Check, Path, Pattern, Reference, Resource, Target, Text, token::EXTENDED},
    rights::Grant,
};

/// How many projected tokens and certificates of a pod, or audiences of a TokenRequest, are looked at. Nobody writes so
/// many; more would be work without bound.
pub(super) const TOKENS: usize = 200;

/// A reference with its answer.
type Answer<'a> = (Reference<'a>, Outcome);

/// The answers about the tokens and certificates that the pod spec at `base` projects. `live` says that the pod was there
/// before: its lifetimes were judged when it was made, and cannot change.
pub(super) fn projected<'a>(
    asker: &mut Asker<'a, '_>,
    base: &Cow<'a, str>,
    live: bool,
) -> Vec<Answer<'a>> {
    let (kind, spec, policy) = (asker.kind, asker.spec, asker.world.policy);
    let limit = policy.limit(&asker.namespace, &spec.account().1);
    let Some(limit) = limit.filter(|_| !asker.is_mirror()) else {
        return Vec::new();
    };
    let path = Path::new(base.clone(), "volumes");
    let volumes = match spec.volumes() {
        Ok(volumes) => volumes,
        Err(bad) => return vec![(audience("", path), Outcome::Unknown(bad.to_string()))],
    };
    let mut answers = Vec::new();
    for (count, credential) in credentials(&volumes).enumerate() {
        let volume = path.at(credential.volume_index);
        let source = volume.then("projected.sources").at(credential.source_index);
        if count == TOKENS {
            let why = format!("no more than {TOKENS} projected tokens are looked at");
            answers.push((audience("", source), Outcome::Unknown(why)));
            break;
        }
        if let Some(token) = &credential.source.service_account_token {
            let name = &token.audience;
            let reference = audience(name.clone(), source.then("serviceAccountToken.audience"));
            let grant = match given(kind, spec, &credential, token) {
                None => asker.by_profile(&credential.volume.name, name),
                mounted => Ok(mounted),
            };
            match grant {
                Ok(None) => {}
                Ok(Some(grant)) => {
                    answers.push((reference, Outcome::Allowed(grant)));
                    continue;
                }
                Err(Pending) => continue,
            }
            answers.extend(of_audience(asker, limit, reference));
            let lifetime = source.then("serviceAccountToken.expirationSeconds");
            let asked = Lifetime {
                seconds: token.seconds(),
                audiences: std::slice::from_ref(name),
                bound: true,
                // The pods of a template are corrected when they are made.
                corrected_later: !kind.is_pod(),
            };
            if !live {
                answers.extend(of_lifetime(asker, limit, lifetime, &asked));
            }
        }
        if let Some(certificate) = &credential.source.pod_certificate {
            let reference = Reference {
                check: Check::Tokens,
                path: source.then("podCertificate.signerName"),
                target: Target::Object {
                    resource: Resource::SIGNERS,
                    name: certificate.signer_name.clone(),
                },
                namespace: None,
            };
            answers.extend(of_name(
                asker,
                limit.0,
                limit.1.signers.as_deref(),
                reference,
            ));
        }
    }
    answers
}

/// The answers about what a TokenRequest, whose content stands at `base`, asks for.
pub(super) fn requested<'a>(
    asker: &mut Asker<'a, '_>,
    base: &Cow<'a, str>,
    token: &TokenRequest<'a>,
) -> Vec<Answer<'a>> {
    let Request {
        namespace, name, ..
    } = asker.request;
    let Some(limit) = asker.world.policy.limit(namespace, name) else {
        return Vec::new();
    };
    let mut answers = Vec::new();
    let path = Path::new(base.clone(), "audiences");
    if token.audiences().is_empty() {
        answers.extend(of_audience(asker, limit, audience("", path.clone())));
    }
    for (index, name) in token.audiences().iter().enumerate() {
        let path = path.at(index);
        if index == TOKENS {
            let why = format!("no more than {TOKENS} audiences are looked at");
            answers.push((audience("", path), Outcome::Unknown(why)));
            break;
        }
        answers.extend(of_audience(asker, limit, audience(name.clone(), path)));
    }
    let asked = Lifetime {
        seconds: token.seconds(),
        audiences: token.audiences(),
        bound: is_bound_to_pod(token),
        corrected_later: false,
    };
    let lifetime = Path::new(base.clone(), "expirationSeconds");
    answers.extend(of_lifetime(asker, limit, lifetime, &asked));
    let (index, limit) = limit;
    if limit.unbound == Access::Refuse && token.bound_to().is_none() {
        let reference = Reference {
            check: Check::Tokens,
            path: Path::new(base.clone(), "boundObjectRef"),
            target: Target::Object {
                resource: Resource::SERVICE_ACCOUNTS,
                name: name.clone(),
            },
            namespace: None,
        };
        let why = format!(
            "a token that is bound to no object is asked for; tokens[{index}] of the configuration refuses those"
        );
        answers.push((reference, Outcome::Forbidden(why)));
    }
    answers
}

/// What gives a pod this token, where nobody wrote it by hand: such a token is not limited.
pub(super) fn given(
    kind: &Kind,
    spec: &PodSpec<'_>,
    credential: &Credential<'_, '_>,
    token: &TokenSource<'_>,
) -> Option<Grant> {
    // A shorter lifetime is not Kubernetes' own, but whoever wrote it gains nothing by it.
    let mounted = kind.is_pod()
        && !spec.refuses_automount()
        && credential.volume.name.starts_with("kube-api-access-")
        && credential.projected.is_automounted()
        && token.seconds() <= EXTENDED;
    mounted.then_some(Grant::System("Kubernetes itself mounts it"))
}

/// A lifetime that is asked for.
struct Lifetime<'t, 'a> {
    seconds: i64,
    audiences: &'t [Text<'a>],
    /// Whether the token is bound to a pod.
    bound: bool,
    /// Whether what the mutating side corrects comes past it only later.
    corrected_later: bool,
}

fn audience<'a>(name: impl Into<Text<'a>>, path: Path<'a>) -> Reference<'a> {
    Reference {
        check: Check::Tokens,
        path,
        target: Target::Object {
            resource: Resource::TOKEN_AUDIENCES,
            name: name.into(),
        },
        namespace: None,
    }
}

/// The answer about an audience; `None` while facts are missing.
fn of_audience<'a>(
    asker: &mut Asker<'a, '_>,
    (index, limit): (usize, &TokenLimit),
    reference: Reference<'a>,
) -> Option<Answer<'a>> {
    let Target::Object { name, .. } = &reference.target else {
        return None;
    };
    if !asker.world.policy.is_for_the_api(name) {
        return of_name(asker, index, limit.audiences.as_deref(), reference);
    }
    match limit.api_tokens {
        Access::Allow => Some((reference, Outcome::Allowed(Grant::Limit(index)))),
        Access::Refuse => {
            let why = format!(
                "a token for the API server is asked for; tokens[{index}] of the configuration refuses those"
            );
            forbidden(asker, reference, None, why)
        }
    }
}

/// The answer about a name that everybody may use if it is in the list; `None` while facts are missing.
fn of_name<'a>(
    asker: &mut Asker<'a, '_>,
    index: usize,
    listed: Option<&[Pattern]>,
    reference: Reference<'a>,
) -> Option<Answer<'a>> {
    let Target::Object { name, .. } = &reference.target else {
        return None;
    };
    let outcome = if listed.is_none_or(|listed| any(listed, name)) {
        Outcome::Allowed(Grant::Limit(index))
    } else {
        asker.answer(&reference)?
    };
    Some((reference, outcome))
}

/// The answer about a lifetime, if there is anything wrong with it and everything is known.
fn of_lifetime<'a>(
    asker: &mut Asker<'a, '_>,
    (index, limit): (usize, &TokenLimit),
    path: Path<'a>,
    asked: &Lifetime<'_, 'a>,
) -> Option<Answer<'a>> {
    let fault = limit.fault(asked.seconds, asked.bound)?;
    let corrects = limit.corrects(fault);
    if corrects && asked.corrected_later {
        return None;
    }
    let name = asked.audiences.first().cloned().unwrap_or_default();
    let reference = audience(name, path);
    let wanted = words(asked.seconds, asked.audiences);
    let mut why = match fault {
        Fault::Extended => format!(
            "{wanted} is asked for, which the API server may extend to a year; tokens[{index}] of the configuration does not allow that"
        ),
        Fault::TooLong | Fault::TooShort => {
            let range = limit.allowed();
            format!("{wanted} is asked for; tokens[{index}] of the configuration allows {range}")
        }
    };
    if corrects {
        // Its template was let through because this was to happen, so that no template excuses it.
        why.push_str(", and nothing has corrected it");
        return Some((reference, Outcome::Forbidden(why)));
    }
    forbidden(asker, reference, Some(asked.seconds), why)
}

/// A no whoever asks, unless a controller only carries out what the owner's template says; `None` while facts are
/// missing.
fn forbidden<'a>(
    asker: &mut Asker<'a, '_>,
    reference: Reference<'a>,
    seconds: Option<i64>,
    why: String,
) -> Option<Answer<'a>> {
    let outcome = match asker.by_maker(&reference, seconds)? {
        CarriedOut::Yes(owner) => Outcome::Allowed(Grant::Controller(owner)),
        CarriedOut::No(None) => Outcome::Forbidden(why),
        CarriedOut::No(Some(note)) => Outcome::Forbidden(format!("{why}; {note}")),
        CarriedOut::Unknown(error) => Outcome::Unknown(error),
    };
    Some((reference, outcome))
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

/// Whether the token dies with a pod: only such a one is extended to a year.
pub(super) fn is_bound_to_pod(token: &TokenRequest<'_>) -> bool {
    token.bound_to() == Some("Pod")
}
