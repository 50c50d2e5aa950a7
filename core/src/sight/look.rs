use serde_json::value::RawValue;

use crate::{
    catalogue::{
        Absent, AccountField, Catalogue, ConfigMapKey, Content, Field, Form, Identity, ObjectField,
        Of, Sort, Within,
    },
    object::{FieldPath, Lost, Memo, Place, PodSpec, at, is_something, key, parse, text},
    reference::{Check, Path, Reference, Resource, Target, Text},
};

/// How deep objects may stand in objects.
const DEPTH: usize = 4;
/// How many references of one object are looked at. Nobody writes so many; more would be work without bound.
const MOST: usize = 2000;

/// Something that a custom resource holds.
#[derive(Debug)]
pub enum Sighting<'o> {
    /// A config map that names an account.
    ConfigMap {
        /// Where its name stands.
        path: Path<'o>,
        /// Its namespace, which is that of the account.
        namespace: Text<'o>,
        /// Its name.
        name: Text<'o>,
        /// The key of the account.
        key: String,
        /// What is asked about if it names none.
        otherwise: Option<Reference<'o>>,
    },
    /// A part that cannot be read; the text says why. It may name anything.
    Lost(Path<'o>, String),
    /// A value that is none of those that the field can have.
    Malformed(Reference<'o>, String),
    /// Something that is not read; the text says what it is.
    Opaque(Path<'o>, String),
    /// A pod spec, and whether it names its account; the namespace is that of the pods.
    PodSpec {
        /// Where it stands.
        base: String,
        /// The pod spec.
        spec: Box<PodSpec<'o>>,
        /// Whether the account is one of its fields.
        account: bool,
        /// The namespace of the pods.
        namespace: Text<'o>,
    },
    /// A reference.
    Reference(Reference<'o>),
}

/// Everything that the fields of a custom resource name. `namespace` is that of the object, empty for one of the whole
/// cluster; `controller` says who a controller is.
pub fn sightings<'c, 'o>(
    catalogue: &'c Catalogue,
    fields: &[Field],
    object: &'o RawValue,
    namespace: Text<'o>,
    controller: &'c dyn Fn(&str) -> Option<&'c Identity>,
) -> Vec<Sighting<'o>> {
    let mut looker = Looker {
        catalogue,
        controller,
        root: namespace.clone(),
        own: namespace,
        memo: Memo::default(),
        found: Vec::new(),
    };
    looker.look(fields, object, "", DEPTH);
    looker.found
}

/// Who looks into an object.
pub(super) struct Looker<'c, 'o> {
    catalogue: &'c Catalogue,
    controller: &'c dyn Fn(&str) -> Option<&'c Identity>,
    /// The namespace of the whole object.
    root: Text<'o>,
    /// The namespace of the object that is looked at, which may stand in the whole one.
    own: Text<'o>,
    memo: Memo<'o>,
    found: Vec<Sighting<'o>>,
}

impl<'o> Looker<'_, 'o> {
    fn look(&mut self, fields: &[Field], object: &'o RawValue, prefix: &str, depth: usize) {
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

    fn lost(&mut self, prefix: &str, path: &FieldPath, lost: &Lost) {
        let path = match prefix {
            "" => path.text().to_owned(),
            prefix => format!("{prefix}.{}", path.text()),
        };
        self.push(Sighting::Lost(Path::new(path, ""), lost.to_string()));
    }

    fn field(&mut self, field: &Field, object: &'o RawValue, place: &Place<'o>, depth: usize) {
        let there = place.value.filter(|value| is_something(value));
        let path = || Path::new(place.path.clone(), "");
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
                    Ok((spec, within)) => self.push(Sighting::PodSpec {
                        base: place.path.clone(),
                        spec: Box::new(spec),
                        account: pod.account,
                        namespace: within.unwrap_or_else(|| self.own.clone()),
                    }),
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
            (Sort::Patch, Some(value)) => self.patch(value, &place.path),
        }
    }

    /// A reference to a name; malformed if there is none.
    fn named(
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

    fn reference(
        &self,
        check: Check,
        resource: Resource,
        name: Text<'o>,
        path: Path<'o>,
        namespace: Option<Text<'o>>,
    ) -> Reference<'o> {
        let elsewhere = (self.own != self.root).then(|| self.own.clone());
        Reference {
            check,
            path,
            target: Target::Object { resource, name },
            namespace: namespace.or(elsewhere),
        }
    }

    /// The namespace of a target; none: that of the object.
    fn within(
        &self,
        within: Option<&Within>,
        object: &'o RawValue,
        value: Option<&'o RawValue>,
    ) -> Result<Option<Text<'o>>, Lost> {
        match within {
            None => {}
            Some(Within::Controller(name)) => {
                let identity = (self.controller)(name);
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

    fn account(&mut self, account: &AccountField, object: &'o RawValue, place: &Place<'o>) {
        let value = place.value.filter(|value| is_something(value));
        let path = Path::new(place.path.clone(), "");
        let written = match (&account.name, value) {
            (Some(name), Some(value)) => key(value, name),
            // Of a config map something else is read.
            (None, Some(_)) if account.config_map.is_some() => Ok(None),
            (None, Some(value)) => parse(value).map(Some),
            (_, None) => Ok(None),
        };
        let namespace = self.within(account.within.as_ref(), object, value);
        let (check, resource) = (Check::ServiceAccounts, Resource::SERVICE_ACCOUNTS);
        let (Ok(written), Ok(mut namespace)) = (written, namespace) else {
            return self.named(check, resource, None, path, None);
        };
        if let Some(ConfigMapKey { key: named }) = &account.config_map {
            let Some(value) = value else { return };
            let Ok(Some(name)) = key(value, "name") else {
                return self.named(check, resource, None, path, None);
            };
            let otherwise = self
                .absent(account, None)
                .map(|(name, within)| self.reference(check, resource, name, path.clone(), within));
            return self.push(Sighting::ConfigMap {
                path,
                namespace: self.own.clone(),
                name,
                key: named.to_string(),
                otherwise,
            });
        }
        let Some(mut name) = written else {
            let namespace = namespace.filter(|namespace| *namespace != self.own);
            if let Some((name, within)) = self.absent(account, namespace) {
                self.named(check, resource, Some(name), path, within);
            }
            return;
        };
        if account.form == Some(Form::NamespaceName)
            && let Some((within, bare)) = name.clone().split_once(':')
        {
            namespace = Some(within.to_owned().into());
            name = bare.to_owned().into();
        }
        let namespace = namespace.filter(|namespace| *namespace != self.own);
        self.named(check, resource, Some(name), path, namespace);
    }

    /// The account that no name means, and its namespace if that is another one.
    fn absent(
        &self,
        account: &AccountField,
        namespace: Option<Text<'o>>,
    ) -> Option<(Text<'o>, Option<Text<'o>>)> {
        Some(match account.absent.as_ref()? {
            Absent::Default => ("default".into(), namespace),
            Absent::Account(name) => (name.to_string().into(), namespace),
            Absent::Controller(name) => self.controller(name),
        })
    }

    /// The account that a controller uses where none is named, and its namespace if that is another one.
    fn controller(&self, name: &str) -> (Text<'o>, Option<Text<'o>>) {
        let identity = (self.controller)(name).cloned().unwrap_or_default();
        if identity.default_service_account.is_empty() {
            let within = identity.namespace.to_string();
            (
                identity.service_account.to_string().into(),
                Some(within.into()),
            )
        } else {
            (identity.default_service_account.to_string().into(), None)
        }
    }

    fn object(
        &mut self,
        target: &ObjectField,
        object: &'o RawValue,
        place: &Place<'o>,
        value: &'o RawValue,
    ) {
        let path = Path::new(place.path.clone(), "");
        let resource = match &target.of {
            Of::One(name) => Some(name.0),
            Of::ByKind(kinds) => {
                let kind = target.kind.as_ref().map(|field| key(value, field));
                let kind = kind.transpose().map(Option::flatten);
                kind.ok().and_then(|kind| kinds.get(kind.as_deref()))
            }
        };
        let Some(resource) = resource else {
            let reference = Reference {
                check: target.check.unwrap_or(Check::CrossNamespace),
                path,
                target: Target::Object {
                    resource: Resource::KINDS,
                    name: Text::default(),
                },
                namespace: None,
            };
            let why = "the kind is none that is known here".to_owned();
            return self.push(Sighting::Malformed(reference, why));
        };
        let name = match target.name.as_deref() {
            Some(".") => Ok(text(value)),
            field => key(value, field.unwrap_or("name")),
        };
        let beside = match (&target.name, &target.namespace) {
            (Some(name), _) if **name == *"." => Ok(None),
            (_, Some(none)) if **none == *"none" => Ok(None),
            (_, field) => key(value, field.as_deref().unwrap_or("namespace")),
        };
        let within = self.within(target.within.as_ref(), object, Some(value));
        let by_resource = match (resource.group, resource.name) {
            ("", "secrets") => Check::Secrets,
            ("", "configmaps") => Check::ConfigMaps,
            _ => Check::CrossNamespace,
        };
        let check = target.check.unwrap_or(by_resource);
        let (Ok(within), Ok(beside)) = (within, beside) else {
            return self.named(check, resource, None, path, None);
        };
        let namespace = within.or(beside);
        let namespace = namespace.filter(|namespace| !target.cluster && *namespace != self.own);
        // Its own namespace is what the requester may write into anyway.
        if check != Check::CrossNamespace || target.cluster || namespace.is_some() {
            let name = match name {
                // A selection by labels names everything.
                Ok(None) if check == Check::CrossNamespace => Some("*".into()),
                name => name.ok().flatten(),
            };
            self.named(check, resource, name, path, namespace);
        }
    }

    /// An object that stands in another, or a list of them.
    fn manifest(&mut self, value: &'o RawValue, path: &str, depth: usize) {
        let lost = |why: &str| Sighting::Lost(Path::new(path.to_owned(), ""), why.to_owned());
        if depth == 0 {
            return self.push(lost("objects stand too deep in objects"));
        }
        if value.get().starts_with('[') {
            let Ok(items) = parse::<Vec<&RawValue>>(value) else {
                return self.push(lost("it is no list of objects"));
            };
            for (index, item) in items.into_iter().enumerate() {
                if self.is_full() {
                    return;
                }
                self.manifest(item, &format!("{path}[{index}]"), depth - 1);
            }
            return;
        }
        if !value.get().starts_with('{') {
            return self.opaque(path, "an object that is written as text");
        }
        let (api_version, kind) = (key(value, "apiVersion"), key(value, "kind"));
        let (Ok(Some(api_version)), Ok(Some(kind))) = (api_version, kind) else {
            return self.push(lost("it has no apiVersion or no kind"));
        };
        // Several objects in one, as kubectl prints them.
        if (&*api_version, &*kind) == ("v1", "List") {
            return match at::<&RawValue>(value, &["items".into()]) {
                Ok(Some(items)) if items.get().starts_with('[') => {
                    self.manifest(items, &format!("{path}.items"), depth - 1);
                }
                Ok(None) => {}
                _ => self.push(lost("its items are no list")),
            };
        }
        let namespace = at::<Text<'o>>(value, &["metadata".into(), "namespace".into()]);
        let Ok(namespace) = namespace else {
            return self.push(lost("its namespace cannot be read"));
        };
        let own = namespace
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| self.own.clone());
        // Whoever writes an object of the whole cluster is at home in no namespace.
        if own != self.root && !self.root.is_empty() {
            let path = Path::new(format!("{path}.metadata.namespace"), "");
            let resource = Resource::NAMESPACES;
            let (name, within) = (Some(own.clone()), Some(own.clone()));
            self.named(Check::CrossNamespace, resource, name, path, within);
        }
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
        if self.catalogue.find(group, &kind).is_none() {
            return;
        }
        let Some(entry) = self.catalogue.version(group, &kind, version) else {
            return self.push(lost("its version is not known"));
        };
        match &entry.content {
            Content::PodSpec(route) => match at::<PodSpec<'o>>(value, &route.keys) {
                Ok(Some(spec)) => self.push(Sighting::PodSpec {
                    base: format!("{path}.{}", route.dotted),
                    spec: Box::new(spec),
                    account: true,
                    namespace: own,
                }),
                Ok(None) => {}
                Err(bad) => self.push(lost(&bad.to_string())),
            },
            Content::Fields(fields) => {
                let outer = std::mem::replace(&mut self.own, own);
                self.look(fields, value, path, depth - 1);
                self.own = outer;
            }
            Content::TokenRequest(_) => {}
        }
    }

    /// Notes that something is not looked into.
    pub(super) fn opaque(&mut self, path: &str, what: &str) {
        let path = Path::new(path.to_owned(), "");
        self.push(Sighting::Opaque(path, what.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the field finds in the object: path, namespace if it is another, and target.
    fn seen(field: &str, object: &str) -> Vec<String> {
        let file = format!(
            "about: a\nkinds: [{{group: g, kind: K, resource: ks, versions: [v1], fields: [{field}]}}]\n\
             controllers: {{operator: {{namespace: ops, serviceAccount: op}}, flagged: {{namespace: ops, serviceAccount: fl, defaultServiceAccount: df}}}}"
        );
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue
            .add("f", &file)
            .unwrap_or_else(|bad| panic!("{bad}"));
        let Content::Fields(fields) = &catalogue.find("g", "K").unwrap().content else {
            panic!("no fields");
        };
        let object: &RawValue = serde_json::from_str(object).unwrap();
        let controller = |name: &str| catalogue.identity(name);
        let found = sightings(&catalogue, fields, object, "own".into(), &controller);
        let reference = |reference: &Reference<'_>| {
            let namespace = reference.namespace.as_ref().map(|ns| format!("{ns}/"));
            let target = match &reference.target {
                Target::Object { resource, name } => format!("{resource} {name}"),
                Target::Taints(toleration) => toleration.to_string(),
            };
            format!(
                "{}: {}{target}",
                reference.path,
                namespace.unwrap_or_default()
            )
        };
        let line = |sighting: Sighting<'_>| match sighting {
            Sighting::ConfigMap {
                path,
                namespace,
                name,
                key,
                otherwise,
            } => format!(
                "{path}: {key} of {namespace}/{name}, or {:?}",
                otherwise.as_ref().map(reference)
            ),
            Sighting::Reference(held) => reference(&held),
            Sighting::Malformed(held, why) => format!("{} malformed: {why}", held.path),
            Sighting::Lost(path, why) => format!("{path} lost: {why}"),
            Sighting::Opaque(path, what) => format!("{path} opaque: {what}"),
            Sighting::PodSpec {
                base,
                spec,
                account,
                namespace,
            } => {
                format!(
                    "{base}: {namespace} pod of {} ({account})",
                    spec.account().1
                )
            }
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn every_sort_of_field_is_seen() {
        for (field, object, expected) in [
            (
                "{path: s.a, serviceAccount: {}}",
                r#"{"s":{"a":"x"}}"#,
                &["s.a: serviceaccounts x"][..],
            ),
            ("{path: s.a, serviceAccount: {}}", r#"{"s":{}}"#, &[]),
            (
                "{path: s.a, serviceAccount: {}}",
                r#"{"s":{"a":7}}"#,
                &["s.a malformed: serviceaccounts must be named by a text"],
            ),
            (
                "{path: s.a, serviceAccount: {absent: default}}",
                "{}",
                &["s.a: serviceaccounts default"],
            ),
            (
                "{path: s.a, serviceAccount: {absent: {controller: operator}}}",
                r#"{"s":{"a":""}}"#,
                &["s.a: ops/serviceaccounts op"],
            ),
            (
                "{path: s.a, serviceAccount: {absent: {controller: flagged}}}",
                "{}",
                &["s.a: serviceaccounts df"],
            ),
            (
                "{path: s.a, serviceAccount: {absent: {account: runner}}}",
                "{}",
                &["s.a: serviceaccounts runner"],
            ),
            (
                "{path: s.a, serviceAccount: {absent: {account: runner}, in: {controller: operator}}}",
                "{}",
                &["s.a: ops/serviceaccounts runner"],
            ),
            (
                "{path: s.r, serviceAccount: {configMap: {key: k}, absent: {controller: operator}}}",
                r#"{"s":{"r":{"name":"m"}}}"#,
                &["s.r: k of own/m, or Some(\"s.r: ops/serviceaccounts op\")"],
            ),
            (
                "{path: s.r, serviceAccount: {configMap: {key: k}}}",
                r#"{"s":{"r":{"name":"m"}}}"#,
                &["s.r: k of own/m, or None"],
            ),
            (
                "{path: s.r, serviceAccount: {configMap: {key: k}}}",
                r#"{"s":{"r":{"name":7}}}"#,
                &["s.r malformed: serviceaccounts must be named by a text"],
            ),
            (
                "{path: s.r, serviceAccount: {configMap: {key: k}, absent: default}}",
                "{}",
                &[],
            ),
            (
                "{path: s.a, controller: operator}",
                r#"{"s":{"a":{"region":"x"}}}"#,
                &["s.a: ops/serviceaccounts op"],
            ),
            (
                "{path: s.a, controller: operator}",
                r#"{"s":{"a":{}}}"#,
                &[],
            ),
            (
                "{path: s.a, serviceAccount: {in: {controller: operator}}}",
                r#"{"s":{"a":"x"}}"#,
                &["s.a: ops/serviceaccounts x"],
            ),
            (
                "{path: s.r, serviceAccount: {name: n, in: {field: ns}}}",
                r#"{"s":{"r":{"n":"x","ns":"b"}}}"#,
                &["s.r: b/serviceaccounts x"],
            ),
            (
                "{path: s.r, serviceAccount: {name: n, in: {field: ns}}}",
                r#"{"s":{"r":{"n":"x","ns":"own"}}}"#,
                &["s.r: serviceaccounts x"],
            ),
            (
                "{path: s.a, serviceAccount: {form: 'namespace:name'}}",
                r#"{"s":{"a":"b:x"}}"#,
                &["s.a: b/serviceaccounts x"],
            ),
            (
                "{path: s.a, serviceAccount: {in: {path: s.ns}}}",
                r#"{"s":{"a":"x","ns":"b"}}"#,
                &["s.a: b/serviceaccounts x"],
            ),
            (
                "{path: 's.l[]', object: {of: as.g}}",
                r#"{"s":{"l":[{"name":"x","namespace":"b"},{"name":"y"},{"namespace":"c"}]}}"#,
                &["s.l[0]: b/as.g x", "s.l[2]: c/as.g *"],
            ),
            (
                "{path: s.o, object: {kind: kind, of: {A: as.g, B: secrets}}}",
                r#"{"s":{"o":{"kind":"B","name":"x"}}}"#,
                &["s.o: secrets x"],
            ),
            (
                "{path: s.o, object: {kind: kind, of: {A: as.g, B: secrets}}}",
                r#"{"s":{"o":{"kind":"C","name":"x"}}}"#,
                &["s.o malformed: the kind is none that is known here"],
            ),
            (
                "{path: s.o, object: {kind: kind, of: {Z: zs.g, A: as.g}, name: n, namespace: ns}}",
                r#"{"s":{"o":{"n":"x","ns":"b"}}}"#,
                &["s.o: b/zs.g x"],
            ),
            (
                "{path: 's.l[].r[]', object: {of: as.g, namespace: none, cluster: true}, when: [{'s.l[].kind': C}]}",
                r#"{"s":{"l":[{"kind":"D","r":[{"name":"x"}]},{"kind":"C","r":[{"name":"y"},{"name":"z"}]}]}}"#,
                &["s.l[1].r[0]: as.g y", "s.l[1].r[1]: as.g z"],
            ),
            (
                "{path: 's.m.*.a', serviceAccount: {absent: default}, unless: ['s.m.*.b']}",
                r#"{"s":{"m":{"p":{"b":1},"q":{}}}}"#,
                &["s.m.q.a: serviceaccounts default"],
            ),
            (
                "{path: 's.l[].a', serviceAccount: {}, when: [{'s.other[].a': v}]}",
                r#"{"s":{"l":[{"a":"x"}],"other":[{},{"a":"v"}]}}"#,
                &["s.l[0].a: serviceaccounts x"],
            ),
            (
                "{path: s.o, object: {of: as.g, cluster: true}}",
                r#"{"s":{"o":{"name":"x"}}}"#,
                &["s.o: as.g x"],
            ),
            (
                "{path: s.o, object: {of: as.g, check: scaleTargets, name: .}}",
                r#"{"s":{"o":"x"}}"#,
                &["s.o: as.g x"],
            ),
            (
                "{path: s.n, namespace: {}}",
                r#"{"s":{"n":"b"}}"#,
                &["s.n: b/namespaces b"],
            ),
            ("{path: s.n, namespace: {}}", r#"{"s":{"n":"own"}}"#, &[]),
            (
                "{path: s.v, opaque: values}",
                r#"{"s":{"v":{"a":1}}}"#,
                &["s.v opaque: values"],
            ),
            ("{path: s.v, opaque: values}", r#"{"s":{"v":{}}}"#, &[]),
            (
                "{path: s.i, identity: aws}",
                r#"{"s":{"i":"arn"}}"#,
                &["s.i: cloudidentities.usher.dev aws:arn"],
            ),
            (
                "{path: 's.m.*.spec', podSpec: {}}",
                r#"{"s":{"m":{"a":{"spec":{"serviceAccountName":"x"}}}}}"#,
                &["s.m.a.spec: own pod of x (true)"],
            ),
            (
                "{path: s, podSpec: {in: {controller: operator}}}",
                r#"{"s":{"serviceAccountName":"x"}}"#,
                &["s: ops pod of x (true)"],
            ),
            (
                "{path: s, podSpec: {account: false}}",
                r#"{"s":{"tolerations":[],"x":1}}"#,
                &["s: own pod of default (false)"],
            ),
            (
                "{path: 's.m[]', manifest: {}}",
                r#"{"s":{"m":[{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"b"},"spec":{"serviceAccountName":"x"}},
                 {"apiVersion":"g/v1","kind":"K","s":{"m":[{"kind":"Pod","apiVersion":"v1","spec":{}}]}},{"apiVersion":"v1","kind":"Other"},"text",{}]}}"#,
                &[
                    "s.m[0].metadata.namespace: b/namespaces b",
                    "s.m[0].spec: b pod of x (true)",
                    "s.m[1].s.m[0].spec: own pod of default (true)",
                    "s.m[3] opaque: an object that is written as text",
                ],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"spec:\n  template:\n    spec:\n      serviceAccountName: x\n      tolerations: [{operator: Exists}]"}}"#,
                &["s.p: serviceaccounts x", "s.p: every taint"],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"[{\"op\":\"add\",\"path\":\"/spec/serviceAccountName\",\"value\":\"x\"}]"}}"#,
                &["s.p: serviceaccounts x"],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"- op: add\n  path: /spec/tolerations/-\n  value: {key: k, operator: Exists}"}}"#,
                &["s.p: taint \"k\""],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"a: [nodeName"}}"#,
                &["s.p opaque: a patch that cannot be read"],
            ),
            (
                "{path: s.m, manifest: {}}",
                r#"{"s":{"m":{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","spec":{"serviceAccountName":"x"}}]}}}"#,
                &["s.m.items[0].spec: own pod of x (true)"],
            ),
            (
                "{path: s.m, manifest: {}}",
                r#"{"s":{"m":{"apiVersion":"v1","kind":"List","items":{"apiVersion":"v1","kind":"Pod"}}}}"#,
                &["s.m lost: its items are no list"],
            ),
            // What cannot set anything is not read.
            ("{path: s.p, patch: {}}", r#"{"s":{"p":"a: [b"}}"#, &[]),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"\"node\\x4eame\": gpu-1\n"}}"#,
                &["s.p: nodes gpu-1"],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"!!binary bm9kZU5hbWU=: gpu-1\n"}}"#,
                &["s.p: nodes gpu-1"],
            ),
            // Wherever in the list, and whatever is between the documents.
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"- {op: add, path: /spec/tolerations/17, value: {operator: Exists}}"}}"#,
                &["s.p: every taint"],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":"a: 1\n---\nspec: {serviceAccountName: x}\n"}}"#,
                &["s.p: serviceaccounts x"],
            ),
            // What they set does not stand in the patch.
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":[{"op":"copy","from":"/a","path":"/spec/serviceAccountName"},{"op":"move","from":"/a","path":"/b"}]}}"#,
                &[
                    "s.p opaque: a patch that sets what stands elsewhere",
                    "s.p opaque: a patch that sets what stands elsewhere",
                ],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":[{"op":"replace","path":"/spec/tolerations/0/operator","value":"Exists"}]}}"#,
                &["s.p opaque: a patch of a part of a toleration"],
            ),
            (
                "{path: s.p, patch: {}}",
                r#"{"s":{"p":[{"op":"remove","path":"/spec/tolerations/0"},{"op":"test","path":"/nodeName","value":"n"}]}}"#,
                &[],
            ),
            // What cannot be read leads to a question that nobody can answer, never to none.
            (
                "{path: s.r, serviceAccount: {name: n}}",
                r#"{"s":{"r":{"n":7}}}"#,
                &["s.r malformed: serviceaccounts must be named by a text"],
            ),
            (
                "{path: s.r, serviceAccount: {name: n}}",
                r#"{"s":{"r":["x"]}}"#,
                &["s.r malformed: serviceaccounts must be named by a text"],
            ),
            (
                "{path: s.r, serviceAccount: {name: n, in: {field: ns}}}",
                r#"{"s":{"r":{"n":"x","ns":"own","ns":"b"}}}"#,
                &["s.r malformed: serviceaccounts must be named by a text"],
            ),
            (
                "{path: s.a, serviceAccount: {in: {path: s.ns}}}",
                r#"{"s":{"a":"x","ns":["b"]}}"#,
                &["s.a malformed: serviceaccounts must be named by a text"],
            ),
            (
                "{path: s.o, object: {of: as.g}}",
                r#"{"s":{"o":{"name":"x","namespace":"own","namespace":"b"}}}"#,
                &["s.o malformed: as.g must be named by a text"],
            ),
            (
                "{path: s.o, object: {of: as.g}}",
                r#"{"s":{"o":{"name":7}}}"#,
                &[],
            ),
            (
                "{path: s.o, object: {of: as.g}}",
                r#"{"s":{"o":{"name":7,"namespace":"b"}}}"#,
                &["s.o malformed: as.g must be named by a text"],
            ),
            (
                "{path: s.m, manifest: {}}",
                r#"{"s":{"m":{"apiVersion":"v1","kind":"Pod","metadata":{},"metadata":{"namespace":"b"}}}}"#,
                &["s.m lost: its namespace cannot be read"],
            ),
            (
                "{path: s.a, serviceAccount: {}, when: [{s.k.kind: C}]}",
                r#"{"s":{"a":"x","k":{"kind":"C","kind":"D"}}}"#,
                &[
                    "s.a lost: the object cannot be read: \"kind\" stands there twice at line 1 column 23",
                ],
            ),
            (
                "{path: s.a, serviceAccount: {}, when: [{s.k.kind: C}, s.none]}",
                r#"{"s":{"a":"x","k":7}}"#,
                &[],
            ),
            // The first as it is written.
            (
                "{path: s.o, object: {kind: kind, of: {B: bs.g, A: as.g}, cluster: true}}",
                r#"{"s":{"o":{"name":"x"}}}"#,
                &["s.o: bs.g x"],
            ),
            ("{path: s.v, opaque: values}", r#"{"s":{"v":{ }}}"#, &[]),
            (
                "{path: s.a, serviceAccount: {}, unless: [s.k]}",
                r#"{"s":{"a":"x","k":{"b":1}}}"#,
                &[],
            ),
            (
                "{path: s.a, serviceAccount: {}, when: [{s.k: v}]}",
                r#"{"s":{"a":"x","k":"v"}}"#,
                &["s.a: serviceaccounts x"],
            ),
            (
                "{path: 's.l[].a', serviceAccount: {}, unless: [{.: other}]}",
                r#"{"s":{"l":[{"a":"x"},{"a":"other"}]}}"#,
                &["s.l[0].a: serviceaccounts x"],
            ),
            (
                "{path: 's.l[]', object: {of: cs.g, cluster: true}, when: [{.kind: C}]}",
                r#"{"s":{"l":[{"kind":"C","name":"x"},{"kind":"D","name":"y"}]}}"#,
                &["s.l[0]: cs.g x"],
            ),
            (
                "{path: 's.l[].a', serviceAccount: {}}",
                r#"{"s":{"l":{}}}"#,
                &[
                    "s.l[].a lost: the object cannot be read: invalid type: map, expected a sequence at line 1 column 2",
                ],
            ),
        ] {
            assert_eq!(seen(field, object), expected, "{field}: {object}");
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        let object = format!(
            r#"{{"s":{{"free":{deep},"a":"x","p":{{"q":{}}}}}}}"#,
            r#"{"a":"#.repeat(60) + "1" + &"}".repeat(60)
        );
        assert_eq!(
            seen("{path: s.a, serviceAccount: {}}", &object),
            ["s.a: serviceaccounts x"]
        );
        assert_eq!(
            seen("{path: s.p, patch: {}}", &object),
            ["s.p opaque: a patch that nests too deep"]
        );
        let many = format!(r#"{{"s":{{"l":[{}"x"]}}}}"#, r#""x","#.repeat(5000));
        let lost = seen("{path: 's.l[]', serviceAccount: {}}", &many);
        assert_eq!(
            lost,
            ["s.l[] lost: no more than 1000 places of s.l[] are looked at"]
        );
    }
}
