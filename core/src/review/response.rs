//! The answer to an AdmissionReview.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{API_VERSION, KIND};
use crate::{
    engine::{Finding, Mutation, Verdict},
    inject::Effect,
    reference::{Mode, escaped, shown},
};

/// Longest warning, in characters: what the API server's own documentation advises.
const WARNING: usize = 120;
/// Longest warning about what was not injected: the end of it says what to do. The API server shortens the longer ones
/// (`k8s.io/apiserver/pkg/endpoints/filters/warning.go`, 4 KiB for all of them).
const LONG_WARNING: usize = 256;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    outcome: &'static str,
    message: &'a str,
    reason: &'static str,
    code: u16,
}

impl<'a> Status<'a> {
    /// A refusal: of a request that cannot be judged, or of one that was.
    fn of(message: &'a str, broken: bool) -> Self {
        let (reason, code) = if broken {
            ("BadRequest", 400)
        } else {
            ("Forbidden", 403)
        };
        Self {
            outcome: "Failure",
            message,
            reason,
            code,
        }
    }
}

/// The AdmissionReview that answers a request with its verdict.
pub fn respond(verdict: &Verdict<'_>) -> Vec<u8> {
    let message = if verdict.allowed() {
        String::new()
    } else {
        cut(verdict.message(), TEXT)
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
        .map(|(finding, exemption)| format!("{}: {finding}", shown(&exemption.name)));
    annotate(&mut annotations, "exempted", waived);
    // A line that a terminal shows whole.
    let warnings = warnings(verdict.at(Mode::Warn).map(Finding::to_string), WARNING);
    write(Response {
        uid: &verdict.request.uid,
        allowed: verdict.allowed(),
        status: (!verdict.allowed()).then(|| Status::of(&message, verdict.broken.is_some())),
        audit_annotations: annotations,
        warnings,
        ..Response::default()
    })
}

/// The AdmissionReview that answers a request with what is to be changed. Where that is nothing, no patch is sent.
pub fn respond_mutation(mutation: &Mutation<'_>) -> Vec<u8> {
    let allowed = mutation.allowed();
    let message = cut(mutation.message(), TEXT);
    let mut annotations = BTreeMap::new();
    let injected = mutation.steps.iter().filter_map(|step| match &step.effect {
        Effect::Given(given) if allowed && given.changed => {
            Some(format!("{}: {given}", step.profile.name))
        }
        _ => None,
    });
    annotate(&mut annotations, "injected", injected);
    let missed = mutation.missed();
    let missed = missed.map(|(profile, why)| format!("{}: {why}", profile.name));
    annotate(&mut annotations, "missed", missed);
    annotate(
        &mut annotations,
        "refused",
        mutation.refusals.iter().map(ToString::to_string),
    );
    let told = mutation.warnings.iter();
    let warnings = warnings(
        told.map(|warning| shown(warning).into_owned()),
        LONG_WARNING,
    );
    let changes = allowed && !mutation.patch.0.is_empty();
    write(Response {
        uid: &mutation.request.uid,
        allowed,
        status: (!allowed).then(|| Status::of(&message, mutation.broken.is_some())),
        audit_annotations: annotations,
        warnings,
        patch_type: changes.then_some("JSONPatch"),
        patch: changes
            .then(|| STANDARD.encode(serde_json::to_vec(&mutation.patch).unwrap_or_default())),
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
            message: &cut(shown(why).into_owned(), TEXT),
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

fn write(response: Response<'_>) -> Vec<u8> {
    let review = Review {
        api_version: API_VERSION,
        kind: KIND,
        response,
    };
    // Text, numbers and maps with text keys: there is nothing in it that JSON could not hold. Were there, an empty
    // answer is a failed call, which the API server treats as its failurePolicy says.
    let json = serde_json::to_string(&review).unwrap_or_default();
    match escaped(&json) {
        Cow::Borrowed(_) => json.into_bytes(),
        Cow::Owned(plain) => plain.into_bytes(),
    }
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

/// The first warnings, each of so many characters at most. Two that are cut may become the same.
fn warnings(lines: impl Iterator<Item = String>, most: usize) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    for line in lines {
        let warning = cut(line, most);
        if warnings.len() == LINES {
            break;
        }
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
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
