//! Accounts that custom resources leave open, written where the configuration names one.

use json_patch::{AddOperation, PatchOperation};
use serde_json::{Value, value::RawValue};

use crate::{
    catalogue::{Catalogue, Content},
    engine::{
        policy::{DefaultAccount, Policy},
        request::{Operation, Request},
        unchanged::Change,
    },
    object::{Lost, at, pointer},
    reference::Pattern,
    sight::unnamed,
};

/// What the mutating side is to write.
#[derive(Default)]
pub(super) struct Written {
    /// The changes.
    pub(super) operations: Vec<PatchOperation>,
    /// What happens, as sentences for whoever named no account.
    pub(super) warnings: Vec<String>,
}

/// The accounts that are to be written into the object of a request: those of the first entry that matches the namespace
/// and names the controller. Of an update that changes nothing that is judged, none: it was admitted as it is.
///
/// An error if the object cannot be read.
pub(super) fn unnamed_accounts(
    request: &Request<'_>,
    catalogue: &Catalogue,
    policy: &Policy,
) -> Result<Written, Lost> {
    let Request {
        kind, namespace, ..
    } = request;
    let matching: Vec<&DefaultAccount> = policy
        .default_accounts
        .iter()
        .filter(|entry| Pattern::any(&entry.namespaces, namespace))
        .collect();
    if matching.is_empty() || !request.subresource.is_empty() || policy.excludes(namespace) {
        return Ok(Written::default());
    }
    let entry = catalogue.version(&kind.group, &kind.kind, &kind.version);
    let (Some(entry), Some(object)) = (entry, request.object) else {
        return Ok(Written::default());
    };
    let Content::Fields(fields) = &entry.content else {
        return Ok(Written::default());
    };
    let is_asked_about = match (&request.operation, request.old) {
        (Operation::Create, _) => true,
        (Operation::Update, Some(old)) => Change::of(entry, object, old) == Change::Other,
        _ => false,
    };
    if !is_asked_about {
        return Ok(Written::default());
    }
    let mut written = Written::default();
    for field in unnamed(fields, object)? {
        let (controller, path) = (field.left_to().unwrap_or_default(), field.path.head());
        let mut entries = matching.iter();
        let held =
            |entry: &&&DefaultAccount| entry.controllers.iter().any(|held| *held == *controller);
        if let Some(DefaultAccount {
            service_account, ..
        }) = entries.find(held)
        {
            written.add(object, &path, service_account)?;
            written.warnings.push(format!(
                "{} named no account: \"{service_account}\" is written, as defaultServiceAccounts of the configuration says",
                path.join(".")
            ));
        }
    }
    Ok(written)
}

impl Written {
    /// Writes a text at a path of keys, with whatever is missing on the way.
    fn add(&mut self, object: &RawValue, path: &[Box<str>], text: &str) -> Result<(), Lost> {
        for length in 1..=path.len() {
            let (way, rest) = path.split_at(length);
            let path = pointer(way, &[]);
            let value = if rest.is_empty() {
                text.into()
            } else if at::<&RawValue>(object, way)?.is_some()
                || self.operations.iter().any(|known| *known.path() == *path)
            {
                continue;
            } else {
                Value::Object(serde_json::Map::new())
            };
            // Adding a field that is there replaces it (RFC 6902, 4.1).
            let added = AddOperation { path, value };
            self.operations.push(PatchOperation::Add(added));
        }
        Ok(())
    }
}
