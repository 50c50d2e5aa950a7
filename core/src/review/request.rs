//! An AdmissionReview as a request to judge.

use serde::{
    Deserialize,
    de::{Error as _, IgnoredAny},
};
use serde_json::value::RawValue;

use super::{API_VERSION, KIND};
use crate::{
    engine::{KindRef, Request},
    object::Strict,
    reference::{Requester, Text},
};

/// The bytes are no AdmissionReview that can be judged.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct BadReview {
    /// The uid of the request, if it could be read: a refusal must carry it, or the API server takes the answer for
    /// a failed call.
    pub uid: Option<String>,
    /// What is wrong.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    request: Option<Wire<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default)]
    uid: Text<'a>,
    #[serde(borrow)]
    kind: KindRef<'a>,
    #[serde(borrow, default)]
    sub_resource: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(borrow)]
    operation: Text<'a>,
    #[serde(borrow)]
    user_info: Requester<'a>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
    #[serde(default)]
    dry_run: Option<bool>,
}

/// Reads an AdmissionReview. Everything is borrowed from the bytes; the objects inside are not looked into.
pub fn read(bytes: &[u8]) -> Result<Request<'_>, BadReview> {
    let review: Review<'_> = parse(bytes).map_err(|error| BadReview {
        uid: uid(bytes),
        why: if is_bare(bytes) {
            format!(
                "this is the request alone: give the whole review, {{\"apiVersion\": \"{API_VERSION}\", \"kind\": \"{KIND}\", \
                 \"request\": ...}}"
            )
        } else {
            format!("the body is not an AdmissionReview: {error}")
        },
    })?;
    if *review.api_version != *API_VERSION || *review.kind != *KIND {
        return Err(BadReview {
            uid: review.request.map(|request| request.uid.to_string()),
            why: format!(
                "the body is \"{}\" of \"{}\", not {KIND} of {API_VERSION}",
                review.kind, review.api_version
            ),
        });
    }
    let Some(request) = review.request else {
        return Err(BadReview {
            uid: None,
            why: "the review has no request".to_owned(),
        });
    };
    // No API server sends such a one, and nothing could take the answer.
    if request.uid.is_empty() {
        return Err(BadReview {
            uid: None,
            why: "the request has no uid".to_owned(),
        });
    }
    Ok(Request {
        uid: request.uid,
        operation: request.operation.into(),
        kind: request.kind,
        subresource: request.sub_resource,
        namespace: request.namespace,
        name: request.name,
        requester: request.user_info,
        object: request.object,
        old: request.old_object,
        dry_run: request.dry_run.unwrap_or_default(),
    })
}

/// Whether it is what stands in a review and not the review itself, which tools that test other webhooks take.
fn is_bare(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Bare {
        #[serde(rename = "operation")]
        _operation: IgnoredAny,
        #[serde(rename = "userInfo")]
        _user: IgnoredAny,
    }
    parse::<Bare>(bytes).is_ok()
}

/// The uid of a review that is otherwise not what it should be.
fn uid(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        request: Inner<'a>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        uid: Text<'a>,
    }
    let outer: Outer<'_> = parse(bytes).ok()?;
    Some(outer.request.uid.to_string()).filter(|uid| !uid.is_empty())
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let text = str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf_8_is_refused_wherever_it_stands() {
        let mut body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","unknown":"?","request":{
            "uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":{}}}"#
            .to_vec();
        assert!(read(&body).is_ok());
        let at = body.iter().position(|byte| *byte == b'?').unwrap();
        body[at] = 0xD3;
        assert!(read(&body).unwrap_err().why.contains("utf-8"));
    }

    #[test]
    fn a_bad_review_keeps_its_uid_where_it_can() {
        for (body, uid, why) in [
            ("", None, "not an AdmissionReview"),
            (
                r#"{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":{"username":"jane"}}"#,
                None,
                "this is the request alone: give the whole review",
            ),
            ("7", None, "not an AdmissionReview"),
            ("{}", None, "not AdmissionReview of"),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
                None,
                "no request",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":{}}}"#,
                None,
                "no uid",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":{}}}"#,
                Some("u"),
                "v1beta1",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE"}}"#,
                Some("u"),
                "userInfo",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":7,"userInfo":{}}}"#,
                Some("u"),
                "expected text",
            ),
            (
                r#"["admission.k8s.io/v1","AdmissionReview",{"uid":"u"}]"#,
                None,
                "invalid type",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":["","v1","Pod"],"operation":"CREATE","userInfo":{}}}"#,
                Some("u"),
                "invalid type",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":["jane"]}}"#,
                Some("u"),
                "invalid type",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":{}}}"#,
                Some("u"),
                "missing field `group`",
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"} {}"#,
                None,
                "trailing",
            ),
        ] {
            let bad = read(body.as_bytes()).unwrap_err();
            assert_eq!(bad.uid.as_deref(), uid, "{body}");
            assert!(bad.why.contains(why), "{body}: {}", bad.why);
        }
    }
}
