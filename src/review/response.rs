use std::collections::BTreeMap;

use serde::Serialize;

use super::{API_VERSION, KIND};
use crate::engine::{Finding, Mode, Verdict};

/// Longest warning, in characters: what the API server's own documentation advises.
const WARNING: usize = 120;
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
        verdict.message()
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
        warnings: verdict.at(Mode::Warn).take(LINES).map(warning).collect(),
    })
}

/// The AdmissionReview that refuses a request which could not be judged. `code` is an HTTP status from 400 up.
pub fn refuse(uid: &str, why: &str, code: u16) -> Vec<u8> {
    write(Response {
        uid,
        allowed: false,
        status: Some(Status {
            outcome: "Failure",
            message: why,
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
    lines: impl Iterator<Item = String>,
) {
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    annotations.insert(key, lines.join("; "));
}

/// A finding in one line that a terminal shows whole.
fn warning(finding: &Finding<'_>) -> String {
    let text = finding.to_string();
    if text.chars().count() <= WARNING {
        return text;
    }
    let mut cut: String = text.chars().take(WARNING - 1).collect();
    cut.push('…');
    cut
}
