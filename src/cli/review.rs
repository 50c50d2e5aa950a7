//! `usher review`: whole AdmissionReviews, answered as the webhook would.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use serde_json::value::RawValue;

use super::{Exit, Failure, say::say, world};
use usher_core::{engine, review};

/// The most that is read of one input, in bytes.
const LARGEST: u64 = 256 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher review request.json --rbac platform/rbac
  usher review recorded.jsonl --rbac rbac.yaml --objects owners.yaml --config usher.yaml
  usher review request.json --mutate --config usher.yaml --objects accounts.yaml

One answer a line, in the order of the reviews, byte by byte what the webhook would send. A fact
that is in none of the files is not known, and what is not known is refused. Exit status:
0 all allowed, 1 something is refused, 2 an input cannot be read or the command is wrong.")]
pub(super) struct Args {
    /// AdmissionReviews as JSON: one, several one after the other, or a list; - is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
    /// Answer as /mutate does: what is to be changed, as a JSON Patch in base64.
    #[arg(long)]
    mutate: bool,
    #[command(flatten)]
    world: world::WorldArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let world = args.world.load()?;
    let mut answers = Answers {
        world: &world,
        mutate: args.mutate,
        to: BufWriter::new(io::stdout().lock()),
        count: 0,
        refused: false,
        unread: false,
    };
    for file in &args.files {
        let (name, bytes) = bytes(file)?;
        answers.all(&name, &bytes)?;
    }
    answers.to.flush()?;
    if answers.unread {
        return Ok(Exit::Unread);
    }
    if answers.count == 0 {
        return Err("there is no AdmissionReview in what was given".into());
    }
    Ok(Exit::of(!answers.refused))
}

fn bytes(file: &Path) -> Result<(String, Vec<u8>), Failure> {
    let mut bytes = Vec::new();
    let name = if file.as_os_str() == "-" {
        io::stdin()
            .lock()
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)?;
        "stdin".to_owned()
    } else {
        let name = file.display().to_string();
        File::open(file)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("{name}: cannot be read: {error}"))?;
        name
    };
    if bytes.len() as u64 > LARGEST {
        return Err(format!("{name}: is larger than {} MiB: split it", LARGEST >> 20).into());
    }
    Ok((name, bytes))
}

struct Answers<'w, W> {
    world: &'w world::World,
    mutate: bool,
    to: W,
    count: usize,
    refused: bool,
    unread: bool,
}

impl<W: Write> Answers<'_, W> {
    /// Answers every review of an input.
    fn all(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
        while let Some(document) = stream.next() {
            let document = match document {
                Ok(document) => document,
                Err(error) => {
                    let what = error.to_string();
                    let place = format!(" at line {} column {}", error.line(), error.column());
                    let what = format!("not JSON: {}", what.replacen(&place, "", 1));
                    self.count += 1;
                    return self.say(name, error.line(), error.column().max(1), &what);
                }
            };
            let start = stream.byte_offset() - document.get().len();
            if !document.get().starts_with('[') {
                self.one(name, bytes, start, document)?;
                continue;
            }
            // It was read as JSON just now.
            for review in serde_json::from_str::<Vec<&RawValue>>(document.get()).unwrap_or_default()
            {
                let within = review.get().as_ptr().addr() - document.get().as_ptr().addr();
                self.one(name, bytes, start + within, review)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, name: &str, bytes: &[u8], start: usize, review: &RawValue) -> io::Result<()> {
        self.count += 1;
        let answer = match review::read(review.get().as_bytes()) {
            Ok(request) if self.mutate => {
                let mutation = self.world.change(&request, engine::mutate);
                self.refused |= !mutation.allowed();
                review::respond_mutation(&mutation)
            }
            Ok(request) => {
                let view = self.world.view();
                let verdict = self.world.decide(&request, &view);
                self.refused |= !verdict.allowed();
                review::respond(&verdict)
            }
            Err(review::BadReview {
                uid: Some(uid),
                why,
            }) => {
                self.refused = true;
                review::refuse(&uid, &why, 400)
            }
            Err(review::BadReview { uid: None, why }) => {
                let before = bytes.get(..start).unwrap_or_default();
                let line = before.split(|byte| *byte == b'\n');
                let column = line.clone().next_back().map_or(0, <[u8]>::len) + 1;
                return self.say(name, line.count(), column, &why);
            }
        };
        self.to.write_all(&answer)?;
        self.to.write_all(b"\n")
    }

    fn say(&mut self, name: &str, line: usize, column: usize, what: &str) -> io::Result<()> {
        self.unread = true;
        self.to.flush()?;
        let number = self.count;
        say(&format!(
            "error: {name}:{line}:{column}: review {number}: {what}"
        ));
        Ok(())
    }
}
