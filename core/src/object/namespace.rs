//! What annotations of a namespace say about the tolerations of its pods.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{meta::Metadata, seek::BadObject, strict::Strict};
use crate::reference::{Text, Toleration};

/// The annotations by which a namespace gives its pods tolerations, and limits theirs
/// (`plugin/pkg/admission/podtolerationrestriction`).
pub const NAMESPACE_TOLERATIONS: [&str; 2] =
    ["scheduler.alpha.kubernetes.io/defaultTolerations", LIMIT];
/// The one that limits. An empty one limits nothing.
const LIMIT: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";

/// One of these annotations.
#[derive(Debug)]
pub(crate) struct NamespaceAnnotation {
    /// Its key.
    pub key: &'static str,
    /// What it says, or why that cannot be read.
    pub tolerations: serde_json::Result<Vec<Toleration<'static>>>,
}

/// What these annotations of a namespace say. Those that `old`, the same namespace before, says too are left out. An error if the
/// annotations themselves cannot be read.
pub(crate) fn namespace_tolerations(
    object: &RawValue,
    old: Option<&RawValue>,
) -> Result<Vec<NamespaceAnnotation>, BadObject> {
    let annotations = |object| {
        let metadata = Metadata::of(object)?;
        Ok::<_, BadObject>(metadata.annotations()?.unwrap_or_default())
    };
    let now = annotations(object)?;
    // What was there and cannot be read is no reason to let anything pass.
    let before = old.map(annotations).transpose()?.unwrap_or_default();
    let said = NAMESPACE_TOLERATIONS.into_iter().filter_map(|key| {
        let said = now.get(key)?;
        let changed = before
            .get(key)
            .is_none_or(|before| before.get() != said.get());
        let text = serde_json::from_str(said.get());
        changed.then(|| NamespaceAnnotation {
            key,
            tolerations: text.and_then(|text: Text<'_>| read(key, &text)),
        })
    });
    Ok(said.collect())
}

/// The tolerations that a namespace gives to every pod in it. What cannot be read gives none.
pub(crate) fn given_tolerations(namespace: &RawValue) -> Vec<Toleration<'static>> {
    let said = namespace_tolerations(namespace, None).unwrap_or_default();
    let mut given = said.into_iter().filter(|said| said.key != LIMIT);
    let given = given.next().map(|given| given.tolerations);
    given.and_then(Result::ok).unwrap_or_default()
}

/// The tolerations of one annotation. Its key words are taken as they are written alone, though the API server does not mind
/// capital letters.
fn read(key: &str, text: &str) -> serde_json::Result<Vec<Toleration<'static>>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Written {
        #[serde(default)]
        key: Option<String>,
        #[serde(default)]
        operator: Option<String>,
        #[serde(default)]
        value: Option<String>,
        #[serde(default)]
        effect: Option<String>,
        #[serde(default)]
        toleration_seconds: Option<i64>,
    }

    let written: Vec<Written> = if text.is_empty() {
        Vec::new()
    } else {
        let mut json = serde_json::Deserializer::from_str(text);
        let written = Option::deserialize(Strict(&mut json))?;
        json.end()?;
        written.unwrap_or_default()
    };
    if written.is_empty() && key == LIMIT {
        return Ok(vec![Toleration {
            operator: "Exists".into(),
            ..Toleration::default()
        }]);
    }
    let text = |text: Option<String>| text.unwrap_or_default().into();
    let written = written.into_iter().map(|written| Toleration {
        key: text(written.key),
        operator: text(written.operator),
        value: text(written.value),
        effect: text(written.effect),
        seconds: written.toleration_seconds,
    });
    Ok(written.collect())
}
