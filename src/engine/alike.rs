use serde_json::{Value, value::RawValue};

/// Whether two parts of a custom resource say the same, but for these keys of theirs. A client that decodes an object into
/// its types writes members without content that nobody wrote before: KEDA's operator adds `resources: {}` to the containers
/// of a template when it adds a finalizer. So such members do not count. What cannot be read is like nothing.
pub(super) fn alike(new: Option<&RawValue>, old: Option<&RawValue>, free: &[Box<str>]) -> bool {
    if new.map(RawValue::get) == old.map(RawValue::get) {
        return true;
    }
    let read = |part: Option<&RawValue>| -> Option<Value> {
        let Some(part) = part else {
            return Some(Value::Null);
        };
        let mut value: Value = serde_json::from_str(part.get()).ok()?;
        if let Value::Object(members) = &mut value {
            members.retain(|key, _| free.iter().all(|free| **free != **key));
        }
        Some(value)
    };
    match (read(new), read(old)) {
        (Some(new), Some(old)) => same(&new, &old),
        _ => false,
    }
}

fn same(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            let said = |members: &serde_json::Map<String, Value>| {
                members.values().filter(|value| !is_hollow(value)).count()
            };
            said(new) == said(old)
                && new
                    .iter()
                    .filter(|(_, value)| !is_hollow(value))
                    .all(|(key, value)| old.get(key).is_some_and(|old| same(value, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| same(new, old))
        }
        _ => new == old || (is_hollow(new) && is_hollow(old)),
    }
}

/// Whether there is nothing in it.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().all(is_hollow),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (r#"{"a":""}"#, "{}", false),
            (r#"["a",{}]"#, r#"["a"]"#, false),
            (r#"["a","b"]"#, r#"["b","a"]"#, false),
            ("", r#"{"a":1}"#, false),
        ];
        for (new, old, expected) in cases {
            assert_eq!(alike(read(new), read(old), &[]), expected, "{new} {old}");
            assert_eq!(alike(read(old), read(new), &[]), expected, "{old} {new}");
        }
    }

    #[test]
    fn free_keys_are_those_of_the_part_itself() {
        let free = ["suspend".into()];
        let part = |json| read(json);
        assert!(alike(
            part(r#"{"a":1,"suspend":true}"#),
            part(r#"{"a":1}"#),
            &free
        ));
        assert!(!alike(
            part(r#"{"a":{"suspend":true}}"#),
            part(r#"{"a":{}}"#),
            &free
        ));
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
}
