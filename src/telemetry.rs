//! The log: lines on standard error, as text or as JSON.

use std::{
    io::{self, IsTerminal, Write},
    panic,
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};
use usher_core::reference::is_harmful;

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
    let colour = format == Format::Text
        && io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none();
    let lines = fmt::layer().with_ansi(colour).with_writer(move || Lines {
        to: io::stderr(),
        colour,
    });
    let lines = match format {
        Format::Json => lines.json().flatten_event(true).boxed(),
        Format::Text => lines.boxed(),
    };
    // Fails only if there is a log already: then that one stays.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
    panic::set_hook(Box::new(|panic| {
        tracing::error!("{}", panic.to_string().replace('\n', " "));
    }));
}

/// Writes lines of the log, each in one piece, in which nobody's words speak in our place.
struct Lines<W> {
    to: W,
    /// Whether colours are ours. Those of others are escaped by whoever makes the line.
    colour: bool,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (text, end) = match text.strip_suffix('\n') {
            Some(text) => (text, "\n"),
            None => (&*text, ""),
        };
        let is_harmful = |c: char| is_harmful(c) && !(self.colour && c == '\u{1b}');
        let plain = text.replace(is_harmful, "\u{fffd}");
        self.to.write_all((plain + end).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_of_the_log_is_one_line_of_ours() {
        const BAD: &str = "a\u{1b}[7m\u{9b}1m\u{202e}\u{2028}\u{200b}\r\nforged";
        for (colour, json) in [(false, false), (true, false), (false, true)] {
            let kept = Kept::default();
            let to = kept.clone();
            let lines = fmt::layer().with_ansi(colour).with_writer(move || Lines {
                to: to.clone(),
                colour,
            });
            let lines = if json {
                lines.json().flatten_event(true).boxed()
            } else {
                lines.boxed()
            };
            let log = tracing_subscriber::registry().with(lines);
            tracing::subscriber::with_default(log, || {
                tracing::error!(field = BAD, debug = ?BAD, "{BAD}");
            });
            let said = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let said = said.strip_suffix('\n').unwrap();
            assert!(
                said.contains("forged") && !said.contains("\u{1b}[7m"),
                "{said:?}"
            );
            let is_harmful = |c: char| is_harmful(c) && !(colour && c == '\u{1b}');
            assert!(!said.contains(is_harmful), "{said:?}");
        }
    }
}
