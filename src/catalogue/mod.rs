//! Finds references in objects. Which kinds hold them, and where, is data: one YAML file per project.

mod podspec;
mod projection;
mod seek;
mod strict;
mod tokenrequest;

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reference::Toleration;

pub use podspec::PodSpec;
pub use projection::{
    ConfigMapSource, Credential, Item, PodCertificateSource, Projected, Source, TokenSource,
    Volume, credentials,
};
pub use seek::{BadObject, at, fields, parse};
pub(crate) use strict::Strict;
pub use tokenrequest::TokenRequest;

/// Every kind that holds references, and every controller that makes one of them for another.
#[derive(Debug)]
pub struct Catalogue {
    kinds: HashMap<Box<str>, HashMap<Box<str>, Kind>>,
    controllers: Vec<Controller>,
}

/// A kind that holds references.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Kind {
    /// Its API group.
    pub group: Box<str>,
    /// The version whose paths are given here.
    pub version: Box<str>,
    /// Its name.
    pub kind: Box<str>,
    /// Its resource, in the plural.
    pub resource: Box<str>,
    /// What of it is looked into, and where that stands.
    pub content: Content,
    /// The part whose change is a use of what it names, if that is more than the content.
    #[serde(default)]
    governed: Option<Route>,
    /// Subresources that take the whole object and are known to use nothing. Any other is judged like the object.
    #[serde(default)]
    harmless: Vec<Box<str>>,
    /// Fields of the pod spec whose change is no use of anything.
    #[serde(default)]
    pub free: Vec<Box<str>>,
}

/// What of a kind is looked into.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// A pod spec.
    PodSpec(Route),
    /// What a TokenRequest asks for.
    TokenRequest(Route),
}

/// A path of keys, written with dots.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Route {
    /// As it is written.
    pub dotted: Box<str>,
    /// Key by key.
    pub keys: Vec<Box<str>>,
}

/// A controller of Kubernetes that makes objects of one kind from the template of another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Controller {
    /// Name of its service account in kube-system.
    pub account: Box<str>,
    /// What it makes.
    pub makes: GroupKind,
    /// Whose template it carries out.
    pub of: GroupKind,
    /// Names of the tolerations that it adds by itself.
    #[serde(default)]
    pub tolerations: Vec<Box<str>>,
}

/// A kind, whatever its version.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    pub group: Box<str>,
    /// The kind.
    pub kind: Box<str>,
}

/// A catalogue file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("catalogue: {0}")]
pub struct BadCatalogue(String);

impl Catalogue {
    /// The catalogue that ships with Usher.
    pub fn embedded() -> Result<Self, BadCatalogue> {
        Self::read(include_str!("core.yaml"))
    }

    fn read(yaml: &str) -> Result<Self, BadCatalogue> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            kinds: Vec<Kind>,
            controllers: Vec<Controller>,
        }

        let file: File = serde_saphyr::from_str(yaml).map_err(|e| BadCatalogue(e.to_string()))?;
        let mut kinds: HashMap<_, HashMap<_, _>> = HashMap::new();
        for kind in file.kinds {
            let group = kinds.entry(kind.group.clone()).or_default();
            if let Some(twice) = group.insert(kind.kind.clone(), kind) {
                return Err(BadCatalogue(format!("{} stands there twice", twice.kind)));
            }
        }
        let catalogue = Self {
            kinds,
            controllers: file.controllers,
        };
        for GroupKind { group, kind } in catalogue
            .controllers
            .iter()
            .flat_map(|controller| [&controller.makes, &controller.of])
        {
            if catalogue.find(group, kind).is_none() {
                return Err(BadCatalogue(format!(
                    "a controller names {kind}, which has no entry"
                )));
            }
        }
        Ok(catalogue)
    }

    /// The entry of a kind.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Kind> {
        self.kinds.get(group)?.get(kind)
    }

    /// Every kind, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values().flat_map(HashMap::values)
    }

    /// The controller that makes objects of this kind for owners of that kind.
    pub fn controller(&self, made: &Kind, group: &str, owner: &str) -> Option<&Controller> {
        self.makers(made)
            .find(|maker| *maker.of.group == *group && *maker.of.kind == *owner)
    }

    /// Whether some controller of this account makes objects of this kind.
    pub fn is_maker(&self, made: &Kind, account: &str) -> bool {
        self.makers(made).any(|maker| *maker.account == *account)
    }

    /// Whether some controller that makes objects of this kind adds this toleration by itself.
    pub fn is_added(&self, made: &Kind, toleration: &Toleration<'_>) -> bool {
        let names = toleration.names().unwrap_or_default();
        self.makers(made)
            .flat_map(|maker| &maker.tolerations)
            .any(|added| names.iter().any(|name| **name == **added))
    }

    /// The controllers that make objects of this kind.
    fn makers(&self, made: &Kind) -> impl Iterator<Item = &Controller> {
        self.controllers.iter().filter(|controller| {
            controller.makes.kind == made.kind && controller.makes.group == made.group
        })
    }
}

impl Kind {
    /// Where the part stands whose change is a use of what it names.
    pub fn governed(&self) -> &Route {
        match (&self.governed, &self.content) {
            (Some(route), _) | (None, Content::PodSpec(route) | Content::TokenRequest(route)) => {
                route
            }
        }
    }

    /// Where its pod spec stands, if it has one.
    pub fn pod_spec(&self) -> Option<&Route> {
        match &self.content {
            Content::PodSpec(route) => Some(route),
            Content::TokenRequest(_) => None,
        }
    }

    /// Why the content of an object of this kind cannot be read, if it cannot.
    pub fn unreadable(&self, object: &RawValue) -> Option<BadObject> {
        match &self.content {
            Content::PodSpec(route) => at::<PodSpec<'_>>(object, &route.keys).err(),
            Content::TokenRequest(route) => at::<TokenRequest<'_>>(object, &route.keys).err(),
        }
    }

    /// Whether this is the pod itself, not a template of one.
    pub fn is_pod(&self) -> bool {
        self.group.is_empty() && *self.kind == *"Pod"
    }

    /// Whether a request for this subresource (empty: the object itself) may use what the pod spec names.
    pub fn governs(&self, subresource: &str) -> bool {
        !self.harmless.iter().any(|known| **known == *subresource)
    }

    /// Group and version, as manifests write them.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

impl From<String> for Route {
    fn from(dotted: String) -> Self {
        Self {
            keys: dotted.split('.').map(Box::from).collect(),
            dotted: dotted.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_holds_the_nine_kinds_with_a_pod_spec_and_token_requests() {
        let catalogue = Catalogue::embedded().unwrap();
        let (pods, others): (Vec<_>, Vec<_>) = catalogue
            .kinds()
            .partition(|kind| kind.pod_spec().is_some());
        assert_eq!((pods.len(), others.len()), (9, 1));
        let token = catalogue
            .find("authentication.k8s.io", "TokenRequest")
            .unwrap();
        assert!(matches!(token.content, Content::TokenRequest(_)));
        let cron = catalogue.find("batch", "CronJob").unwrap();
        assert_eq!(cron.pod_spec().unwrap().keys.len(), 5);
        assert!(catalogue.find("", "Deployment").is_none());
    }

    #[test]
    fn a_catalogue_that_contradicts_itself_is_refused() {
        let row = "{group: '', version: v1, kind: Pod, resource: pods, content: {podSpec: spec}}";
        let twice = format!("kinds: [{row}, {row}]\ncontrollers: []");
        let stray = format!(
            "kinds: [{row}]\ncontrollers: [{{account: a, makes: {{group: '', kind: Pod}}, of: {{group: x, kind: Y}}}}]"
        );
        for yaml in [
            twice.as_str(),
            stray.as_str(),
            "kinds: []",
            "kinds: {",
            "unknown: 1",
        ] {
            assert!(Catalogue::read(yaml).is_err(), "{yaml}");
        }
    }
}
