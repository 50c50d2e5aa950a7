//! Accounts for custom resources that name none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::legal;
use crate::reference::Pattern;

/// An account that is written into custom resources which name none.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DefaultAccount {
    /// The namespaces of the objects.
    #[serde(deserialize_with = "legal::some")]
    pub namespaces: Vec<Pattern>,
    /// The controllers that carry them out, by their names in the catalogue.
    #[serde(deserialize_with = "legal::some")]
    pub controllers: Vec<String>,
    /// The account, in the namespace of the object.
    #[serde(deserialize_with = "legal::object_name")]
    pub service_account: String,
}
