//! May somebody use something? Asked of files, or of a cluster.

mod live;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;

use super::{
    Exit, Failure,
    named::{Named, with_types},
    say::say,
    world,
};
use crate::facts::{self, FactSource};
use usher_core::{
    engine::{self, Authorizer, KindRef, Operation, Outcome, Policy, Request},
    reference::{Mode, Path, Reference, Requester, Resource, Target, Toleration, shown},
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

/// Asks the engine. Modes and exemptions are left out: the question is about the right.
async fn answer(
    target: &Named,
    namespace: &str,
    requester: Requester<'_>,
    world: &world::World,
    source: &impl FactSource,
    authorizer: Authorizer,
) -> Result<Answer, Failure> {
    let policy = Policy {
        authorizer,
        ..world.policy.clone()
    };
    let reference = Reference {
        check: target.check,
        path: Path::new("", ""),
        target: match target.resource {
            Resource::TOLERATIONS => Target::Taints(Toleration::named(&target.name)?),
            resource => Target::Object {
                resource,
                name: (&*target.name).into(),
            },
        },
        namespace: None,
    };
    let request = Request {
        uid: "".into(),
        operation: Operation::Create,
        kind: KindRef::default(),
        subresource: "".into(),
        namespace: namespace.into(),
        name: "".into(),
        requester,
        object: None,
        old: None,
        dry_run: true,
    };
    let view = engine::World {
        policy: &policy,
        ..world.view()
    };
    let deadline = Instant::now() + PATIENCE;
    let finding = facts::ask(&request, &reference, &view, source, deadline).await?;
    match &finding.outcome {
        Outcome::Allowed(reason) => Ok(Answer::Yes(reason.to_string())),
        Outcome::Denied { missing, .. } => Ok(Answer::No(format!("needs {missing}"))),
        Outcome::Forbidden(why) => Ok(Answer::No(why.clone())),
        Outcome::Malformed(why) => Err(why.clone().into()),
        Outcome::Unknown(why) => Err(why.to_string().into()),
    }
}

/// What the configuration makes of the answer.
fn note(policy: &Policy, target: &Named, namespace: &str) {
    let mode = policy.modes.of(target.check, namespace);
    if policy.excludes(namespace) {
        say(&format!(
            "note: objects in namespace \"{namespace}\" are not judged (excludedNamespaces)"
        ));
    } else if mode != Mode::Enforce {
        let mode = mode.name();
        say(&format!(
            "note: the check {} is in mode {mode} in namespace \"{namespace}\": nothing is refused",
            target.check
        ));
    }
}
