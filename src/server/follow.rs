//! Follows what may change on disk.

use std::{convert::Infallible, time::Duration};

use super::metrics::Reloaded;

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
