//! The walk itself: field by field, place by place, and what it keeps of what it sees.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::{Around, Sighting};
use crate::{
    catalogue::{Field, Sort, Within},
    object::{FieldPath, Lost, Memo, Place, PodSpec, Says, is_something, key, parse, text},
    reference::{Check, Path, Reference, Resource, Target, Text},
};

/// How deep objects may stand in objects.
pub(super) const DEPTH: usize = 4;
/// How many references of one object are looked at. Nobody writes so many; more would be work without bound.
const MOST: usize = 2000;

/// What was found in an object that holds containers, which may stand anywhere in it.
#[derive(Default)]
pub(super) struct Holders<'o> {
    /// The objects with fields of a pod spec.
    pub(super) held: Vec<Holder<'o>>,
    /// Where something else was asked about, or cannot be read: there nothing more is looked for.
    pub(super) elsewhere: HashSet<String>,
}

/// An object with fields of a pod spec: where it stands, and the namespace of its pods.
pub(super) struct Holder<'o> {
    pub(super) path: String,
    pub(super) object: &'o RawValue,
    pub(super) namespace: Text<'o>,
}

/// Who looks into an object.
pub(super) struct Looker<'c, 'o> {
    pub(super) around: Around<'c>,
    /// The checks that ask about what stands in the lists of a pod spec.
    pub(super) asking: Vec<Check>,
    /// Whether anybody asks about tokens.
    pub(super) tokens: bool,
    /// The namespace of the whole object.
    pub(super) root: Text<'o>,
    /// The namespace of the object that is looked at, which may stand in the whole one.
    pub(super) own: Text<'o>,
    pub(super) memo: Memo<'o>,
    /// Where containers may stand. Nothing is kept where no check asks.
    pub(super) holders: Holders<'o>,
    /// Where nothing can be read, and why.
    lost: HashSet<(String, String)>,
    pub(super) found: Vec<Sighting<'o>>,
}

impl<'c, 'o> Looker<'c, 'o> {
    pub(super) fn new(around: Around<'c>, namespace: Text<'o>) -> Self {
        Self {
            around,
            asking: Says::asking(around.asks),
            tokens: (around.asks)(Check::Tokens),
            root: namespace.clone(),
            own: namespace,
            memo: Memo::default(),
            holders: Holders::default(),
            lost: HashSet::new(),
            found: Vec::new(),
        }
    }
}

impl<'o> Looker<'_, 'o> {
    /// Looks at everything that these fields of an object lead to, which stands at `prefix` in the whole one.
    pub(super) fn look(
        &mut self,
        fields: &[Field],
        object: &'o RawValue,
        prefix: &str,
        depth: usize,
    ) {
        for field in fields {
            let places = match field.path.find(object, &self.memo) {
                Ok(places) if places.is_empty() => continue,
                Ok(places) => places,
                Err(lost) => {
                    self.lost(prefix, &field.path, &lost);
                    continue;
                }
            };
            let applies = field.applies_in(object, &self.memo);
            if let Ok(false) = applies {
                continue;
            }
            for mut place in places {
                let applies = match (&applies, field.applies_at(object, &place, &self.memo)) {
                    (_, Ok(false)) => continue,
                    (Ok(_), Ok(_)) => Ok(()),
                    (Err(lost), _) => Err(lost.to_string()),
                    (_, Err(lost)) => Err(lost.to_string()),
                };
                if !prefix.is_empty() {
                    place.path = format!("{prefix}.{}", place.path);
                }
                match applies {
                    Ok(()) => self.field(field, object, &place, depth),
                    Err(why) => self.push(Sighting::Lost(Path::new(place.path, ""), why)),
                }
            }
        }
    }

    /// Keeps what was seen, if there is not too much of it.
    pub(super) fn push(&mut self, sighting: Sighting<'o>) {
        match self.found.len() {
            ..MOST => self.found.push(sighting),
            MOST => {
                let why = format!("no more than {MOST} references are looked at");
                self.found.push(Sighting::Lost(Path::new("", ""), why));
            }
            _ => {}
        }
    }

    /// Whether nothing more is kept.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() > MOST
    }

    /// Notes that a path leads nowhere, where that is: once, however many paths lead there.
    fn lost(&mut self, prefix: &str, path: &FieldPath, lost: &Lost) {
        let below = |path: &str| match (prefix, path) {
            (whole, "") | ("", whole) => whole.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        self.holders.elsewhere.insert(below(path.text()));
        let at = match lost {
            Lost::At { place, .. } => below(place),
            Lost::Bad(_) | Lost::Many(_) => below(path.text()),
        };
        let said = (at.clone(), lost.to_string());
        if self.lost.insert(said) {
            self.push(Sighting::Lost(Path::new(at, ""), lost.to_string()));
        }
    }

    fn field(&mut self, field: &Field, object: &'o RawValue, place: &Place<'o>, depth: usize) {
        let there = place.value.filter(|value| is_something(value));
        let path = || Path::new(place.path.clone(), "");
        if !self.asking.is_empty() {
            self.holders.elsewhere.insert(place.path.clone());
        }
        match (&field.sort, there) {
            (Sort::Account(account), _) => self.account(account, object, place),
            (_, None) => {}
            (Sort::Opaque(what), Some(_)) => {
                self.push(Sighting::Opaque(path(), what.to_string()));
            }
            (Sort::PodSpec(pod), Some(value)) => {
                let within = self.within(pod.within.as_ref(), object, Some(value));
                let spec = parse::<PodSpec<'o>>(value).map_err(Lost::from);
                match spec.and_then(|spec| Ok((spec, within?))) {
                    Ok((spec, within)) => {
                        let namespace = within.unwrap_or_else(|| self.own.clone());
                        if !self.asking.is_empty() {
                            self.holders.held.push(Holder {
                                path: place.path.clone(),
                                object: value,
                                namespace: namespace.clone(),
                            });
                        }
                        self.push(Sighting::PodSpec {
                            base: place.path.clone(),
                            spec: Box::new(spec),
                            account: pod.account,
                            namespace,
                        });
                    }
                    Err(lost) => self.push(Sighting::Lost(path(), lost.to_string())),
                }
            }
            (Sort::Controller(name), Some(_)) => {
                let (name, within) = self.controller(name);
                let (check, resource) = (Check::ServiceAccounts, Resource::SERVICE_ACCOUNTS);
                self.named(check, resource, Some(name), path(), within);
            }
            (Sort::Identity(family), Some(value)) => {
                let name = text(value).map(|value| format!("{family}:{value}"));
                let resource = Resource::CLOUD_IDENTITIES;
                self.named(
                    Check::CloudIdentities,
                    resource,
                    name.map(Text::from),
                    path(),
                    None,
                );
            }
            (Sort::Namespace, Some(value)) => {
                let name = text(value);
                if name.as_ref() != Some(&self.own) {
                    let resource = Resource::NAMESPACES;
                    let within = name.clone();
                    self.named(Check::CrossNamespace, resource, name, path(), within);
                }
            }
            (Sort::Object(target), Some(value)) => self.object(target, object, place, value),
            (Sort::Manifest, Some(value)) => self.manifest(value, &place.path, depth),
            (Sort::Patch(patch), Some(value)) => self.patch(patch, value, &place.path),
        }
    }

    /// A reference to a name; malformed if there is none.
    pub(super) fn named(
        &mut self,
        check: Check,
        resource: Resource,
        name: Option<Text<'o>>,
        path: Path<'o>,
        namespace: Option<Text<'o>>,
    ) {
        let to = |name| self.reference(check, resource, name, path, namespace);
        let sighting = match name {
            Some(name) => Sighting::Reference(to(name)),
            None => Sighting::Malformed(
                to(Text::default()),
                format!("{resource} must be named by a text"),
            ),
        };
        self.push(sighting);
    }

    pub(super) fn reference(
        &self,
        check: Check,
        resource: Resource,
        name: Text<'o>,
        path: Path<'o>,
        namespace: Option<Text<'o>>,
    ) -> Reference<'o> {
        Reference {
            check,
            path,
            target: Target::Object { resource, name },
            namespace: namespace.or_else(|| self.elsewhere()),
        }
    }

    /// The namespace of the object that is looked at, where it is not that of the whole one.
    pub(super) fn elsewhere(&self) -> Option<Text<'o>> {
        (self.own != self.root).then(|| self.own.clone())
    }

    /// The namespace of a target; none: that of the object.
    pub(super) fn within(
        &self,
        within: Option<&Within>,
        object: &'o RawValue,
        value: Option<&'o RawValue>,
    ) -> Result<Option<Text<'o>>, Lost> {
        match within {
            None => {}
            Some(Within::Controller(name)) => {
                let identity = (self.around.controller)(name);
                return Ok(identity.map(|identity| identity.namespace.to_string().into()));
            }
            Some(Within::Field(field)) => {
                if let Some(value) = value {
                    return Ok(key(value, field)?);
                }
            }
            Some(Within::Path(path)) => {
                for place in path.find(object, &self.memo)? {
                    let text: Text<'o> = place.value.map_or_else(|| Ok(Text::default()), parse)?;
                    if !text.is_empty() {
                        return Ok(Some(text));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Notes that something is not looked into.
    pub(super) fn opaque(&mut self, path: &str, what: &str) {
        let path = Path::new(path.to_owned(), "");
        self.push(Sighting::Opaque(path, what.to_owned()));
    }
}
