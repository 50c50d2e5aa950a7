//! Single objects, read when a request needs them.

use std::fmt::Write;

use hyper::{Method, StatusCode, body::Bytes};
use kube::Client;
use serde_json::value::RawValue;

use super::call::{call, declined};
use usher_core::engine::{FactError, ObjectRef};

/// Reads one object. `None` if it is not there.
pub(super) async fn fetch(
    client: &Client,
    at: &ObjectRef,
) -> Result<Option<Box<RawValue>>, FactError> {
    let path = path(at)?;
    match call(client, Method::GET, &path, &Bytes::new()).await? {
        (StatusCode::OK, body) => serde_json::from_slice(&body).map(Some).map_err(|error| {
            FactError::Failed(format!("the answer of the API server is no JSON: {error}"))
        }),
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (status, body) => Err(declined(status, &body)),
    }
}

/// Where an object stands in the API. Names come from requests: none may lead anywhere else.
fn path(at: &ObjectRef) -> Result<String, FactError> {
    let mut path = String::new();
    let (root, parts) = match at.api_version.split_once('/') {
        Some((group, version)) => ("/apis", vec![group, version]),
        None => ("/api", vec![&*at.api_version]),
    };
    path.push_str(root);
    let namespace = at.namespace.as_deref();
    let names = namespace.into_iter().flat_map(|name| ["namespaces", name]);
    for segment in parts
        .into_iter()
        .chain(names)
        .chain([&*at.resource, &*at.name])
    {
        path.push('/');
        encode(&mut path, segment)?;
    }
    Ok(path)
}

/// Adds one segment of a path. What Kubernetes itself never takes for a name
/// (`k8s.io/apimachinery/pkg/api/validation/path.IsValidPathSegmentName`) is refused.
pub(super) fn encode(path: &mut String, segment: &str) -> Result<(), FactError> {
    if matches!(segment, "" | "." | "..") || segment.contains(['/', '%']) {
        let why = format!("\"{}\" is no name of an object", segment.escape_debug());
        return Err(FactError::Failed(why));
    }
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(api_version: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: "Thing".to_owned(),
            resource: "things".to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn an_object_has_one_path() {
        for (at, expected) in [
            (at("v1", Some("a"), "b"), "/api/v1/namespaces/a/things/b"),
            (
                at("apps/v1", Some("a"), "b"),
                "/apis/apps/v1/namespaces/a/things/b",
            ),
            (
                at("node.k8s.io/v1", None, "gvisor"),
                "/apis/node.k8s.io/v1/things/gvisor",
            ),
            (at("v1", None, "system:x"), "/api/v1/things/system:x"),
            (
                at("v1", None, "a?b#c d\n"),
                "/api/v1/things/a%3Fb%23c%20d%0A",
            ),
            (at("v1", None, "ä"), "/api/v1/things/%C3%A4"),
        ] {
            assert_eq!(path(&at).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        for name in ["", ".", "..", "../../secrets/x", "a/b", "a%2fb", "a/", "/"] {
            assert!(path(&at("v1", Some("a"), name)).is_err(), "{name}");
            assert!(path(&at("v1", Some(name), "b")).is_err(), "{name}");
            assert!(
                path(&at(&format!("apps/{name}"), None, "b")).is_err(),
                "{name}"
            );
        }
    }
}
