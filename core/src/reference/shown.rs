//! Texts of strangers, made harmless: whatever a request, an object or another program says goes through here before
//! people read it, in messages, logs, events and on terminals.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

/// The text on one line, with nothing in it that could speak in our place: each character that steers a terminal, breaks
/// a line, turns the direction of writing or is not seen becomes U+FFFD.
///
/// ```
/// use usher_core::reference::shown;
/// assert_eq!(shown("a\u{202e}b\u{2028}c\nd"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
/// ```
pub fn shown(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    // Writing to a String cannot fail.
    let _ = Shown(&mut plain).write_str(text);
    Cow::Owned(plain)
}

/// A text that is JSON, with what [`is_harmful`] in its strings escaped: whoever reads the JSON gets the same, whoever
/// looks at it sees what is there.
///
/// ```
/// use usher_core::reference::escaped;
/// assert_eq!(escaped("[\"a\u{202e}b\u{9b}\"]"), r#"["a\u202eb\u009b"]"#);
/// ```
pub fn escaped(json: &str) -> Cow<'_, str> {
    // Between strings JSON has ends of lines, and in them none.
    let is_harmful = |c: char| c != '\n' && is_harmful(c);
    if json.split('\n').all(is_plain) || !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut plain = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(plain, "\\u{unit:04x}");
            }
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

/// A writer that passes on what [`shown`] gives.
pub(crate) struct Shown<W>(pub(crate) W);

impl<W: fmt::Write> fmt::Write for Shown<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text) {
            return self.0.write_str(text);
        }
        for (index, part) in text.split(is_harmful).enumerate() {
            if index > 0 {
                self.0.write_char(char::REPLACEMENT_CHARACTER)?;
            }
            self.0.write_str(part)?;
        }
        Ok(())
    }
}

/// Whether a text is what nearly every text is: printable ASCII, in which nothing is harmful. Block by block, for which processors
/// have instructions: every answer is looked over.
fn is_plain(text: &str) -> bool {
    let printable = |block: &[u8]| {
        block
            .iter()
            .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
    };
    text.as_bytes().chunks(64).all(printable)
}

/// Whether a character steers a terminal, breaks a line, turns the direction of writing or is not seen.
///
/// Control characters (Cc), separators of lines and paragraphs (Zl, Zp), and what is written and not seen (Cf and the
/// selectors of variants beyond the first plane). Names of Kubernetes have none of them.
pub fn is_harmful(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_when_it_is_escaped() {
        let text = "ä\n\t\r\u{1b}\u{7f}\u{9b}\u{202e}\u{2028}\u{feff}\u{e0041}\"\\🙂";
        let value = serde_json::json!({ text: [text, {"a": text}] });
        for json in [value.to_string(), format!("{value:#}")] {
            let plain = escaped(&json);
            assert!(!plain.contains(|c| c != '\n' && is_harmful(c)), "{plain}");
            let read: serde_json::Value = serde_json::from_str(&plain).unwrap();
            assert_eq!(read, value);
        }
        let plain = format!("{:#}", serde_json::json!({"a": ["ä 🙂"]}));
        assert!(matches!(escaped(&plain), Cow::Borrowed(held) if held == plain));
    }

    #[test]
    fn what_could_speak_in_our_place_is_taken_out() {
        let harmless = "jane may not use serviceaccount \"ä 漢字 🙂 é\"";
        assert!(matches!(shown(harmless), Cow::Borrowed(held) if held == harmless));
        for harmful in [
            '\0',
            '\t',
            '\n',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{fffa}',
            '\u{e0041}',
            '\u{e0100}',
        ] {
            let text = format!("a{harmful}{harmful}b");
            assert_eq!(shown(&text), "a\u{fffd}\u{fffd}b", "{harmful:?}");
        }
    }
}
