//! What patches set that a pod spec could hold.

use serde_json::{Value, json, value::RawValue};

use super::{Sighting, look::Looker};
use crate::{
    catalogue::PatchField,
    object::{
        CREDENTIALS, Credential, FIELDS, Listed, Named, PATHS, PodCertificateSource, PodField,
        PodPath, PodSpec, TokenSource, VOLUMES, credentials, misspelled_anywhere, parse, text,
    },
    reference::{Check, Path, Reference, Resource, Target, Text},
};

/// What is not looked into where a place in a patch is still to be filled in: what comes there may go on behind it.
const FILLED_IN: &str = "a patch that is filled in later";
/// How deep a patch is looked into.
const NESTED: usize = 32;

impl<'o> Looker<'_, 'o> {
    /// Strategic merge patches or a JSON patch (RFC 6902), as text or as it is.
    pub(super) fn patch(&mut self, field: &PatchField, value: &'o RawValue, path: &str) {
        let text = text(value);
        let placeholder = field.placeholder.as_deref();
        let is_filled_in = |text: &str| placeholder.is_some_and(|begin| text.contains(begin));
        // Where YAML 1.1, which Go reads, ends a line, and so a comment, this reader goes on.
        let is_ambiguous = |text: &Text<'_>| text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
        if let Some(text) = &text {
            if is_filled_in(text) {
                self.opaque(path, FILLED_IN);
            } else if !field.any_case && !is_ambiguous(text) && !self.may_set(text) {
                return;
            }
        }
        let read: Option<Vec<Value>> = match &text {
            // Kustomize reads patches with `go.yaml.in/yaml/v3` (sigs.k8s.io/kustomize/kyaml), which takes directives and
            // `!!binary`, as kubectl's reader, and so ours, does not.
            Some(text) => serde_saphyr::from_multiple(text).ok(),
            None => serde_json::from_str(value.get()).ok().map(|one| vec![one]),
        };
        let unread = || {
            let path = Path::new(path.to_owned(), "");
            Sighting::Lost(path, "it is a patch that cannot be read".to_owned())
        };
        let Some(documents) = read.filter(|_| !text.as_ref().is_some_and(is_ambiguous)) else {
            if !text.is_some_and(|text| is_filled_in(&text)) {
                self.push(unread());
            }
            return;
        };
        for document in documents {
            if text.is_none() && is_filled_in(&document.to_string()) {
                self.opaque(path, FILLED_IN);
            }
            if field.any_case
                && let Some(key) = misspelled_anywhere(&document)
            {
                let why = format!("{key} has other capitals than the API gives it");
                self.push(Sighting::Lost(Path::new(path.to_owned(), ""), why));
            }
            match document {
                Value::String(_) | Value::Number(_) | Value::Bool(_) => self.push(unread()),
                Value::Array(operations) => {
                    for operation in &operations {
                        if self.is_full() {
                            return;
                        }
                        self.operation(operation, path);
                    }
                }
                merge => self.merge(&merge, path, NESTED),
            }
        }
    }

    /// An operation of a JSON patch.
    fn operation(&mut self, operation: &Value, path: &str) {
        let held = |key| operation.get(key).and_then(Value::as_str);
        let (Some(target), op) = (held("path"), held("op").unwrap_or_default()) else {
            return;
        };
        let value = operation.get("value").cloned().unwrap_or_default();
        let mut lists = FIELDS.iter().filter(|field| field.is_list());
        let in_list = lists.find_map(|list| {
            let (_, below) = target.rsplit_once(&format!("/{}/", list.key))?;
            Some((list.key, below))
        });
        match (op, in_list) {
            ("test", _) => {}
            ("copy" | "move", _) => self.opaque(path, "a patch that sets what stands elsewhere"),
            (_, Some((_, below))) if below.contains('/') => {
                self.opaque(path, "a patch of a part of a toleration");
            }
            ("remove", Some(_)) => {}
            // One item less is nothing that is set. Without a field, another value holds.
            ("remove", _) if target.rsplit('/').next().is_some_and(is_item) => {}
            _ => self.merge(&placed(target, value), path, NESTED),
        }
    }

    /// Whatever a patch sets that a pod spec could hold, at any depth.
    fn merge(&mut self, patch: &Value, path: &str, depth: usize) {
        match patch {
            _ if depth == 0 => self.opaque(path, "a patch that nests too deep"),
            Value::Object(map) => {
                let set: serde_json::Map<String, Value> = map
                    .iter()
                    .filter(|(key, _)| PodField::of_key(key).is_some() || self.is_listed(key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if !set.is_empty() {
                    self.set(&Value::Object(set), path);
                }
                for value in map.values() {
                    self.merge(value, path, depth - 1);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.merge(item, path, depth - 1);
                }
            }
            _ => {}
        }
    }

    /// Whether this key of a pod spec leads to what a check asks about.
    fn is_listed(&self, key: &str) -> bool {
        let is_asked = |row: &PodPath| self.asking.contains(&row.says.check());
        self.tokens && key == VOLUMES
            || !self.asking.is_empty() && PATHS.iter().any(|row| row.part() == key && is_asked(row))
    }

    /// The references of fields of a pod spec that are not part of the object's text.
    fn set(&mut self, fields: &Value, path: &str) {
        // What a patch leaves out it does not set.
        let sets = |check| {
            PodField::of(check)
                .is_some_and(|field| field.keys().any(|key| fields.get(key).is_some()))
        };
        let spec = serde_json::value::to_raw_value(fields).unwrap_or_default();
        match parse::<PodSpec<'_>>(&spec) {
            Ok(spec) => {
                for reference in spec.references(&path.to_owned().into()) {
                    if sets(reference.check) {
                        self.push(Sighting::Reference(Reference {
                            namespace: self.elsewhere(),
                            ..reference.into_owned(path.to_owned())
                        }));
                    }
                }
                for Listed { says, named, .. } in spec.listed(|check| self.asking.contains(&check))
                {
                    let reference = |resource, name: Text<'_>| Reference {
                        check: says.check(),
                        path: Path::new(path.to_owned(), ""),
                        target: Target::Object {
                            resource,
                            name: name.into_owned(),
                        },
                        namespace: self.elsewhere(),
                    };
                    let sighting = match named {
                        Named::One(resource, name) => {
                            Sighting::Reference(reference(resource, name))
                        }
                        Named::Malformed(why) | Named::Lost(why) => {
                            Sighting::Malformed(reference(says.resource(), Text::default()), why)
                        }
                    };
                    self.push(sighting);
                }
                if self.tokens {
                    self.credentials(&spec, path);
                }
            }
            Err(bad) => {
                let path = Path::new(path.to_owned(), "");
                self.push(Sighting::Lost(path, bad.to_string()));
            }
        }
    }

    /// The tokens and certificates of the volumes of a patch.
    fn credentials(&mut self, spec: &PodSpec<'_>, path: &str) {
        let at = || Path::new(path.to_owned(), "");
        let volumes = match spec.volumes() {
            Ok(volumes) => volumes,
            Err(bad) => {
                let reference = self.reference(
                    Check::Tokens,
                    Resource::TOKEN_AUDIENCES,
                    Text::default(),
                    at(),
                    None,
                );
                return self.push(Sighting::Malformed(reference, bad.to_string()));
            }
        };
        for Credential { source, .. } in credentials(&volumes) {
            let (token, certificate) = (&source.service_account_token, &source.pod_certificate);
            self.push(Sighting::Credential {
                path: at(),
                namespace: self.own.clone(),
                token: token.clone().map(TokenSource::into_owned),
                certificate: certificate.clone().map(PodCertificateSource::into_owned),
            });
        }
    }

    /// Whether the text of a patch could set a field of a pod spec that is asked about. Most patches could not, and reading YAML
    /// takes time. A key is written as it is, but for escapes (`"\x6eodeName"`), tags (`!!binary`) and what is still to be filled in; what
    /// is copied or moved stands elsewhere.
    fn may_set(&self, patch: &str) -> bool {
        let keys = FIELDS.iter().flat_map(PodField::keys);
        let of_tokens = CREDENTIALS.into_iter().filter(|_| self.tokens);
        let words = ["{{", "<<", "copy", "move"].into_iter();
        let asking = &self.asking;
        let sets = |row: &PodPath| asking.contains(&row.says.check()) && patch.contains(row.word());
        patch.contains(['\\', '!', '$'])
            || words
                .chain(keys)
                .chain(of_tokens)
                .any(|word| patch.contains(word))
            || !asking.is_empty() && PATHS.iter().any(sets)
    }
}

/// Whether a key of a JSON pointer is the place of an item of a list.
fn is_item(key: &str) -> bool {
    key == "-" || !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value where a JSON pointer (RFC 6901) says: below a number or `-` it is an item of a list.
fn placed(pointer: &str, value: Value) -> Value {
    let keys: Vec<&str> = pointer.split('/').skip(1).collect();
    keys.into_iter().rev().fold(value, |below, key| {
        if is_item(key) {
            json!([below])
        } else {
            let key = key.replace("~1", "/").replace("~0", "~");
            json!({ key: below })
        }
    })
}
