//! The object of a manifest as the API server would ask about it.

use serde_json::value::RawValue;

use usher_core::{
    engine::{KindRef, Operation, Request},
    manifest::Object,
    reference::Requester,
};

/// The request to create an object now: `json` is the object, `namespace` the one that it would get.
pub(super) fn created<'a>(
    object: &'a Object<'_, '_>,
    json: &'a RawValue,
    namespace: &'a str,
    requester: Requester<'a>,
) -> Request<'a> {
    Request {
        uid: "".into(),
        operation: Operation::Create,
        kind: KindRef {
            group: object.group().into(),
            version: object.version().into(),
            kind: object.kind.into(),
        },
        subresource: "".into(),
        namespace: namespace.into(),
        name: object.name.into(),
        requester,
        object: Some(json),
        old: None,
        dry_run: true,
    }
}
