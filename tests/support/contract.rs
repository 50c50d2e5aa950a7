//! What the API server demands of an answer, and that every answer that can be given keeps to it.
//!
//! Rules: `k8s.io/apiserver/pkg/admission/plugin/webhook/request/admissionreview.go` (`VerifyAdmissionResponse`),
//! `.../webhook/errors/statuserror.go`, `k8s.io/apiserver/pkg/audit/context.go`,
//! `k8s.io/apiserver/pkg/endpoints/filters/warning.go`.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde_json::Value;
use usher_core::review::{read, refuse};

/// Warnings longer than this are cut by the API server, in characters.
const WARNING: usize = 256;
/// All warnings of one request together, in characters.
const WARNINGS: usize = 4096;
/// Longest message or annotation that is still read by anybody, in bytes. The API server has no limit of its own.
const TEXT: usize = 16 * 1024;

/// Checks an answer of a validating webhook. `Err` says which rule is broken.
pub(crate) fn check(response: &[u8], uid: &str, allowed: bool) -> Result<(), String> {
    if patch(response).is_some() {
        let answer = String::from_utf8_lossy(response);
        return Err(format!("a validating webhook changes nothing: {answer}"));
    }
    check_mutation(response, uid, allowed)
}

/// The patch of an answer, if it has one that can be read.
pub(crate) fn patch(response: &[u8]) -> Option<json_patch::Patch> {
    let review: Value = serde_json::from_slice(response).ok()?;
    let text = STANDARD
        .decode(review["response"]["patch"].as_str()?)
        .ok()?;
    serde_json::from_slice(&text).ok()
}

/// Checks an answer of a mutating webhook. `Err` says which rule is broken.
#[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
pub(crate) fn check_mutation(response: &[u8], uid: &str, allowed: bool) -> Result<(), String> {
    let broken = |rule: &str| Err(format!("{rule}: {}", String::from_utf8_lossy(response)));
    let Ok(review) = serde_json::from_slice::<Value>(response) else {
        return broken("an answer is JSON");
    };
    if review["apiVersion"] != "admission.k8s.io/v1" || review["kind"] != "AdmissionReview" {
        return broken("an answer is of the version and kind that was asked");
    }
    let Some(answer) = review["response"].as_object() else {
        return broken("an answer has a response");
    };
    if !holds_only(&review, &["apiVersion", "kind", "response"]) || has_null(&review) {
        return broken("an answer holds nothing else, and no null");
    }
    let known = [
        "uid",
        "allowed",
        "status",
        "patch",
        "patchType",
        "auditAnnotations",
        "warnings",
    ];
    if !holds_only(&review["response"], &known) {
        return broken("a response holds only fields that there are");
    }
    if answer.get("uid").and_then(Value::as_str) != Some(uid) {
        return broken("the uid is that of the request");
    }
    if answer.get("allowed").and_then(Value::as_bool) != Some(allowed) {
        return broken("the answer is that of the verdict");
    }
    let (has_patch, sort) = (answer.contains_key("patch"), answer.get("patchType"));
    if has_patch != sort.is_some() || sort.is_some_and(|sort| sort != "JSONPatch") {
        return broken("a patch is a JSON patch, and says so");
    }
    if has_patch && (!allowed || patch(response).is_none_or(|patch| patch.0.is_empty())) {
        return broken(
            "only an allowed request is changed, and only by a patch that does something",
        );
    }
    match (allowed, answer.get("status")) {
        (true, None) => {}
        (true, Some(_)) => return broken("only a refusal has a status"),
        (false, None) => return broken("a refusal has a status"),
        (false, Some(status)) => {
            let code = status["code"].as_u64().unwrap_or_default();
            let message = status["message"].as_str().unwrap_or_default();
            if !holds_only(status, &["status", "code", "reason", "message"])
                || status["status"] != "Failure"
            {
                return broken("a status is one that metav1.Status reads");
            }
            if serde_json::from_value::<Status>(status.clone()).is_err() {
                return broken("a status is one that metav1.Status reads");
            }
            // Below 400 the API server would make it 400 (`ToStatusErr`), and nobody would see why.
            if !(400..600).contains(&code) {
                return broken("the code of a refusal is an error");
            }
            let reason = match code {
                400 => "BadRequest",
                403 => "Forbidden",
                503 => "ServiceUnavailable",
                _ => "InternalError",
            };
            if status["reason"] != reason {
                return broken("the reason fits the code");
            }
            if message.trim().is_empty() || message.len() > TEXT {
                return broken("a refusal says why, and not too much");
            }
            if !is_harmless(message) {
                return broken("nobody's words speak in the place of ours");
            }
        }
    }
    for (key, text) in answer
        .get("auditAnnotations")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if !is_key_part(key) {
            return broken("an audit key is legal behind the webhook's name and a slash");
        }
        if text
            .as_str()
            .is_none_or(|text| text.is_empty() || text.len() > TEXT)
        {
            return broken("an audit annotation is text");
        }
        if text.as_str().is_some_and(|text| !is_harmless(text)) {
            return broken("nobody's words speak in the place of ours");
        }
    }
    let warnings = answer
        .get("warnings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let warnings: Option<Vec<&str>> = warnings.iter().map(Value::as_str).collect();
    let Some(warnings) = warnings else {
        return broken("warnings are text");
    };
    let length = |text: &&str| text.chars().count();
    if warnings.iter().any(|text| {
        text.is_empty() || length(text) > WARNING || text.contains('\n') || !is_harmless(text)
    }) {
        return broken("a warning is one line that is not cut");
    }
    if warnings.iter().map(length).sum::<usize>() > WARNINGS {
        return broken("the warnings together are not cut");
    }
    if warnings.iter().collect::<HashSet<_>>().len() < warnings.len() {
        return broken("no warning is given twice");
    }
    Ok(())
}

/// Whether nothing in a text steers a terminal, but the ends of our own lines, turns the direction of writing, or is not seen.
pub(crate) fn is_harmless(text: &str) -> bool {
    let unseen = |c: char| matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    !text.contains(|c: char| unseen(c) || c.is_control() && c != '\n')
}

fn holds_only(object: &Value, keys: &[&str]) -> bool {
    object
        .as_object()
        .is_some_and(|object| object.keys().all(|key| keys.contains(&&**key)))
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(has_null),
        Value::Null => true,
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

/// The name part of a qualified name: the API server puts `<webhook>/` in front.
fn is_key_part(key: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    key.len() <= 63
        && edge(key.chars().next())
        && edge(key.chars().next_back())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let good = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":false,
        "status":{"status":"Failure","message":"no","reason":"Forbidden","code":403},"auditAnnotations":{"refused":"x"},
        "warnings":["w"]}}"#;
    assert_eq!(check(good.as_bytes(), "u", false), Ok(()));
    for (from, to, rule) in [
        ("{\"apiVersion\"", "\"apiVersion\"", "is JSON"),
        ("/v1\"", "/v1beta1\"", "version and kind"),
        ("AdmissionReview", "Review", "version and kind"),
        ("response", "responses", "has a response"),
        (
            "\"allowed\"",
            "\"x\":1,\"allowed\"",
            "only fields that there are",
        ),
        ("\"uid\":\"u\"", "\"uid\":\"v\"", "the uid"),
        ("false", "true", "that of the verdict"),
        (
            "\"allowed\"",
            "\"patch\":\"W10=\",\"patchType\":\"JSONPatch\",\"allowed\"",
            "changes nothing",
        ),
        ("\"no\"", "\"n\\u202eo\"", "nobody's words"),
        ("\"x\"", "\"x\\u001b\"", "nobody's words"),
        ("403", "0", "an error"),
        ("403", "200", "an error"),
        ("403", "400", "fits the code"),
        ("\"no\"", "\"\"", "says why"),
        ("\"no\"", "null", "no null"),
        ("\"Failure\"", "\"Success\"", "metav1.Status"),
        ("\"refused\"", "\"usher.dev/refused\"", "audit key"),
        ("[\"w\"]", "[\"w\",\"w\"]", "twice"),
        ("[\"w\"]", "[\"a\\nb\"]", "one line"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let broken = check(bad.as_bytes(), "u", false).unwrap_err();
        assert!(broken.contains(rule), "{to}: {broken}");
    }
    let long = good.replace("[\"w\"]", &format!("[\"{}\"]", "ä".repeat(WARNING + 1)));
    assert!(check(long.as_bytes(), "u", false).is_err());
    let allowed = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":true}}"#;
    assert_eq!(check(allowed.as_bytes(), "u", true), Ok(()));
}

#[test]
fn answers_without_a_verdict_keep_the_contract() {
    for uid in [
        "",
        "u",
        "705ab4f5-6393-11e8-b7cc-42010a800002",
        "\"\\\u{1}\u{2028}ä",
    ] {
        for code in [400, 413, 429, 500, 503] {
            check(
                &refuse(uid, "not ready: \"roles\" are not listed yet", code),
                uid,
                false,
            )
            .unwrap();
        }
        // Whatever a caller asks for: a refusal never turns into something else.
        for code in [0, 200, 399, 600, u16::MAX] {
            check(&refuse(uid, "", code), uid, false).unwrap();
        }
        check(&refuse(uid, &"x".repeat(1 << 20), 400), uid, false).unwrap();
    }
}

#[test]
fn malformed_bodies_are_refused_with_their_uid() {
    let head = r#""apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview""#;
    let deep = format!(
        "{{{head},\"request\":{{\"uid\":\"u\",\"object\":{}",
        "[".repeat(100_000)
    );
    let long = format!(
        "{{{head},\"request\":{{\"uid\":\"u\",\"operation\":{}}}}}",
        "9".repeat(1 << 20)
    );
    for (body, uid) in [
        ("", ""),
        ("\u{0}", ""),
        ("null", ""),
        ("[]", ""),
        ("{", ""),
        ("\"AdmissionReview\"", ""),
        (&format!("{{{head}}}"), ""),
        (&format!("{{{head},\"request\":null}}"), ""),
        (&format!("{{{head},\"request\":{{}}}}"), ""),
        (&format!("{{{head},\"request\":{{\"uid\":\"u\"}}}}"), "u"),
        (&format!("{{{head},\"request\":{{\"uid\":7}}}}"), ""),
        (
            &format!("{{{head},\"request\":{{\"uid\":\"u\",\"userInfo\":{{\"groups\":\"x\"}}}}}}"),
            "u",
        ),
        (&deep, ""),
        (&long, "u"),
    ] {
        let bad = read(body.as_bytes()).unwrap_err();
        let shown: String = body.chars().take(100).collect();
        assert_eq!(bad.uid.as_deref().unwrap_or_default(), uid, "{shown}");
        check(&refuse(uid, &bad.why, 400), uid, false).unwrap();
    }
    let bytes = [
        &b"{\"request\":{\"uid\":\"u\",\"name\":\""[..],
        &[0xFF, 0xFE],
        b"\"}}",
    ]
    .concat();
    let bad = read(&bytes).unwrap_err();
    check(&refuse("", &bad.why, 400), "", false).unwrap();
}
