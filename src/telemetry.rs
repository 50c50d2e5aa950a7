//! The log: lines on standard error, as text or as JSON.

use std::{io::IsTerminal, panic};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object.
    Json,
    /// For people; in colour on a terminal.
    Text,
}

/// Sends the log of this process to standard error, from this level up. Of the libraries only warnings are shown,
/// and of the Kubernetes client nothing: what fails there is said once, by us. With `debug` or `trace` all speak.
///
/// Panics go there too, as one line each.
pub fn init(level: LevelFilter, format: Format) {
    let own = Targets::new().with_target("usher", level);
    let targets = if level >= LevelFilter::DEBUG {
        own.with_default(level)
    } else {
        own.with_default(level.min(LevelFilter::WARN))
            .with_target("kube_client", LevelFilter::OFF)
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        Format::Json => lines.json().flatten_event(true).boxed(),
        Format::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colour).boxed()
        }
    };
    // Fails only if there is a log already: then that one stays.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
    panic::set_hook(Box::new(|panic| {
        tracing::error!("{}", panic.to_string().replace('\n', " "));
    }));
}
