//! Texts as kubectl reads them, held to its own answers.

use std::fmt::Write as _;

use super::*;
use crate::reference::{Path, Step};

fn documents(text: &str) -> Result<Vec<String>, String> {
    let source = Source::new("f", text.to_owned()).map_err(|bad| bad.to_string())?;
    let json = |node: Result<Node<'_>, BadYaml>| {
        let node = node.map_err(|bad| bad.to_string())?;
        let json = node.to_json().unwrap().get().to_owned();
        // What an object says and what a configuration says are read alike.
        let typed: serde_json::Value = node.typed(&source).unwrap();
        assert_eq!(
            typed,
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            "{text}"
        );
        Ok(json)
    };
    source.documents().map(json).collect()
}

fn one(text: &str) -> String {
    match documents(text).as_deref() {
        Ok([json]) => json.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

/// What `kubectl label --local -o json` of Kubernetes 1.36 makes of each.
#[test]
fn structures_read_as_kubectl_reads_them() {
    for (yaml, json) in [
        ("{1: a}", r#"{"1":"a"}"#),
        ("{yes: a}", r#"{"true":"a"}"#),
        ("{1.5: a}", r#"{"1.5":"a"}"#),
        ("{1e3: a}", r#"{"1000":"a"}"#),
        ("{0777: a}", r#"{"511":"a"}"#),
        ("{2026-01-01: a}", r#"{"2026-01-01":"a"}"#),
        ("{!!str 1: a}", r#"{"1":"a"}"#),
        ("{? a : b}", r#"{"a":"b"}"#),
        ("{'': a}", r#"{"":"a"}"#),
        ("{a, b: 1}", r#"{"a":null,"b":1}"#),
        ("[a: 1]", r#"[{"a":1}]"#),
        ("[a,]", r#"["a"]"#),
        (
            "a: &x {p: 1, q: 2}\nv: {<<: *x, q: 3}",
            r#"{"a":{"p":1,"q":2},"v":{"q":3,"p":1}}"#,
        ),
        (
            "a: &x {p: 1, q: 2}\nb: &y {q: 5, r: 6}\nv: {<<: [*y, *x]}",
            r#"{"a":{"p":1,"q":2},"b":{"q":5,"r":6},"v":{"q":5,"r":6,"p":1}}"#,
        ),
        (
            "a: &x {p: 1}\nb: &y {<<: *x, r: 2}\nv: {<<: *y}",
            r#"{"a":{"p":1},"b":{"r":2,"p":1},"v":{"r":2,"p":1}}"#,
        ),
        ("{<<: {p: 1}}", r#"{"p":1}"#),
        ("{\"<<\": {p: 1}}", r#"{"<<":{"p":1}}"#),
        ("{!!merge <<: {p: 1}}", r#"{"p":1}"#),
        ("{!!str <<: {p: 1}}", r#"{"<<":{"p":1}}"#),
        ("[<<]", r#"["<<"]"#),
        ("{<<: {p: {s: 1}}, p: {t: 2}}", r#"{"p":{"t":2}}"#),
        ("a: &x 1\nb: &x 2\nv: *x", r#"{"a":1,"b":2,"v":2}"#),
        ("a: &x y\nv: {*x : 1}", r#"{"a":true,"v":{"true":1}}"#),
        ("{&k a: 1, b: *k}", r#"{"a":1,"b":"a"}"#),
        ("v: &x", r#"{"v":null}"#),
        ("v: !foo {a: !bar 1}", r#"{"v":{"a":"1"}}"#),
        ("v: !!set {a, b}", r#"{"v":{"a":null,"b":null}}"#),
        ("v: |\n  a\n  b\n", r#"{"v":"a\nb\n"}"#),
        ("v: >-\n  a\n  b\n", r#"{"v":"a b"}"#),
        ("v: |2\n   a\n", r#"{"v":" a\n"}"#),
        ("v: a\n  b", r#"{"v":"a b"}"#),
        ("v: \"a\n  b\"", r#"{"v":"a b"}"#),
        ("v: a # c", r#"{"v":"a"}"#),
        ("v: a#b", r#"{"v":"a#b"}"#),
        ("v: a:b", r#"{"v":"a:b"}"#),
        ("{a: b:c}", r#"{"a":"b:c"}"#),
        ("v: [http://x]", r#"{"v":["http://x"]}"#),
        ("v: ?a", r#"{"v":"?a"}"#),
        ("v: :a", r#"{"v":":a"}"#),
        ("v:\ta", r#"{"v":"a"}"#),
        ("v:\n- a\n- b", r#"{"v":["a","b"]}"#),
        ("v: 'it''s'", r#"{"v":"it's"}"#),
        (
            "v: \"\\e\\x41\\u00e9\\U0001F600\"",
            "{\"v\":\"\\u001bAé😀\"}",
        ),
        ("v: a\\nb", r#"{"v":"a\\nb"}"#),
        ("tolerationSeconds: 300.0", r#"{"tolerationSeconds":300}"#),
        ("v: 1.5", r#"{"v":1.5}"#),
        // JSON that YAML 1.1 does not have, and kubectl reads as JSON.
        ("{\"a\": \"\\/ \\ud83d\\ude00\"}", r#"{"a":"/ 😀"}"#),
        (
            "{\n\t\"a\":\t[\n\t\t1,\n\t\ttrue\n\t]\n}",
            r#"{"a":[1,true]}"#,
        ),
        ("{\"a\":1,\"b\":{\"c\":null}}", r#"{"a":1,"b":{"c":null}}"#),
        ("{\"a\":\"\u{2028}\"}", "{\"a\":\"\u{2028}\"}"),
    ] {
        assert_eq!(one(yaml), json, "{yaml}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_where_it_stands() {
    for (yaml, error) in [
        ("{~: a}", "f:1:2: a key may not be empty or null"),
        ("{[a]: b}", "f:1:2: a list or a map cannot be a key"),
        ("{ {a: b}: c}", "f:1:3: a list or a map cannot be a key"),
        (
            "v: {a: 1, a: 2}",
            "f:1:11: the key \"a\" stands there twice",
        ),
        (
            "v: {1: a, \"1\": b}",
            "f:1:11: the key \"1\" stands there twice",
        ),
        (
            "v: {yes: a, true: b}",
            "f:1:13: the key \"true\" stands there twice",
        ),
        (
            "a: &x {p: 1}\nv: {<<: *x, <<: *x}",
            "f:2:13: the key \"<<\" stands there twice",
        ),
        (
            "a: &x {p: 1}\nv:\n  p: 2\n  <<: *x",
            "f:4:3: \"<<\" brings the key \"p\" a second time",
        ),
        ("a: &x [1]\nv: {<<: *x}", "f:2:5: \"<<\" merges a map"),
        ("v: {<<: ~}", "f:1:5: \"<<\" merges a map"),
        ("v: &a [*a]", "f:1:8: the anchor contains itself"),
        (
            "v: *nope",
            "f:1:4: there is no such anchor before this alias",
        ),
        (
            "a: &x 1\n---\nv: *x",
            "f:3:4: there is no such anchor before this alias",
        ),
        ("v: .inf", "f:1:4: .inf is a number that JSON does not have"),
        ("v: !!int abc", "\"abc\" is no !!int"),
        ("a: b\n# c\u{2028}d: e", "f:2:4: line break U+2028"),
        ("%YAML 1.2\n---\na: b", "f:1:1: a directive"),
        ("a: [b", "f:1:4: not readable: unclosed bracket '['"),
        (
            "a: b: c",
            "f:1:5: not readable: mapping values are not allowed",
        ),
        ("a:\n\t- b", "f:2:2: not readable"),
        ("v: {\n\ta: 1}", "f:2:2: not readable: a tab"), // kubectl takes this one
        ("a: {{ .Values.a }}", "f:1:5: \"{{\": this is a template"),
        ("a: @b", "not readable"),
    ] {
        let bad = documents(yaml).unwrap_err();
        assert!(bad.contains(error), "{yaml}: {bad}");
    }
}

#[test]
fn documents_come_one_by_one() {
    for (text, wanted) in [
        ("", &[][..]),
        ("# nothing\n", &[]),
        ("---\n---\n# c\n---\n", &[]),
        (
            "a: 1\n---\n# c\n---\nb: 2\n...\n",
            &[r#"{"a":1}"#, r#"{"b":2}"#],
        ),
        (
            "{\"a\":1}\n{\"b\":2} {\"c\":3}",
            &[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#],
        ),
        ("{a: 1}\n---\n{b: 2}", &[r#"{"a":1}"#, r#"{"b":2}"#]),
    ] {
        assert_eq!(documents(text).unwrap(), wanted, "{text}");
    }
    // What stands before an error is still given.
    let source = Source::new("f", "a: 1\n---\nb: [".to_owned()).unwrap();
    let read: Vec<bool> = source.documents().map(|read| read.is_ok()).collect();
    assert_eq!(read, [true, false]);
}

#[test]
fn every_path_has_its_place() {
    let text = "# ä\nkind: Pod\nspec:\n  ä: [1]\n  serviceAccountName: \"ü\"\n  tolerations:\n  - key: a\n    \
                operator: Exists\n  - {key: b}\n  nodeName: ~\n  hostAliases: *\n".replace('*', "[]");
    let source = Source::new("f", text.clone()).unwrap();
    let node = source.documents().next().unwrap().unwrap();
    let path = |base, field, index: Option<usize>| {
        let path = Path::new(base, field);
        index.map_or(path.clone(), |index| path.at(index))
    };
    for (path, text_there, at, there) in [
        (
            path("spec", "serviceAccountName", None),
            "\"ü\"",
            (5, 23),
            true,
        ),
        (
            path("spec", "tolerations", Some(0)),
            "key: a\n    operator: Exists",
            (7, 5),
            true,
        ),
        (
            path("spec", "tolerations", Some(1)),
            "{key: b}",
            (9, 5),
            true,
        ),
        (
            path("spec", "tolerations", Some(2)),
            "tolerations",
            (6, 3),
            false,
        ),
        (path("spec", "nodeName", None), "nodeName", (10, 3), false),
        (path("spec", "serviceAccount", None), "spec", (3, 1), false),
        (path("spec.template", "x", None), "spec", (3, 1), false),
    ] {
        let (place, found) = node.find(path.steps());
        let Position { line, column } = place.position();
        let range = place.start as usize..place.end as usize;
        assert_eq!((line, column), at, "{path}");
        assert_eq!(text.get(range).unwrap().trim_end(), text_there, "{path}");
        assert_eq!(found, there, "{path}");
    }
    let (root, there) = node.find([Step::Key("nowhere")].into_iter());
    assert_eq!(
        (root.position(), there),
        (Position { line: 2, column: 1 }, false)
    );
}

#[test]
fn json_documents_keep_their_places() {
    let source = Source::new("f", "{\"a\":1} {\"a\":\n 2}\n\n {\"a\": 3}".to_owned()).unwrap();
    let places: Vec<_> = source
        .documents()
        .map(|node| {
            let node = node.unwrap();
            let place = node.at("a").unwrap().place;
            let range = place.start as usize..place.end as usize;
            let text = source.text().get(range).unwrap();
            let Position { line, column } = place.position();
            format!("{text} {line}:{column}")
        })
        .collect();
    assert_eq!(places, ["1 1:6", "2 2:2", "3 4:8"]);
}

#[test]
fn an_alias_stands_where_it_is_written() {
    let source = Source::new("f", "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n".to_owned()).unwrap();
    let node = source.documents().next().unwrap().unwrap();
    let place = |path: &[&str]| {
        let (place, _) = node.find(path.iter().map(|key| Step::Key(key)));
        (place.line, place.column)
    };
    assert_eq!(place(&["b"]), (2, 4));
    assert_eq!(place(&["b", "k"]), (1, 11));
    assert_eq!(place(&["c", "k"]), (1, 11));
}

#[test]
fn a_byte_of_the_json_leads_back_to_the_text() {
    let source = Source::new("f", "{a: {b: [x, 10], ü: true}, c: &y z, d: *y}".to_owned()).unwrap();
    let node = source.documents().next().unwrap().unwrap();
    let json = node.to_json().unwrap().get().to_owned();
    for (part, column) in [
        ("\"x\"", 10),
        ("10", 13),
        ("true", 21),
        ("\"z\"", 34),
        ("\"z\"}", 40),
    ] {
        let byte = json.rfind(part).unwrap();
        let byte = if column == 34 {
            json.find(part).unwrap()
        } else {
            byte
        };
        assert_eq!(node.at_json(byte).column, column, "{part}");
        assert_eq!(node.at_json(byte + 1).column, column, "{part}");
    }
    assert_eq!(node.at_json(0).column, 1);
    assert_eq!(node.at_json(9999).column, 1);
}

#[test]
fn hostile_documents_end_in_an_error() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let before = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
    }
    let mut chain = "a0: &a0 []\n".to_owned();
    for level in 1..300 {
        writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    let long = format!(
        "a: &a {}\nb: [{}]",
        "x".repeat(100_000),
        "*a, ".repeat(1000)
    );
    let deep_flow = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_map = "{a: ".repeat(10_000);
    let deep_json = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let mut deep_block = String::new();
    for depth in 0..1_000 {
        writeln!(deep_block, "{}a:", " ".repeat(depth)).unwrap();
    }
    let deep_dashes = "- ".repeat(10_000);
    for (text, error) in [
        (bomb, "aliases blow this document up"),
        (long, "aliases blow this document up"),
        (chain, "nested deeper"),
        (deep_flow, "nested deeper"),
        (deep_map, "nested deeper"),
        (deep_json, "nested deeper"),
        (deep_block, "nested deeper"),
        (deep_dashes, "nested deeper"),
        ("[1,".repeat(50_000), "nested deeper"),
    ] {
        let bad = documents(&text).unwrap_err();
        assert!(bad.contains(error), "{bad}");
    }
    let limits = compose::Limits {
        nodes: 9,
        anchors: 2,
        aliased: 9,
        depth: 9,
    };
    let source = Source::new("f", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]".to_owned()).unwrap();
    let bad = source.documents_within(limits).next().unwrap().unwrap_err();
    assert_eq!(
        bad.to_string(),
        "f:1:29: one document has more than 9 values: split it"
    );
    let source = Source::new("f", "[&a 1, &b 2, &c 3]".to_owned()).unwrap();
    let bad = source.documents_within(limits).next().unwrap().unwrap_err();
    assert_eq!(
        bad.to_string(),
        "f:1:17: one document has more than 2 anchors: split it"
    );
    // Many keys, and many merged keys, take no time that grows with their square.
    let keys = |letter: char| {
        let names: Vec<String> = (0..20_000).map(|n| format!("{letter}{n}: 1")).collect();
        names.join(", ")
    };
    let merged = format!("a: &a {{{}}}\nb: {{<<: *a, {}}}", keys('a'), keys('b'));
    assert_eq!(documents(&merged).unwrap().len(), 1);
}

#[test]
fn lines_of_quoted_texts_may_stand_at_the_column_of_their_key() {
    let text = "a:\n  b: 1\n---\nmeta:\n  note: \"one\n  two\n\n  three \\\n  four\"  # and\n  other: 'left\n of all' \n  next: [\"x\n  y\", {z: 1}]\n  last: {k: \"m\nn\"}\nend: e\n---\nc: 'd\n";
    let source = Source::new("f", text.to_owned()).unwrap();
    let documents: Vec<_> = source.documents().collect();
    let [first, second, third] = &*documents else {
        panic!("{documents:?}");
    };
    let first = first.as_ref().unwrap().at("a").unwrap();
    assert_eq!(first.place.line, 2);
    let second = second.as_ref().unwrap();
    let expected = r#"{"meta":{"note":"one two\nthree four","other":"left of all","next":["x y",{"z":1}],"last":{"k":"m n"}},"end":"e"}"#;
    let said: serde_json::Value = serde_json::from_str(second.to_json().unwrap().get()).unwrap();
    assert_eq!(
        said,
        serde_json::from_str::<serde_json::Value>(expected).unwrap()
    );
    for (key, line, column, there) in [
        ("other", 10, 10, "'left\n of all'"),
        ("next", 12, 9, "[\"x\n  y\", {z: 1}]"),
        ("note", 5, 9, "\"one\n  two\n\n  three \\\n  four\""),
    ] {
        let (node, _) = second.find([Step::Key("meta"), Step::Key(key)].into_iter());
        let range = node.start as usize..node.end as usize;
        assert_eq!(source.text().get(range).unwrap().trim_end(), there);
        assert_eq!(node.position(), Position { line, column }, "{key}");
    }
    let (end, _) = second.find([Step::Key("end")].into_iter());
    assert_eq!(
        end.position(),
        Position {
            line: 16,
            column: 6
        }
    );
    // What is wrong stays wrong, where it stands.
    let bad = third.as_ref().unwrap_err();
    assert_eq!(
        bad.position,
        Some(Position {
            line: 18,
            column: 4
        }),
        "{bad}"
    );
}
