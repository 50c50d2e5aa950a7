//! The log of refusals, within a rate.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;
use usher_core::reference::shown;

/// Lines for one span of time.
const LINES: u32 = 20;
const SPAN: Duration = Duration::from_secs(1);

/// Writes refusals to the log, but no flood of them: a controller that is refused tries again and again.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    start: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Refusals {
    /// Logs one line, or counts it as left out. The message is only made if it is written.
    pub(super) fn log(&self, unlogged: &Counter, message: impl FnOnce() -> String) {
        let Some(left_out) = self.admit(Instant::now()) else {
            unlogged.inc();
            return;
        };
        if left_out > 0 {
            tracing::info!("{left_out} refusals before this one were not logged");
        }
        tracing::info!("{}", one_line(&message()));
    }

    /// Whether there is room for a line now; if so, how many were left out before it.
    fn admit(&self, now: Instant) -> Option<u64> {
        // The counts are whole between two calls, whatever panicked.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.start.is_none_or(|start| now - start >= SPAN) {
            window.start = Some(now);
            window.written = 0;
        }
        if window.written == LINES {
            window.left_out += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

/// A message as one line of a log.
fn one_line(message: &str) -> String {
    message
        .split(['\n', '\r'])
        .map(|line| shown(line.trim()))
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let lines = (0..100).filter_map(|_| refusals.admit(start)).count();
        assert_eq!(lines, LINES as usize);
        assert_eq!(refusals.admit(start + SPAN), Some(80));
        assert_eq!(refusals.admit(start + SPAN), Some(0));
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(one_line("a\n  b\u{1b}[31m"), "a; b�[31m");
    }
}
