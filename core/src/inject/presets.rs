//! The profiles that ship with Usher, and what an entry takes from them.

use serde::{Serialize, de::DeserializeOwned};

use super::entry::{BadProfile, ProfileEntry};
use crate::yaml;

/// The preset of this name.
fn preset(name: &str) -> Result<ProfileEntry, BadProfile> {
    let presets = presets()?;
    let names: Vec<String> = presets
        .iter()
        .filter_map(|known| known.name.clone())
        .collect();
    let mut presets = presets.into_iter();
    presets
        .find(|known| known.name.as_deref() == Some(name))
        .ok_or_else(|| {
            let known = names.join(", ");
            BadProfile(format!("there is no preset \"{name}\"; there are {known}"))
        })
}

/// The profiles that ship with Usher, ready to be named.
pub(super) fn presets() -> Result<Vec<ProfileEntry>, BadProfile> {
    yaml::read_text("presets.yaml", include_str!("presets.yaml"))
        .map_err(|bad| BadProfile(bad.to_string()))
}

/// An entry with all that it takes from its preset: maps are merged, lists replaced (RFC 7386), variables merged by name.
pub(super) fn complete(mut entry: ProfileEntry) -> Result<ProfileEntry, BadProfile> {
    let Some(name) = &entry.preset else {
        return Ok(entry);
    };
    let mut preset = preset(name)?;
    let mut env = preset.env.take().unwrap_or_default();
    let own = entry.env.take().unwrap_or_default();
    let known = env.len();
    for variable in own {
        let mut held = env.iter_mut().take(known);
        match held.find(|held| held.name == variable.name) {
            Some(held) => *held = merged(held, &variable)?,
            None => env.push(variable),
        }
    }
    let whole: ProfileEntry = merged(&preset, &entry)?;
    Ok(ProfileEntry {
        env: Some(env),
        ..whole
    })
}

/// What is written over what was there.
fn merged<T: DeserializeOwned + Serialize>(below: &T, above: &T) -> Result<T, BadProfile> {
    let mut whole = serde_json::to_value(below)?;
    json_patch::merge(&mut whole, &serde_json::to_value(above)?);
    Ok(serde_json::from_value(whole)?)
}
