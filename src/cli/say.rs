//! What commands say beside their output: every line on standard error goes through here.

use usher_core::reference::shown;

/// Says something on one line, in which nobody's words speak in our place.
pub(super) fn say(line: &str) {
    eprintln!("{}", shown(line));
}
