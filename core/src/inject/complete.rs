//! What an entry takes from its preset.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    bad::BadProfile,
    entry::ProfileEntry,
    presets::{names, presets},
};
use crate::yaml;

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

/// The preset of this name.
fn preset(name: &str) -> Result<ProfileEntry, BadProfile> {
    let mut presets = presets::<ProfileEntry>()?.into_iter();
    if let Some(preset) = presets.find(|known| known.name.as_deref() == Some(name)) {
        return Ok(preset);
    }
    let known = names()?;
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(BadProfile::NoPreset {
        name: name.to_owned(),
        instead: yaml::instead(name, &known),
    })
}

/// What is written over what was there.
fn merged<T: DeserializeOwned + Serialize>(below: &T, above: &T) -> Result<T, BadProfile> {
    let mut whole = serde_json::to_value(below)?;
    json_patch::merge(&mut whole, &serde_json::to_value(above)?);
    Ok(serde_json::from_value(whole)?)
}
