//! Limits on tokens: those that a pod spec projects, and those that a TokenRequest asks for.

use std::borrow::Cow;

use crate::{
    engine::{
        answer::Answers,
        bounds::TOKENS,
        case::{Known, Pod},
        owner::CarriedOut,
        policy::{Access, Fault, TokenLimit},
        reason::Reason,
        request::Request,
        token::{is_bound_to_pod, is_mounted_by_kubernetes, words},
        unknown::Unknown,
        verdict::{Finding, Outcome},
    },
    object::{PodCertificateSource, TokenRequest, TokenSource, credentials},
    reference::{Check, Path, Pattern, Reference, Resource, Target, Text},
};

/// The entry of `tokens` that limits an account, with its place.
type Limit<'p> = (usize, &'p TokenLimit);

/// Puts questions about tokens for one pod or one TokenRequest, and keeps what they come to. What has to wait for a fact is
/// left out: the case notes the fact.
struct Limited<'c, 'a, 'f> {
    answers: &'c Answers<'a, 'f>,
    pod: &'c Pod<'a, 'c>,
    limit: Limit<'a>,
    findings: Vec<Finding<'a>>,
}

/// The findings about the tokens and certificates that the pod spec at `base` projects. `live` says that the pod was there
/// before: its lifetimes were judged when it was made, and cannot change.
pub(super) fn projected<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    base: &Cow<'a, str>,
    live: bool,
) -> Vec<Finding<'a>> {
    if pod.mirror.is_some() {
        return Vec::new();
    }
    let path = Path::new(base.clone(), "volumes");
    by_limits(answers, pod, |limited| limited.volumes(&path, live))
}

/// The findings about a token and a certificate that a patch at `path` projects into a pod.
pub(super) fn patched<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    path: &Path<'a>,
    token: Option<&TokenSource<'a>>,
    certificate: Option<&PodCertificateSource<'a>>,
) -> Vec<Finding<'a>> {
    by_limits(answers, pod, |limited| {
        if let Some(token) = token {
            limited.token(token, path.clone(), Some(path.clone()));
        }
        if let Some(certificate) = certificate {
            limited.certificate(certificate, path.clone());
        }
    })
}

/// Asks by the entry that limits the tokens of a pod. Where nobody knows whose they will be, or where, every entry that could
/// be the one must allow them.
fn by_limits<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    ask: impl Fn(&mut Limited<'_, 'a, 'f>),
) -> Vec<Finding<'a>> {
    let policy = answers.case.world.policy;
    let by = |limit| {
        let mut limited = Limited {
            answers,
            pod,
            limit,
            findings: Vec::new(),
        };
        ask(&mut limited);
        limited.findings
    };
    let account = pod.spec.account();
    let account = pod.names_account.then_some(&*account);
    let namespace = Some(&*pod.namespace).filter(|namespace| !namespace.is_empty());
    let is_same = |one: &Finding<'_>, other: &Finding<'_>| {
        one.reference.path == other.reference.path && one.target() == other.target()
    };
    let mut findings: Vec<Finding<'a>> = Vec::new();
    for limit in policy.possible_limits(namespace, account) {
        let found = by(limit);
        // What one entry refuses is not allowed beside it by another.
        let refused = |held: &Finding<'_>| {
            let mut same = found.iter().filter(|found| is_same(found, held));
            same.any(|found| !found.outcome.is_allowed())
        };
        findings.retain(|held| !held.outcome.is_allowed() || !refused(held));
        let earlier = findings.len();
        for found in found {
            let mut same = findings
                .iter()
                .take(earlier)
                .filter(|held| is_same(held, &found));
            if !same.any(|held| found.outcome.is_allowed() || held.outcome == found.outcome) {
                findings.push(found);
            }
        }
    }
    findings
}

/// The findings about a TokenRequest, whose content stands at `base`: its account, and what is asked for.
pub(super) fn requested<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    pod: &Pod<'a, '_>,
    base: &Cow<'a, str>,
    token: &TokenRequest<'a>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let Request {
        namespace, name, ..
    } = case.request;
    let of_account =
        |check, path| Reference::to(check, path, Resource::SERVICE_ACCOUNTS, name.clone());
    let mut findings = Vec::new();
    if !case.is_off(Check::ServiceAccounts) {
        let account = of_account(Check::ServiceAccounts, Path::new("metadata", "name"));
        findings.extend(answers.finding(pod, account));
    }
    if case.is_off(Check::Tokens) {
        return findings;
    }
    let Some(limit) = case.world.policy.limit(namespace, name) else {
        return findings;
    };
    let mut limited = Limited {
        answers,
        pod,
        limit,
        findings,
    };
    let path = Path::new(base.clone(), "audiences");
    if token.audiences().is_empty() {
        limited.audience(audience("", path.clone()));
    }
    for (index, name) in token.audiences().iter().enumerate() {
        let path = path.at(index);
        if index == TOKENS {
            limited.unknown(path, Unknown::TooMany(TOKENS, "audiences"));
            break;
        }
        limited.audience(audience(name.clone(), path));
    }
    let asked = Lifetime {
        seconds: token.seconds(),
        audiences: token.audiences(),
        bound: is_bound_to_pod(token),
        corrected_later: false,
    };
    limited.lifetime(Path::new(base.clone(), "expirationSeconds"), &asked);
    let (index, limit) = limit;
    if limit.unbound == Access::Refuse && token.bound_to().is_none() {
        let reference = of_account(Check::Tokens, Path::new(base.clone(), "boundObjectRef"));
        let why = format!(
            "a token that is bound to no object is asked for; tokens[{index}] of the configuration refuses those"
        );
        limited.add(reference, Outcome::Forbidden(why));
    }
    limited.findings
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
    Reference::to(Check::Tokens, path, Resource::TOKEN_AUDIENCES, name)
}

impl<'a: 'f, 'f> Limited<'_, 'a, 'f> {
    /// The tokens and certificates of the volumes of the pod spec, which stand at a path.
    fn volumes(&mut self, path: &Path<'a>, live: bool) {
        let (case, spec) = (&self.answers.case, self.pod.spec);
        let volumes = match spec.volumes() {
            Ok(volumes) => volumes,
            Err(bad) => return self.unknown(path.clone(), Unknown::Lost(bad.to_string())),
        };
        for (count, credential) in credentials(&volumes).enumerate() {
            let volume = path.at(credential.volume_index);
            let source = volume.then("projected.sources").at(credential.source_index);
            if count == TOKENS {
                return self.unknown(source, Unknown::TooMany(TOKENS, "projected tokens"));
            }
            if let Some(token) = &credential.source.service_account_token {
                let at = source.then("serviceAccountToken.audience");
                let name = &token.audience;
                let reason = if is_mounted_by_kubernetes(case.is_pod(), spec, &credential, token) {
                    Ok(Some(Reason::System("Kubernetes itself mounts it")))
                } else {
                    self.answers.by_profile(&credential.volume.name, name)
                };
                match reason {
                    Ok(None) => {
                        let lifetime = source.then("serviceAccountToken.expirationSeconds");
                        self.token(token, at, (!live).then_some(lifetime));
                    }
                    Ok(Some(reason)) => {
                        self.add(audience(name.clone(), at), Outcome::Allowed(reason));
                        continue;
                    }
                    Err(_) => continue,
                }
            }
            if let Some(certificate) = &credential.source.pod_certificate {
                self.certificate(certificate, source.then("podCertificate.signerName"));
            }
        }
    }

    /// A token: its audience stands at a path, and its lifetime, if that is asked about, at another.
    fn token(&mut self, token: &TokenSource<'a>, at: Path<'a>, lifetime: Option<Path<'a>>) {
        self.audience(audience(token.audience.clone(), at));
        let asked = Lifetime {
            seconds: token.seconds(),
            audiences: std::slice::from_ref(&token.audience),
            bound: true,
            // The pods of a template are corrected when they are made.
            corrected_later: !self.answers.case.is_pod(),
        };
        if let Some(lifetime) = lifetime {
            self.lifetime(lifetime, &asked);
        }
    }

    /// A certificate, whose signer stands at a path.
    fn certificate(&mut self, certificate: &PodCertificateSource<'a>, at: Path<'a>) {
        let reference = Reference::to(
            Check::Tokens,
            at,
            Resource::SIGNERS,
            certificate.signer_name.clone(),
        );
        self.listed(self.limit.1.signers.as_deref(), reference);
    }

    fn add(&mut self, reference: Reference<'a>, outcome: Outcome) {
        let finding = self.answers.case.finding(self.pod, reference, outcome);
        self.findings.push(finding);
    }

    fn unknown(&mut self, path: Path<'a>, why: Unknown) {
        self.add(audience("", path), Outcome::Unknown(why));
    }

    fn audience(&mut self, reference: Reference<'a>) {
        let (index, limit) = self.limit;
        let for_the_api = match &reference.target {
            Target::Object { name, .. } => self.answers.case.world.policy.is_for_the_api(name),
            Target::Taints(_) => false,
        };
        match limit.api_tokens {
            _ if !for_the_api => self.listed(limit.audiences.as_deref(), reference),
            Access::Allow => self.add(reference, Outcome::Allowed(Reason::Limit(index))),
            Access::Refuse => {
                let why = format!(
                    "a token for the API server is asked for; tokens[{index}] of the configuration refuses those"
                );
                self.forbid(reference, None, why);
            }
        }
    }

    /// A name that everybody may use if it is in the list.
    fn listed(&mut self, listed: Option<&[Pattern]>, reference: Reference<'a>) {
        let everybodys = match &reference.target {
            Target::Object { name, .. } => listed.is_none_or(|held| Pattern::any(held, name)),
            Target::Taints(_) => false,
        };
        let outcome = if everybodys {
            Ok(Outcome::Allowed(Reason::Limit(self.limit.0)))
        } else {
            self.answers.outcome(self.pod, &reference)
        };
        if let Ok(outcome) = outcome {
            self.add(reference, outcome);
        }
    }

    /// A lifetime, if there is anything wrong with it.
    fn lifetime(&mut self, path: Path<'a>, asked: &Lifetime<'_, 'a>) {
        let (index, limit) = self.limit;
        let Some(fault) = limit.fault(asked.seconds, asked.bound) else {
            return;
        };
        let corrects = limit.corrects(fault);
        if corrects && asked.corrected_later {
            return;
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
                format!(
                    "{wanted} is asked for; tokens[{index}] of the configuration allows {range}"
                )
            }
        };
        if corrects {
            // Its template was let through because this was to happen, so that no template excuses it.
            why.push_str(", and nothing has corrected it");
            return self.add(reference, Outcome::Forbidden(why));
        }
        self.forbid(reference, Some(asked.seconds), why);
    }

    /// A no whoever asks, unless a controller only carries out what the owner's template says.
    fn forbid(&mut self, reference: Reference<'a>, seconds: Option<i64>, why: String) {
        let carried_out: Known<CarriedOut> =
            self.answers.carried_out(self.pod, &reference, seconds);
        let outcome = match carried_out {
            Err(_) => return,
            Ok(CarriedOut::Yes(owner)) => Outcome::Allowed(Reason::Controller(owner)),
            Ok(CarriedOut::No(None)) => Outcome::Forbidden(why),
            Ok(CarriedOut::No(Some(note))) => Outcome::Forbidden(format!("{why}; {note}")),
            Ok(CarriedOut::Unknown(error)) => Outcome::Unknown(error),
        };
        self.add(reference, outcome);
    }
}
