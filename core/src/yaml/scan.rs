//! The scanner, and what it does not read as kubectl does: lines of quoted texts that stand no deeper than their key. YAML wants
//! them deeper; kubectl and kustomize take them (`go.yaml.in/yaml`), and generators write them. So they are moved in.

use serde_saphyr::granit_parser::{self, ErrorKind, Parser, ScanError, StrInput};

/// How far a line is moved: deeper than any key may stand.
const WIDTH: usize = 512;
/// Bytes that are scanned in search of such lines: of a text of common size there may be hundreds.
const MOST: usize = 64 << 20;

/// A text in which such lines are moved in.
#[derive(Debug)]
pub(super) struct Indented {
    text: String,
    /// Where, in this text, what was put in begins, and its line, counted from 1.
    moved: Vec<(usize, usize)>,
}

/// The events of a text.
pub(super) fn scanner(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = granit_parser::options! { disallow_directives: true };
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

/// Whether this is what such a line leads to.
pub(super) fn is_outdented(error: &ScanError) -> bool {
    matches!(error.kind(), ErrorKind::InvalidQuotedScalarIndent)
}

impl Indented {
    /// The text with all such lines moved in, or as many as can be found in a bounded time.
    pub(super) fn of(text: &str) -> Self {
        let mut indented = Self {
            text: text.to_owned(),
            moved: Vec::new(),
        };
        let mut scanned = 0;
        while scanned < MOST {
            scanned += indented.text.len();
            let error = scanner(&indented.text).find_map(Result::err);
            let Some(error) = error.filter(is_outdented) else {
                break;
            };
            let mark = error.marker();
            let Some(at) = mark.byte_offset() else {
                break;
            };
            // Moved already, and not far enough.
            if indented.moved.iter().any(|(_, line)| *line == mark.line()) {
                break;
            }
            indented.text.insert_str(at, &" ".repeat(WIDTH));
            indented.moved.push((at, mark.line()));
        }
        indented
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// How many bytes were put in before this one.
    pub(super) fn before(&self, byte: usize) -> usize {
        let before = self
            .moved
            .iter()
            .map(|(at, _)| byte.saturating_sub(*at).min(WIDTH));
        before.sum()
    }

    /// How many characters were put in before this column of a line.
    pub(super) fn beside(&self, line: usize, column: usize) -> usize {
        let is_moved = self.moved.iter().any(|(_, moved)| *moved == line);
        if is_moved { WIDTH.min(column) } else { 0 }
    }
}
