//! Which kinds hold references, and where: data, one YAML file per project, and how it is looked up.
//!
//! [`config`](crate::config) puts a [`Catalogue`] together, the [`engine`](crate::engine) finds the [`Kind`] of an object in it, and
//! [`sight`](crate::sight) walks the fields that it lists.

mod condition;
mod controller;
mod entry;
mod field;
mod file;
mod kind;
mod projects;
mod words;

use std::collections::{BTreeMap, HashMap};

use crate::reference::Toleration;

pub use controller::{ControllerName, GroupKind, Identity, Making};
pub use entry::{BadEntry, Route};
pub use field::{
    Absent, AccountField, ConfigMapKey, Field, Form, Kinds, Name, ObjectField, Of, PatchField,
    PodSpecField, Sort, Within,
};
pub use file::{BadCatalogue, Fault, schema};
pub(crate) use kind::Governed;
pub use kind::{Content, Kind};

/// Every kind that holds references, and every controller that makes one of them for another.
#[derive(Debug, Default)]
pub struct Catalogue {
    kinds: HashMap<Box<str>, HashMap<Box<str>, Vec<Kind>>>,
    controllers: Vec<Making>,
    identities: BTreeMap<Box<str>, Identity>,
    /// What the files that were added say of themselves.
    about: Vec<Box<str>>,
}

/// How it is looked up.
impl Catalogue {
    /// The kinds of the table of controllers that no entry is about: such a row counts for nothing.
    pub fn unknown(&self) -> Vec<&GroupKind> {
        let rows = self.controllers.iter();
        let kinds = rows.flat_map(|maker| [&maker.makes, &maker.of]);
        let unknown = |kind: &&GroupKind| self.find(&kind.group, &kind.kind).is_none();
        kinds.filter(unknown).collect()
    }

    /// The entry of a kind, whatever the version.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Kind> {
        self.kinds.get(group)?.get(kind)?.first()
    }

    /// The entry of a kind that has this version.
    pub fn version(&self, group: &str, kind: &str, version: &str) -> Option<&Kind> {
        let mut held = self.kinds.get(group)?.get(kind)?.iter();
        held.find(|kind| kind.has(version))
    }

    /// Every version that some entry of a kind is about.
    pub(crate) fn versions(&self, group: &str, kind: &str) -> Vec<&str> {
        let held = self.kinds.get(group).and_then(|kinds| kinds.get(kind));
        let versions = held.into_iter().flatten().flat_map(|kind| &kind.versions);
        versions.map(|version| &**version).collect()
    }

    /// The controllers, each as its project installs it.
    pub fn identities(&self) -> impl Iterator<Item = (&str, &Identity)> {
        self.identities
            .iter()
            .map(|(name, identity)| (&**name, identity))
    }

    /// Who the controller of this name is, as its project installs it.
    pub fn identity(&self, controller: &str) -> Option<&Identity> {
        self.identities.get(controller)
    }

    /// Every kind, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values().flat_map(HashMap::values).flatten()
    }

    /// The controllers that make objects of this kind for owners of that kind: mostly one.
    pub(crate) fn makers_for(&self, made: &Kind, group: &str, owner: &str) -> Vec<&Making> {
        let controllers = self.controllers.iter();
        let fits = |row: &&Making| row.makes.is(&made.group, &made.kind) && row.of.is(group, owner);
        controllers.filter(fits).collect()
    }

    /// Whether some controller that makes objects of this kind adds this toleration by itself.
    pub(crate) fn is_added(&self, made: &Kind, toleration: &Toleration<'_>) -> bool {
        let names = toleration.names().unwrap_or_default();
        self.makers(made)
            .flat_map(|maker| &maker.tolerations)
            .any(|added| names.iter().any(|name| **name == **added))
    }

    /// The table of controllers.
    pub fn rows(&self) -> impl Iterator<Item = &Making> {
        self.controllers.iter()
    }

    /// The controllers that make objects of this kind.
    pub fn makers<'c>(&'c self, made: &'c Kind) -> impl Iterator<Item = &'c Making> {
        self.controllers
            .iter()
            .filter(move |row| row.makes.is(&made.group, &made.kind))
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
        assert_eq!((pods.len(), others.len()), (9, 12));
        let token = catalogue
            .find("authentication.k8s.io", "TokenRequest")
            .unwrap();
        assert!(matches!(token.content, Content::TokenRequest(_)));
        let cron = catalogue.find("batch", "CronJob").unwrap();
        assert_eq!(cron.pod_spec().unwrap().keys.len(), 5);
        assert!(catalogue.find("", "Deployment").is_none());
    }

    #[test]
    fn every_controller_of_the_projects_makes_kinds_that_have_entries() {
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue.enable("all").unwrap();
        assert_eq!(catalogue.unknown(), Vec::<&GroupKind>::new());
    }
}
