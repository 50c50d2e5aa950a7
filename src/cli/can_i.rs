mod live;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{
    Exit, Failure,
    named::{Named, with_types},
    world,
};
use crate::cluster::{self, Backend};
use usher_core::{
    catalogue::Catalogue,
    engine::{self, Authorizer, KindRef, Modes, Operation, Outcome, Policy, Request, TokenLimit},
    object::PodField,
    reference::{Check, Mode, Pattern, Requester, Resource, shown},
};

/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = with_types("Examples:
  usher can-i use serviceaccounts/deployer -n team-a --as jane --as-group team-a
  usher can-i use tolerations.usher.dev/nvidia.com/gpu:NoSchedule --as jane --rbac platform/rbac

{TYPES}
As in the webhook, what everybody may use (the baseline), an account's use of itself, and a wider
grant of a toleration count. Exit status: 0 yes, 1 no, 2 an error.
As a kubectl plugin: link usher as kubectl-usher into the PATH, then \"kubectl usher can-i …\"."))]
pub(super) struct Args {
    /// The verb: use. For others there is kubectl auth can-i.
    #[arg(value_parser = ["use"])]
    verb: String,
    /// What to use.
    #[arg(value_name = "TYPE[.GROUP]/NAME")]
    target: Named,
    /// The namespace of the object that would name it. Without it: default, or that of the kubeconfig.
    #[arg(short, long, value_name = "NS")]
    namespace: Option<String>,
    /// Who would use it. Without it: you yourself, as the cluster knows you.
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// A group that the user is in; may be given several times. Those that the API server adds itself are added.
    #[arg(long = "as-group", value_name = "GROUP", requires = "user")]
    groups: Vec<String>,
    /// Print nothing.
    #[arg(short, long)]
    quiet: bool,
    /// Which cluster to ask, if --rbac is not given. Without it: KUBECONFIG, ~/.kube/config, or the pod's own.
    #[arg(long, value_name = "FILE", conflicts_with = "rbac")]
    kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    world: world::WorldArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let world = args.world.load()?;
    let (namespace, answer) = if args.world.rbac.is_empty() {
        live::ask(args, &world)?
    } else {
        let user = args
            .user
            .as_deref()
            .ok_or("--as is missing: files do not say who you are")?;
        let requester = Requester::named(user, args.groups.iter().map(String::as_str));
        let namespace = args.namespace.as_deref().unwrap_or("default");
        let answer = answer(
            &args.target,
            namespace,
            requester,
            &world,
            &world.offline,
            Authorizer::Rbac,
        )
        .now_or_never()
        .ok_or("it would have to wait")??;
        (namespace.to_owned(), answer)
    };
    if !args.quiet {
        if args.world.given.config.is_some() {
            note(&world.policy, &args.target, &namespace);
        }
        let (said, why) = match &answer {
            Answer::No(why) => ("no", why),
            Answer::Yes(why) => ("yes", why),
        };
        writeln!(io::stdout(), "{said}   {}", shown(why))?;
    }
    Ok(Exit::of(matches!(answer, Answer::Yes(_))))
}

enum Answer {
    /// No, and what would be needed.
    No(String),
    /// Yes, and by which grant.
    Yes(String),
}

/// Lets the engine judge an object that names the target and nothing else. Modes and exemptions are left out: the
/// question is about the right.
async fn answer(
    target: &Named,
    namespace: &str,
    requester: Requester<'_>,
    world: &world::World,
    backend: &impl Backend,
    authorizer: Authorizer,
) -> Result<Answer, Failure> {
    let spec = pod_spec(target)?;
    // A kind that names what pods do not names it by a check under which everything is asked.
    let asked = match spec {
        Some(_) => target.check,
        None => Check::ScaleTargets,
    };
    let mode = |check| {
        if check == asked {
            Mode::Enforce
        } else {
            Mode::Off
        }
    };
    let policy = Policy {
        authorizer,
        modes: Modes {
            default: Check::ALL.map(|check| (check, mode(check))).into(),
            namespaces: Vec::new(),
        },
        excluded_namespaces: Vec::new(),
        exemptions: Vec::new(),
        // The question about an audience or a signer arises where a limit does not list it.
        tokens: vec![TokenLimit::nothing(Pattern::parse("*")?)],
        api_audiences: Vec::new(),
        ..world.policy.clone()
    };
    let known = spec.is_some();
    let (kind, object) = match spec {
        Some(spec) => ("PodTemplate", json!({"template": {"spec": spec}})),
        None => ("Question", json!({"name": target.name})),
    };
    let mut asking = Catalogue::default();
    asking.add(
        "can-i",
        &format!(
            "about: a question\nkinds: [{{group: '', kind: Question, resource: questions, versions: [v1], \
             fields: [{{path: name, object: {{of: {}, name: ., check: {asked}}}}}]}}]",
            target.resource
        ),
    )?;
    let object = serde_json::value::to_raw_value(&object)?;
    let request = Request {
        uid: "".into(),
        operation: Operation::Create,
        kind: KindRef {
            group: "".into(),
            version: "v1".into(),
            kind: kind.into(),
        },
        subresource: "".into(),
        namespace: namespace.into(),
        name: "".into(),
        requester,
        object: Some(&object),
        old: None,
        dry_run: true,
    };
    let rights = backend.rights()?;
    let view = engine::World {
        policy: &policy,
        rights: &rights,
        catalogue: if known { &world.catalogue } else { &asking },
        ..world.view()
    };
    let deadline = Instant::now() + PATIENCE;
    let verdict = cluster::decide(&request, &view, backend, deadline).await;
    let finding = verdict.findings.first();
    match finding.map(|finding| &finding.outcome) {
        Some(Outcome::Allowed(grant)) => Ok(Answer::Yes(grant.to_string())),
        Some(Outcome::Denied { missing, .. }) => Ok(Answer::No(format!("needs {missing}"))),
        Some(Outcome::Forbidden(why)) => Ok(Answer::No(why.clone())),
        Some(Outcome::Malformed(why)) => Err(why.clone().into()),
        Some(Outcome::Unknown(why)) => Err(why.to_string().into()),
        None => Err(verdict.message().into()),
    }
}

/// A pod spec that names the target and nothing else; none if no pod spec can.
fn pod_spec(target: &Named) -> Result<Option<Value>, Failure> {
    let name = &*target.name;
    if let Some(field) = PodField::of(target.check) {
        return Ok(Some(field.naming(name)?));
    }
    let source = match target.resource {
        Resource::SIGNERS => json!({"podCertificate": {"signerName": name}}),
        Resource::TOKEN_AUDIENCES => json!({"serviceAccountToken": {"audience": name}}),
        _ => return Ok(None),
    };
    Ok(Some(
        json!({"volumes": [{"projected": {"sources": [source]}}]}),
    ))
}

/// What the configuration makes of the answer.
fn note(policy: &Policy, target: &Named, namespace: &str) {
    let mode = policy.modes.of(target.check, namespace);
    if policy.excludes(namespace) {
        eprintln!("note: objects in namespace \"{namespace}\" are not judged (excludedNamespaces)");
    } else if mode != Mode::Enforce {
        let mode = mode.name();
        eprintln!(
            "note: the check {} is in mode {mode} in namespace \"{namespace}\": nothing is refused",
            target.check
        );
    }
}
