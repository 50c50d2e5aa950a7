//! The rooms of `src` know each other in one direction only.

use std::{fs, path::Path};

/// The rooms of both crates, from the nouns to the outside; each may know those before it. What is in the program may know
/// all that decides: the compiler keeps the other way shut.
const CRATES: [(&str, &[&str]); 2] = [
    (
        "core/src",
        &[
            "reference",
            "object",
            "catalogue",
            "sight",
            "rights",
            "inject",
            "engine",
            "review",
            "manifest",
            "config",
        ],
    ),
    (
        "src",
        &["files", "cluster", "telemetry", "server", "report", "cli"],
    ),
];
/// What the crate that decides does not do, beyond what its dependencies rule out: no waiting, no input or output.
const OUTSIDE: [&str; 11] = [
    "async ",
    ".await",
    "tokio",
    "kube::",
    "hyper",
    "axum",
    "std::fs",
    "std::net",
    "std::env",
    "std::time",
    "std::thread",
];

#[test]
fn rooms_know_only_those_before_them() {
    let mut seen = 0;
    for (source, rooms) in CRATES {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        for (place, room) in rooms.iter().enumerate() {
            for (file, text) in files(&source, room) {
                seen += 1;
                for name in known(&code(&text)) {
                    let at = rooms.iter().position(|room| *room == name);
                    assert!(
                        at.is_some_and(|at| at <= place),
                        "{file}: {room} must not know \"{name}\""
                    );
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} files were read");
}

#[test]
fn what_decides_touches_nothing() {
    let (source, rooms) = CRATES[0];
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    // The files that a configuration names are still read beside it.
    for room in rooms.iter().filter(|room| **room != "config") {
        for (file, text) in files(&source, room) {
            let code = code(&text);
            let outside = OUTSIDE.iter().find(|word| code.contains(**word));
            assert!(outside.is_none(), "{file}: it must not use {outside:?}");
        }
    }
}

/// The text without its comments.
fn code(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[test]
fn every_room_is_in_the_list() {
    for (library, (_, rooms)) in [
        include_str!("../core/src/lib.rs"),
        include_str!("../src/lib.rs"),
    ]
    .into_iter()
    .zip(CRATES)
    {
        let listed: Vec<&str> = library
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
            .collect();
        for room in &listed {
            assert!(rooms.contains(room), "{room}");
        }
        assert_eq!(rooms.len(), listed.len());
    }
}

/// The rooms that a file names behind `crate::`, also in a list in braces.
fn known(code: &str) -> Vec<&str> {
    let word = |text: &str| {
        text.find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len())
    };
    let mut names = Vec::new();
    for mut rest in code.split("crate::").skip(1) {
        let mut depth = 0;
        loop {
            if rest.starts_with(|c: char| c.is_alphabetic()) {
                let (name, behind) = rest.split_at(word(rest));
                if depth <= 1 {
                    names.push(name);
                }
                // What follows the name inside the same entry belongs to the room.
                let entry = behind.find([',', '{', '}']).unwrap_or(0);
                rest = if depth == 0 {
                    ""
                } else {
                    behind.split_at(entry).1
                };
                if depth == 1 && rest.starts_with('{') {
                    let closed = rest.find('}').map_or(rest.len(), |at| at + 1);
                    rest = rest.split_at(closed).1;
                }
            }
            let Some(next) = rest.chars().next() else {
                break;
            };
            rest = rest.split_at(next.len_utf8()).1;
            match next {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn names_behind_crate_are_found() {
    let code = "use crate::{\n    catalogue::{Kind, PodSpec},\n    engine::Policy,\n    rights,\n};\nlet x = crate::review::read();";
    assert_eq!(known(code), ["catalogue", "engine", "rights", "review"]);
}

/// A room is a folder, or one file.
fn files(source: &Path, room: &str) -> Vec<(String, String)> {
    let read = |path: &Path| {
        (
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        )
    };
    let single = source.join(format!("{room}.rs"));
    if single.exists() {
        return vec![read(&single)];
    }
    let mut found = Vec::new();
    let mut folders = vec![source.join(room)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(read(&path));
            }
        }
    }
    found
}
