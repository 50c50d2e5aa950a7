//! `usher check`: manifests, judged as if they were created now.

use std::{
    io::{self, BufWriter, IsTerminal as _},
    path::PathBuf,
    time::Instant,
};

use clap::{ValueEnum, builder::PossibleValue};
use serde_json::value::{RawValue, to_raw_value};

use super::{Exit, Failure, created::created, roles::RBAC, say::say, world};
use crate::{
    files::{self, Input},
    report::{FORMATS, Format, Judged, Report, Style, Tally},
};
use usher_core::{
    engine::{self, Broken, Mutation, Request, Verdict},
    manifest::Object,
    reference::Requester,
    yaml::{BadYaml, Position, Source},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher check deploy/ --rbac platform/rbac --as system:serviceaccount:flux-system:team-a
  kustomize build . | usher check - --rbac rbac.yaml --as jane --as-group team-a -n team-a

Every object is judged as if it were created now. Exit status: 0 allowed, 1 something is refused,
2 an input cannot be read or the command is wrong.")]
pub(super) struct Args {
    /// Manifests: files, folders (.yaml, .yml and .json in them), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Who would create them: a user name, system:serviceaccount:NAMESPACE:NAME for a service account.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// A group that the user is in; may be given several times. Those that the API server adds itself are added.
    #[arg(long = "as-group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Namespace of objects that name none.
    #[arg(short, long, value_name = "NS", default_value = "default")]
    namespace: String,
    /// How to print the findings.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Print also findings that have no effect: audited and exempted ones.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    world: world::WorldArgs,
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        FORMATS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name))
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.world.rbac.is_empty() && args.world.given.config.is_none() {
        return Err("--rbac is missing: without roles and bindings nobody may use anything".into());
    }
    let world = args.world.load()?;
    let inputs = files::inputs(&args.paths)?;
    let out = io::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let style = Style {
        colour,
        verbose: args.verbose,
    };
    let report = (args.format.open)(Box::new(BufWriter::new(out.lock())), style);
    let groups = args.groups.iter().map(String::as_str);
    let mut check = Check {
        namespace: &args.namespace,
        requester: Requester::named(&args.user, groups),
        world: &world,
        tally: Tally::default(),
        report,
    };
    let mut progress = Progress::new();
    for (index, input) in inputs.iter().enumerate() {
        progress.at(index, inputs.len());
        let mut roles = 0;
        let found = files::read(input, |source, object| {
            roles += usize::from(object.group() == RBAC);
            check.object(source, object)
        });
        check.tally.files += 1;
        match found {
            Ok(found) => {
                check.tally.skipped += usize::from(found.objects == 0);
                if found.objects > 0 && found.objects == roles {
                    note(input, &args.world.rbac);
                }
            }
            Err(Stop::Bad(bad)) => {
                progress.clear();
                check.tally.errors += 1;
                check.report.error(&bad)?;
                say(&format!("error: {bad}"));
            }
            Err(Stop::Write(error)) => return Err(error.into()),
        }
    }
    progress.clear();
    let tally = check.tally;
    let endings = world.endings();
    for ending in &endings {
        say(&format!("note: {ending}"));
    }
    check.report.finish(&tally, &endings)?;
    if tally.errors > 0 {
        return Ok(Exit::Unread);
    }
    if tally.objects == 0 {
        return Err("there is no Kubernetes object in what was given".into());
    }
    Ok(Exit::of(!tally.is_refused()))
}

/// A named file of roles and bindings alone is hardly meant to be judged, unless it is also what is judged by.
fn note(input: &Input, rbac: &[PathBuf]) {
    if let Input::File(path) = input
        && !rbac.iter().any(|given| path.starts_with(given))
    {
        let name = path.display();
        say(&format!(
            "note: {name} holds roles and bindings alone, which are not judged: is --rbac {name} meant?"
        ));
    }
}

struct Check<'a> {
    namespace: &'a str,
    requester: Requester<'a>,
    world: &'a world::World,
    tally: Tally,
    report: Box<dyn Report + 'a>,
}

impl Check<'_> {
    /// Judges an object as if it were created now.
    fn object(&mut self, source: &Source, object: &Object<'_, '_>) -> Result<(), Stop> {
        let catalogue = &self.world.catalogue;
        let Some(kind) = catalogue.find(object.group(), object.kind) else {
            self.tally.objects += 1;
            return Ok(());
        };
        let json = object.node.to_json().map_err(io::Error::from)?;
        let namespace = match object.namespace {
            _ if kind.cluster => "",
            "" => self.namespace,
            namespace => namespace,
        };
        let request = created(object, &json, namespace, self.requester.clone());
        // The API server lets the mutating webhook change a pod before it asks for the verdict.
        let mutation = self.world.change(&request, engine::mutate);
        let changed = changed(&json, &mutation)?;
        let admitted = Request {
            object: Some(changed.as_deref().unwrap_or(&json)),
            ..request.clone()
        };
        let view = self.world.view();
        let verdict = if mutation.allowed() {
            self.world.decide(&admitted, &view)
        } else {
            Verdict::broken(&request, Broken::Mutation(mutation.message()))
        };
        let counts = self.tally.add(&verdict);
        if !verdict.allowed() && changed.is_some() {
            // What is refused may be what the webhook wrote.
            for warning in &mutation.warnings {
                let Position { line, column } = object.node.place.position();
                say(&format!(
                    "warning: {}:{line}:{column}: {warning}",
                    source.name
                ));
            }
        }
        if !counts {
            return Ok(());
        }
        let judged = Judged {
            source,
            object,
            namespace,
            verdict: &verdict,
            catalogue,
        };
        self.report.object(&judged)?;
        Ok(())
    }
}

/// The object with its changes, if there are any.
fn changed(json: &RawValue, mutation: &Mutation<'_>) -> Result<Option<Box<RawValue>>, Stop> {
    if mutation.patch.0.is_empty() {
        return Ok(None);
    }
    let changed = mutation.applied(json).map_err(io::Error::other)?;
    Ok(Some(to_raw_value(&changed).map_err(io::Error::from)?))
}

/// Why an input is not read to its end.
enum Stop {
    Bad(BadYaml),
    Write(io::Error),
}

impl From<BadYaml> for Stop {
    fn from(bad: BadYaml) -> Self {
        Self::Bad(bad)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// How far it is, for somebody who waits: only on a terminal that shows nothing else.
struct Progress(Option<Instant>);

impl Progress {
    fn new() -> Self {
        let watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self(watched.then(Instant::now))
    }

    fn at(&mut self, done: usize, all: usize) {
        if let Some(last) = &mut self.0
            && last.elapsed().as_millis() > 100
        {
            *last = Instant::now();
            eprint!("\r{done} of {all} files");
        }
    }

    fn clear(&self) {
        if self.0.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
