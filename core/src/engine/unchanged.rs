//! Whether an update changes anything that decides.

use serde_json::{Value, value::RawValue};

use crate::{
    catalogue::Kind,
    object::{Meant, Step, at},
};

/// Whether the governed parts say what they said. What cannot be read does not. Of kinds of Kubernetes the API server writes
/// both from the same types, so that equal parts are equal text.
pub(super) fn as_before(kind: &Kind, new: &RawValue, old: &RawValue) -> bool {
    kind.governed().iter().all(|part| {
        let read = |object| at::<&RawValue>(object, &part.keys);
        match (read(new), read(old)) {
            (Ok(Some(new)), Ok(Some(old))) if new.get() == old.get() => true,
            (Ok(None), Ok(None)) => true,
            _ if kind.is_exact() => false,
            (Ok(new), Ok(old)) => alike(new, old, &part.free),
            _ => false,
        }
    })
}

/// Whether two parts of an object say the same, but for what is free to change in them. A client that decodes an object into
/// its types writes members without content that nobody wrote before: KEDA's operator adds `resources: {}` to the containers
/// of a template when it adds a finalizer, and Argo's `name: ""`. So such members do not count. It writes quantities and durations in
/// one way, however they were written: by their value they are the same. What cannot be read is like nothing.
fn alike(new: Option<&RawValue>, old: Option<&RawValue>, free: &[Vec<Step>]) -> bool {
    if new.map(RawValue::get) == old.map(RawValue::get) {
        return true;
    }
    let read = |part: Option<&RawValue>| -> Option<Value> {
        let Some(part) = part else {
            return Some(Value::Null);
        };
        let mut value: Value = serde_json::from_str(part.get()).ok()?;
        for steps in free {
            remove(&mut value, steps);
        }
        Some(value)
    };
    match (read(new), read(old)) {
        (Some(new), Some(old)) => same(Meant::Itself, &new, &old),
        _ => false,
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
        assert!(as_before(kind, &object("1", "u"), &object("2", "u")));
        assert!(!as_before(kind, &object("1", "u"), &object("1", "v")));
    }
}
