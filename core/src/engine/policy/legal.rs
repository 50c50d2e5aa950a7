//! Refuses values that would read well and mean something else than their author thinks.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error};

use crate::reference::{Toleration, is_object_name};

pub(super) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(D::Error::custom("an empty list matches nothing"));
    }
    Ok(list)
}

pub(super) fn object_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if !is_object_name(&name) {
        return Err(D::Error::custom(format_args!(
            "no object can be called \"{name}\""
        )));
    }
    Ok(name)
}

pub(super) fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let key = String::deserialize(deserializer)?;
    let named = Toleration {
        key: key.as_str().into(),
        ..Toleration::default()
    };
    if key.is_empty() || named.names().is_err() {
        return Err(D::Error::custom(format_args!(
            "\"{key}\" is not a legal label key"
        )));
    }
    Ok(key)
}

pub(super) fn effect<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let effect = String::deserialize(deserializer)?;
    match &*effect {
        "NoSchedule" | "PreferNoSchedule" | "NoExecute" => Ok(Some(effect)),
        _ => Err(D::Error::custom(format_args!(
            "\"{effect}\" is not an effect: NoSchedule, PreferNoSchedule or NoExecute"
        ))),
    }
}

pub(super) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let day = String::deserialize(deserializer)?;
    day.parse().map_err(|_| {
        D::Error::custom(format_args!(
            "\"{day}\" is no day: write YEAR-MONTH-DAY, as 2027-01-31"
        ))
    })
}
