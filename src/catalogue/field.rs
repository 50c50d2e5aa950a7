use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    path::{FieldPath, Lost, Memo, Place},
    seek::{BadObject, at},
};
use crate::reference::{Check, Resource, Text};

/// A field of a custom resource that names something.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Entry")]
#[schemars(with = "Entry")]
pub struct Field {
    /// Where it stands.
    pub path: FieldPath,
    /// What it names.
    pub sort: Sort,
    when: Vec<Condition>,
    unless: Vec<Condition>,
}

/// What a field names.
#[derive(Debug)]
pub enum Sort {
    /// A service account, by name.
    Account(AccountField),
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
    Patch,
    /// The fields of a pod spec; whether the account is one of them.
    PodSpec { account: bool },
}

/// A field that names a service account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
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
}

/// What no name of an account means.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Absent {
    /// The account of the controller of this name, unless it is configured to use another.
    Controller(Box<str>),
    /// The account `default`.
    #[serde(rename = "default")]
    Default,
}

/// How the name of an account is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum Form {
    /// With its namespace before a colon, if that is another one.
    #[serde(rename = "namespace:name")]
    NamespaceName,
}

/// The namespace of a target, where it is not that of the object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Within {
    /// That of the controller of this name.
    Controller(Box<str>),
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
#[serde(untagged)]
pub enum Of {
    /// By kind, in the order in which they are written.
    ByKind(
        #[serde(deserialize_with = "in_order")]
        #[schemars(with = "BTreeMap<Box<str>, Name>")]
        Vec<(Box<str>, Name)>,
    ),
    /// Whatever the kind.
    One(Name),
}

fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Box<str>, Name)>, D::Error> {
    struct InOrder;

    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(Box<str>, Name)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of kinds")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut kinds = Vec::new();
            while let Some(kind) = map.next_entry()? {
                kinds.push(kind);
            }
            if kinds.is_empty() {
                return Err(A::Error::invalid_length(0, &self));
            }
            Ok(kinds)
        }
    }

    deserializer.deserialize_map(InOrder)
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

/// Something that must, or must not, be so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(with = "Written")]
struct Condition {
    /// Relative to the value of the field.
    relative: bool,
    /// None: the value of the field itself.
    path: Option<FieldPath>,
    /// The text that stands there; none: anything does.
    is: Option<Box<str>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Is(BTreeMap<String, Scalar>),
    There(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Number(i64),
    Text(Box<str>),
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let (path, is) = match written {
            Written::There(path) => (path, None),
            Written::Is(map) => {
                let mut map = map.into_iter();
                let (Some((path, is)), None) = (map.next(), map.next()) else {
                    return Err("a condition names one path, and what stands there".to_owned());
                };
                let is = match is {
                    Scalar::Text(is) => is,
                    Scalar::Bool(is) => is.to_string().into(),
                    Scalar::Number(is) => is.to_string().into(),
                };
                (path, Some(is))
            }
        };
        let relative = path.starts_with('.');
        let path = match path.strip_prefix('.').unwrap_or(&path) {
            // A dot alone is the value itself.
            "" => None,
            path => Some(FieldPath::try_from(path.to_owned()).map_err(|bad| bad.to_string())?),
        };
        Ok(Self { relative, path, is })
    }
}

impl Condition {
    fn holds<'o>(&self, from: Option<&'o RawValue>, memo: &Memo<'o>) -> Result<bool, Lost> {
        let values: Vec<Option<&RawValue>> = match (&self.path, from) {
            (None, from) => vec![from],
            (Some(path), Some(from)) => {
                let places = path.find(from, memo)?;
                places.into_iter().map(|place| place.value).collect()
            }
            (Some(_), None) => Vec::new(),
        };
        let mut values = values.into_iter().flatten();
        Ok(values.any(|value| match &self.is {
            None => is_something(value),
            Some(is) => match text(value) {
                Some(text) => *text == **is,
                None => *value.get() == **is,
            },
        }))
    }
}

/// Whether a value is more than an empty one. Members without content count for nothing, as in an update.
pub(super) fn is_something(value: &RawValue) -> bool {
    let text = value.get();
    !matches!(text, "" | "\"\"" | "false") && serde_json::from_str::<Hollow>(text).is_err()
}

/// `null`, an empty list, or a map that holds nothing else.
struct Hollow;

impl<'de> Deserialize<'de> for Hollow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Hollow {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        match items.next_element::<IgnoredAny>()? {
            None => Ok(self),
            Some(_) => Err(A::Error::invalid_length(1, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A value as text, if it is text and not empty.
pub(super) fn text(value: &RawValue) -> Option<Text<'_>> {
    let text: Text<'_> = serde_json::from_str(value.get()).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The text at a key of an object; none if nothing stands there, or no character. An error if it is no text, or stands
/// there twice, or if that is no object.
pub(super) fn key<'o>(object: &'o RawValue, key: &str) -> Result<Option<Text<'o>>, BadObject> {
    let text: Option<Text<'o>> = at(object, &[key.into()])?;
    Ok(text.filter(|text| !text.is_empty()))
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
    pod_spec: Option<PodSpecEntry>,
    /// It names a service account.
    #[serde(default)]
    service_account: Option<AccountField>,
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
    patch: Option<Nothing>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PodSpecEntry {
    /// Whether the account is one of its fields.
    #[serde(default = "yes")]
    account: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl TryFrom<Entry> for Field {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let sorts = [
            entry
                .pod_spec
                .map(|PodSpecEntry { account }| Sort::PodSpec { account }),
            entry.service_account.map(Sort::Account),
            entry.object.map(Sort::Object),
            entry.namespace.map(|Nothing {}| Sort::Namespace),
            entry.opaque.map(Sort::Opaque),
            entry.identity.map(Sort::Identity),
            entry.manifest.map(|Nothing {}| Sort::Manifest),
            entry.patch.map(|Nothing {}| Sort::Patch),
        ];
        let mut sorts = sorts.into_iter().flatten();
        let (Some(sort), None) = (sorts.next(), sorts.next()) else {
            return Err(format!(
                "{} must say what it is, and only once: podSpec, serviceAccount, object, namespace, opaque, identity, \
                 manifest or patch",
                entry.path.text()
            ));
        };
        Ok(Self {
            path: entry.path,
            sort,
            when: entry.when,
            unless: entry.unless,
        })
    }
}

impl Field {
    /// Whether its conditions on the whole object hold. An error if those that can be followed leave that open.
    pub fn applies_in<'o>(&self, object: &'o RawValue, memo: &Memo<'o>) -> Result<bool, Lost> {
        self.holds(false, Some(object), memo)
    }

    /// The same for its conditions on the value at a place.
    pub fn applies_at<'o>(&self, place: &Place<'o>, memo: &Memo<'o>) -> Result<bool, Lost> {
        self.holds(true, place.value, memo)
    }

    fn holds<'o>(
        &self,
        relative: bool,
        from: Option<&'o RawValue>,
        memo: &Memo<'o>,
    ) -> Result<bool, Lost> {
        let when = self.when.iter().map(|condition| (condition, true));
        let unless = self.unless.iter().map(|condition| (condition, false));
        let conditions = when.chain(unless);
        let mut open = None;
        for (condition, wanted) in conditions.filter(|(held, _)| held.relative == relative) {
            match condition.holds(from, memo) {
                Ok(held) if held != wanted => return Ok(false),
                Ok(_) => {}
                Err(lost) => open = Some(lost),
            }
        }
        open.map_or(Ok(true), Err)
    }

    /// The controllers that it names.
    pub(super) fn controllers(&self) -> impl Iterator<Item = &str> {
        let (absent, within) = match &self.sort {
            Sort::Account(account) => (account.absent.as_ref(), account.within.as_ref()),
            Sort::Object(object) => (None, object.within.as_ref()),
            _ => (None, None),
        };
        let absent = absent.and_then(|absent| match absent {
            Absent::Controller(name) => Some(&**name),
            Absent::Default => None,
        });
        let within = within.and_then(|within| match within {
            Within::Controller(name) => Some(&**name),
            Within::Field(_) | Within::Path(_) => None,
        });
        absent.into_iter().chain(within)
    }

    /// The parts of the object that decide what the field means.
    pub fn governed(&self) -> impl Iterator<Item = Vec<Box<str>>> + '_ {
        let conditions = self.when.iter().chain(&self.unless);
        let conditions = conditions.filter(|condition| !condition.relative);
        let own = match &self.sort {
            Sort::Account(AccountField {
                within: Some(Within::Path(path)),
                ..
            })
            | Sort::Object(ObjectField {
                within: Some(Within::Path(path)),
                ..
            }) => Some(path),
            _ => None,
        };
        std::iter::once(&self.path)
            .chain(own)
            .chain(conditions.filter_map(|condition| condition.path.as_ref()))
            .map(FieldPath::head)
    }
}

/// What is asked, in words.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sort {
            Sort::Account(account) => {
                f.write_str("use on serviceaccounts")?;
                within(f, account.within.as_ref())?;
                match &account.absent {
                    None => {}
                    Some(Absent::Default) => f.write_str("; without a name: default")?,
                    Some(Absent::Controller(name)) => {
                        write!(f, "; without a name: that of {name}")?;
                    }
                }
            }
            Sort::Identity(family) => write!(f, "use on cloudidentities.usher.dev {family}:…")?,
            Sort::Manifest => f.write_str("an object, judged as what it is")?,
            Sort::Namespace => f.write_str("use on namespaces, in that namespace")?,
            Sort::Object(object) => {
                let names: Vec<String> = match &object.of {
                    Of::One(name) => vec![name.0.to_string()],
                    Of::ByKind(kinds) => kinds.iter().map(|(_, name)| name.0.to_string()).collect(),
                };
                write!(f, "use on {}", names.join(" or "))?;
                within(f, object.within.as_ref())?;
                if object.cluster {
                    f.write_str(", of the whole cluster")?;
                }
            }
            Sort::Opaque(what) => write!(f, "not looked into: {what}")?,
            Sort::Patch => f.write_str("a patch: what it sets that a pod spec could hold")?,
            Sort::PodSpec { account: true } => f.write_str("a pod spec")?,
            Sort::PodSpec { account: false } => f.write_str("a pod spec without an account")?,
        }
        for (word, conditions) in [("if", &self.when), ("unless", &self.unless)] {
            for condition in conditions {
                let dot = if condition.relative { "." } else { "" };
                let path = condition.path.as_ref().map_or("", FieldPath::text);
                write!(f, ", {word} {dot}{path}")?;
                if let Some(is) = &condition.is {
                    write!(f, " is {is}")?;
                }
            }
        }
        Ok(())
    }
}

fn within(f: &mut fmt::Formatter<'_>, within: Option<&Within>) -> fmt::Result {
    match within {
        None => Ok(()),
        Some(Within::Controller(name)) => write!(f, " in the namespace of {name}"),
        Some(Within::Field(field)) => write!(f, " in the namespace that .{field} names"),
        Some(Within::Path(path)) => write!(f, " in the namespace that {} names", path.text()),
    }
}
