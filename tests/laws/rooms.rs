//! Rooms and files know each other in one direction only, and nowhere in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::support::sources::sources;

/// A crate's rooms, from the nouns to the outside; each may know those before it. What is in the program may know all that
/// decides: the compiler keeps the other way shut.
const CRATES: [(&str, &[&str]); 2] = [
    (
        "core/src",
        &[
            "reference",
            "yaml",
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
        &[
            "files",
            "facts",
            "scan",
            "cluster",
            "telemetry",
            "server",
            "report",
            "cli",
        ],
    ),
];

/// The files and folders of the engine, in ranks; each may know those of the ranks before its own.
const ENGINE: [&[&str]; 8] = [
    &["bounds", "request", "facts", "policy", "reason"],
    &[
        "broken",
        "unknown",
        "unchanged",
        "world",
        "token",
        "profiles",
    ],
    &["verdict"],
    &["case"],
    &["owner"],
    &["answer"],
    &["judge"],
    &["mutate"],
];

/// What the crate that decides does not do: no waiting, no input or output, no clock. `std::io::Read` it takes from its caller.
const OUTSIDE: [&str; 17] = [
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
    "std::process",
    "::now(",
    "::system(",
    "File::",
    "stdin(",
    "println!",
];

/// Every module of a crate, by its path, with its code.
struct House(BTreeMap<String, String>);

impl House {
    fn open(source: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        let mut modules = BTreeMap::new();
        for (path, text) in sources(&[source]) {
            let way = path.strip_prefix(&root).unwrap().with_extension("");
            let way = way.to_str().unwrap().replace('/', "::");
            let way = way.strip_suffix("::mod").unwrap_or(&way);
            if !matches!(way, "lib" | "main") && !way.ends_with("::tests") {
                modules.insert(way.to_owned(), code(&text));
            }
        }
        assert!(!modules.is_empty(), "{source}");
        Self(modules)
    }

    /// The modules that a module takes something from, each as far as it is one of its own.
    fn known(&self, module: &str) -> BTreeSet<String> {
        let taken = named(&self.0[module], module);
        let taken = taken.into_iter().filter(|(_, gives)| !gives);
        let homes = taken.filter_map(|(path, _)| self.home(&path));
        homes.filter(|home| home != module).collect()
    }

    /// The module that holds what a path names; a name that a module only gives on is its source's.
    fn home(&self, path: &str) -> Option<String> {
        let mut parent = path;
        while !self.0.contains_key(parent) {
            parent = parent.rsplit_once("::")?.0;
        }
        let name = path.strip_prefix(parent)?.strip_prefix("::").unwrap_or("");
        let name = name.split("::").next().unwrap_or_default();
        let given = named(&self.0[parent], parent)
            .into_iter()
            .find(|(given, gives)| *gives && given.rsplit("::").next() == Some(name));
        match given {
            Some((source, _)) if source != path && !name.is_empty() => self.home(&source),
            _ => Some(parent.to_owned()),
        }
    }
}

/// The text without comments and without the tests in it.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The paths of the own crate that the code of a module names, and whether it gives them on to others.
fn named(code: &str, module: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (start, _) in code
        .match_indices("crate::")
        .chain(code.match_indices("super::"))
    {
        let (before, behind) = code.split_at(start);
        // The end of a longer path, or how far a name can be seen.
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            || before.ends_with("(in ")
        {
            continue;
        }
        let statement = before.rsplit([';', '}']).next().unwrap_or_default();
        let gives = statement.contains("pub") && statement.trim_end().ends_with("use");
        for path in paths(behind) {
            found.push((absolute(&path, module), gives));
        }
    }
    // What a folder gives on of its own files.
    for statement in code
        .split(';')
        .filter(|statement| statement.contains("pub"))
    {
        let Some((_, tree)) = statement.split_once("use ") else {
            continue;
        };
        if !tree.starts_with("crate::") && !tree.starts_with("super::") {
            found.extend(paths(tree).map(|path| (format!("{module}::{path}"), true)));
        }
    }
    found
}

/// A path with `crate` and `super` followed.
fn absolute(path: &str, module: &str) -> String {
    if let Some(rest) = path.strip_prefix("crate::") {
        return rest.to_owned();
    }
    let mut rest = path;
    let mut at = module;
    while let Some(after) = rest.strip_prefix("super::") {
        at = at.rsplit_once("::").map_or("", |(parent, _)| parent);
        rest = after;
    }
    if at.is_empty() {
        rest.to_owned()
    } else {
        format!("{at}::{rest}")
    }
}

/// The paths of a tree such as `a::{b, c::{self, D}}`, up to its end.
fn paths(text: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    let mut heads = vec![String::new()];
    let mut path = String::new();
    for c in text.chars() {
        match c {
            '{' => heads.push(std::mem::take(&mut path)),
            ',' | '}' if heads.len() > 1 => {
                if !path.is_empty() {
                    found.push(heads.concat() + &std::mem::take(&mut path));
                }
                if c == '}' {
                    heads.pop();
                    if heads.len() == 1 {
                        break;
                    }
                }
            }
            c if c.is_whitespace() && heads.len() > 1 => {}
            c if c.is_alphanumeric() || c == '_' || c == ':' => path.push(c),
            _ => break,
        }
    }
    if heads.len() == 1 && !path.is_empty() {
        found.push(path);
    }
    let plain = |path: String| {
        path.trim_end_matches("self")
            .trim_end_matches(':')
            .to_owned()
    };
    found.into_iter().map(plain)
}

#[test]
fn rooms_know_only_those_before_them() {
    let mut seen = 0;
    for (source, rooms) in CRATES {
        let house = House::open(source);
        let place = |module: &str| {
            let room = module.split("::").next().unwrap();
            let place = rooms.iter().position(|known| *known == room);
            place.unwrap_or_else(|| panic!("{source}/{room} is not in the list of rooms"))
        };
        for module in house.0.keys() {
            seen += 1;
            for known in house.known(module) {
                assert!(
                    place(&known) <= place(module),
                    "{source}: {module} must not know {known}"
                );
            }
        }
        for room in rooms {
            assert!(house.0.contains_key(*room), "{source}/{room}");
        }
    }
    assert!(seen > 100, "only {seen} files were read");
}

#[test]
fn files_of_the_engine_know_only_those_before_them() {
    let house = House::open(CRATES[0].0);
    let rank = |module: &str| {
        let file = module.strip_prefix("engine::")?.split("::").next()?;
        let rank = ENGINE.iter().position(|files| files.contains(&file));
        Some((
            file.to_owned(),
            rank.unwrap_or_else(|| panic!("{file} has no rank")),
        ))
    };
    let mut seen = 0;
    for module in house.0.keys() {
        let Some((file, own)) = rank(module) else {
            continue;
        };
        for known in house.known(module) {
            let Some((other, other_rank)) = rank(&known) else {
                assert!(
                    known != "engine",
                    "{module} must name the file, not the room"
                );
                continue;
            };
            seen += 1;
            assert!(
                other == file || other_rank < own,
                "{module} must not know {known}"
            );
        }
    }
    assert!(seen > 30, "only {seen} arrows were seen");
}

#[test]
fn no_files_know_each_other_in_a_circle() {
    for (source, _) in CRATES {
        let house = House::open(source);
        let mut known: BTreeMap<_, _> = house
            .0
            .keys()
            .map(|module| (module.clone(), house.known(module)))
            .collect();
        assert!(known.values().map(BTreeSet::len).sum::<usize>() > 60);
        // Whoever knows nobody that is left is in no circle.
        while let Some(free) = known.iter().find(|(_, of)| of.is_empty()) {
            let free = free.0.clone();
            known.remove(&free);
            for of in known.values_mut() {
                of.remove(&free);
            }
        }
        // Who is only on the way to a circle, or behind one, is not shown.
        let mut circle = known.clone();
        loop {
            let named: BTreeSet<_> = circle.values().flatten().cloned().collect();
            let before = circle.len();
            circle.retain(|module, _| named.contains(module));
            if circle.len() == before {
                break;
            }
        }
        assert!(circle.is_empty(), "{source}: {circle:#?}");
    }
}

#[test]
fn what_decides_touches_nothing() {
    let house = House::open(CRATES[0].0);
    for (module, code) in &house.0 {
        let outside = OUTSIDE.iter().find(|word| code.contains(**word));
        assert!(outside.is_none(), "{module}: it must not use {outside:?}");
    }
}

#[test]
fn every_file_says_what_it_holds() {
    let files = sources(&["core/src", "src", "tests", "benches"]);
    assert!(files.len() > 200, "only {} files were read", files.len());
    let silent = files.iter().filter(|(_, text)| !text.starts_with("//!"));
    let silent: Vec<_> = silent.map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// Of types the compiler says what others need: those in the signature of something public.
#[test]
fn nothing_is_public_that_nobody_outside_needs() {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let outside = sources(&["src", "tests", "benches", "examples", "fuzz/targets"]);
    let needed: BTreeSet<&str> = outside
        .iter()
        .flat_map(|(_, text)| text.split(|letter| !is_letter(letter)))
        .collect();
    let (mut seen, mut idle) = (0, Vec::new());
    for (path, text) in sources(&["core/src"]) {
        for line in text.lines() {
            let Some(item) = line.trim_start().strip_prefix("pub ") else {
                continue;
            };
            let name = ["const fn ", "fn ", "const ", "static "]
                .iter()
                .find_map(|sort| item.strip_prefix(sort));
            if let Some(name) = name.and_then(|name| name.split(|letter| !is_letter(letter)).next())
            {
                seen += 1;
                if !needed.contains(name) {
                    idle.push(format!("{}: {name}", path.display()));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} items were found");
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn paths_are_found() {
    let code = "use super::{a::B, c::{self, D}};\nuse crate::{\n    x::Y,\n    z,\n};\nlet q = crate::r::s();\npub use t::U;\n";
    let found: Vec<_> = named(code, "m::n");
    let taken = |path: &str| (path.to_owned(), false);
    for path in ["m::a::B", "m::c", "m::c::D", "x::Y", "z", "r::s"] {
        assert!(found.contains(&taken(path)), "{path}: {found:?}");
    }
    assert!(
        found.contains(&("m::n::t::U".to_owned(), true)),
        "{found:?}"
    );
}
