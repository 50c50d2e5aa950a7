//! Objects as the YAML that people read and `kubectl apply -f -` takes.

use std::{fmt::Write as _, io};

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::FlowSeq;

use super::Failure;
use usher_core::reference::is_harmful;

/// An object of ours as one document, with lists of words in one line.
pub(super) fn document(object: &impl Serialize) -> Result<String, Failure> {
    Ok(written(object, |value| text(&Written(value)))?)
}

/// Somebody's object as one document; long texts stay whole.
pub(super) fn block(object: &impl Serialize) -> io::Result<String> {
    written(object, text)
}

/// A value as YAML, with what is not seen or turns the direction of writing escaped, as control characters are already.
fn written(
    object: &impl Serialize,
    text: impl for<'v> Fn(&'v Value) -> io::Result<String>,
) -> io::Result<String> {
    let mut value = serde_json::to_value(object)?;
    let yaml = text(&value)?;
    if !yaml.contains(is_unseen) {
        return Ok(yaml);
    }
    // A control character has the text put in double quotes, and is written as \x01. The word behind it says that it is ours.
    let mut words = (0_u32..).map(|number| format!("x{number}x"));
    let word = words
        .find(|word| !yaml.contains(&**word))
        .unwrap_or_default();
    mark(&mut value, &word);
    Ok(text(&value)?.replace(&format!("\\x01{word}"), "\\"))
}

/// Puts the escape of each such character, behind a mark, in its place.
fn mark(value: &mut Value, word: &str) {
    let marked = |text: &mut String| {
        if text.contains(is_unseen) {
            let escape = |c: char| match u32::from(c) {
                _ if !is_unseen(c) => c.to_string(),
                code @ ..=0xFFFF => format!("\u{1}{word}u{code:04X}"),
                code => format!("\u{1}{word}U{code:08X}"),
            };
            *text = text.chars().map(escape).collect();
        }
    };
    match value {
        Value::String(text) => marked(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, word)),
        Value::Object(entries) => {
            *entries = std::mem::take(entries)
                .into_iter()
                .map(|(mut key, mut value)| {
                    marked(&mut key);
                    mark(&mut value, word);
                    (key, value)
                })
                .collect();
        }
        _ => {}
    }
}

fn is_unseen(c: char) -> bool {
    is_harmful(c) && !c.is_control()
}

fn text(object: &impl Serialize) -> io::Result<String> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(object, options).map_err(io::Error::other)
}

/// Lines as a comment, for the head of a document.
pub(super) fn comment(text: &str) -> String {
    let mut comment = String::new();
    for line in text.lines() {
        let space = if line.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = writeln!(comment, "#{space}{line}");
    }
    comment
}

/// A value with lists of words in one line.
struct Written<'v>(&'v Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(entries) => {
                to.collect_map(entries.iter().map(|(key, value)| (key, Written(value))))
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                to.collect_seq(items.iter().map(Written))
            }
            Value::Array(items) => FlowSeq(items).serialize(to),
            word => word.serialize(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use usher_core::{
        manifest::{Content, contents},
        yaml::Source,
    };

    use super::*;

    /// The reader is that of manifests, which reads as kubectl does.
    #[test]
    fn every_text_is_read_back_as_it_was() {
        for text in [
            "",
            " ",
            "a ",
            " a",
            "yes",
            "no",
            "on",
            "y",
            "N",
            "true",
            "null",
            "~",
            "=",
            "<<",
            "-",
            "- a",
            "?",
            "*",
            "*:NoExecute",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "\"a",
            "'a",
            "#a",
            "a #b",
            "a: b",
            "a:b",
            "a:",
            ":a",
            "[a]",
            "{a}",
            "a, b",
            "1",
            "0",
            "007",
            "0o7",
            "0x1f",
            "0b1",
            "1_0",
            "1e3",
            "1.0",
            ".5",
            ".inf",
            ".nan",
            "12:30",
            "2026-11-26",
            "|",
            ">",
            "a\nb",
            "a\n",
            "\ta",
            "a\tb",
            "a\\b",
            "é",
            "\u{85}",
            "\u{2028}",
            "\u{feff}a",
            "\u{202e}",
            "\u{202e}a\nb\n",
            "x0x\u{1}\u{200b}\\x01x1x",
            "a\u{e0041}\u{e0100}: b",
            "👨\u{200d}👩\u{200d}👧",
            "🦀",
            "nvidia.com/gpu=a:NoSchedule",
            "https://sts.example.org: a \"b\" # c",
            "---",
            "...",
        ] {
            let object = json!({
                "apiVersion": "v1", "kind": "A", "one": text, "all": [text, text], "in": [{"it": text}], text: 1,
            });
            let yaml = document(&object).unwrap();
            assert!(!yaml.contains(|c| c != '\n' && is_harmful(c)), "{yaml:?}");
            let source = Source::new("here", yaml.clone()).unwrap();
            let mut documents = source.documents();
            let document = documents.next().unwrap().unwrap();
            let Content::Objects(objects) = contents(&document, &source).unwrap() else {
                panic!("{yaml}");
            };
            let read: Value =
                serde_json::from_str(objects[0].node.to_json().unwrap().get()).unwrap();
            assert_eq!(read, object, "{yaml}");
        }
    }

    #[test]
    fn lists_of_words_are_one_line() {
        let object = json!({"a": [], "b": ["v", "w"], "c": [{"d": ["*"]}]});
        let expected = "a: []\nb: [v, w]\nc:\n- d: [\"*\"]\n";
        assert_eq!(document(&object).unwrap(), expected);
        assert_eq!(comment("a\n\nb"), "# a\n#\n# b\n");
    }
}
