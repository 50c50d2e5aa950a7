//! The table that the demo prints.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, stdout},
    time::Duration,
};

/// One exchange.
pub(super) struct Row {
    pub(super) who: String,
    pub(super) wants: String,
    pub(super) answer: String,
    pub(super) expected: String,
    pub(super) took: Duration,
    /// By what it passes, or the field that it does not pass by.
    pub(super) why: String,
    /// The grant that would allow it.
    pub(super) needs: Option<String>,
}

/// The table, with colour on a terminal.
pub(super) fn print(rows: &[Row]) -> String {
    let widest = |text: fn(&Row) -> &str, head: &str| {
        rows.iter()
            .map(|row| text(row).chars().count())
            .max()
            .unwrap_or(0)
            .max(head.len())
    };
    let who = widest(|row| &row.who, "who");
    let wants = widest(|row| &row.wants, "wants");
    let colour = stdout().is_terminal();
    let mut out = format!(
        "  {:who$}  {:wants$}  answer      µs  why\n",
        "who", "wants"
    );
    for row in rows {
        let (on, off) = match (colour, &*row.answer) {
            (true, "allowed") => ("\x1b[32m", "\x1b[0m"),
            (true, "refused") => ("\x1b[31m", "\x1b[0m"),
            (true, _) => ("\x1b[33m", "\x1b[0m"),
            (false, _) => ("", ""),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "  {:who$}  {:wants$}  {on}{:7}{off}  {:>5}  {}",
            row.who,
            row.wants,
            row.answer,
            row.took.as_micros(),
            row.why
        );
        if let Some(needs) = &row.needs {
            let _ = writeln!(out, "  {:who$}  needs {needs}", "");
        }
    }
    out
}
