//! The catalogue beside its model, and the laws that hold for every entry.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use usher_core::catalogue::Catalogue;

use crate::{
    models::catalogue::{Book, Line, Said, Step, remove, steps},
    support::{
        catalogue_world::{Maker, Sent, World, difference, said},
        random::{Dice, seeds},
    },
};

/// Objects that one run looks at.
const OBJECTS: usize = 3_000;

#[test]
fn the_model_knows_every_word_of_the_catalogue() {
    let book = Book::read();
    assert!(
        book.unknown.is_empty(),
        "the model must learn this:\n{}",
        book.unknown.join("\n")
    );
    let files: HashSet<&str> = book.entries.iter().map(|entry| &*entry.file).collect();
    assert_eq!(files.len(), Catalogue::projects().count() + 1);
}

#[test]
fn nothing_that_decides_is_free_to_change() {
    for entry in Book::read().entries {
        for path in entry.needed() {
            let above = |free: &&String| {
                let rest = path.strip_prefix(&***free);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let free = entry.free.iter().find(above);
            assert_eq!(free, None, "{}: {}: {path} decides", entry.file, entry.kind);
        }
    }
}

fn worlds() -> [World; 3] {
    let flags = json!({
        "kustomize-controller": {"defaultServiceAccount": "flag"},
        "helm-controller": {"namespace": "ops", "serviceAccount": "helm"},
        "keda-operator": {"namespace": "team-a"},
    });
    [
        World::new(&[], json!({})),
        World::new(
            &[
                ("runtimeClasses", "audit"),
                ("opaque", "warn"),
                ("secrets", "off"),
                ("nodeLabels", "audit"),
                ("tolerations", "warn"),
            ],
            flags,
        ),
        World::new(
            &[
                ("serviceAccounts", "warn"),
                ("crossNamespace", "audit"),
                ("configMaps", "off"),
                ("nodeLabels", "off"),
                ("runtimeClasses", "off"),
            ],
            json!({}),
        ),
    ]
}

/// Objects of every kind, each with the seed that leads to it. One value in `wrong` is of a wrong type; 0: none.
pub(crate) fn each(
    book: &Book,
    objects: usize,
    wrong: usize,
    mut see: impl FnMut(u64, &mut Dice, Sent<'_>),
) {
    let mut seen = HashSet::new();
    for seed in seeds().take(objects) {
        let mut dice = Dice::new(seed);
        let index = dice.below(book.entries.len());
        let entry = &book.entries[index];
        if entry.kept {
            seen.insert(index);
            let mut maker = Maker {
                book,
                dice: &mut dice,
                wrong,
            };
            let sent = maker.sent(entry);
            see(seed, &mut dice, sent);
        }
    }
    assert!(
        seen.len() > objects.min(book.entries.len()) / 2,
        "{} kinds are seen",
        seen.len()
    );
}

#[test]
fn the_engine_says_what_the_model_says() {
    let book = Book::read();
    let worlds = worlds();
    let stages: Vec<_> = worlds.iter().map(|world| world.stage(&[])).collect();
    let mut counts = BTreeMap::<String, usize>::new();
    let (mut asked, mut wrong) = (0, Vec::new());
    each(&book, OBJECTS, 12, |seed, dice, mut sent| {
        let which = dice.below(worlds.len());
        let (world, stage) = (&worlds[which], &stages[which]);
        let mut compare = |sent: &Sent<'_>| {
            let engine = stage.answer(&sent.review());
            let model = book.say(&world.rules, &sent.asked());
            let told = said(&engine);
            if told != model || engine.allowed != world.rules.allows(&model) {
                wrong.push(format!(
                    "USHER_SEED={seed}: {sent}\n{}",
                    difference(&told, &model)
                ));
            }
            let words = match &model {
                Said::Findings(lines) => lines.iter().map(|line| line.3.clone()).collect(),
                Said::Passed(why) => vec![(*why).to_owned()],
                Said::Broken => vec!["broken".to_owned()],
            };
            for word in words {
                *counts.entry(word).or_default() += 1;
            }
            asked += 1;
        };
        compare(&sent);
        // A live pod keeps what Kubernetes gave it: that is another matter.
        if sent.entry.kind == "Pod" && sent.entry.group.is_empty() {
            return;
        }
        let mut new = sent.object.clone();
        let fields = &sent.entry.fields;
        let mut maker = Maker {
            book: &book,
            dice,
            wrong: 12,
        };
        let places = sent.entry.places();
        if !places.is_empty() && maker.dice.one_in(3) {
            // Nothing but where pods go.
            let place = steps(&places[maker.dice.below(places.len())]);
            remove(&mut new, &place);
            let mut spec = maker.pod_spec();
            let Some(Step::Key(key)) = place.last() else {
                panic!("a place is a key");
            };
            maker.place(&mut new, &place, spec[key].take());
        } else if !fields.is_empty() && maker.dice.one_in(2) {
            let field = &fields[maker.dice.below(fields.len())];
            maker.add(&mut new, field, 1);
        }
        sent.old = Some(std::mem::replace(&mut sent.object, new));
        sent.subresource = dice.pick(&["", "", "", "status", "scale", "unheard"]);
        compare(&sent);
        sent.old = None;
        sent.version = "v0unknown".to_owned();
        compare(&sent);
    });
    println!("{asked} requests: {counts:?}");
    assert!(
        wrong.is_empty(),
        "{} of {asked} disagree\n\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n\n")
    );
    for word in [
        "allowed",
        "denied",
        "malformed",
        "unknown",
        "broken",
        "Unchanged",
        "Subresource",
    ] {
        assert!(counts[word] > 30, "{counts:?}: the objects are too dull");
    }
}

fn findings(said: &Said) -> &[Line] {
    match said {
        Said::Findings(lines) => lines,
        _ => &[],
    }
}

/// The same with amounts in its spec, which a program in Go writes in one way, however they were written.
fn measured(object: &Value, cpu: &str, interval: &str) -> Value {
    let mut object = object.clone();
    let part = json!({"resources": {"limits": {"cpu": cpu}}, "interval": interval});
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("measured".to_owned(), part);
    }
    object
}

/// The same object with changes of nothing that decides.
fn undecided(book: &Book, dice: &mut Dice, sent: &Sent, mut object: Value) -> Value {
    object["metadata"]["finalizers"] = json!(["example.org/f"]);
    // A status that steers its controller decides, too.
    let mut needed = sent.entry.needed().into_iter();
    if !needed.any(|path| path.starts_with("status.")) {
        object["status"] = json!({"phase": "Ready", "serviceAccountName": "admin"});
    }
    let free = sent.entry.free.iter();
    for free in free.filter(|free| !free.contains(['[', '*'])) {
        let mut maker = Maker {
            book,
            dice,
            wrong: 0,
        };
        maker.place(&mut object, &steps(free), json!("changed"));
    }
    object
}

#[test]
fn an_update_asks_about_what_it_changes_and_nothing_else() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let (mut same_asked, mut quiet, mut asked) = (0, 0, 0);
    each(&book, 1000, 0, |seed, dice, sent| {
        let fields = &sent.entry.fields;
        if fields.is_empty() {
            return;
        }
        let again = measured(&sent.object, "1", "1m0s");
        let sent = Sent {
            object: measured(&sent.object, "1000m", "60s"),
            ..sent
        };
        let created = said(&stage.answer(&sent.review()));
        let update = |object: &Value| {
            let (object, old) = (object.clone(), Some(sent.object.clone()));
            let update = Sent {
                object,
                old,
                ..sent.clone()
            };
            (said(&stage.answer(&update.review())), update)
        };
        let (quietly, update_of) = update(&undecided(&book, dice, &sent, again));
        // What cannot be read may have changed.
        let unread = |line: &Line| line.0 == "serviceAccounts" && line.3 == "unknown";
        if !findings(&created).iter().any(unread) {
            assert_eq!(
                quietly,
                Said::Passed("Unchanged"),
                "USHER_SEED={seed}: {update_of}"
            );
            same_asked += 1;
        }
        // Anything: members without content, or what a field may hold.
        let mut changed = sent.object.clone();
        let field = &fields[dice.below(fields.len())];
        let hollow = dice.one_in(2);
        let mut maker = Maker {
            book: &book,
            dice,
            wrong: 0,
        };
        if hollow {
            let all = [
                json!({}),
                json!([]),
                json!({"a": {}}),
                json!({"a": {"b": null}}),
                json!([{}]),
            ];
            let leaf = all[maker.dice.below(all.len())].clone();
            maker.place(&mut changed, &steps(field["path"].as_str().unwrap()), leaf);
        } else {
            maker.add(&mut changed, field, 1);
        }
        let (now, update_of) = update(&changed);
        let anew = said(
            &stage.answer(
                &Sent {
                    object: changed,
                    ..sent.clone()
                }
                .review(),
            ),
        );
        let mut new = findings(&anew)
            .iter()
            .filter(|line| !findings(&created).contains(line));
        if let Said::Passed(_) = now {
            // Who may write the object may not write more than was asked about. What has no content names nothing.
            let named = new.find(|line| line.3 == "denied");
            assert_eq!(named, None, "USHER_SEED={seed}: let through: {update_of}");
            quiet += 1;
        } else {
            assert!(
                new.all(|line| findings(&now).contains(line)),
                "USHER_SEED={seed}: not asked: {update_of}"
            );
            let all = findings(&anew);
            assert!(
                findings(&now).iter().all(|line| all.contains(line)),
                "USHER_SEED={seed}: {update_of}"
            );
            asked += 1;
        }
    });
    println!(
        "{same_asked} updates change nothing; of others, {quiet} change nothing that decides, {asked} do"
    );
    assert!(same_asked > 500 && quiet > 100 && asked > 100);
}

/// The Role or ClusterRole of a missing grant, and its binding.
fn grant(index: usize, missing: &str) -> [Value; 2] {
    let (verbs, missing) = missing
        .strip_prefix("verb ")
        .unwrap()
        .split_once(" on ")
        .unwrap();
    // Of what may be read instead, now one and now the other.
    let verb = match verbs.split_once(" or ") {
        Some((_, get)) if index.is_multiple_of(2) => get,
        Some((first, _)) => first,
        None => verbs,
    };
    let (resource, rest) = missing.split_once(" \"").unwrap();
    let (name, namespace) = rest.split_once("\" in ").unwrap();
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let cluster = namespace == "the whole cluster";
    let kind = if cluster { "ClusterRole" } else { "Role" };
    let mut metadata = json!({"name": format!("grant-{index}")});
    if !cluster {
        metadata["namespace"] = json!(namespace);
    }
    let rule = json!({"verbs": [verb], "apiGroups": [group], "resources": [resource], "resourceNames": [name]});
    let api = "rbac.authorization.k8s.io";
    [
        json!({"apiVersion": format!("{api}/v1"), "kind": kind, "metadata": metadata, "rules": [rule]}),
        json!({
            "apiVersion": format!("{api}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": kind, "name": format!("grant-{index}")},
            "subjects": [{"apiGroup": api, "kind": "User", "name": "mallory"}],
        }),
    ]
}

#[test]
fn exactly_the_grants_that_are_named_are_needed() {
    let book = Book::read();
    let worlds = worlds();
    let (mut granted, mut removed) = (0, 0);
    each(&book, 1000, 0, |seed, dice, sent| {
        let world = &worlds[dice.below(worlds.len())];
        let answer = world.stage(&[]).answer(&sent.review());
        let told = said(&answer);
        let enforced = |line: &&Line| world.rules.mode(&line.0) == "enforce" && line.3 != "allowed";
        let lines: Vec<&Line> = findings(&told).iter().filter(enforced).collect();
        assert_eq!(
            answer.allowed,
            lines.is_empty(),
            "USHER_SEED={seed}: {sent}"
        );
        // What is malformed or unknown no grant allows.
        if lines.is_empty() || lines.iter().any(|line| line.3 != "denied") {
            return;
        }
        let missing: Vec<&str> = lines
            .iter()
            .map(|line| &*line.4)
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let grants = |without: Option<usize>| -> Vec<Value> {
            let kept = missing
                .iter()
                .enumerate()
                .filter(|(index, _)| Some(*index) != without);
            kept.flat_map(|(index, missing)| grant(index, missing))
                .collect()
        };
        let all = world.stage(&grants(None)).answer(&sent.review());
        // A class that may be used brings tolerations, which are another question, asked where the class is named.
        let brings = |line: &Line| {
            let mut classes = lines.iter().filter(|line| line.0 == "runtimeClasses");
            line.0 == "tolerations" && classes.any(|class| class.1 == line.1)
        };
        let brought = findings(&said(&all)).iter().any(brings);
        assert!(
            all.allowed || brought,
            "USHER_SEED={seed}: {sent}\n{missing:?}: {}",
            all.message
        );
        granted += usize::from(all.allowed);
        for index in 0..missing.len() {
            // A wide set of taints covers a narrow one, every label one label, and the whole cluster every namespace.
            let (what, _) = missing[index].rsplit_once(" in ").unwrap();
            let wider = format!("{what} in the whole cluster");
            let covered = missing
                .iter()
                .enumerate()
                .any(|(other, held)| other != index && *held == wider);
            let is_set = ["tolerations.usher.dev", "nodelabels.usher.dev"];
            let is_set = is_set.iter().any(|sets| what.contains(sets));
            if !covered && !is_set {
                let less = world.stage(&grants(Some(index))).answer(&sent.review());
                assert!(
                    !less.allowed,
                    "USHER_SEED={seed}: without {}: {sent}",
                    missing[index]
                );
                removed += 1;
            }
        }
    });
    println!(
        "{granted} objects are allowed with what they lack, and {removed} times refused without one of it"
    );
    assert!(granted > 100 && removed > 100);
}

/// Whether a path of the catalogue may lead to this place, or to one above it.
fn leads_to(path: &str, place: &str) -> bool {
    let mut rest = place;
    for step in steps(path) {
        rest = match step {
            Step::Key(key) => {
                let quoted = format!("[\"{key}\"]");
                let after = rest
                    .strip_prefix(&*quoted)
                    .or_else(|| rest.trim_start_matches('.').strip_prefix(&*key));
                let Some(after) = after else { return false };
                after
            }
            Step::Items => match rest.split_once(']') {
                Some((index, after)) if index.starts_with('[') => after,
                _ => return false,
            },
            Step::Values => {
                if let Some(quoted) = rest.strip_prefix("[\"") {
                    quoted.split_once("\"]").unwrap().1
                } else {
                    let key = rest.trim_start_matches('.');
                    key.find(['.', '[']).map_or("", |end| key.split_at(end).1)
                }
            }
        };
    }
    true
}

#[test]
fn more_is_never_asked_less_about() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let mut kept = 0;
    each(&book, 1000, 0, |seed, dice, sent| {
        let fields = &sent.entry.fields;
        if fields.is_empty() {
            return;
        }
        let before = said(&stage.answer(&sent.review()));
        let added = &fields[dice.below(fields.len())];
        let mut more = sent.clone();
        let mut maker = Maker {
            book: &book,
            dice,
            wrong: 0,
        };
        // Without what its conditions look at, which others look at, too.
        let bare = json!({"path": added["path"], "podSpec": {}});
        let mut leaf = added.clone();
        leaf.as_object_mut()
            .unwrap()
            .retain(|key, _| key != "when" && key != "unless");
        let leaf = if maker.dice.one_in(4) { &bare } else { &leaf };
        maker.add(&mut more.object, leaf, 1);
        let after = said(&stage.answer(&more.review()));
        let path = added["path"].as_str().unwrap();
        for line in findings(&before) {
            if findings(&after).contains(line) {
                kept += 1;
                continue;
            }
            // What may say something else now: what was added to, and what hangs on it or on a name that is not there.
            let changed = leads_to(path, &line.1) || steps(path).is_empty();
            let hangs = fields.iter().any(|field| {
                let held = field["path"].as_str().unwrap();
                let on_others = field.get("unless").is_some() || field.get("when").is_some();
                let names = ["serviceAccount", "object"]
                    .iter()
                    .any(|sort| field[sort]["in"].get("path").is_some());
                leads_to(held, &line.1)
                    && (on_others || names || path.starts_with(held) || held.starts_with(path))
            });
            assert!(
                changed || hangs,
                "USHER_SEED={seed}: {line:?} is lost by {path}: {sent}\nmore: {more}"
            );
        }
    });
    println!("{kept} findings stay");
    assert!(kept > 1000);
}

/// Every text in a value, as a JSON pointer.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                texts(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn whoever_may_not_use_what_an_object_names_changes_no_text_of_it() {
    let book = Book::read();
    let world = World::new(&[], json!({}));
    let stage = world.stage(&[]);
    let is_denied = |sent: &Sent| match said(&stage.answer(&sent.review())) {
        Said::Findings(lines) => lines.iter().any(|line| line.3 == "denied"),
        Said::Passed(_) | Said::Broken => false,
    };
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    let mut narrow = 0;
    each(&book, OBJECTS, 0, |seed, dice, mut sent| {
        // What no entry describes.
        if let Some(spec) = sent.object["spec"].as_object_mut() {
            spec.insert("beside".to_owned(), json!({"server": "a", "list": ["a"]}));
        }
        if sent.entry.fields.is_empty() || !is_denied(&sent) {
            return;
        }
        let mut places = Vec::new();
        texts(&sent.object, "", &mut places);
        let apart = ["/apiVersion", "/kind", "/metadata", "/status"];
        places.retain(|place| !apart.iter().any(|apart| place.starts_with(apart)));
        // Where pods go is asked about for itself.
        let mut elsewhere = sent.object.clone();
        for place in sent.entry.places() {
            remove(&mut elsewhere, &steps(&place));
        }
        places.retain(|place| elsewhere.pointer(place).is_some());
        for _ in 0..3 {
            let Some(place) = places.get(dice.below(places.len())) else {
                return;
            };
            let mut object = sent.object.clone();
            *object.pointer_mut(place).unwrap() = json!("changed");
            let mut changed = Sent {
                object,
                ..sent.clone()
            };
            // Unless then nothing is left to ask about.
            if is_denied(&changed) {
                changed.old = Some(sent.object.clone());
                if is_denied(&changed) {
                    let kind = format!("{}: {}", sent.entry.file, sent.entry.kind);
                    *refused.entry(kind).or_default() += 1;
                } else {
                    let why = &sent.entry.narrow;
                    assert!(
                        why.is_some(),
                        "USHER_SEED={seed}: {place} changed: {changed}"
                    );
                    narrow += 1;
                }
            }
        }
    });
    println!("refused: {refused:?}; {narrow} changes of what an entry says is no use of anything");
    assert!(refused.len() > 50 && narrow > 50);
}

#[test]
fn no_entry_says_without_need_why_it_is_narrow() {
    for entry in Book::read().entries {
        let whole = entry.needed().iter().any(|path| path == "spec");
        let place = format!("{}: {}", entry.file, entry.kind);
        assert!(!(whole && entry.narrow.is_some()), "{place} is not narrow");
    }
}

/// What steers where an account goes, or what runs as it, by the last word of its name.
const STEERS: [&str; 24] = [
    "account",
    "address",
    "args",
    "arguments",
    "chart",
    "command",
    "config",
    "endpoint",
    "entrypoint",
    "env",
    "host",
    "image",
    "package",
    "path",
    "query",
    "ref",
    "repository",
    "role",
    "script",
    "secret",
    "selector",
    "server",
    "template",
    "url",
];

#[test]
fn what_is_free_to_change_steers_nothing() {
    for entry in Book::read().entries {
        // Of kinds of Kubernetes the API server says what may change.
        for free in entry.free.iter().filter(|_| !entry.fields.is_empty()) {
            let key = free.trim_end_matches("[]").rsplit('.').next().unwrap();
            let start = key.rfind(|sign: char| sign.is_ascii_uppercase());
            let (_, word) = key.split_at(start.unwrap_or_default());
            let word = word.to_lowercase();
            let one = word.strip_suffix('s').unwrap_or(&word);
            let steers = STEERS.contains(&&*word) || STEERS.contains(&one);
            assert!(
                !steers,
                "{}: {}: {free} may not be free",
                entry.file, entry.kind
            );
        }
    }
}
