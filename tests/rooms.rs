//! The rooms of `src` know each other in one direction only.

use std::{fs, path::Path};

/// From the nouns to the outside; each room may know those before it.
const ROOMS: [&str; 12] = [
    "reference",
    "catalogue",
    "rights",
    "engine",
    "review",
    "manifest",
    "config",
    "cluster",
    "telemetry",
    "server",
    "report",
    "cli",
];
/// The rooms that decide: no waiting, no input or output, no Kubernetes client, no HTTP.
const PURE: usize = 5;
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
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for (place, room) in ROOMS.iter().enumerate() {
        for (file, text) in files(&source, room) {
            seen += 1;
            for (line, code) in text.lines().enumerate() {
                if code.trim_start().starts_with("//") {
                    continue;
                }
                for known in code.split("crate::").skip(1) {
                    let name: String = known
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    let at = ROOMS.iter().position(|room| *room == name);
                    assert!(
                        at.is_some_and(|at| at <= place),
                        "{file}:{}: {room} must not know \"{name}\"",
                        line + 1
                    );
                }
                let outside = OUTSIDE.iter().find(|word| code.contains(**word));
                assert!(
                    place >= PURE || outside.is_none(),
                    "{file}:{}: {room} is pure, it must not use {outside:?}",
                    line + 1
                );
            }
        }
    }
    assert!(seen > 30, "only {seen} files were read");
}

#[test]
fn every_room_is_in_the_list() {
    let library = include_str!("../src/lib.rs");
    let rooms: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    for room in &rooms {
        assert!(ROOMS.contains(room), "{room}");
    }
    assert_eq!(rooms.len(), ROOMS.len());
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
