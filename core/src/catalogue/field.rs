//! What a field of a custom resource names, and where the target is.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    condition::Condition,
    controller::ControllerName,
    entry::{BadEntry, Route},
};
use crate::{
    object::{FieldPath, Lost, Memo, Place, Step, decides, is_containers, is_listed, placing},
    reference::{Check, Resource, Text},
};

/// A field of a custom resource that names something.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Entry")]
#[schemars(with = "Entry")]
pub struct Field {
    /// Where it stands.
    pub path: FieldPath,
    /// What it names.
    pub sort: Sort,
    pub(super) when: Vec<Condition>,
    pub(super) unless: Vec<Condition>,
}

/// What a field names.
#[derive(Debug)]
pub enum Sort {
    /// A service account, by name.
    Account(AccountField),
    /// The account of a controller: it acts as itself if something stands here.
    Controller(ControllerName),
    /// A cloud identity, of this family.
    Identity(Box<str>),
    /// A whole object, or a list of them.
    Manifest,
    /// A namespace.
    Namespace,
    /// Another object.
    Object(ObjectField),
    /// Something that is not read; the text says what.
    Opaque(Box<str>),
    /// A patch of other objects.
    Patch(PatchField),
    /// The fields of a pod spec.
    PodSpec(PodSpecField),
}

/// A patch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PatchField {
    /// What a place in it begins with that the controller fills in before it reads the patch, for instance `{{`. Such a patch may
    /// set anything: it is not only looked into, but also under the check opaque.
    #[serde(default)]
    pub(crate) placeholder: Option<Box<str>>,
    /// Whether the controller reads keys without regard to capital letters, as Go's encoding/json does.
    #[serde(default)]
    pub(crate) any_case: bool,
}

/// An object that has fields of a pod spec.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodSpecField {
    /// Whether the account is one of its fields.
    #[serde(default = "yes")]
    pub account: bool,
    /// Where the pods are.
    #[serde(default, rename = "in")]
    pub within: Option<Within>,
}

/// A field that names a service account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct AccountField {
    /// What no name means.
    pub absent: Option<Absent>,
    /// Where the account is.
    #[serde(rename = "in")]
    pub within: Option<Within>,
    /// The key of the name, where the field is an object.
    pub name: Option<Box<str>>,
    /// How the name is written.
    pub form: Option<Form>,
    /// The field names a config map of the own namespace, and this key of that names the account.
    pub config_map: Option<ConfigMapKey>,
    /// The controller makes the account, and this is its name, with `{}` for what stands in the field. It is asked about where an
    /// account of this name is there already that belongs to no such object: the controller takes it as it is.
    pub made: Option<Made>,
}

/// The name of an account that a controller makes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Made {
    before: Box<str>,
    after: Box<str>,
}

impl TryFrom<String> for Made {
    type Error = BadEntry;

    fn try_from(text: String) -> Result<Self, BadEntry> {
        match text.split_once("{}") {
            Some((before, after)) if !after.contains("{}") => Ok(Self {
                before: before.into(),
                after: after.into(),
            }),
            _ => Err(BadEntry::Made(text.into())),
        }
    }
}

impl Made {
    /// The name of the account.
    pub(crate) fn name(&self, of: impl fmt::Display) -> String {
        format!("{}{of}{}", self.before, self.after)
    }
}

/// A key of a config map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigMapKey {
    /// The key of the data.
    pub key: Box<str>,
}

/// What no name of an account means.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Absent {
    /// The account of this name, in the namespace where the account would be.
    Account(Box<str>),
    /// The account of the controller of this name, unless it is configured to use another.
    Controller(ControllerName),
    /// The account `default`.
    #[serde(rename = "default")]
    Default,
}

/// How a name is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum Form {
    /// With its namespace before a colon, if that is another one.
    #[serde(rename = "namespace:name")]
    Colon,
    /// With its namespace before a slash, if that is another one.
    #[serde(rename = "namespace/name")]
    Slash,
}

impl Form {
    /// The namespace that stands in a text, and the name.
    pub(crate) fn split<'o>(self, text: &str) -> Option<(Text<'o>, Text<'o>)> {
        let (namespace, name) = text.split_once(match self {
            Self::Colon => ':',
            Self::Slash => '/',
        })?;
        Some((namespace.to_owned().into(), name.to_owned().into()))
    }
}

/// The namespace of a target, where it is not that of the object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Within {
    /// That of the controller of this name.
    Controller(ControllerName),
    /// The one that this key beside the name gives.
    Field(Box<str>),
    /// The one that stands at this path of the object.
    Path(FieldPath),
}

/// A field that names another object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectField {
    /// Its resource, or its resources by kind.
    pub of: Of,
    /// The key of its kind.
    #[serde(default)]
    pub kind: Option<Box<str>>,
    /// The key of its name; a dot: the field is the name.
    #[serde(default)]
    pub name: Option<Box<str>>,
    /// How the name is written.
    #[serde(default)]
    pub form: Option<Form>,
    /// The key of its namespace; none: it has none.
    #[serde(default)]
    pub namespace: Option<Box<str>>,
    /// Where it is.
    #[serde(default, rename = "in")]
    pub within: Option<Within>,
    /// Whether it is an object of the whole cluster.
    #[serde(default)]
    pub cluster: bool,
    /// The check, where it is not that of its resource.
    #[serde(default)]
    pub check: Option<Check>,
}

/// The resource of an object, or the resources by kind, the first of which counts where no kind is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "of is a resource, as secrets or gitrepositories.source.toolkit.fluxcd.io, or a map of kinds to resources"
)]
pub enum Of {
    /// By kind.
    ByKind(Kinds),
    /// Whatever the kind.
    One(Name),
}

/// Resources by kind, in the order in which they are written.
#[derive(Debug, JsonSchema)]
pub struct Kinds(#[schemars(with = "BTreeMap<Box<str>, Name>")] pub(super) Vec<(Box<str>, Name)>);

impl Kinds {
    /// The resource of a kind; without one, the first.
    pub(crate) fn get(&self, kind: Option<&str>) -> Option<Resource> {
        let mut kinds = self.0.iter();
        let held = kinds.find(|(held, _)| kind.is_none_or(|kind| **held == *kind));
        held.map(|(_, name)| name.0)
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Kinds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("resources by kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kinds, A::Error> {
                let mut kinds = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    kinds.push(entry);
                }
                if kinds.is_empty() {
                    return Err(A::Error::invalid_length(0, &self));
                }
                Ok(Kinds(kinds))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// A resource, as kubectl writes it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(from = "String")]
#[schemars(with = "String")]
pub struct Name(pub Resource);

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Resource::named(&text))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Field")]
struct Entry {
    path: FieldPath,
    /// What must be so; all of it.
    #[serde(default)]
    when: Vec<Condition>,
    /// What must not be so; none of it.
    #[serde(default)]
    unless: Vec<Condition>,
    /// It is a pod spec, or an object that has some fields of one.
    #[serde(default)]
    pod_spec: Option<PodSpecField>,
    /// It names a service account.
    #[serde(default)]
    service_account: Option<AccountField>,
    /// Whatever stands there, the controller of this name acts as itself: its own account is asked about.
    #[serde(default)]
    controller: Option<ControllerName>,
    /// It names another object.
    #[serde(default)]
    object: Option<ObjectField>,
    /// It names a namespace.
    #[serde(default)]
    namespace: Option<Nothing>,
    /// It may name anything and is not read: what it is, in words.
    #[serde(default)]
    opaque: Option<Box<str>>,
    /// It names a cloud identity of this family.
    #[serde(default)]
    identity: Option<Box<str>>,
    /// It is a whole object, or a list of them, each judged as what it is.
    #[serde(default)]
    manifest: Option<Nothing>,
    /// It is a strategic-merge or JSON6902 patch, as text.
    #[serde(default)]
    patch: Option<PatchField>,
}

/// Whether the variables of a container stand at this key, wherever the container does.
fn is_variables(step: &Step) -> bool {
    matches!(step, Step::Key(key) if matches!(&**key, "env" | "envFrom"))
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl TryFrom<Entry> for Field {
    type Error = BadEntry;

    fn try_from(entry: Entry) -> Result<Self, BadEntry> {
        let sorts = [
            entry.pod_spec.map(Sort::PodSpec),
            entry.controller.map(Sort::Controller),
            entry.service_account.map(Sort::Account),
            entry.object.map(Sort::Object),
            entry.namespace.map(|Nothing {}| Sort::Namespace),
            entry.opaque.map(Sort::Opaque),
            entry.identity.map(Sort::Identity),
            entry.manifest.map(|Nothing {}| Sort::Manifest),
            entry.patch.map(Sort::Patch),
        ];
        let mut sorts = sorts.into_iter().flatten();
        let (Some(sort), None) = (sorts.next(), sorts.next()) else {
            return Err(BadEntry::Sort(entry.path.text().into()));
        };
        if let Sort::Account(AccountField {
            absent,
            name,
            form,
            config_map,
            made: Some(_),
            ..
        }) = &sort
            && (absent.is_some() || name.is_some() || form.is_some() || config_map.is_some())
        {
            return Err(BadEntry::MadeBeside(entry.path.text().into()));
        }
        Ok(Self {
            path: entry.path,
            sort,
            when: entry.when,
            unless: entry.unless,
        })
    }
}

impl Field {
    /// Whether its conditions that are the same at every place hold. An error if those that can be followed leave that open.
    pub(crate) fn applies_in<'o>(
        &self,
        object: &'o RawValue,
        memo: &Memo<'o>,
    ) -> Result<bool, Lost> {
        self.holds(object, None, memo)
    }

    /// The same for its other conditions, at a place.
    pub(crate) fn applies_at<'o>(
        &self,
        object: &'o RawValue,
        place: &Place<'o>,
        memo: &Memo<'o>,
    ) -> Result<bool, Lost> {
        self.holds(object, Some(place), memo)
    }

    fn holds<'o>(
        &self,
        object: &'o RawValue,
        place: Option<&Place<'o>>,
        memo: &Memo<'o>,
    ) -> Result<bool, Lost> {
        let when = self.when.iter().map(|condition| (condition, true));
        let unless = self.unless.iter().map(|condition| (condition, false));
        let mut open = None;
        for (condition, wanted) in when.chain(unless) {
            if condition.is_of_place(&self.path) != place.is_some() {
                continue;
            }
            match condition.holds(object, &self.path, place, memo) {
                Ok(held) if held != wanted => return Ok(false),
                Ok(_) => {}
                Err(lost) => open = Some(lost),
            }
        }
        open.map_or(Ok(true), Err)
    }

    /// Where its target is, if the entry says so.
    fn within(&self) -> Option<&Within> {
        match &self.sort {
            Sort::Account(account) => account.within.as_ref(),
            Sort::Object(object) => object.within.as_ref(),
            Sort::PodSpec(pod) => pod.within.as_ref(),
            Sort::Controller(_)
            | Sort::Identity(_)
            | Sort::Manifest
            | Sort::Namespace
            | Sort::Opaque(_)
            | Sort::Patch(_) => None,
        }
    }

    /// The controller that an account is left to where the field, a path of keys alone, names none.
    pub(crate) fn left_to(&self) -> Option<&str> {
        match &self.sort {
            Sort::Account(AccountField {
                absent: Some(Absent::Controller(controller)),
                name: None,
                within: None,
                config_map: None,
                ..
            }) if self.path.head().len() == self.path.steps().len() => Some(controller),
            _ => None,
        }
    }

    /// The controllers that it names.
    pub(crate) fn controllers(&self) -> impl Iterator<Item = &ControllerName> {
        let own = match &self.sort {
            Sort::Controller(name)
            | Sort::Account(AccountField {
                absent: Some(Absent::Controller(name)),
                ..
            }) => Some(name),
            _ => None,
        };
        let within = match self.within() {
            Some(Within::Controller(name)) => Some(name),
            _ => None,
        };
        own.into_iter().chain(within)
    }

    /// The paths that decide what the field means.
    pub(crate) fn deciding(&self) -> impl Iterator<Item = &FieldPath> {
        let conditions = self.when.iter().chain(&self.unless);
        let conditions = conditions.filter(|condition| !condition.relative);
        let own = match self.within() {
            Some(Within::Path(path)) => Some(path),
            _ => None,
        };
        std::iter::once(&self.path)
            .chain(own)
            .chain(conditions.filter_map(|condition| condition.path.as_ref()))
    }

    /// A path that decides what it means and is not below these keys.
    pub(crate) fn outside(&self, governed: Option<&Route>) -> Option<&FieldPath> {
        let governed = &governed?.keys;
        self.deciding().find(|path| path.below(governed).is_none())
    }

    /// The same, but that what says where the pods of a pod spec go is asked about for itself.
    pub(crate) fn needs_beside_place(&self, path: &FieldPath) -> bool {
        let is_place = matches!(self.sort, Sort::PodSpec(_))
            && matches!(path.behind(&self.path), Some([Step::Key(key)]) if placing().any(|place| *place == **key));
        let mut conditions = self.when.iter().chain(&self.unless);
        let is_free = is_place
            && !conditions.any(|condition| condition.relative)
            && !self.deciding().any(|held| held.behind(path).is_some());
        !is_free && self.needs(path)
    }

    /// Whether what stands at a path, or below, decides what it means. Of a pod spec that is what is asked about, and which
    /// containers there are; of anything else that is named, all of it.
    pub(crate) fn needs(&self, free: &FieldPath) -> bool {
        if self.deciding().any(|path| path.behind(free).is_some()) {
            return true;
        }
        let Some(rest) = free.behind(&self.path) else {
            return false;
        };
        let relative = |condition: &Condition| condition.relative;
        if !matches!(self.sort, Sort::PodSpec(_))
            || self.when.iter().chain(&self.unless).any(relative)
        {
            return true;
        }
        match rest {
            [Step::Key(key), Step::Items, _, ..] if is_containers(key) => is_listed(rest),
            [Step::Key(key), ..] => decides(key) || rest.iter().any(is_variables),
            _ => true,
        }
    }

    /// The parts of the object whose change asks about the field. The metadata beside the pod spec of a template counts,
    /// as in templates of Kubernetes: other webhooks act upon it when a pod is made.
    pub(crate) fn governed(&self) -> impl Iterator<Item = Vec<Box<str>>> + '_ {
        let metadata = match &self.sort {
            Sort::PodSpec(_) => self.path.beside_spec("metadata"),
            _ => None,
        };
        self.deciding().map(FieldPath::head).chain(metadata)
    }
}
