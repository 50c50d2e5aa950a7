//! The configuration, read anew when it changes.

use std::{convert::Infallible, fmt::Display, fs, path::Path, time::Duration};

use super::{app::App, follow::follow};
use crate::files::named_files;
use usher_core::config::Settings;

/// Looks at the configuration file, and at the files of the catalogue that it names, every so often, and puts a changed one in force. A bad one is logged and counted,
/// and the last good one stays. Never ends.
pub async fn follow_configuration<B, E: Display>(
    app: &App<B>,
    path: &Path,
    load: impl Fn(&Path) -> Result<Settings, E>,
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
        app.set_settings(load(path).map_err(|error| error.to_string())?);
        Ok(())
    };
    let counts = &app.metrics().configuration;
    follow(every, counts, "configuration", read, take).await
}
