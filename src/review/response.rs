use std::collections::BTreeMap;

use serde::Serialize;

use super::{API_VERSION, KIND};
use crate::engine::{Finding, Mode, Verdict};

/// Longest warning, in characters: what the API server's own documentation advises.
const WARNING: usize = 120;
/// Longest message and longest audit annotation, in characters: names are as long as the requester made them.
const TEXT: usize = 4000;
/// How many warnings and audit lines one answer carries.
const LINES: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    outcome: &'static str,
    message: &'a str,
    reason: &'static str,
    code: u16,
}

/// The AdmissionReview that answers a request with its verdict.
pub fn respond(verdict: &Verdict<'_>) -> Vec<u8> {
    let message = if verdict.allowed() {
        String::new()
    } else {
        cut(verdict.message(), TEXT)
    };
    let (reason, code) = match verdict.broken {
        Some(_) => ("BadRequest", 400),
        None => ("Forbidden", 403),
    };
    let mut annotations = BTreeMap::new();
    for (key, mode) in [
        ("refused", Mode::Enforce),
        ("warned", Mode::Warn),
        ("audited", Mode::Audit),
    ] {
        annotate(
            &mut annotations,
            key,
            verdict.at(mode).map(Finding::to_string),
        );
    }
    let waived = verdict
        .waived()
        .map(|(finding, exemption)| format!("{}: {finding}", exemption.name));
    annotate(&mut annotations, "exempted", waived);
    let mut warnings: Vec<String> = Vec::new();
    for finding in verdict.at(Mode::Warn) {
        // A line that a terminal shows whole. Two that are cut may become the same.
        let warning = cut(finding.to_string(), WARNING);
        if warnings.len() == LINES {
            break;
        }
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    write(Response {
        uid: &verdict.request.uid,
        allowed: verdict.allowed(),
        status: (!verdict.allowed()).then_some(Status {
            outcome: "Failure",
            message: &message,
            reason,
            code,
        }),
        audit_annotations: annotations,
        warnings,
    })
}

/// The AdmissionReview that refuses a request which could not be judged. `code` is an HTTP status of an error, 400 to
/// 599; any other becomes the nearest of them.
pub fn refuse(uid: &str, why: &str, code: u16) -> Vec<u8> {
    let code = code.clamp(400, 599);
    let why = if why.trim().is_empty() {
        "refused"
    } else {
        why
    };
    write(Response {
        uid,
        allowed: false,
        status: Some(Status {
            outcome: "Failure",
            message: &cut(why.to_owned(), TEXT),
            reason: match code {
                400 => "BadRequest",
                503 => "ServiceUnavailable",
                _ => "InternalError",
            },
            code,
        }),
        ..Response::default()
    })
}

/// The AdmissionReview that lets a request through as it is.
pub fn allow(uid: &str) -> Vec<u8> {
    write(Response {
        uid,
        allowed: true,
        ..Response::default()
    })
}

fn write(response: Response<'_>) -> Vec<u8> {
    let review = Review {
        api_version: API_VERSION,
        kind: KIND,
        response,
    };
    // Text, numbers and maps with text keys: there is nothing in it that JSON could not hold. Were there, an empty
    // answer is a failed call, which the API server treats as its failurePolicy says.
    serde_json::to_vec(&review).unwrap_or_default()
}

fn annotate(
    annotations: &mut BTreeMap<&'static str, String>,
    key: &'static str,
    mut lines: impl Iterator<Item = String>,
) {
    let mut first: Vec<String> = lines.by_ref().take(LINES).collect();
    if first.is_empty() {
        return;
    }
    let more = lines.count();
    if more > 0 {
        first.push(format!("and {more} more"));
    }
    annotations.insert(key, cut(first.join("; "), TEXT));
}

/// Shortens a text to so many characters.
fn cut(mut text: String, most: usize) -> String {
    if text.chars().count() > most {
        let end = text.char_indices().nth(most - 1).map(|(end, _)| end);
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}
