use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::ValueEnum;

use super::{Exit, Failure, registration};
use crate::{catalogue::Catalogue, config, engine::Policy};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher generate config > usher.yaml
  usher generate config-schema > usher.schema.json
  usher generate webhook-config --config usher.yaml | kubectl apply -f -")]
pub(super) struct Args {
    /// What to write.
    what: What,
    /// Of webhook-config: the configuration that says which kinds are looked into. Without one, those of Kubernetes.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum What {
    /// The default configuration, every key explained.
    Config,
    /// The JSON Schema of the configuration, for editors.
    ConfigSchema,
    /// The ValidatingWebhookConfiguration, with rules for exactly the kinds that the configuration turns on.
    WebhookConfig,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.config.is_some() && args.what != What::WebhookConfig {
        return Err("--config belongs to webhook-config only".into());
    }
    let text = match args.what {
        What::Config => config::commented(),
        What::ConfigSchema => serde_json::to_string_pretty(&config::schema())? + "\n",
        What::WebhookConfig => {
            let policy = match &args.config {
                Some(file) => config::load(file)?,
                None => Policy::default(),
            };
            let core = Catalogue::embedded()?;
            registration::validating(&policy, policy.catalogue(&core))
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Allowed)
}
