//! `usher catalogue`: which kinds and fields are looked into.

mod lint;

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use clap::Subcommand;

use super::{Exit, Failure};
use crate::report::count;
use usher_core::{
    catalogue::{Catalogue, Kind},
    reference::shown,
    yaml::nearest,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher catalogue list
  usher catalogue show Kustomization
  usher catalogue lint own.yaml --crd crds/

Exit status of lint: 0 nothing to say, 1 remarks, 2 a file cannot be used.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The projects that Usher knows, with their kinds.
    List,
    /// What is asked of a kind, field by field.
    Show {
        /// The kind, as Kustomization, in whatever case.
        kind: String,
    },
    /// Say whether files of your own can be used.
    Lint {
        /// Files in the format of the catalogue.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Also hold the entries against these definitions: a file or folder with CustomResourceDefinitions; may be given
        /// several times.
        #[arg(long, value_name = "PATH")]
        crd: Vec<PathBuf>,
    },
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    match &args.what {
        What::List => list(&mut out)?,
        What::Show { kind } => return show(&mut out, kind),
        What::Lint { files, crd } => {
            let mut catalogue = Catalogue::embedded()?;
            for file in files {
                let name = file.display().to_string();
                let text = fs::read_to_string(file)
                    .map_err(|error| format!("{name}: cannot be read: {error}"))?;
                catalogue.add(&name, &text)?;
            }
            let unknown = catalogue.unknown();
            let mut lines: Vec<String> = unknown
                .into_iter()
                .map(|kind| {
                    let group = if kind.group.is_empty() { "" } else { "." };
                    format!(
                        "makes: no entry is about {}{group}{}, so this row counts only where another file has one",
                        kind.kind, kind.group
                    )
                })
                .collect();
            if !crd.is_empty() {
                lines.extend(lint::against(&catalogue, crd)?);
            }
            for line in &lines {
                writeln!(out, "{}", shown(line))?;
            }
            let (files, remarks) = (count(files.len(), "file"), count(lines.len(), "remark"));
            writeln!(out, "{files}, {remarks}")?;
            return Ok(Exit::of(lines.is_empty()));
        }
    }
    Ok(Exit::Allowed)
}

fn list(out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "core: the kinds of Kubernetes itself, always on")?;
    lines(out, &Catalogue::embedded()?)?;
    for name in Catalogue::projects() {
        let (about, catalogue) = Catalogue::project(name)?;
        writeln!(out, "{name}: {about}")?;
        lines(out, &catalogue)?;
    }
    Ok(())
}

fn lines(out: &mut impl Write, catalogue: &Catalogue) -> io::Result<()> {
    let mut lines: Vec<String> = catalogue.kinds().map(head).collect();
    lines.sort();
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn head(kind: &Kind) -> String {
    let group = if kind.group.is_empty() {
        String::new()
    } else {
        format!("{}/", kind.group)
    };
    format!("{} ({group}{})", kind.kind, kind.versions.join(", "))
}

fn show(out: &mut impl Write, wanted: &str) -> Result<Exit, Failure> {
    let (mut found, mut names) = (0, Vec::new());
    let core = ("core".to_owned(), Catalogue::embedded()?);
    let projects = Catalogue::projects()
        .map(|name| Catalogue::project(name).map(|(_, catalogue)| (name.to_owned(), catalogue)));
    for known in std::iter::once(Ok(core)).chain(projects) {
        let (project, catalogue) = known?;
        names.extend(catalogue.kinds().map(|kind| kind.kind.to_string()));
        let mut kinds: Vec<&Kind> = catalogue
            .kinds()
            .filter(|kind| kind.kind.eq_ignore_ascii_case(wanted))
            .collect();
        kinds.sort_by_key(|kind| (&kind.group, &kind.versions));
        for kind in kinds {
            found += 1;
            writeln!(out, "{}, {project}", head(kind))?;
            for (path, asked) in kind.content.asked() {
                writeln!(out, "  {path}: {asked}")?;
            }
            if let Some(what) = asked_again(kind) {
                writeln!(out, "  asked again when {what} changes")?;
            }
            if let Some(why) = kind.narrow() {
                writeln!(out, "  only then, because {why}")?;
            }
            let free: Vec<&str> = kind.free_paths().collect();
            if !free.is_empty() {
                writeln!(out, "  free to change: {}", free.join(", "))?;
            }
            for row in catalogue.makers(kind) {
                writeln!(out, "  made for {} by {}", row.of.kind, row.by())?;
            }
        }
    }
    if found == 0 {
        let instead = match nearest(wanted, names.iter().map(String::as_str)) {
            Some(near) => format!("; \"{near}\" is probably meant"),
            None => " (usher catalogue list)".to_owned(),
        };
        return Err(format!("no entry is about \"{wanted}\"{instead}").into());
    }
    Ok(Exit::Allowed)
}

/// What of an object asks again about what it names when it changes; none where nothing can.
fn asked_again(kind: &Kind) -> Option<String> {
    let parts = kind.governed_parts().map(|part| match &*part {
        "" => "anything but metadata and status".to_owned(),
        part => part.to_owned(),
    });
    Some(parts.collect::<Vec<_>>().join(" or ")).filter(|parts| !parts.is_empty())
}
