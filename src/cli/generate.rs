use std::io::{self, Write as _};

use clap::ValueEnum;

use super::{Exit, Failure};
use crate::config;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher generate config > usher.yaml
  usher generate config-schema > usher.schema.json")]
pub(super) struct Args {
    /// What to write.
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The default configuration, every key explained.
    Config,
    /// The JSON Schema of the configuration, for editors.
    ConfigSchema,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let text = match args.what {
        What::Config => config::commented(),
        What::ConfigSchema => serde_json::to_string_pretty(&config::schema())? + "\n",
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Allowed)
}
