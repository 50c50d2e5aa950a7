//! What is generated from the types: the schema, and the default configuration with its explanations.

use std::fmt::Write as _;

use schemars::{Schema, schema_for};
use serde_json::Value;

use super::Configuration;
use crate::yaml::is_plain;

/// Width of the explanations.
const WIDTH: usize = 100;
/// Longest entry of a list that is written in one line.
const LINE: usize = 96;
/// The JSON Schema (2020-12) of the configuration.
pub fn schema() -> Schema {
    schema_for!(Configuration)
}

/// The default configuration as YAML, every key explained. Reading it gives the default again.
pub fn commented() -> String {
    let schema = schema();
    let text = |key: &str| match schema.get(key) {
        Some(Value::String(text)) => text.as_str(),
        _ => "",
    };
    let defaults = serde_json::to_value(Configuration::default()).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut out = String::new();
    comment(&mut out, "", text("description"));
    comment(
        &mut out,
        "",
        "Every key may be left out; what stands here is what holds then. Write only what differs.",
    );
    for (key, property) in properties.into_iter().flatten() {
        out.push('\n');
        comment(&mut out, "", described(property));
        let _ = write!(out, "{key}:");
        yaml(&mut out, defaults.get(key).unwrap_or(&Value::Null), 0);
        for example in list(property, "examples") {
            let mut lines = format!("{key}:");
            yaml(&mut lines, example, 0);
            for line in lines.lines() {
                let _ = writeln!(out, "# {line}");
            }
        }
    }
    out
}

fn described(property: &Value) -> &str {
    property
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'v>(property: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    property
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Explanations as comment lines of at most [`WIDTH`] characters.
fn comment(out: &mut String, indent: &str, text: &str) {
    let mut line = format!("{indent}#");
    for word in text.split_whitespace() {
        if line.len() + word.len() + 1 > WIDTH {
            let _ = writeln!(out, "{line}");
            line = format!("{indent}#");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(out, "{line}");
}

/// A value in block style behind `key:` or `-`; what fits one line stays in one.
fn yaml(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            out.push('\n');
            for item in items {
                let line = format!("{indent}  - {}", flow(item));
                match item {
                    Value::Object(entries) if line.len() > LINE => {
                        for (at, (key, value)) in entries.iter().enumerate() {
                            let dash = if at == 0 { "-" } else { " " };
                            let _ = writeln!(out, "{indent}  {dash} {key}: {}", flow(value));
                        }
                    }
                    _ => {
                        let _ = writeln!(out, "{line}");
                    }
                }
            }
        }
        Value::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            for (key, value) in entries {
                let _ = write!(out, "{indent}  {key}:");
                yaml(out, value, depth + 1);
            }
        }
        _ => {
            let _ = writeln!(out, " {}", flow(value));
        }
    }
}

/// A value in flow style, with quotes only where YAML needs them.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::parse,
        yaml::{BadYaml, Position},
    };

    #[test]
    fn the_commented_default_is_the_default() {
        let text = commented();
        let read: Configuration = crate::yaml::read_text("f", &text).unwrap();
        let value = |configuration| serde_json::to_value(configuration).unwrap();
        assert_eq!(value(read), value(Configuration::default()), "{text}");
        let schema = schema();
        for key in schema
            .get("properties")
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(text.contains(&format!("\n{key}:")), "{key}");
        }
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
    }

    #[test]
    fn the_examples_are_legal() {
        let schema = schema();
        for (key, property) in schema.get("properties").unwrap().as_object().unwrap() {
            for example in list(property, "examples") {
                // Some name a controller of a project.
                let mut text = format!("catalogue: {{enable: [flux]}}\n{key}:");
                yaml(&mut text, example, 0);
                parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            }
        }
    }

    #[test]
    fn a_profile_that_cannot_be_used_is_named_with_its_place() {
        let one =
            |rest: &str| format!("profiles:\n- {{name: a, volume: {{mountPath: /v}}, {rest}}}");
        let token = |rest: &str| one(&format!("tokens: [{{path: t{rest}}}]"));
        let with = |rest: &str| one(&format!("tokens: [{{path: t}}], {rest}"));
        for (text, at, why) in [
            (token(", expirationSeconds: 599"), (2, 76), "599 s"),
            (token(", expirationSeconds: 4294967297"), (2, 76), "4294967297 s"),
            (token(", expirationSeconds: soon"), (2, 76), "whole number"),
            (token(", expirationSeconds: 3607"), (2, 76), "a year"),
            (token(", jitterSeconds: 3001"), (2, 72), "below 600 s"),
            (token(", jitterSeconds: -1"), (2, 72), "jitter"),
            (one("tokens: []"), (2, 46), "no tokens"),
            (one("tokens: [{path: ../t}]"), (2, 54), "\"../t\""),
            (one("tokens: [{path: /t}]"), (2, 54), "\"/t\""),
            (one("tokens: [{path: ..t}]"), (2, 54), "\"..t\""),
            (one("tokens: [{path: t}, {path: t}]"), (2, 65), "one path"),
            (one("tokens: [{path: t}, {path: t/u}]"), (2, 65), "one path"),
            (one("tokens: [{path: ca.crt}], rootCertificate: true"), (2, 54), "one path"),
            (with("unknown: 1"), (2, 59), "unknown"),
            (with("fsGroup: {when: sometimes}"), (2, 75), "sometimes"),
            (with("fsGroup: {value: 2147483648}"), (2, 76), "no group"),
            (with("env: [{name: X}]"), (2, 72), "\"X\""),
            (with("env: [{name: X, value: a, tokenFile: t}]"), (2, 72), "\"X\""),
            (with("env: [{name: X, tokenFile: u}]"), (2, 86), "no token at \"u\""),
            (with("env: [{name: X, value: a}, {name: X, value: b}]"), (2, 93), "twice"),
            (with("env: [{name: X=, value: a}]"), (2, 72), "no name"),
            (with("env: [{name: X, value: a, values: {}}]"), (2, 93), "fromServiceAccountAnnotation"),
            (with("bounds: {expirationSeconds: [100, 3600]}"), (2, 87), "100 to 3600"),
            (with("bounds: {expirationSeconds: [7200, 3600]}"), (2, 87), "7200 to 3600"),
            (with("bounds: {expirationSeconds: [600]}"), (2, 87), "a list of 2 is meant"),
            ("profiles:\n- preset: aws\n".to_owned(), (2, 11), "there is no preset \"aws\""),
            (
                "profiles:\n- preset: aws-irsa\n- preset: aws-irsa".to_owned(),
                (3, 11),
                "two profiles",
            ),
            (
                "profiles:\n- preset: aws-irsa\n- {preset: aws-irsa, name: aws-irsa}".to_owned(),
                (3, 28),
                "two profiles",
            ),
            (
                "profiles:\n- {name: A, tokens: [{path: t}], volume: {mountPath: /v}}".to_owned(),
                (2, 10),
                "\"A\"",
            ),
            (
                "profiles:\n- {name: a, tokens: [{path: t}], volume: {mountPath: v}}".to_owned(),
                (2, 54),
                "absolute",
            ),
            (
                "profiles:\n- {name: a, tokens: [{path: t}], volume: {mountPath: /v/../w}}".to_owned(),
                (2, 54),
                "absolute",
            ),
            (
                "profiles:\n- {name: a, tokens: [{path: t}], volume: {mountPath: /v, defaultMode: 644}}".to_owned(),
                (2, 71),
                "0777",
            ),
        ] {
            match parse(&text) {
                Err(BadYaml {
                    position: Some(Position { line, column }),
                    what: said,
                    ..
                }) => {
                    assert_eq!((line, column), at, "{text}: {said}");
                    assert!(said.contains(why), "{text}: {said}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        // As in every manifest, a mode may be octal.
        for mode in ["0644", "0o644", "420"] {
            let text = format!(
                "profiles:\n- {{name: a, tokens: [{{path: t}}], volume: {{mountPath: /v/, defaultMode: {mode}}}}}"
            );
            parse(&text).unwrap();
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
    fn a_mistake_is_named_with_its_place() {
        for (text, at, why) in [
            ("unknown: 1", (1, 1), "unknown"),
            ("checks:\n  nodes: enfroce", (2, 10), "enfroce"),
            ("checks: {bogus: warn}", (1, 10), "bogus"),
            ("apiVersion: v1", (1, 13), "v1"),
            (
                "namespaces:\n- match: [\"a b\"]\n  checks: {}",
                (2, 11),
                "blank",
            ),
            (
                "baseline:\n  tolerations:\n  - {key: \"\"}",
                (3, 11),
                "label key",
            ),
            (
                "baseline:\n  tolerations:\n  - {key: a b}",
                (3, 11),
                "label key",
            ),
            (
                "baseline:\n  tolerations:\n  - {key: a, effect: NoSchedul}",
                (3, 22),
                "NoSchedul",
            ),
            (
                "baseline:\n  tolerations:\n  - {key: a, maxSeconds: x}",
                (3, 26),
                "whole number",
            ),
            ("checks: {}\nchecks: {}", (2, 1), "stands there twice"),
            ("checks: {a", (1, 9), "unclosed"),
            (
                "checks: {}\n---\nchecks: {}",
                (3, 1),
                "single YAML document",
            ),
            (
                "exemptions:\n- name: a\n  match: {}\n  owner: o\n  reason: r\n  expires: 2027-01-31",
                (3, 10),
                "everything",
            ),
            ("tokens: [{maxSeconds: 700}]", (1, 10), "namespaces"),
            ("tokens: [{namespaces: []}]", (1, 10), "limits nothing"),
            (
                "tokens:\n- namespaces: [a]\n  serviceAccounts: []",
                (2, 3),
                "limits nothing",
            ),
            (
                "tokens: [{namespaces: [a], minSeconds: 599}]",
                (1, 40),
                "599",
            ),
            (
                "tokens:\n- namespaces: [a]\n  maxSeconds: 4294967297",
                (3, 15),
                "accepts 600 to 4294967296",
            ),
            (
                "tokens: [{namespaces: [a], maxSeconds: x}]",
                (1, 40),
                "whole number",
            ),
            (
                "tokens:\n- namespaces: [a]\n  minSeconds: 700\n  maxSeconds: 650",
                (2, 3),
                "less than minSeconds",
            ),
            (
                "tokens:\n- namespaces: [a]\n- namespaces: [b]\n  tooLong: shorten",
                (3, 3),
                "tooLong: shorten needs maxSeconds",
            ),
            (
                "tokens:\n- {namespaces: [a], kubelets: shorten, extendedApiToken: allow}",
                (2, 3),
                "kubelets: shorten needs",
            ),
            (
                "tokens:\n- {namespaces: [a], extendedApiToken: rewrite, maxSeconds: 3599}",
                (2, 3),
                "writes 3600",
            ),
            (
                "tokens:\n- {namespaces: [a], extendedApiToken: rewite}",
                (2, 39),
                "rewite",
            ),
            (
                "tokens:\n- {namespaces: [a], kubelet: pass}",
                (2, 21),
                "kubelet",
            ),
            (
                "tokens:\n- {namespaces: [a], audiences: ['']}",
                (2, 33),
                "empty",
            ),
            ("apiAudiences: x", (1, 15), "a list"),
            (
                "controllers: {kube-controller-manager: {namespace: x}}",
                (1, 41),
                "no namespace",
            ),
            (
                "controllers: {kustomize-controller: {user: u}}",
                (1, 15),
                "not enabled",
            ),
            (
                "catalogue: {enable: [flux]}\ncontrollers: {kustomize-controller: {user: u}}",
                (2, 38),
                "not a user",
            ),
            ("controllers: {baker: {}}", (1, 15), "no controller"),
            (
                "controllers: {kube-controller-manger: {}}",
                (1, 15),
                "probably meant",
            ),
            (
                "catalogue: {enable: [kedda]}",
                (1, 22),
                "\"keda\" is probably meant",
            ),
            ("profiles: [{preset: vault}]", (1, 21), "no preset"),
            (
                "profiles: [{preset: aws-isra}]",
                (1, 21),
                "there is no preset \"aws-isra\"; \"aws-irsa\" is probably meant",
            ),
            (
                "defaultServiceAccounts:\n- {namespaces: [a], controllers: [baker], serviceAccount: s}",
                (2, 35),
                "no controller",
            ),
            (
                "grants:\n- {subjects: [{user: u}], namespaces: [a], use: {signer: [s]}}",
                (2, 50),
                "signer",
            ),
            (
                "exemptions:\n- name: a\n  match: {users: [x]}\n  owner: o\n  reason: r\n  expires: 2027-13-31",
                (6, 12),
                "no day",
            ),
        ] {
            match parse(text) {
                Err(BadYaml {
                    position: Some(Position { line, column }),
                    what: said,
                    ..
                }) => {
                    assert_eq!((line, column), at, "{text}: {said}");
                    assert!(said.contains(why), "{text}: {said}");
                    assert!(!said.contains('\n') && !said.contains('`'), "{said}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
