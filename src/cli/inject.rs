//! `usher inject`: what would be injected into the pods of manifests.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write},
    path::PathBuf,
};

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Exit, Failure, created::created, say::say, world, yaml::block};
use crate::files;
use usher_core::{
    engine::{self, Mutation},
    inject::{Effect, Given},
    manifest::Object,
    reference::{Requester, escaped, shown},
    yaml::{BadYaml, Source},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher inject web.yaml --config usher.yaml --objects accounts.yaml --diff
  kustomize build . | usher inject - --config usher.yaml -n team-a > patched.yaml

Profiles stand in the configuration: without --config there is nothing to inject.
Pods are patched as the webhook patches them; a workload is shown with its template patched, as
the pods made of it will be. What Kubernetes adds by itself is not shown. Comments are lost.
What comes of each profile and container goes to standard error. Exit status: 0 done, 1 a pod
is refused (and left out), 2 an input cannot be read or the command is wrong.")]
pub(super) struct Args {
    /// Manifests: files, folders (.yaml, .yml and .json in them), or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Namespace of objects that name none.
    #[arg(short, long, value_name = "NS", default_value = "default")]
    namespace: String,
    /// Print what changes, as a diff.
    #[arg(long, conflicts_with = "patch")]
    diff: bool,
    /// Print the JSON Patch (RFC 6902) of each object that changes, one a line.
    #[arg(long)]
    patch: bool,
    /// Say nothing on standard error but errors.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    given: world::GivenArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let world = args.given.load(&[])?;
    if world.policy.profiles.is_empty() {
        let why = match &args.given.config {
            Some(file) => format!("{}: there are no profiles in it", file.display()),
            None => "--config is missing: without a configuration there are no profiles".to_owned(),
        };
        return Err(format!("{why}, so that nothing is injected (docs/injection.md)").into());
    }
    let inputs = files::inputs(&args.paths)?;
    let out = io::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let mut shown = Shown {
        args,
        world: &world,
        colour,
        to: BufWriter::new(out.lock()),
        objects: 0,
        printed: 0,
        refused: false,
    };
    for input in &inputs {
        files::read(input, |source, object| shown.object(source, object))?;
    }
    shown.to.flush()?;
    if shown.objects == 0 {
        return Err("there is no Kubernetes object in what was given".into());
    }
    Ok(Exit::of(!shown.refused))
}

struct Shown<'w, W> {
    args: &'w Args,
    world: &'w world::World,
    colour: bool,
    to: W,
    objects: usize,
    printed: usize,
    refused: bool,
}

impl<W: Write> Shown<'_, W> {
    fn object(&mut self, source: &Source, object: &Object<'_, '_>) -> Result<(), Stop> {
        self.objects += 1;
        let json = object.node.to_json()?;
        let namespace = match object.namespace {
            "" => &*self.args.namespace,
            written => written,
        };
        let nobody = Requester::named("", std::iter::empty());
        let request = created(object, &json, namespace, nobody);
        let mutation = self.world.change(&request, engine::preview);
        let what = format!("{} {namespace}/{}", object.kind, object.name);
        if !mutation.allowed() {
            self.refused = true;
            self.to.flush()?;
            let place = object.node.place.position();
            let refused = format!("{what}: refused: {}", mutation.message());
            say(&format!("error: {}", source.error(place, refused)));
            return Ok(());
        }
        if !self.args.quiet && !mutation.steps.is_empty() {
            self.to.flush()?;
            for line in reasons(&what, &mutation) {
                say(&line);
            }
        }
        let before: Value = serde_json::from_str(json.get())?;
        let after = mutation.applied(&json).map_err(io::Error::other)?;
        if self.args.patch {
            if before != after {
                writeln!(
                    self.to,
                    "{}",
                    escaped(&serde_json::to_string(&mutation.patch)?)
                )?;
            }
        } else if self.args.diff {
            self.diff(&source.name, &what, &block(&before)?, &block(&after)?)?;
        } else {
            if self.printed > 0 {
                writeln!(self.to, "---")?;
            }
            self.to.write_all(block(&after)?.as_bytes())?;
        }
        self.printed += 1;
        Ok(())
    }

    fn diff(&mut self, file: &str, what: &str, before: &str, after: &str) -> io::Result<()> {
        let paint = |line: &str, colour: &str| {
            if self.colour {
                format!("\x1b[{colour}m{line}\x1b[0m")
            } else {
                line.to_owned()
            }
        };
        let diff = TextDiff::from_lines(before, after);
        let mut head = Some([
            format!("--- {what} ({file})"),
            format!("+++ {what} as injected"),
        ]);
        for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
            for line in head.take().into_iter().flatten() {
                writeln!(self.to, "{}", paint(&shown(&line), "1"))?;
            }
            writeln!(
                self.to,
                "{}",
                paint(hunk.header().to_string().trim_end(), "36")
            )?;
            for change in hunk.iter_changes() {
                let (sign, colour) = match change.tag() {
                    ChangeTag::Delete => ("-", "31"),
                    ChangeTag::Equal => (" ", ""),
                    ChangeTag::Insert => ("+", "32"),
                };
                let line = format!("{sign}{}", change.value().trim_end_matches('\n'));
                let line = if colour.is_empty() {
                    line
                } else {
                    paint(&line, colour)
                };
                writeln!(self.to, "{line}")?;
            }
        }
        Ok(())
    }
}

/// What came of every profile and container, as indented lines.
fn reasons(what: &str, mutation: &Mutation<'_>) -> Vec<String> {
    let mut lines = vec![what.to_owned()];
    for step in &mutation.steps {
        let name = &step.profile.name;
        if let Some(why) = step.effect.nothing() {
            lines.push(format!("  profile {name}: nothing, {why}"));
        }
        if let Effect::Given(given) = &step.effect {
            let state = if given.changed {
                "injected"
            } else {
                "already there"
            };
            lines.push(format!("  profile {name}: {state}, {given}"));
            containers(given, &mut lines);
        }
    }
    let warnings = mutation
        .warnings
        .iter()
        .map(|warning| format!("  warning: {warning}"));
    lines.extend(warnings);
    lines
}

fn containers(given: &Given<'_>, lines: &mut Vec<String>) {
    for container in &given.containers {
        let done = if let Some(why) = container.skipped {
            format!("nothing, {why}")
        } else {
            let mount = if container.mounted {
                "mount"
            } else {
                "mounted already"
            };
            let variables = container.env.iter().map(|name| format!("variable {name}"));
            let all: Vec<String> = std::iter::once(mount.to_owned()).chain(variables).collect();
            all.join(", ")
        };
        lines.push(format!("    container {}: {done}", container.name));
    }
}

/// Why an input is not read to its end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Bad(#[from] BadYaml),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Write(#[from] io::Error),
}
