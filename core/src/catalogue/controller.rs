//! Controllers: who each is, and who makes what for whom.

use std::ops::Deref;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::{Place, Spanned};

/// Who a controller is, and which account it uses for objects that name none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Identity {
    /// The namespace that it runs in.
    pub namespace: Box<str>,
    /// Its own account.
    pub service_account: Box<str>,
    /// The account, in the namespace of the object, that it is told to use where none is named; empty: its own.
    #[serde(default)]
    pub default_service_account: Box<str>,
}

/// The name of a controller.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ControllerName(#[schemars(with = "String")] Spanned<Box<str>>);

impl ControllerName {
    /// Line and column.
    pub(super) fn place(&self) -> Place {
        self.0.place
    }
}

impl Deref for ControllerName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.value
    }
}

/// A controller makes objects of one kind from what an object of another says, its owner.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Making {
    /// Of a controller of Kubernetes: the name of its service account in kube-system.
    #[serde(default)]
    pub account: Box<str>,
    /// Of another controller: its name. It is believed only where the configuration names it.
    #[serde(default)]
    pub controller: Option<ControllerName>,
    /// What it makes.
    pub makes: GroupKind,
    /// What it carries out: what the owner names was asked of its author.
    pub of: GroupKind,
    /// The label of what it makes that names the ControllerRevision of which it is made.
    #[serde(default)]
    pub revision: Option<Box<str>>,
    /// Names of the tolerations that it adds by itself.
    #[serde(default)]
    pub tolerations: Vec<Box<str>>,
    /// Whether it puts each object on a node of its own, by a required node affinity that names it.
    #[serde(default)]
    pub pins: bool,
}

impl Making {
    /// The name of the controller.
    pub fn by(&self) -> &str {
        match &self.controller {
            Some(name) => name,
            None => &self.account,
        }
    }
}

/// A kind, whatever its version.
#[derive(Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    pub group: Box<str>,
    /// The kind.
    pub kind: Box<str>,
}

impl GroupKind {
    /// Whether it is the kind of this name in this group.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        *self.kind == *kind && *self.group == *group
    }
}
