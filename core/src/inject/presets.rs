//! The profiles that ship with Usher, as data.

use schemars::Schema;
use serde::{Deserialize, de::DeserializeOwned};

use super::bad::BadProfile;
use crate::yaml;

/// The presets, each as far as it is looked at.
pub(super) fn presets<T: DeserializeOwned>() -> Result<Vec<T>, BadProfile> {
    yaml::read_text("presets.yaml", include_str!("presets.yaml"))
        .map_err(|bad| BadProfile::Embedded(bad.to_string()))
}

/// Their names, in the order of the data.
pub(super) fn names() -> Result<Vec<String>, BadProfile> {
    #[derive(Deserialize)]
    struct Preset {
        name: String,
    }

    let presets: Vec<Preset> = presets()?;
    Ok(presets.into_iter().map(|preset| preset.name).collect())
}

/// Writes the names of the presets into the description of a schema, where it says PRESETS.
pub(super) fn name_them(schema: &mut Schema) {
    let mut names = names().unwrap_or_default();
    names.sort();
    let listed = names.join(", ");
    let listed = match listed.rsplit_once(", ") {
        Some((several, last)) => format!("{several} or {last}"),
        None => listed,
    };
    if let Some(serde_json::Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("PRESETS", &listed);
    }
}
