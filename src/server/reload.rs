use std::{convert::Infallible, fmt::Display, fs, path::Path, time::Duration};

use super::{app::App, metrics::Reloaded};
use usher_core::{config::named_files, engine::Policy};

/// Looks at the configuration file, and at the files of the catalogue that it names, every so often, and puts a changed one in force. A bad one is logged and counted,
/// and the last good one stays. Never ends.
pub async fn follow_configuration<B, E: Display>(
    app: &App<B>,
    path: &Path,
    load: impl Fn(&Path) -> Result<Policy, E>,
    every: Duration,
) -> Infallible {
    let read = || {
        let own = fs::read(path);
        let own = own.map_err(|error| format!("cannot read \"{}\": {error}", path.display()))?;
        // What cannot be read now is an error when it is taken over, once it has changed.
        let files = named_files(path, &String::from_utf8_lossy(&own));
        let files = files.into_iter().map(|file| (fs::read(&file).ok(), file));
        Ok((own, files.collect::<Vec<_>>()))
    };
    let take = |_: &(Vec<u8>, _)| {
        app.set_policy(load(path).map_err(|error| error.to_string())?);
        Ok(())
    };
    let counts = &app.metrics().configuration;
    follow(every, counts, "configuration", read, take).await
}

/// Reads something every so often and takes it over when it has changed. The content is compared: times and links of
/// files say too little.
///
/// The first reading is taken over too, so that nothing is missed that changed since the start.
pub(super) async fn follow<C: PartialEq>(
    every: Duration,
    counts: &Reloaded,
    what: &str,
    read: impl Fn() -> Result<C, String>,
    take: impl Fn(&C) -> Result<(), String>,
) -> Infallible {
    let mut seen = None;
    loop {
        // Small files, mostly from memory: not worth a thread.
        let now = read();
        if seen.as_ref() != Some(&now) {
            match now.as_ref().map_err(Clone::clone).and_then(&take) {
                Ok(()) => {
                    counts.note(true);
                    if seen.is_some() {
                        tracing::info!("the {what} has changed, and is in force");
                    }
                }
                Err(error) => {
                    counts.note(false);
                    tracing::error!("the last good {what} stays in force: {error}");
                }
            }
            seen = Some(now);
        }
        tokio::time::sleep(every).await;
    }
}
