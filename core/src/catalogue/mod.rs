//! Finds references in objects. Which kinds hold them, and where, is data: one YAML file per project.

mod field;
mod projects;

use std::collections::{BTreeMap, HashMap};

use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_saphyr::{Location, MessageFormatter as _, Spanned, UserMessageFormatter};

use crate::{
    object::{BadObject, FieldPath, PodSpec, Step, TokenRequest, at},
    reference::Toleration,
};

pub use field::{
    Absent, AccountField, ConfigMapKey, ControllerName, Field, Form, Kinds, Name, ObjectField, Of,
    PodSpecField, Sort, Within,
};

/// Every kind that holds references, and every controller that makes one of them for another.
#[derive(Debug, Default)]
pub struct Catalogue {
    kinds: HashMap<Box<str>, HashMap<Box<str>, Vec<Kind>>>,
    controllers: Vec<Controller>,
    identities: BTreeMap<Box<str>, Identity>,
    /// What the files that were added say of themselves.
    about: Vec<Box<str>>,
}

/// A kind that holds references, in the versions that have the same fields.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "KindEntry")]
#[schemars(with = "KindEntry")]
pub struct Kind {
    /// Its API group.
    pub group: Box<str>,
    /// The versions whose paths are given here, at least one.
    pub versions: Vec<Box<str>>,
    /// Its name.
    pub kind: Box<str>,
    /// Its resource, in the plural.
    pub resource: Box<str>,
    /// Whether its objects belong to the whole cluster.
    pub cluster: bool,
    /// What of it is looked into, and where that stands.
    pub content: Content,
    /// The part whose change is a use of what it names, if that is more than the content.
    governed: Option<Route>,
    /// Subresources that take the whole object and are known to use nothing. Any other is judged like the object.
    harmless: Vec<Box<str>>,
    /// What of the governed parts may change and is no use of anything.
    free: Vec<FieldPath>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Kind")]
struct KindEntry {
    /// Its API group.
    group: Box<str>,
    /// The versions whose paths are given here, at least one. A version that no entry has is refused.
    versions: Vec<Box<str>>,
    /// Its name.
    kind: Box<str>,
    /// Its resource, in the plural.
    resource: Box<str>,
    /// Whether its objects belong to a namespace.
    #[serde(default)]
    scope: Scope,
    /// Of kinds of Kubernetes: what it holds, in place of fields.
    #[serde(default)]
    content: Option<Content>,
    /// The fields that name something.
    #[serde(default)]
    fields: Option<Vec<Field>>,
    /// The part whose change is a use of what the fields name. Where it is not given: the fields, and what decides
    /// their meaning.
    #[serde(default)]
    governed: Option<Route>,
    /// Subresources that use nothing; status where none is given.
    #[serde(default)]
    harmless: Option<Vec<Box<str>>>,
    /// What of the governed part may change and is no use of anything: numbers of replicas, whether and when something
    /// happens. Paths of the object.
    #[serde(default)]
    free: Vec<FieldPath>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
enum Scope {
    Cluster,
    #[default]
    Namespaced,
}

impl TryFrom<KindEntry> for Kind {
    type Error = String;

    fn try_from(entry: KindEntry) -> Result<Self, String> {
        let content = match (entry.content, entry.fields) {
            (Some(content), None) => content,
            (None, Some(fields)) => Content::Fields(fields),
            _ => return Err(format!("{} must have fields", entry.kind)),
        };
        if entry.versions.is_empty() {
            return Err(format!("{} must have versions", entry.kind));
        }
        // The status of a custom resource is what its controller writes.
        let harmless = match (&content, entry.harmless) {
            (_, Some(harmless)) => harmless,
            (Content::Fields(_), None) => vec!["status".into()],
            (_, None) => Vec::new(),
        };
        if let Content::Fields(fields) = &content {
            let governed = entry.governed.as_ref();
            if let Some(path) = fields.iter().find_map(|field| field.outside(governed)) {
                let (kind, path) = (entry.kind, path.text());
                return Err(format!(
                    "{kind}: {path} is outside of the governed part, so that its change would not be asked about"
                ));
            }
            let decides = |free: &&FieldPath| fields.iter().any(|field| field.needs(free));
            if let Some(free) = entry.free.iter().find(decides) {
                let (kind, path) = (entry.kind, free.text());
                return Err(format!(
                    "{kind}: {path} cannot be free, for it decides what is asked"
                ));
            }
        }
        Ok(Self {
            group: entry.group,
            versions: entry.versions,
            kind: entry.kind,
            resource: entry.resource,
            cluster: entry.scope == Scope::Cluster,
            content,
            governed: entry.governed,
            harmless,
            free: entry.free,
        })
    }
}

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

/// A file of the catalogue: which fields of the kinds of a project name something.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Project {
    /// What the file is about, in a line: the project and the version that was read.
    about: Box<str>,
    /// The controllers of the project by name, each as the project installs it. The configuration may say otherwise.
    #[serde(default)]
    controllers: BTreeMap<Box<str>, Identity>,
    /// Which objects its controllers make from which. A controller is believed once the configuration names it.
    #[serde(default)]
    #[schemars(with = "Vec<Controller>")]
    makes: Vec<Spanned<Controller>>,
    /// The kinds, one entry for the versions that have the same fields.
    #[schemars(with = "Vec<Kind>")]
    kinds: Vec<Spanned<Kind>>,
}

impl Project {
    /// The controllers that its kinds and rows name.
    fn controllers_used(&self) -> impl Iterator<Item = &ControllerName> {
        let fields = self
            .kinds
            .iter()
            .filter_map(|kind| match &kind.value.content {
                Content::Fields(fields) => Some(fields),
                Content::PodSpec(_) | Content::TokenRequest(_) => None,
            });
        let makers = self.makes.iter();
        let named = fields.flatten().flat_map(Field::controllers);
        named.chain(makers.filter_map(|maker| maker.value.controller.as_ref()))
    }
}

/// The JSON Schema (2020-12) of a file of the catalogue.
pub fn schema() -> Schema {
    schema_for!(Project)
}

/// What of a kind is looked into.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// A pod spec.
    PodSpec(Route),
    /// What a TokenRequest asks for.
    TokenRequest(Route),
    /// Fields of a custom resource.
    #[serde(skip)]
    Fields(Vec<Field>),
}

/// A path of keys, written with dots.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Route {
    /// As it is written.
    pub dotted: Box<str>,
    /// Key by key.
    pub keys: Vec<Box<str>>,
}

/// A controller that makes objects of one kind from what an object of another says, its owner.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Controller {
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
    /// Names of the tolerations that it adds by itself.
    #[serde(default)]
    pub tolerations: Vec<Box<str>>,
}

impl Controller {
    /// Its name.
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
    /// Whether it is this kind.
    pub fn is(&self, kind: &Kind) -> bool {
        self.kind == kind.kind && self.group == kind.group
    }
}

/// A catalogue file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("catalogue: {0}")]
pub struct BadCatalogue(String);

impl Catalogue {
    /// The kinds of Kubernetes itself, which are always judged.
    pub fn embedded() -> Result<Self, BadCatalogue> {
        Self::core(include_str!("data/core.yaml"))
    }

    fn core(yaml: &str) -> Result<Self, BadCatalogue> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            kinds: Vec<Spanned<Kind>>,
            controllers: Vec<Controller>,
        }

        let file: File = read("core", yaml)?;
        let mut catalogue = Self {
            controllers: file.controllers,
            ..Self::default()
        };
        catalogue.add_kinds("core", file.kinds)?;
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

    /// The same with the kinds of a project that ships with Usher; `all`: of every project.
    pub fn enable(&mut self, project: &str) -> Result<(), BadCatalogue> {
        let known = projects::PROJECTS;
        if project == "all" {
            let mut all = known.iter();
            return all.try_for_each(|(name, yaml)| self.add(name, yaml));
        }
        let Some((_, yaml)) = known.iter().find(|(name, _)| *name == project) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            return Err(BadCatalogue(format!(
                "there is no \"{project}\"; there are {}",
                names.join(", ")
            )));
        };
        self.add(project, yaml)
    }

    /// The projects that ship with Usher, by name.
    pub fn projects() -> impl Iterator<Item = &'static str> {
        projects::PROJECTS.iter().map(|(name, _)| *name)
    }

    /// The file of a project that ships with Usher: what it is about, and its catalogue alone.
    pub fn project(name: &str) -> Result<(String, Self), BadCatalogue> {
        let core = Self::embedded()?;
        // With the kinds of Kubernetes itself, of which its controllers may make objects.
        let mut only = Self::embedded()?;
        only.enable(name)?;
        for (group, kinds) in &mut only.kinds {
            kinds.retain(|kind, _| core.find(group, kind).is_none());
        }
        only.controllers.retain(|row| row.controller.is_some());
        let about = only.about.join("; ");
        Ok((about, only))
    }

    /// The same with the kinds of a file, which messages call `name`.
    pub fn add(&mut self, name: &str, yaml: &str) -> Result<(), BadCatalogue> {
        let mut file: Project = read(name, yaml)?;
        self.about.push(std::mem::take(&mut file.about));
        self.identities
            .extend(std::mem::take(&mut file.controllers));
        if let Some(stranger) = file
            .controllers_used()
            .find(|used| self.identity(used).is_none())
        {
            let why = format!(
                "there is no controller \"{}\": name it under controllers, with its namespace and its account",
                &**stranger
            );
            return Err(BadCatalogue::at(name, stranger.place(), &why));
        }
        self.add_kinds(name, file.kinds)?;
        for maker in file.makes {
            if maker.value.controller.is_none() {
                let why = format!("what makes {} has no controller", maker.value.makes.kind);
                return Err(BadCatalogue::at(name, maker.defined, &why));
            }
            self.controllers.push(maker.value);
        }
        Ok(())
    }

    /// The kinds of the table of controllers that no entry is about: such a row counts for nothing.
    pub fn unknown(&self) -> Vec<&GroupKind> {
        let rows = self.controllers.iter();
        let kinds = rows.flat_map(|maker| [&maker.makes, &maker.of]);
        let unknown = |kind: &&GroupKind| self.find(&kind.group, &kind.kind).is_none();
        kinds.filter(unknown).collect()
    }

    fn add_kinds(&mut self, name: &str, kinds: Vec<Spanned<Kind>>) -> Result<(), BadCatalogue> {
        for kind in kinds {
            let place = kind.defined;
            let kind = kind.value;
            let group = self.kinds.entry(kind.group.clone()).or_default();
            let held = group.entry(kind.kind.clone()).or_default();
            let all = || held.iter().chain([&kind]).flat_map(|held| &held.versions);
            let times = |version: &str| all().filter(|held| ***held == *version).count();
            if let Some(version) = kind.versions.iter().find(|version| times(version) > 1) {
                let why = format!("{version} of {} stands there twice", kind.kind);
                return Err(BadCatalogue::at(name, place, &why));
            }
            held.push(kind);
        }
        Ok(())
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
    pub fn makers_for(&self, made: &Kind, group: &str, owner: &str) -> Vec<&Controller> {
        let controllers = self.controllers.iter();
        let fits = |maker: &&Controller| {
            maker.makes.is(made) && *maker.of.group == *group && *maker.of.kind == *owner
        };
        controllers.filter(fits).collect()
    }

    /// Whether some controller that makes objects of this kind adds this toleration by itself.
    pub fn is_added(&self, made: &Kind, toleration: &Toleration<'_>) -> bool {
        let names = toleration.names().unwrap_or_default();
        self.makers(made)
            .flat_map(|maker| &maker.tolerations)
            .any(|added| names.iter().any(|name| **name == **added))
    }

    /// The table of controllers.
    pub fn rows(&self) -> impl Iterator<Item = &Controller> {
        self.controllers.iter()
    }

    /// The controllers that make objects of this kind.
    pub fn makers<'c>(&'c self, made: &'c Kind) -> impl Iterator<Item = &'c Controller> {
        self.controllers
            .iter()
            .filter(move |controller| controller.makes.is(made))
    }
}

/// A file of the catalogue; an error names the file, the line and the column.
fn read<T: serde::de::DeserializeOwned>(name: &str, yaml: &str) -> Result<T, BadCatalogue> {
    serde_saphyr::from_str(yaml).map_err(|error| {
        let why = UserMessageFormatter
            .format_message(error.without_snippet())
            .replace('`', "\"");
        BadCatalogue::at(name, error.location().unwrap_or(Location::UNKNOWN), &why)
    })
}

impl BadCatalogue {
    /// With file, line and column.
    fn at(name: &str, place: Location, why: &str) -> Self {
        Self(match place.line() {
            0 => format!("{name}: {why}"),
            line => format!("{name}:{line}:{}: {why}", place.column()),
        })
    }
}

impl Kind {
    /// The parts whose change is a use of what they name, as keys.
    pub fn governed(&self) -> Vec<Vec<Box<str>>> {
        match (&self.governed, &self.content) {
            (Some(route), _) | (None, Content::PodSpec(route) | Content::TokenRequest(route)) => {
                vec![route.keys.clone()]
            }
            (None, Content::Fields(fields)) => {
                let mut parts: Vec<_> = fields.iter().flat_map(Field::governed).collect();
                parts.sort();
                parts.dedup();
                parts
            }
        }
    }

    /// What of the part at these keys is free to change, from there on.
    pub fn free(&self, part: &[Box<str>]) -> Vec<&[Step]> {
        self.free
            .iter()
            .filter_map(|free| free.below(part))
            .collect()
    }

    /// The one part whose change is a use of what it names, if the entry says so.
    pub fn governed_part(&self) -> Option<&str> {
        self.governed.as_ref().map(|route| &*route.dotted)
    }

    /// What is free to change, as it is written.
    pub fn free_paths(&self) -> impl Iterator<Item = &str> {
        self.free.iter().map(FieldPath::text)
    }

    /// Whether its governed parts are the same only if their text is.
    pub fn is_exact(&self) -> bool {
        self.free.is_empty() && !matches!(self.content, Content::Fields(_))
    }

    /// Where its pod spec stands, if it is known for one.
    pub fn pod_spec(&self) -> Option<&Route> {
        match &self.content {
            Content::PodSpec(route) => Some(route),
            Content::TokenRequest(_) | Content::Fields(_) => None,
        }
    }

    /// Whether some field of it leaves its account to this controller, as [`Field::left_to`] says.
    pub fn leaves_accounts_to(&self, controller: &str) -> bool {
        match &self.content {
            Content::Fields(fields) => fields
                .iter()
                .any(|field| field.left_to() == Some(controller)),
            Content::PodSpec(_) | Content::TokenRequest(_) => false,
        }
    }

    /// Why the content of an object of this kind cannot be read, if it cannot.
    pub fn unreadable(&self, object: &RawValue) -> Option<BadObject> {
        match &self.content {
            Content::PodSpec(route) => at::<PodSpec<'_>>(object, &route.keys).err(),
            Content::TokenRequest(route) => at::<TokenRequest<'_>>(object, &route.keys).err(),
            Content::Fields(_) => None,
        }
    }

    /// Whether its paths are those of this version.
    pub fn has(&self, version: &str) -> bool {
        self.versions.iter().any(|known| **known == *version)
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
        let version = self.versions.first().map_or("", |version| version);
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }
}

impl TryFrom<String> for Route {
    type Error = String;

    fn try_from(dotted: String) -> Result<Self, String> {
        let path = FieldPath::try_from(dotted.clone()).map_err(|bad| bad.to_string())?;
        let keys = path.head();
        if keys.len() < path.steps().len() {
            return Err(format!("\"{dotted}\" must be keys with dots between them"));
        }
        Ok(Self {
            keys,
            dotted: dotted.into(),
        })
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
    fn every_controller_of_the_projects_makes_kinds_that_have_entries() {
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue.enable("all").unwrap();
        assert_eq!(catalogue.unknown(), Vec::<&GroupKind>::new());
    }

    #[test]
    fn what_is_asked_about_is_never_free_and_never_outside() {
        let add = |keys: &str, fields: &str| {
            let file = format!(
                "about: a\nkinds: [{{group: g, kind: K, resource: ks, versions: [v1], {keys}fields: [{fields}]}}]"
            );
            let mut catalogue = Catalogue::embedded().unwrap();
            catalogue.add("f", &file).map_err(|bad| bad.to_string())
        };
        let account = "{path: 'spec.l[].a', serviceAccount: {}, when: [spec.k]}";
        let pod = "{path: 'spec.l[].t.spec', podSpec: {}}";
        let map = "{path: 'spec.m.*', serviceAccount: {name: n, in: {field: ns}}}";
        for (keys, fields) in [
            ("free: ['spec.l[].n', spec.l.n, spec.ka], ", account),
            ("governed: spec, free: [spec.n], ", account),
            (
                "free: ['spec.l[].n', 'spec.l[].t.spec.containers[].resources'], ",
                pod,
            ),
        ] {
            add(keys, fields).unwrap();
        }
        for (keys, fields, why) in [
            ("free: [spec.l], ", account, "spec.l cannot be free"),
            ("free: ['spec.l[]'], ", account, "spec.l[] cannot be free"),
            (
                "free: ['spec.l[].a'], ",
                account,
                "spec.l[].a cannot be free",
            ),
            ("free: [spec.k], ", account, "spec.k cannot be free"),
            ("free: ['spec.l[].t.spec.volumes'], ", pod, "cannot be free"),
            (
                "free: ['spec.l[].t.spec.volumes[].projected'], ",
                pod,
                "cannot be free",
            ),
            (
                "free: ['spec.l[].t.spec.containers[]'], ",
                pod,
                "cannot be free",
            ),
            ("free: ['spec.l[].t'], ", pod, "cannot be free"),
            ("free: ['spec.m.*.ns'], ", map, "cannot be free"),
            ("free: [spec.m.x.ns], ", map, "cannot be free"),
            ("free: [spec.m.x], ", map, "cannot be free"),
            ("governed: spec.l, ", account, "spec.k is outside"),
            ("governed: status, ", pod, "spec.l[].t.spec is outside"),
        ] {
            let bad = add(keys, fields).unwrap_err();
            assert!(bad.contains("f:2:") && bad.contains(why), "{keys}: {bad}");
        }
    }

    #[test]
    fn a_controller_that_nobody_knows_is_refused_where_it_stands() {
        let kind = |field: &str| {
            format!(
                "about: a\nkinds:\n- {{group: g, kind: K, resource: ks, versions: [v1], fields: [\n  {field}]}}"
            )
        };
        for (file, place) in [
            (
                kind("{path: a, serviceAccount: {absent: {controller: nobody}}}"),
                (4, 51),
            ),
            (
                kind("{path: a, object: {of: b, in: {controller: nobody}}}"),
                (4, 46),
            ),
            (
                kind("{path: a, podSpec: {in: {controller: nobody}}}"),
                (4, 40),
            ),
            (kind("{path: a, controller: nobody}"), (4, 25)),
            (
                format!(
                    "{}\nmakes:\n- {{controller: nobody, makes: {{group: g, kind: K}}, of: {{group: g, kind: K}}}}",
                    kind("")
                ),
                (6, 16),
            ),
        ] {
            let mut catalogue = Catalogue::embedded().unwrap();
            let bad = catalogue.add("own.yaml", &file).unwrap_err().to_string();
            let (line, column) = place;
            let start =
                format!("catalogue: own.yaml:{line}:{column}: there is no controller \"nobody\"");
            assert!(bad.starts_with(&start), "{bad}");
            let known =
                format!("controllers: {{nobody: {{namespace: n, serviceAccount: s}}}}\n{file}");
            Catalogue::embedded()
                .unwrap()
                .add("own.yaml", &known)
                .unwrap();
        }
    }

    #[test]
    fn a_catalogue_that_contradicts_itself_is_refused() {
        let row =
            "{group: '', versions: [v1], kind: Pod, resource: pods, content: {podSpec: spec}}";
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
            assert!(Catalogue::core(yaml).is_err(), "{yaml}");
        }
    }
}
