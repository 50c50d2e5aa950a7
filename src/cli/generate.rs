use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use clap::ValueEnum;

use super::{Exit, Failure, page, registration};
use crate::{
    catalogue::{self, Catalogue},
    config,
    engine::Policy,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher generate config > usher.yaml
  usher generate config-schema > usher.schema.json
  usher generate catalogue-schema > usher-catalogue.schema.json
  usher generate webhook-config --config usher.yaml | kubectl apply -f -
  usher generate webhook-config --enable flux --enable keda > webhook-config/flux-keda.yaml")]
pub(super) struct Args {
    /// What to write.
    what: What,
    /// Of webhook-config: the configuration that says which kinds are looked into. Without one, those of Kubernetes.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Of webhook-config: a project of the catalogue that is looked into too, or all; may be given several times.
    #[arg(long, value_name = "PROJECT")]
    enable: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum What {
    /// The page of the documentation that says what is asked of every kind.
    CataloguePage,
    /// The JSON Schema of a file of the catalogue, for editors.
    CatalogueSchema,
    /// The default configuration, every key explained.
    Config,
    /// The JSON Schema of the configuration, for editors.
    ConfigSchema,
    /// The ValidatingWebhookConfiguration, with rules for exactly the kinds that the configuration turns on.
    WebhookConfig,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if (args.config.is_some() || !args.enable.is_empty()) && args.what != What::WebhookConfig {
        return Err("--config and --enable belong to webhook-config only".into());
    }
    let text = match args.what {
        What::CataloguePage => page::catalogue()?,
        What::CatalogueSchema => serde_json::to_string_pretty(&catalogue::schema())? + "\n",
        What::Config => config::commented(),
        What::ConfigSchema => serde_json::to_string_pretty(&config::schema())? + "\n",
        What::WebhookConfig => {
            let mut policy = match &args.config {
                Some(file) => config::load(file)?,
                None => Policy::default(),
            };
            let mut catalogue = match policy.catalogue.take().and_then(Arc::into_inner) {
                Some(catalogue) => catalogue,
                None => Catalogue::embedded()?,
            };
            for project in &args.enable {
                catalogue.enable(project)?;
            }
            registration::validating(&policy, &catalogue)
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Allowed)
}
