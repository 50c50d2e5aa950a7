//! Nobody's words speak in our place: whatever stands in a file, in its name or in an argument, no output steers a
//! terminal, breaks a line that is ours, or turns the direction of writing.
//!
//! The commands are those of the transcripts, so that a new one comes in by itself.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{
    contract::is_harmless,
    random::{Dice, seed},
    sources::sources,
};

/// Escapes of a terminal, of one and of two bytes, marks of direction, separators of lines, what is not seen, and the end of a
/// line, behind which something is said in our name: all at once and one by one, for what is legal at one place is not at
/// another.
const BAD: [&str; 5] = [
    "\u{1b}[31m\u{9b}1m\u{7f}\u{85}\u{202e}\u{2066}\u{200b}\u{2028}\u{2029}\u{feff}\r\nforged: 1",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{2028}\u{200b}",
    "\nforged: 1",
];
/// How many commands are run.
const RUNS: usize = 200;

/// A command of a transcript.
struct Told {
    /// Its name, for messages.
    line: String,
    folder: PathBuf,
    args: Vec<String>,
}

fn commands() -> Vec<Told> {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/cli");
    let mut pages: Vec<PathBuf> = fs::read_dir(&stories)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    pages.sort();
    let mut told = Vec::new();
    for page in pages {
        for line in fs::read_to_string(&page).unwrap().lines() {
            let Some(said) = line.strip_prefix("$ usher ") else {
                continue;
            };
            // Nothing is quoted but single words.
            let args: Vec<String> = said
                .split(' ')
                .map(|word| word.trim_matches('\'').to_owned())
                .collect();
            if !args.iter().any(|arg| arg == "-h") {
                told.push(Told {
                    line: line.to_owned(),
                    folder: page.with_extension("in"),
                    args,
                });
            }
        }
    }
    told
}

/// What is damaged of what a command is given.
#[derive(Debug)]
enum Damage {
    /// This argument.
    Argument(usize),
    /// A key of this file, wherever it stands.
    Key(PathBuf, String),
    /// The name of this file.
    Name(PathBuf),
    /// Some place in this file, between whatever letters.
    Raw(PathBuf),
    /// The texts at a key of this file.
    Value(PathBuf, String),
}

/// All ways to damage what a command is given.
fn damages(told: &Told) -> Vec<Damage> {
    let mut all: Vec<Damage> = (0..told.args.len()).map(Damage::Argument).collect();
    for file in files(told) {
        let mut keys = BTreeSet::new();
        let documents = documents(&told.folder.join(&file)).unwrap_or_default();
        for value in &documents {
            collect(value, &mut keys);
        }
        for key in keys {
            all.push(Damage::Key(file.clone(), key.clone()));
            all.push(Damage::Value(file.clone(), key));
        }
        all.push(Damage::Raw(file.clone()));
        all.push(Damage::Name(file));
    }
    all
}

/// The files that a command names, or that are in a folder that it names.
fn files(told: &Told) -> Vec<PathBuf> {
    fn within(folder: &Path, path: PathBuf, found: &mut Vec<PathBuf>) {
        let whole = folder.join(&path);
        if whole.is_file() {
            found.push(path);
        } else if whole.is_dir() {
            for entry in fs::read_dir(&whole).unwrap() {
                within(folder, path.join(entry.unwrap().file_name()), found);
            }
        }
    }
    let mut found = Vec::new();
    for arg in told.args.iter().skip(1) {
        within(&told.folder, PathBuf::from(arg), &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn documents(file: &Path) -> Option<Vec<Value>> {
    serde_saphyr::from_multiple(&fs::read_to_string(file).ok()?).ok()
}

fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            keys.insert(key.clone());
            collect(value, keys);
        }),
        _ => {}
    }
}

/// Puts something behind the texts at a key, or behind the key itself.
fn spoil(value: &mut Value, key: &str, is_key: bool, bad: &str) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| spoil(item, key, is_key, bad)),
        Value::Object(entries) => {
            entries
                .values_mut()
                .for_each(|value| spoil(value, key, is_key, bad));
            if is_key {
                if let Some(held) = entries.remove(key) {
                    entries.insert(format!("{key}{bad}"), held);
                }
            } else {
                match entries.get_mut(key) {
                    Some(Value::String(text)) => text.push_str(bad),
                    Some(Value::Array(items)) => {
                        for item in items {
                            if let Value::String(text) = item {
                                text.push_str(bad);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// JSON, which is YAML too, in which everything beyond ASCII is escaped.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").unwrap();
            }
        }
    }
    text
}

/// What a command says, on both ways, with this damage.
fn said(told: &Told, damage: &Damage, bad: &str, dice: &mut Dice) -> String {
    let dir = tempfile::tempdir().unwrap();
    for file in files(told) {
        let to = dir.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(told.folder.join(&file), to).unwrap();
    }
    let mut args = told.args.clone();
    match damage {
        Damage::Argument(at) => args[*at].push_str(bad),
        Damage::Key(file, key) | Damage::Value(file, key) => {
            let mut documents = documents(&dir.path().join(file)).unwrap();
            let is_key = matches!(damage, Damage::Key(..));
            for value in &mut documents {
                spoil(value, key, is_key, bad);
            }
            let texts: Vec<String> = documents.iter().map(ascii).collect();
            fs::write(dir.path().join(file), texts.join("\n---\n")).unwrap();
        }
        Damage::Name(file) => {
            let name = format!("{}{bad}.yaml", file.display());
            fs::rename(dir.path().join(file), dir.path().join(&name)).unwrap();
            for arg in args.iter_mut().filter(|arg| Path::new(arg) == *file) {
                arg.clone_from(&name);
            }
        }
        Damage::Raw(file) => {
            let mut bytes = fs::read(dir.path().join(file)).unwrap();
            let at = dice.below(bytes.len());
            bytes.splice(at..at, bad.bytes());
            fs::write(dir.path().join(file), bytes).unwrap();
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(args)
        .current_dir(dir.path())
        .env("HOME", "/nonexistent")
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    text(output.stdout) + "\n" + &text(output.stderr)
}

#[test]
fn no_output_has_words_of_strangers_in_our_place() {
    let mut dice = Dice::new(seed());
    let told = commands();
    let of = |told| damages(told).into_iter().map(move |damage| (told, damage));
    let mut ways: Vec<(&Told, Damage)> = told.iter().flat_map(of).collect();
    let all = ways.len();
    let (mut harmed, mut shown) = (Vec::new(), 0);
    for _ in 0..RUNS {
        let (told, damage) = ways.swap_remove(dice.below(ways.len()));
        let bad = dice.pick(&BAD);
        let said = said(told, &damage, bad, &mut dice);
        shown += usize::from(said.contains('\u{fffd}') || said.contains("\\u"));
        // A line of one's own file is shown as such.
        let forged = said.contains("\nforged") && !matches!(damage, Damage::Raw(_));
        if forged || !is_harmless(&said) {
            harmed.push(format!("{}\n  {damage:?} {bad:?}\n  {said:?}", told.line));
        }
    }
    println!("{RUNS} of {all} ways to damage what a command is given; {shown} times it was shown");
    assert!(
        harmed.is_empty(),
        "{}:\n{}",
        harmed.len(),
        harmed.join("\n")
    );
    assert!(shown * 10 > RUNS, "{shown} of {RUNS}");
}

/// What is printed past the one place that makes it harmless would be seen by the test above only by chance.
#[test]
fn standard_error_is_written_in_one_place() {
    let mut found = Vec::new();
    for (file, text) in sources(&["src"]) {
        if text.contains("println!") {
            found.push(file.file_name().unwrap().to_owned());
        }
    }
    assert_eq!(found, ["say.rs"]);
}
