//! Objects of the catalogue that are written in other ways, or are damaged; and damaged files of the catalogue.

use std::{
    fmt::Write as _,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};
use usher::files::load as load_configuration;

use serde_json::{Value, json};
use usher_core::catalogue::Catalogue;

use super::catalogue::each;
use crate::{
    captured::judged::damage,
    models::catalogue::{Asked, Book, Said, Step, steps},
    support::{
        catalogue_world::{HOME, Maker, Sent, World, difference, said, wrongs},
        random::{Dice, seed, seeds},
    },
};

/// Writes JSON in ways that mean the same: members in any order, white space, escapes. `twice` gives a pointer, another value
/// for what stands there, and whether that comes first.
struct Writer<'d> {
    dice: &'d mut Dice,
    twice: Option<(String, Value, bool)>,
}

impl Writer<'_> {
    fn space(&mut self) -> &'static str {
        self.dice.pick(&["", "", "", " ", "\n", "\t\r\n  "])
    }

    fn text(&mut self, text: &str) -> String {
        let mut written = String::from("\"");
        for letter in text.chars() {
            if self.dice.one_in(4) && letter.is_ascii() {
                write!(written, "\\u{:04x}", u32::from(letter)).unwrap();
            } else if letter == '/' && self.dice.one_in(2) {
                written += "\\/";
            } else {
                let quoted = Value::from(letter.to_string()).to_string();
                written += quoted.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            }
        }
        written + "\""
    }

    fn write(&mut self, value: &Value, at: &str) -> String {
        let inner: Vec<String> = match value {
            Value::String(text) => return self.text(text),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.write(item, &format!("{at}/{index}")))
                    .collect()
            }
            Value::Object(map) => {
                let mut members: Vec<(String, &Value)> = map
                    .iter()
                    .map(|(key, value)| (key.clone(), value))
                    .collect();
                if self.twice.is_none() {
                    for index in (1..members.len()).rev() {
                        members.swap(index, self.dice.below(index + 1));
                    }
                }
                let mut written = Vec::new();
                for (key, value) in members {
                    let below = format!("{at}/{key}");
                    let name = format!("{}{}:", self.text(&key), self.space());
                    let mut values = vec![self.write(value, &below)];
                    if let Some((pointer, other, first)) = &self.twice
                        && *pointer == below
                    {
                        values.insert(usize::from(!first), other.to_string());
                    }
                    written.extend(values.into_iter().map(|value| format!("{name}{value}")));
                }
                written
            }
            other => return other.to_string(),
        };
        let (open, close) = if value.is_array() {
            ('[', ']')
        } else {
            ('{', '}')
        };
        let mut written = String::from(open);
        for (index, part) in inner.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(written, "{comma}{}{part}{}", self.space(), self.space()).unwrap();
        }
        written += self.space();
        written.push(close);
        written
    }
}

#[test]
fn what_is_written_in_another_way_is_the_same() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    each(&book, 700, 12, |seed, dice, sent| {
        let plain = said(&stage.answer(&sent.review()));
        let mut writer = Writer { dice, twice: None };
        let other = writer.write(&sent.object, "");
        let odd = said(&stage.answer(&sent.written(&other, None)));
        assert!(
            odd == plain,
            "USHER_SEED={seed}: {}\n{other}",
            difference(&odd, &plain)
        );
        // An update that writes it in another way changes nothing. The API server writes kinds of Kubernetes in one way only.
        if sent.entry.file != "core" && !sent.object.is_null() {
            let mut unchanged = sent.clone();
            unchanged.old = Some(sent.object.clone());
            let plain = said(&stage.answer(&unchanged.review()));
            let odd = said(&stage.answer(&sent.written(&other, Some(&sent.object.to_string()))));
            assert!(
                odd == plain,
                "USHER_SEED={seed}: {}\n{other}",
                difference(&odd, &plain)
            );
        }
    });
}

/// A pointer to any member of an object.
fn member(dice: &mut Dice, object: &Value) -> Option<String> {
    let (mut at, mut pointer, mut found) = (object, String::new(), None);
    loop {
        let (key, below) = match at {
            Value::Object(map) if !map.is_empty() => {
                let (key, below) = map.iter().nth(dice.below(map.len())).unwrap();
                (key.clone(), below)
            }
            Value::Array(items) if !items.is_empty() => {
                let index = dice.below(items.len());
                (index.to_string(), &items[index])
            }
            _ => return found,
        };
        pointer = format!("{pointer}/{key}");
        // A key with a slash would have to be escaped.
        if at.is_object() && !key.contains('/') && object.pointer(&pointer).is_some() {
            found = Some(pointer.clone());
            if dice.one_in(5) {
                return found;
            }
        }
        at = below;
    }
}

#[test]
fn a_key_that_stands_there_twice_hides_nothing() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let (mut refused, mut passed) = (0, 0);
    each(&book, 1500, 0, |seed, dice, sent| {
        let Some(pointer) = member(dice, &sent.object) else {
            return;
        };
        // The Go reader of the API server takes the last, others the first.
        let texts = [
            "builder",
            "team-b",
            "team-a",
            "default",
            "",
            "ClusterTriggerAuthentication",
        ];
        let other = match dice.below(4) {
            0 => Value::Null,
            1 => wrongs()[dice.below(wrongs().len())].clone(),
            _ => json!(dice.pick(&texts)),
        };
        let first = dice.one_in(2);
        let mut another = sent.clone();
        *another.object.pointer_mut(&pointer).unwrap() = other.clone();
        let mut writer = Writer {
            dice,
            twice: Some((pointer.clone(), other, first)),
        };
        let text = writer.write(&sent.object, "");
        let answer = stage.answer(&sent.written(&text, None));
        let last = if first { &sent } else { &another };
        let meant = stage.answer(&last.review());
        assert!(
            !answer.allowed || meant.allowed,
            "USHER_SEED={seed}: {pointer}: {text}: {}",
            meant.message
        );
        refused += usize::from(!answer.allowed);
        passed += usize::from(answer.allowed);
        // The same in the review.
        let review = String::from_utf8(last.review()).unwrap();
        let twice = review.replacen("\"object\":", "\"object\":{},\"object\":", 1);
        assert!(
            !stage.answer(twice.as_bytes()).allowed,
            "USHER_SEED={seed}: {twice}"
        );
    });
    println!("{refused} refused, {passed} allowed");
    assert!(refused > 500 && passed > 25);
}

#[test]
fn nesting_of_5000_changes_nothing_at_any_field() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let deep = |open: &str, close: &str, levels: usize| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    each(&book, 300, 0, |seed, dice, mut sent| {
        let fields = &sent.entry.fields;
        let path = match sent.entry.pod_spec_path() {
            Some(path) => path,
            None if fields.is_empty() => return,
            None => fields[dice.below(fields.len())]["path"].as_str().unwrap(),
        };
        let steps = steps(path);
        let end = 1 + dice.below(steps.len());
        let mut maker = Maker {
            book: &book,
            dice,
            wrong: 0,
        };
        sent.object = json!({});
        maker.place(&mut sent.object, &steps[..end], json!("DEEP"));
        let (open, close) = *dice.pick(&[&("[", "]"), &("{\"a\":", "}"), &("[{\"name\":", "}]")]);
        let at = |levels| {
            let object = sent
                .object
                .to_string()
                .replace("\"DEEP\"", &deep(open, close, levels));
            (said(&stage.answer(&sent.written(&object, None))), object)
        };
        let ((shallow, object), (deep, _)) = (at(200), at(5000));
        assert!(
            deep == shallow,
            "USHER_SEED={seed}: {}\n{object}",
            difference(&deep, &shallow)
        );
    });
}

#[test]
fn every_wrong_type_on_the_way_to_every_field_is_as_the_model_says() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let mut dice = Dice::new(seed());
    let (mut tried, mut quiet) = (0, 0);
    let all = wrongs();
    for entry in &book.entries {
        for field in &entry.fields {
            let path = steps(field["path"].as_str().unwrap());
            let end = 1 + dice.below(path.len());
            let mut maker = Maker {
                book: &book,
                dice: &mut dice,
                wrong: 0,
            };
            let mut sent = maker.sent(entry);
            let wrong = all[tried % all.len()].clone();
            replace(&mut sent.object, &path[..end], wrong);
            let (engine, model) = (
                said(&stage.answer(&sent.review())),
                book.say(&world.rules, &sent.asked()),
            );
            assert!(
                engine == model,
                "USHER_SEED={}: {sent}\n{}",
                seed(),
                difference(&engine, &model)
            );
            tried += 1;
            quiet += usize::from(world.rules.allows(&model));
        }
    }
    println!("{tried} wrong values, {quiet} of them lead to no question");
    assert!(tried > 2000 && quiet < tried / 2);
}

/// Puts a value at a path, whatever stands in the way.
fn replace(at: &mut Value, path: &[Step], value: Value) {
    let Some((step, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    let below = match step {
        Step::Items => {
            if at.as_array().is_none_or(Vec::is_empty) {
                *at = json!([null]);
            }
            &mut at[0]
        }
        Step::Key(_) | Step::Values => {
            if !at.is_object() {
                *at = json!({});
            }
            let key = if let Step::Key(key) = step { key } else { "a" };
            &mut at[key]
        }
    };
    replace(below, rest, value);
}

#[test]
fn damaged_reviews_never_panic_and_never_let_through_what_the_model_refuses() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let (mut tried, mut unread, mut passed) = (0, 0, 0);
    each(&book, 3000, 12, |seed, dice, mut sent| {
        if dice.one_in(2) {
            sent.old = Some(json!({"spec": {}}));
        }
        let bytes = damage(dice, sent.review());
        let shown = || format!("USHER_SEED={seed}: {}", String::from_utf8_lossy(&bytes));
        let Ok(answer) = catch_unwind(AssertUnwindSafe(|| stage.answer(&bytes))) else {
            panic!("{}", shown())
        };
        tried += 1;
        unread += usize::from(answer.broken.is_some());
        if answer.allowed {
            passed += 1;
            assert!(!is_refused(&book, &world, &bytes), "allowed: {}", shown());
        }
    });
    println!("{tried} damaged reviews: {unread} could not be judged, {passed} allowed");
    assert!(unread > tried / 4 && passed > tried / 100);
}

/// Whether the model refuses what the review says, read as the API server would read it.
fn is_refused(book: &Book, world: &World, bytes: &[u8]) -> bool {
    let Ok(review) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let request = &review["request"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = &request["kind"];
    let (group, version, name) = (
        text(&kind["group"]),
        text(&kind["version"]),
        text(&kind["kind"]),
    );
    let (namespace, subresource) = (text(&request["namespace"]), text(&request["subResource"]));
    let update = request["operation"] == "UPDATE";
    let known = [HOME, ""].contains(&&*namespace) && book.is_kept(&group, &name);
    if !known || (request["operation"] != "CREATE" && !update) {
        return false;
    }
    let asked = Asked {
        group: &group,
        version: &version,
        kind: &name,
        subresource: &subresource,
        namespace: &namespace,
        object: &request["object"],
        old: update.then_some(&request["oldObject"]),
    };
    let said = book.say(&world.rules, &asked);
    // What cannot be read is no matter of this test.
    let named = |said: &Said| match said {
        Said::Findings(lines) => lines.iter().any(|line| line.3 == "denied"),
        _ => false,
    };
    named(&said) && !world.rules.allows(&said)
}

/// What loading says, and never a panic.
fn load(name: &str, yaml: &str) -> Result<(), String> {
    let loaded = catch_unwind(|| {
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue.add(name, yaml).map_err(|bad| bad.to_string())
    });
    loaded.unwrap_or_else(|_| panic!("{yaml}"))
}

/// Whether a message names file, line and column, and says something.
fn is_clear(name: &str, message: &str) -> bool {
    let Some(rest) = message.strip_prefix(&format!("catalogue: {name}:")) else {
        return false;
    };
    let mut parts = rest.splitn(3, ':');
    let mut number = || {
        parts
            .next()
            .is_some_and(|part| part.parse::<u32>().is_ok_and(|number| number > 0))
    };
    let place = number() && number();
    place
        && parts
            .next()
            // Words in backticks are those of a library. What stands in double quotes is the text's own.
            .is_some_and(|why| {
                let own: String = why.split('"').step_by(2).collect();
                why.len() > 10 && !own.contains('`')
            })
}

#[test]
fn a_damaged_file_is_refused_with_its_place_or_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src/catalogue/data");
    let whole = |name: &str| fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
    let names: Vec<&str> = Catalogue::projects().collect();
    for name in &names {
        assert_eq!(load(name, &whole(name)), Ok(()));
    }
    let (mut refused, mut loaded) = (0, 0);
    for seed in seeds().take(250) {
        let mut dice = Dice::new(seed);
        let name = dice.pick(&names);
        let text = if dice.one_in(3) {
            String::from_utf8_lossy(&damage(&mut dice, whole(name).into_bytes())).into_owned()
        } else {
            spoiled(&mut dice, &whole(name))
        };
        match load(name, &text) {
            Ok(()) => loaded += 1,
            Err(message) => {
                let clear = is_clear(name, &message);
                assert!(clear, "USHER_SEED={seed}: {name}: {message}");
                refused += 1;
            }
        }
    }
    println!("{refused} damaged files are refused, {loaded} load");
    assert!(refused > 50 && loaded > 20);
}

/// A file with a mistake such as people make.
fn spoiled(dice: &mut Dice, yaml: &str) -> String {
    let mut lines: Vec<String> = yaml.lines().map(str::to_owned).collect();
    let entries: Vec<usize> = (0..lines.len())
        .filter(|at| !lines[*at].trim_start().starts_with('#') && !lines[*at].trim().is_empty())
        .collect();
    let at = entries[dice.below(entries.len())];
    let swap = |line: &str, from: &str, to: &str| line.replacen(from, to, 1);
    match dice.below(8) {
        0 => _ = lines.remove(at),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines[at] = format!("\t{}", lines[at]),
        3 => lines[at] = swap(&lines[at], "path: ", "path: a..b#"),
        4 => lines[at] = swap(&lines[at], ": ", ": 7 #"),
        5 => {
            let words = [
                "path",
                "serviceAccount",
                "object",
                "versions",
                "group",
                "kind",
                "controller",
                "when",
            ];
            let word = dice.pick(&words);
            lines[at] = swap(&lines[at], word, &format!("{word}s"));
        }
        6 => lines[at] = swap(&lines[at], "{", "{ {"),
        _ => lines[at] = swap(&lines[at], "*", "*unknown-"),
    }
    lines.join("\n")
}

fn kind(fields: &str) -> String {
    format!(
        "about: a\nkinds:\n- {{group: g, kind: K, resource: ks, versions: [v1], fields: [{fields}]}}\n"
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
fn what_contradicts_itself_is_refused_at_its_place() {
    let row = "{group: g, kind: K, resource: ks, versions: [v1], fields: []}";
    let aliases = |levels: usize| {
        let mut text = "about: a\nkinds: []\ncontrollers:\n  l0: &l0 {namespace: x}\n".to_owned();
        for level in 1..levels {
            let below = format!("*l{}, ", level - 1).repeat(10);
            writeln!(text, "  l{level}: &l{level} [{below}]").unwrap();
        }
        text
    };
    for (yaml, place, why) in [
        (String::new(), ":1:1: ", "\"about\" is missing"),
        ("about: a\n".to_owned(), ":1:", "kinds"),
        (
            kind("{path: a, serviceAccount: {absent: {controller: nobody}}}"),
            ":3:",
            "\"nobody\"",
        ),
        (
            kind("{path: a, object: {of: x, in: {controller: nobody}}}"),
            ":3:",
            "\"nobody\"",
        ),
        (
            format!("about: a\nkinds:\n- {row}\n- {row}\n"),
            ":4:3: ",
            "v1 of K stands there twice",
        ),
        (
            kind("").replace("[v1]", "[v1, v1]"),
            ":3:3: ",
            "v1 of K stands there twice",
        ),
        (kind("").replace("[v1]", "[]"), ":3:", "versions"),
        (
            kind("").replace("group: g, kind: K", "group: apps, kind: Deployment"),
            ":3:3: ",
            "v1 of Deployment",
        ),
        (
            kind("{path: a, serviceAccount: {}, when: [{a: b, c: d}]}"),
            ":3:",
            "one path",
        ),
        (
            kind("{path: a, serviceAccount: {}, when: [{}]}"),
            ":3:",
            "one path",
        ),
        (kind("{path: a, object: {of: {}}}"), ":3:", ""),
        (kind("{path: a}"), ":3:", "a must say what it is"),
        (
            kind("{path: a, namespace: {}, patch: {}}"),
            ":3:",
            "only once",
        ),
        (kind("{path: 'a[0]', namespace: {}}"), ":3:", "no path"),
        (kind("{path: '', namespace: {}}"), ":3:", "no path"),
        (
            kind("").replace("fields: []", "fields: [], governed: 'spec[].a'"),
            ":3:",
            "spec[].a",
        ),
        (
            kind("").replace("fields: []", "fields: [], governed: ''"),
            ":3:",
            "no path",
        ),
        (
            kind("").replace("fields: []", "content: {podSpec: a..b}"),
            ":3:",
            "a..b",
        ),
        (kind("").replace("about", "\tabout"), ":2:1", "not readable"),
        (
            format!(
                "{}makes:\n- {{controller: c, makes: {{group: '', kind: Pod}}, of: {{group: g, kind: K}}}}\n",
                kind("")
            ),
            ":5:",
            "no controller \"c\"",
        ),
        (
            format!(
                "{}makes:\n- {{makes: {{group: '', kind: Pod}}, of: {{group: g, kind: K}}}}\n",
                kind("")
            ),
            ":5:3: ",
            "makes Pod has no controller",
        ),
        (
            kind("{path: a.b, namespace: {}}").replace("fields", "governed: c, fields"),
            ":3:",
            "a.b is outside of the governed part",
        ),
        (
            kind("{path: a.b, namespace: {}}").replace("fields", "free: [a], fields"),
            ":3:",
            "a cannot be free",
        ),
        (aliases(20), ":", ""),
        (format!("about: a\nkinds: {}", "[".repeat(100_000)), ":", ""),
        (
            format!("about: a\nkinds: {}", "- ".repeat(100_000)),
            ":",
            "",
        ),
    ] {
        let message = load("f.yaml", &yaml).expect_err(&yaml);
        let clear = is_clear("f.yaml", &message);
        assert!(
            clear && message.contains(&format!("f.yaml{place}")) && message.contains(why),
            "{place} {why}: {message}"
        );
    }
}

#[test]
fn ten_thousand_entries_load_and_are_found() {
    let mut yaml = "about: many\nkinds:\n".to_owned();
    for number in 0..10_000 {
        let names = format!(
            "group: g{}.example, kind: K{number}, resource: ks",
            number % 100
        );
        writeln!(
            yaml,
            "- {{{names}, versions: [v1], fields: [{{path: spec.a, serviceAccount: {{}}}}]}}"
        )
        .unwrap();
    }
    let mut catalogue = Catalogue::embedded().unwrap();
    catalogue.add("many.yaml", &yaml).unwrap();
    assert!(catalogue.version("g99.example", "K9999", "v1").is_some());
    assert!(catalogue.version("g98.example", "K9999", "v1").is_none());
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("own.d");
    fs::create_dir(&files).unwrap();
    let configuration = folder.path().join("usher.yaml");
    fs::write(&configuration, "catalogue: {files: [own.d]}").unwrap();
    load_configuration(&configuration).unwrap();
    let bad = files.join("bad.yaml");
    for (bytes, why) in [
        (b"about: \xFF\xFE\n".to_vec(), "UTF-8"),
        (vec![b'#'; (4 << 20) + 1], "larger than 4 MiB"),
        (b"about: a\nkinds: 7\n".to_vec(), "bad.yaml:2:8: "),
    ] {
        fs::write(&bad, bytes).unwrap();
        let message = load_configuration(&configuration).unwrap_err().to_string();
        assert!(
            message.contains("bad.yaml") && message.contains(why),
            "{why}: {message}"
        );
    }
    fs::remove_file(&bad).unwrap();
    for name in ["a.yaml", "b.yaml"] {
        fs::write(files.join(name), kind("")).unwrap();
    }
    let message = load_configuration(&configuration).unwrap_err().to_string();
    assert!(
        message.contains("b.yaml:3:3: v1 of K stands there twice"),
        "{message}"
    );
}

#[test]
fn a_large_object_has_no_more_findings_than_are_kept() {
    let book = Book::read();
    let world = World::new(&[("schedulers", "off")], json!({}));
    let stage = world.stage(&[]);
    let tasks: Vec<Value> = (0..1000)
        .map(|n| json!({"taskRef": {"resolver": "cluster", "params": [{"name": "namespace", "value": format!("ns-{n}")}]}}))
        .collect();
    let tolerations: Vec<Value> = (0..40_000)
        .map(|n| json!({"key": format!("k{n}"), "operator": "Exists"}))
        .collect();
    let operations: Vec<Value> = (0..20_000)
        .map(|n| json!({"op": "add", "path": "/spec/template/spec/serviceAccountName", "value": format!("a{n}")}))
        .collect();
    let accounts = |n: usize| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"serviceAccountName": format!("a{n}")}});
    let manifests: Vec<Value> = (0..40_000).map(accounts).collect();
    let patches: Vec<Value> = (0..900)
        .map(|n| json!({"patch": format!("spec: {{serviceAccountName: a{n}}}")}))
        .collect();
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    for (what, group, kind, version, spec) in [
        (
            "conditions",
            "tekton.dev",
            "Pipeline",
            "v1",
            json!({"tasks": tasks}),
        ),
        (
            "tolerations",
            "kustomize.toolkit.fluxcd.io",
            "Kustomization",
            "v1",
            json!({"patches": [{"patch": json!({"tolerations": tolerations}).to_string()}]}),
        ),
        (
            "operations",
            "kustomize.toolkit.fluxcd.io",
            "Kustomization",
            "v1",
            json!({"patches": [{"patch": json!(operations).to_string()}]}),
        ),
        (
            "patches",
            "kustomize.toolkit.fluxcd.io",
            "Kustomization",
            "v1",
            json!({"patches": patches}),
        ),
        (
            "manifests",
            "triggers.tekton.dev",
            "TriggerTemplate",
            "v1beta1",
            json!({"resourcetemplates": [manifests]}),
        ),
    ] {
        let entry = book.entry(group, kind, version).unwrap();
        let mut sent = Sent {
            entry,
            version: version.to_owned(),
            subresource: "",
            object: json!({"spec": spec}),
            old: None,
        };
        sent.object["status"] = json!({"pad": "x".repeat(1 << 20)});
        let object = sent.object.to_string().replacen(
            "\"status\":",
            &format!("\"deep\":{deep},\"status\":"),
            1,
        );
        let answer = stage.answer(&sent.written(&object, None));
        println!(
            "{what}: {} bytes, {} findings",
            object.len(),
            answer.findings.len()
        );
        assert!(!answer.allowed && answer.findings.len() <= 2001, "{what}");
    }
}

#[test]
fn objects_in_objects_are_never_let_through_unread() {
    let book = Book::read();
    let world = World::new(&[("schedulers", "off")], json!({}));
    let stage = world.stage(&[]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"serviceAccountName": "builder"}});
    for in_lists in [false, true] {
        let mut object = pod.clone();
        for depth in 1..=12 {
            let held = if in_lists { json!([object]) } else { object };
            object = json!({
                "apiVersion": "triggers.tekton.dev/v1beta1", "kind": "TriggerTemplate", "spec": {"resourcetemplates": [held]},
            });
            let sent = Sent {
                entry: book
                    .entry("triggers.tekton.dev", "TriggerTemplate", "v1beta1")
                    .unwrap(),
                version: "v1beta1".to_owned(),
                subresource: "",
                object: object.clone(),
                old: None,
            };
            let answer = stage.answer(&sent.review());
            assert!(
                !answer.allowed && answer.findings.len() == 1,
                "{depth}: {answer:?}"
            );
            assert_eq!(
                answer.findings[0].outcome == "denied",
                depth <= if in_lists { 2 } else { 4 },
                "{depth}"
            );
        }
    }
}
