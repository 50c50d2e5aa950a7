//! A text and its name.

use std::{io::Read, sync::OnceLock};

use super::{BadYaml, scan::Indented};

/// The largest file that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// A text and the name that messages give it.
#[derive(Debug)]
pub struct Source {
    /// The name: a path as the user wrote it, or `stdin`.
    pub name: String,
    text: String,
    indented: OnceLock<Indented>,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Source {
    /// Reads all that a reader gives, at most 64 MiB.
    pub fn read(name: impl Into<String>, reader: impl Read) -> Result<Self, BadYaml> {
        let name = name.into();
        let mut bytes = Vec::new();
        let limit = LARGEST as u64 + 1;
        if let Err(error) = reader.take(limit).read_to_end(&mut bytes) {
            return Err(broken(name, None, format!("cannot be read: {error}")));
        }
        if bytes.len() > LARGEST {
            let what = format!(
                "is larger than {} MiB: split it into several files",
                LARGEST >> 20
            );
            return Err(broken(name, None, what));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(name, text),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
                let what = "this is not UTF-8: save the file as UTF-8".to_owned();
                Err(broken(name, Some(end_of(&before)), what))
            }
        }
    }

    /// Takes a text that is in memory. Control characters are refused, as kubectl does.
    pub fn new(name: impl Into<String>, mut text: String) -> Result<Self, BadYaml> {
        let name = name.into();
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let is_control = |byte: &u8| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127);
        if let Some(at) = text.as_bytes().iter().position(is_control) {
            let (before, after) = text.split_at(at);
            let byte = after.bytes().next().unwrap_or_default();
            let what = format!("control character {byte:#04x}: a manifest is text, remove it");
            return Err(broken(name, Some(end_of(before)), what));
        }
        Ok(Self {
            name,
            text,
            indented: OnceLock::new(),
        })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, with lines that the scanner does not read where they stand moved in.
    pub(super) fn indented(&self) -> &Indented {
        self.indented.get_or_init(|| Indented::of(&self.text))
    }

    /// An error at a place of this text.
    pub fn error(&self, position: Position, what: impl Into<String>) -> BadYaml {
        broken(self.name.clone(), Some(position), what.into())
    }
}

/// The position behind a text.
pub(super) fn end_of(text: &str) -> Position {
    let line = text.rsplit('\n').next().unwrap_or(text);
    Position {
        line: text.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

fn broken(file: String, position: Option<Position>, what: String) -> BadYaml {
    BadYaml {
        file,
        position,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_refused_where_it_stands() {
        for (bytes, error) in [
            (&b"a: b\nc: \xff"[..], "f:2:4: this is not UTF-8"),
            (b"a: \0", "f:1:4: control character 0x00"),
            (b"\xc3\xa4: \x1b[31m", "f:1:4: control character 0x1b"),
            (b"a\x7f", "f:1:2: control character 0x7f"),
        ] {
            let bad = Source::read("f", bytes).unwrap_err().to_string();
            assert!(bad.starts_with(error), "{bad}");
        }
        let bom = Source::read("f", &b"\xef\xbb\xbfa: b\r\n\tc"[..]).unwrap();
        assert_eq!(bom.text(), "a: b\r\n\tc");
        let endless = Source::read("f", std::io::repeat(b'a')).unwrap_err();
        assert!(endless.to_string().contains("64 MiB"), "{endless}");
    }
}
