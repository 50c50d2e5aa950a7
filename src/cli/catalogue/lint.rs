//! Entries of the catalogue held against definitions of custom resources.

use std::path::PathBuf;

use serde_json::Value;

use super::Failure;
use crate::files;
use usher_core::{
    catalogue::{Catalogue, Content, Field, Kind},
    object::{FieldPath, PodField, Step},
    yaml::BadYaml,
};

/// Whether a field of this key looks like a reference, wherever it stands: as one of a pod spec, or as what many projects call
/// an account.
fn looks_like_one(key: &str) -> bool {
    PodField::of_key(key).is_some() || key == "serviceAccountRef"
}

/// How deep a schema is looked into.
const DEPTH: usize = 24;

/// Holds the entries of a catalogue against definitions of custom resources. Every path that a definition does not have,
/// and every field of it that looks like a reference and is not listed, is a line.
pub(super) fn against(catalogue: &Catalogue, crds: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let mut seen = 0;
    for input in files::inputs(crds)? {
        files::read(&input, |_, object| {
            if object.kind == "CustomResourceDefinition" {
                let json = object.node.to_json().map_err(Stop::Json)?;
                let crd: Value = serde_json::from_str(json.get()).map_err(Stop::Json)?;
                seen += 1;
                lines.extend(definition(catalogue, &crd));
            }
            Ok::<(), Stop>(())
        })?;
    }
    if seen == 0 {
        return Err("there is no CustomResourceDefinition in what was given".into());
    }
    Ok(lines)
}

#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Bad(#[from] BadYaml),
    #[error(transparent)]
    Json(serde_json::Error),
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn definition(catalogue: &Catalogue, crd: &Value) -> Vec<String> {
    let (group, kind) = (text(crd, "/spec/group"), text(crd, "/spec/names/kind"));
    let mut lines = Vec::new();
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
    for version in versions.into_iter().flatten() {
        let name = text(version, "/name");
        if version.get("served").and_then(Value::as_bool) != Some(true) {
            continue;
        }
        let who = format!("{kind} {group}/{name}");
        let Some(entry) = catalogue.version(group, kind, name) else {
            if catalogue.find(group, kind).is_some() {
                lines.push(format!("{who}: the version is served and has no entry"));
            }
            continue;
        };
        let Some(schema) = version.pointer("/schema/openAPIV3Schema") else {
            continue;
        };
        let Content::Fields(fields) = &entry.content else {
            continue;
        };
        for field in fields {
            if !has(schema, field.path.steps()) {
                let path = field.path.text();
                lines.push(format!("{who}: {path} is not in the definition"));
            }
        }
        let mut found = Vec::new();
        unlisted(schema, &mut Vec::new(), fields, &mut found, DEPTH);
        lines.extend(
            found
                .into_iter()
                .map(|path| format!("{who}: {path} looks like a reference and is not listed")),
        );
    }
    lines.extend(resource(catalogue.find(group, kind), crd));
    lines
}

/// Whether plural and scope are those of the definition.
fn resource(kind: Option<&Kind>, crd: &Value) -> Option<String> {
    let kind = kind?;
    let (plural, scope) = (text(crd, "/spec/names/plural"), text(crd, "/spec/scope"));
    let same = *kind.resource == *plural && kind.cluster == (scope == "Cluster");
    (!same).then(|| format!("{}: its resource is {plural}, its scope {scope}", kind.kind))
}

/// Whether a path is in a schema, as far as the schema says what is there.
fn has(schema: &Value, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    if is_open(schema) {
        return true;
    }
    // The values of an object whose keys are known are those of its keys.
    if let (Step::Values, Some(Value::Object(known))) = (step, schema.get("properties")) {
        return known.values().any(|below| has(below, rest));
    }
    let below = match step {
        Step::Key(key) => schema
            .get("properties")
            .and_then(|properties| properties.get(&**key))
            .or_else(|| {
                schema
                    .get("additionalProperties")
                    .filter(|more| more.is_object())
            }),
        Step::Items => schema.get("items"),
        Step::Values => schema.get("additionalProperties"),
    };
    match below {
        Some(Value::Bool(open)) => *open,
        Some(below) => has(below, rest),
        // Every object has metadata, whatever its definition says.
        None => matches!(step, Step::Key(key) if **key == *"annotations" || **key == *"labels"),
    }
}

/// Whether anything may stand there.
fn is_open(schema: &Value) -> bool {
    let open = schema.get("x-kubernetes-preserve-unknown-fields");
    open.and_then(Value::as_bool) == Some(true)
        || schema.get("type").is_none() && schema.get("properties").is_none()
        || schema.get("type").and_then(Value::as_str) == Some("object")
            && schema.get("properties").is_none()
            && schema.get("additionalProperties").is_none()
}

fn unlisted(
    schema: &Value,
    at: &mut Vec<Step>,
    fields: &[Field],
    found: &mut Vec<String>,
    depth: usize,
) {
    let covered = |at: &[Step]| {
        fields.iter().any(|field| {
            let steps = field.path.steps();
            leads(steps, at) && steps.len() <= at.len() + 1
        })
    };
    if depth == 0 || at.first() == Some(&Step::Key("status".into())) {
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_pod = properties
        .is_some_and(|held| held.contains_key("containers") && held.contains_key("tolerations"));
    if is_pod && !covered(at) {
        found.push(FieldPath::written(at));
        return;
    }
    for (key, below) in properties.into_iter().flatten() {
        at.push(Step::Key(key.as_str().into()));
        if looks_like_one(key) && !covered(at) {
            found.push(FieldPath::written(at));
        } else {
            unlisted(below, at, fields, found, depth - 1);
        }
        at.pop();
    }
    for (key, step) in [
        ("items", Step::Items),
        ("additionalProperties", Step::Values),
    ] {
        if let Some(below) = schema.get(key).filter(|below| below.is_object()) {
            at.push(step);
            unlisted(below, at, fields, found, depth - 1);
            at.pop();
        }
    }
}

/// Whether one of two paths is the beginning of the other; a star of the first stands for any key.
fn leads(steps: &[Step], at: &[Step]) -> bool {
    let mut pairs = steps.iter().zip(at);
    pairs.all(|(step, at)| step == at || matches!((step, at), (Step::Values, Step::Key(_))))
}
