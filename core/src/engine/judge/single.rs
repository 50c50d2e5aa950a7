//! Kinds of which one name is asked about: whom a connection reaches, which node a pod is put on, whose token a Secret holds.

use std::borrow::Cow;

use crate::{
    engine::{
        answer::Answers,
        case::{Case, Known, Pod},
        facts::{Looked, ObjectRef},
        owner::is_controller_manager,
        reason::Reason,
        unknown::{Unknown, Unread},
        verdict::{Finding, Outcome},
    },
    object::{Listed, Named, PodSpec, Says, TokenSecret, at},
    reference::{Account, Check, Path, Reference, Resource, SCHEDULER, Target, Text},
};

/// The controller that gives every namespace its account `default`.
const ACCOUNTS: &str = "system:serviceaccount:kube-system:service-account-controller";

/// The findings about a connection to the running pod of the request's name: about its account and, if whoever connects is in
/// the pod, about what it reads. What is asked about is the pod of this moment.
pub(super) fn of_pod<'a: 'f, 'f>(answers: &Answers<'a, 'f>, check: Check) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let content = case.kind.and_then(|kind| kind.content.only_checks());
    let mut asking = content.unwrap_or_default();
    asking.retain(|check| !case.is_off(*check));
    // Of equals, max_by_key takes the last.
    let strictest = asking.iter().rev().max_by_key(|check| case.mode(**check));
    let Some(strictest) = strictest.copied() else {
        return Vec::new();
    };
    let reached = reached(case, check);
    let pod = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        resource: "pods".to_owned(),
        namespace: Some(case.request.namespace.to_string()),
        name: reached.to_owned(),
    };
    let account = |name: Text<'a>| {
        Reference::to(
            check,
            Path::new(format!("pod {reached}: spec"), "serviceAccountName"),
            Resource::SERVICE_ACCOUNTS,
            name,
        )
    };
    let spec = match spec_of(case, &pod) {
        Err(_) => return Vec::new(),
        Ok(Ok(spec)) => spec,
        Ok(Err(why)) => {
            return asked(answers, |itself| {
                let outcome = Outcome::Unknown(Unknown::Pod(pod.clone(), why));
                let reference = Reference {
                    check: strictest,
                    ..account(Text::default())
                };
                Ok(case.finding(itself, reference, outcome))
            });
        }
    };
    let mut findings = Vec::new();
    if !case.is_off(check) {
        let name = spec.account().to_string();
        findings.extend(asked(answers, |itself| {
            answers.finding(itself, account(name.into()))
        }));
    }
    let held = spec.listed(|check| asking.contains(&check)).into_iter();
    // A pull secret no container sees.
    for held in held.filter(|held| held.says != Says::PullSecret) {
        findings.extend(asked(answers, |itself| {
            held_by(answers, itself, reached, &held)
        }));
    }
    findings
}

/// The name of the object that a connection reaches. A proxy's may be written as `web:8080` or `https:web:8443`, with a port and
/// a scheme (`SplitSchemeNamePort` in `apimachinery/pkg/util/net`); the API server itself refuses anything else there.
fn reached<'r>(case: &Case<'r, '_>, check: Check) -> &'r str {
    let name: &'r str = &case.request.name;
    if check != Check::Proxies {
        return name;
    }
    let parts: Vec<_> = name.split(':').collect();
    match parts[..] {
        [reached, _] | ["" | "http" | "https", reached, _] => reached,
        _ => name,
    }
}

/// The finding about a secret or a config map that a running pod reads.
fn held_by<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    itself: &Pod<'a, '_>,
    pod: &str,
    held: &Listed<'_>,
) -> Known<Finding<'a>> {
    let case = &answers.case;
    let reference = |name: &Text<'_>| {
        Reference::to(
            held.says.check(),
            Path::new(format!("pod {pod}: spec.{}", held.path), ""),
            held.says.resource(),
            name.clone().into_owned(),
        )
    };
    match &held.named {
        Named::One(_, name) => answers.finding(itself, reference(name)),
        Named::Malformed(why) | Named::Lost(why) => {
            let outcome = Outcome::Unknown(Unknown::Lost(why.clone()));
            Ok(case.finding(itself, reference(&Text::default()), outcome))
        }
    }
}

/// The pod spec of a pod.
fn spec_of<'f>(case: &Case<'_, 'f>, pod: &ObjectRef) -> Known<Result<PodSpec<'f>, Unread>> {
    Ok(match case.object(pod)? {
        Looked::There(found) => match at::<PodSpec<'_>>(found, &["spec".into()]) {
            Ok(spec) => Ok(spec.unwrap_or_default()),
            Err(bad) => Err(Unread::Bad(bad.to_string())),
        },
        Looked::Absent => Err(Unread::Absent),
        Looked::Failed(error) => Err(Unread::Failed(error.clone())),
    })
}

/// The finding about a connection to the object of the request's name, which is no pod.
pub(super) fn of_object<'a: 'f, 'f>(answers: &Answers<'a, 'f>, check: Check) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let Some(kind) = case.kind.filter(|_| !case.is_off(check)) else {
        return Vec::new();
    };
    asked(answers, |itself| {
        answers.finding(
            itself,
            Reference::to(
                check,
                Path::new("metadata", "name"),
                Resource::named(&kind.resource),
                reached(case, check),
            ),
        )
    })
}

/// The finding about the node at `base` that a pod is put on. The scheduler of Kubernetes does nothing else; any other needs
/// the right to every node that it puts pods on.
pub(super) fn bound<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    base: &Cow<'a, str>,
    node: &Text<'a>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    if case.is_off(Check::Nodes) {
        return Vec::new();
    }
    let reference = Reference::to(
        Check::Nodes,
        Path::new(base.clone(), ""),
        Resource::NODES,
        node.clone(),
    );
    asked(answers, |itself| {
        if *case.request.requester.username == *SCHEDULER {
            let reason = Reason::System("the scheduler of Kubernetes puts it there");
            return Ok(case.finding(itself, reference, Outcome::Allowed(reason)));
        }
        answers.finding(itself, reference)
    })
}

/// The findings about the accounts of which a certificate at `base` would bear the names.
pub(super) fn of_names<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    base: &Cow<'a, str>,
    names: &[String],
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let check = Check::Accounts;
    if case.is_off(check) {
        return Vec::new();
    }
    let accounts = names.iter().filter_map(|user| Account::of_user(user));
    let of = |account: Account<'_>| {
        let reference = Reference {
            check,
            path: Path::new(base.clone(), ""),
            target: Target::Object {
                resource: Resource::SERVICE_ACCOUNTS,
                name: account.name.to_owned().into(),
            },
            namespace: Some(account.namespace.to_owned().into()),
        };
        asked(answers, |itself| answers.finding(itself, reference))
    };
    accounts.flat_map(of).collect()
}

/// The finding about a Secret that holds a token of the account which is named at `base`. Kubernetes itself fills it.
pub(super) fn of_secret<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    base: &Cow<'a, str>,
    secret: &TokenSecret<'a>,
) -> Vec<Finding<'a>> {
    let path = Path::new(base.clone(), "");
    of_writer(answers, Check::TokenSecrets, path, &secret.account)
}

/// The findings about the account of the request's name, of which something that steers its identity is written at this path, and
/// about the Secrets that its pods get.
pub(super) fn of_account<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    path: Cow<'static, str>,
    secrets: &[(String, Text<'a>)],
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    let name = &case.request.name;
    let mut findings = of_writer(answers, Check::Accounts, Path::new(path, ""), name);
    // A pod that names no pull secret of its own gets those of its account, and nobody is asked about them then.
    if !case.is_off(Check::Secrets) {
        for (path, name) in secrets {
            let reference = Reference::to(
                Check::Secrets,
                Path::new(path.clone(), ""),
                Resource::SECRETS,
                name.clone(),
            );
            findings.extend(asked(answers, |itself| answers.finding(itself, reference)));
        }
    }
    findings
}

/// The finding about an account that an object of its namespace decides about. The controller manager of Kubernetes, which
/// does so with its own user (`pkg/controller/serviceaccount`, its root client), only carries out what others wrote.
fn of_writer<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    check: Check,
    path: Path<'a>,
    account: &Text<'a>,
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    if case.is_off(check) {
        return Vec::new();
    }
    let reference = Reference::to(check, path, Resource::SERVICE_ACCOUNTS, account.clone());
    asked(answers, |itself| {
        if *case.request.requester.username == *ACCOUNTS
            || is_controller_manager(&case.world, case.request)
        {
            let reason = Reason::System("Kubernetes itself writes it");
            return Ok(case.finding(itself, reference, Outcome::Allowed(reason)));
        }
        if account.is_empty() {
            let why = "a Secret that holds a token must name its account".to_owned();
            return Ok(case.finding(itself, reference, Outcome::Malformed(why)));
        }
        answers.finding(itself, reference)
    })
}

/// One finding about no pod of the object; none while it has to wait for a fact.
fn asked<'a>(
    answers: &Answers<'a, '_>,
    ask: impl FnOnce(&Pod<'a, '_>) -> Known<Finding<'a>>,
) -> Vec<Finding<'a>> {
    let no_pod = PodSpec::default();
    let namespace = answers.case.request.namespace.clone();
    ask(&Pod::described(&no_pod, namespace, true))
        .into_iter()
        .collect()
}
