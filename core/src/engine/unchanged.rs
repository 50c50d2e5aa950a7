//! Whether an update changes anything that decides.

use serde_json::{Value, value::RawValue};

use crate::{
    catalogue::{Governed, Kind},
    object::{Meant, Step, at},
};

/// What an update changes of what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nothing.
    Nothing,
    /// Where pods go, and nothing else: only that is asked about, and only what is new.
    Placement,
    /// Something else, so that everything is asked about.
    Other,
}

impl Change {
    /// What the update from `old` to `new` changes. What cannot be read is a change.
    pub(super) fn of(kind: &Kind, new: &RawValue, old: &RawValue) -> Self {
        let parts = kind.governed().iter();
        let changes = parts.map(|part| {
            let read = |object| at::<&RawValue>(object, &part.keys);
            match (read(new), read(old)) {
                (Ok(new), Ok(old)) => of_part(new, old, part, kind.is_exact()),
                _ => Self::Other,
            }
        });
        changes.max().unwrap_or(Self::Nothing)
    }
}

/// What changes in a part of an object, beside what is free. A client that decodes an object into its types writes members
/// without content that nobody wrote before: KEDA's operator adds `resources: {}` to the containers of a template when it adds a
/// finalizer, and Argo's `name: ""`. So such members do not count. It writes quantities and durations in one way, however they were
/// written: by their value they are the same. Of kinds of Kubernetes the API server writes both from the same types, so that they
/// are compared exactly.
fn of_part(
    new: Option<&RawValue>,
    old: Option<&RawValue>,
    part: &Governed,
    is_exact: bool,
) -> Change {
    if new.map(RawValue::get) == old.map(RawValue::get) {
        return Change::Nothing;
    }
    if is_exact && part.placing.is_empty() {
        return Change::Other;
    }
    let read = |part: Option<&RawValue>| match part {
        Some(part) => serde_json::from_str(part.get()).ok(),
        None => Some(Value::Null),
    };
    let (Some(mut new), Some(mut old)) = (read(new), read(old)) else {
        return Change::Other;
    };
    let mut remove_all = |paths: &[Vec<Step>]| {
        for steps in paths {
            remove(&mut new, steps);
            remove(&mut old, steps);
        }
        if is_exact {
            new == old
        } else {
            same(Meant::Itself, &new, &old)
        }
    };
    // Where the text differs, something does that is not free, but for members without content.
    if remove_all(&part.free) && !is_exact {
        Change::Nothing
    } else if remove_all(&part.placing) {
        Change::Placement
    } else {
        Change::Other
    }
}

/// Takes away what stands at the end of a path.
fn remove(value: &mut Value, steps: &[Step]) {
    match (steps, value) {
        ([Step::Key(last)], Value::Object(members)) => {
            members.remove(&**last);
        }
        ([Step::Key(key), rest @ ..], Value::Object(members)) => {
            if let Some(below) = members.get_mut(&**key) {
                remove(below, rest);
            }
        }
        ([Step::Items, rest @ ..], Value::Array(items)) => {
            for item in items {
                remove(item, rest);
            }
        }
        ([Step::Values, rest @ ..], Value::Object(members)) => {
            for value in members.values_mut() {
                remove(value, rest);
            }
        }
        _ => {}
    }
}

fn same(meant: Meant, new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            let said = |members: &serde_json::Map<String, Value>| {
                members.values().filter(|value| !is_hollow(value)).count()
            };
            said(new) == said(old)
                && new
                    .iter()
                    .filter(|(_, value)| !is_hollow(value))
                    .all(|(key, value)| {
                        let same = |old| same(meant.of(key), value, old);
                        old.get(key).is_some_and(same)
                    })
        }
        (Value::Array(new), Value::Array(old)) => {
            let mut pairs = new.iter().zip(old);
            new.len() == old.len() && pairs.all(|(new, old)| same(Meant::Itself, new, old))
        }
        _ => new == old || (is_hollow(new) && is_hollow(old)) || meant.is_same(new, old),
    }
}

/// Whether there is nothing in it.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().all(is_hollow),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalogue::Catalogue, object::FieldPath};

    fn read(json: &str) -> Option<&RawValue> {
        (!json.is_empty()).then(|| serde_json::from_str(json).unwrap())
    }

    fn alike(new: Option<&RawValue>, old: Option<&RawValue>, free: &[Vec<Step>]) -> bool {
        let part = Governed {
            keys: Vec::new(),
            free: free.to_vec(),
            placing: Vec::new(),
        };
        of_part(new, old, &part, false) == Change::Nothing
    }

    #[test]
    fn only_members_without_content_may_come_and_go() {
        let cases = [
            (r#"{"a":1}"#, r#"{"a":1}"#, true),
            (r#"{"a":1,"b":{}}"#, r#"{"a":1}"#, true),
            (
                r#"{"a":1}"#,
                r#"{"a":1,"b":[],"c":null,"d":{"e":{}}}"#,
                true,
            ),
            (r#"{"c":[{"n":"x","r":{}}]}"#, r#"{"c":[{"n":"x"}]}"#, true),
            ("", "{}", true),
            ("", "null", true),
            (r#"{"a":1}"#, r#"{"a":2}"#, false),
            (r#"{"a":1}"#, r#"{"b":1}"#, false),
            (r#"{"a":1}"#, r#"{"a":{}}"#, false),
            (r#"{"a":{}}"#, r#"{"a":1}"#, false),
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, false),
            (r#"{"a":false}"#, "{}", false),
            (r#"{"a":""}"#, "{}", true),
            (r#"{"a":""}"#, r#"{"a":"x"}"#, false),
            (r#"["",{}]"#, "[{}]", false),
            (r#"["a",{}]"#, r#"["a"]"#, false),
            (r#"["a","b"]"#, r#"["b","a"]"#, false),
            ("", r#"{"a":1}"#, false),
            (
                r#"{"resources":{"requests":{"cpu":"1000m"}},"interval":"60s"}"#,
                r#"{"resources":{"requests":{"cpu":"1"}},"interval":"1m0s"}"#,
                true,
            ),
            (r#"{"args":["1000m"]}"#, r#"{"args":["1"]}"#, false),
            (r#"{"name":"1000m"}"#, r#"{"name":"1"}"#, false),
        ];
        for (new, old, expected) in cases {
            assert_eq!(alike(read(new), read(old), &[]), expected, "{new} {old}");
            assert_eq!(alike(read(old), read(new), &[]), expected, "{old} {new}");
        }
    }

    #[test]
    fn what_is_free_may_come_go_and_change() {
        let same = |free: &str, new: &str, old: &str| {
            let path = FieldPath::try_from(free.to_owned()).unwrap();
            alike(read(new), read(old), &[path.steps().to_vec()])
        };
        let groups = r#"{"g":[{"n":"x","r":1},{"n":"y","r":2}],"m":{"a":{"r":1}},"r":1}"#;
        let scaled = r#"{"g":[{"n":"x","r":7},{"n":"y"}],"m":{"a":{"r":1}},"r":1}"#;
        assert!(same("g[].r", groups, scaled));
        assert!(same("g[].r", scaled, groups));
        assert!(!same("g[].n", groups, scaled));
        assert!(!same("r", groups, scaled));
        assert!(!same("m.*.r", groups, scaled));
        let map = r#"{"m":{"a":{"r":1,"s":1}}}"#;
        assert!(same("m.*.r", map, r#"{"m":{"a":{"r":2,"s":1}}}"#));
        assert!(!same("m.*.r", map, r#"{"m":{"a":{"r":2,"s":2}}}"#));
        assert!(!same(
            "m.*.r",
            map,
            r#"{"m":{"a":{"r":1,"s":1},"b":{"s":1}}}"#
        ));
        // One more item is more than a number.
        assert!(!same(
            "g[].r",
            r#"{"g":[{"r":1}]}"#,
            r#"{"g":[{"r":1},{"r":1}]}"#
        ));
        assert!(!same("r.s", r#"{"r":1}"#, r#"{"r":2}"#));
    }

    #[test]
    fn what_nests_too_deep_to_be_read_is_like_nothing() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let (new, old) = (deep(500), deep(501));
        assert!(!alike(
            Some(&*RawValue::from_string(new).unwrap()),
            Some(&*RawValue::from_string(old).unwrap()),
            &[]
        ));
    }

    #[test]
    fn where_there_is_no_spec_all_counts_but_metadata_and_status() {
        let file = "about: a\nkinds: [{group: g, kind: K, resource: ks, versions: [v1], fields: [{path: a, serviceAccount: {}}]}]";
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue.add("f", file).unwrap();
        let kind = catalogue.find("g", "K").unwrap();
        let object = |more: &str, url: &str| {
            let text = format!(
                r#"{{"metadata": {{"name": "{more}"}}, "a": "x", "url": "{url}", "status": "{more}"}}"#
            );
            RawValue::from_string(text).unwrap()
        };
        let change = |new: [&str; 2], old: [&str; 2]| {
            let [new, old] = [new, old].map(|[more, url]| object(more, url));
            Change::of(kind, &new, &old)
        };
        assert_eq!(change(["1", "u"], ["2", "u"]), Change::Nothing);
        assert_eq!(change(["1", "u"], ["1", "v"]), Change::Other);
    }

    #[test]
    fn where_pods_go_is_a_change_of_its_own() {
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue.enable("all").unwrap();
        for (group, kind, base) in [
            ("apps", "Deployment", "spec.template.spec"),
            ("batch", "CronJob", "spec.jobTemplate.spec.template.spec"),
            ("", "Pod", "spec"),
            (
                "jobset.x-k8s.io",
                "JobSet",
                "spec.replicatedJobs[].template.spec.template.spec",
            ),
        ] {
            let kind = catalogue.find(group, kind).unwrap();
            let object = |spec: &str| {
                let keys = base.split('.').rev();
                let text = keys.fold(spec.to_owned(), |inner, key| match key.strip_suffix("[]") {
                    Some(key) => format!(r#"{{"{key}":[{inner}]}}"#),
                    None => format!(r#"{{"{key}":{inner}}}"#),
                });
                RawValue::from_string(text).unwrap()
            };
            let change = |new: &str, old: &str| Change::of(kind, &object(new), &object(old));
            let plain = r#"{"a":1}"#;
            for place in [
                r#"{"a":1,"nodeSelector":{"x":"y"}}"#,
                r#"{"affinity":{"x":["y"]},"a":1}"#,
                r#"{"a":1,"schedulingGates":[{"name":"x"}]}"#,
                r#"{"a":1,"tolerations":[{"operator":"Exists"}],"nodeSelector":{"x":"y"}}"#,
            ] {
                assert_eq!(change(place, plain), Change::Placement, "{place}");
                assert_eq!(change(plain, place), Change::Placement, "{place}");
                let more = place.replace(r#""a":1"#, r#""a":2"#);
                assert_eq!(change(&more, plain), Change::Other, "{more}");
            }
            assert_eq!(change(plain, plain), Change::Nothing);
            assert_eq!(
                change(r#"{"a":1,"serviceAccountName":"x"}"#, plain),
                Change::Other
            );
        }
    }
}
