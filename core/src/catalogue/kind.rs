//! A kind: what of it is looked into, and which of its changes are a use of what it names.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    entry::{BadEntry, Route},
    field::{Field, Sort},
};
use crate::{
    object::{
        self, BadObject, FieldPath, NAMESPACE_TOLERATIONS, PodSpec, ServiceAccount, Step,
        TokenRequest, TokenSecret, at, revised,
    },
    reference::{Check, Pattern, Text},
};

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
    /// The API group of its resource: mostly its own.
    pub resource_group: Box<str>,
    /// The resources and subresources that take it: mostly its resource alone.
    pub taken_by: Vec<Box<str>>,
    /// Whether its objects belong to the whole cluster.
    pub cluster: bool,
    /// What of it is looked into, and where that stands.
    pub content: Content,
    /// Why not the whole of it is governed, if the entry says so.
    narrow: Option<Box<str>>,
    /// The parts whose change is a use of what it names.
    governed: Vec<Governed>,
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
    /// The API group of its resource, if that is another one.
    #[serde(default)]
    resource_group: Option<Box<str>>,
    /// The resources and subresources that take it, if that is not its resource alone: pods/exec.
    #[serde(default)]
    taken_by: Vec<Box<str>>,
    /// Whether its objects belong to a namespace.
    #[serde(default)]
    scope: Scope,
    /// Of kinds of Kubernetes: what it holds, in place of fields.
    #[serde(default)]
    content: Option<Content>,
    /// The fields that name something.
    #[serde(default)]
    fields: Option<Vec<Field>>,
    /// The part whose change is a use of what the fields name. Where it is not given, the whole spec, or where nothing is
    /// named in it everything but metadata and status.
    #[serde(default)]
    governed: Option<Route>,
    /// Why only a change of the fields, and of what decides their meaning, is a use of what they name: what stands beside
    /// them neither runs as an account nor gets what it opens.
    #[serde(default)]
    narrow: Option<Box<str>>,
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
    type Error = BadEntry;

    fn try_from(entry: KindEntry) -> Result<Self, BadEntry> {
        let content = match (entry.content, entry.fields) {
            (Some(content), None) => content,
            (None, Some(fields)) => Content::Fields(fields),
            _ => return Err(BadEntry::NoFields(entry.kind)),
        };
        if entry.versions.is_empty() {
            return Err(BadEntry::NoVersions(entry.kind));
        }
        let says = entry.governed.is_some() || !matches!(content, Content::Fields(_));
        if entry.narrow.is_some() && says {
            return Err(BadEntry::Narrow(entry.kind));
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
                let (kind, path) = (entry.kind, path.text().into());
                return Err(BadEntry::Outside { kind, path });
            }
            let decides = |free: &&FieldPath| fields.iter().any(|field| field.needs(free));
            if let Some(free) = entry.free.iter().find(decides) {
                let (kind, path) = (entry.kind, free.text().into());
                return Err(BadEntry::Free { kind, path });
            }
        }
        let governed = governed(
            entry.governed.as_ref(),
            entry.narrow.is_some(),
            &content,
            &entry.free,
        );
        let taken_by = match entry.taken_by {
            none if none.is_empty() => vec![entry.resource.clone()],
            some => some,
        };
        Ok(Self {
            resource_group: entry.resource_group.unwrap_or_else(|| entry.group.clone()),
            group: entry.group,
            versions: entry.versions,
            kind: entry.kind,
            resource: entry.resource,
            taken_by,
            cluster: entry.scope == Scope::Cluster,
            content,
            narrow: entry.narrow,
            governed,
            harmless,
            free: entry.free,
        })
    }
}

/// A part of an object whose change is a use of what it names.
#[derive(Debug)]
pub(crate) struct Governed {
    /// Where it stands, key by key.
    pub keys: Vec<Box<str>>,
    /// What of it may change and is no use of anything, from there on.
    pub free: Vec<Vec<Step>>,
    /// What of it says where pods go and nothing else, from there on: a change of it is asked about for itself.
    pub placing: Vec<Vec<Step>>,
}

/// The parts that are governed: the one that the entry says, or all that its content may be used for, less what is free.
fn governed(
    part: Option<&Route>,
    is_narrow: bool,
    content: &Content,
    free: &[FieldPath],
) -> Vec<Governed> {
    let mut parts = match (part, content) {
        (Some(route), _) | (None, Content::PodSpec(route) | Content::TokenRequest(route)) => {
            vec![route.keys.clone()]
        }
        // Whose it is, or will be, counts too: a set takes in what bears its labels and belongs to nobody.
        (None, Content::Revision(_)) => [
            &["data"][..],
            &["metadata", "labels"],
            &["metadata", "ownerReferences"],
        ]
        .map(|keys| keys.iter().copied().map(Box::from).collect())
        .into(),
        (None, Content::NamespaceTolerations) => {
            vec![vec!["metadata".into(), "annotations".into()]]
        }
        // Of three of them nothing can change; the others say themselves what has changed.
        (
            None,
            Content::Account(_)
            | Content::Binding(_)
            | Content::Connection(_)
            | Content::Named(_)
            | Content::SigningRequest
            | Content::TokenSecret,
        ) => Vec::new(),
        (None, Content::Fields(fields)) => {
            let named = fields.iter().flat_map(Field::governed);
            if is_narrow {
                named.collect()
            } else {
                whole(named.collect())
            }
        }
    };
    parts.sort();
    parts.dedup();
    let placing = placing(content);
    let governed = |keys: Vec<Box<str>>| {
        let below = |paths: &[FieldPath]| -> Vec<_> {
            let below = paths.iter().filter_map(|path| path.below(&keys));
            below.map(<[Step]>::to_vec).collect()
        };
        let (mut free, placing) = (below(free), below(&placing));
        if keys.is_empty() {
            free.extend(APART.map(|key| vec![Step::Key(key.into())]));
        }
        Governed {
            keys,
            free,
            placing,
        }
    };
    parts.into_iter().map(governed).collect()
}

/// What says where pods go and nothing else, in every pod spec of this content.
fn placing(content: &Content) -> Vec<FieldPath> {
    let in_spec = |path: &str| -> Vec<FieldPath> {
        let paths = object::placing().map(|key| format!("{path}.{key}"));
        paths
            .filter_map(|path| FieldPath::try_from(path).ok())
            .collect()
    };
    match content {
        Content::PodSpec(route) => in_spec(&route.dotted),
        Content::Fields(fields) => {
            let specs = fields
                .iter()
                .filter(|field| matches!(field.sort, Sort::PodSpec(_)));
            let paths = specs.flat_map(|field| in_spec(field.path.text()));
            let only_places =
                |path: &FieldPath| fields.iter().all(|field| !field.needs_beside_place(path));
            paths.filter(only_places).collect()
        }
        Content::Account(_)
        | Content::Binding(_)
        | Content::Connection(_)
        | Content::Named(_)
        | Content::NamespaceTolerations
        | Content::Revision(_)
        | Content::SigningRequest
        | Content::TokenRequest(_)
        | Content::TokenSecret => Vec::new(),
    }
}

/// What of an object is no use of what it names: who it is, and what its controller writes.
const APART: [&str; 2] = ["metadata", "status"];

/// All that the account, identity or credential which stands in one of these parts may be used for: an address, an image, a
/// command. That is the spec, and any other member in which something is named, but of metadata and status no more than the parts
/// themselves. If nothing is named in a spec, it is the whole object.
fn whole(named: Vec<Vec<Box<str>>>) -> Vec<Vec<Box<str>>> {
    let names_nothing = named.is_empty();
    let is_apart = |part: &Vec<Box<str>>| part.first().is_some_and(|key| APART.contains(&&**key));
    let (apart, mut members): (Vec<_>, Vec<_>) = named.into_iter().partition(is_apart);
    for part in &mut members {
        part.truncate(1);
    }
    let in_spec = |part: &Vec<Box<str>>| part.first().is_some_and(|key| **key == *"spec");
    if !(names_nothing || members.iter().any(in_spec)) {
        members = vec![Vec::new()];
    }
    members.into_iter().chain(apart).collect()
}

/// What of a kind is looked into.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// The account itself, where annotations of these names, or its lists of Secrets, are written.
    Account(Vec<Pattern>),
    /// The node that a pod is put on.
    Binding(Route),
    /// The running pod of this name: somebody connects to it, and this check asks about its account.
    Connection(Check),
    /// Fields of a custom resource.
    #[serde(skip)]
    Fields(Vec<Field>),
    /// The accounts whose names a client certificate would bear.
    SigningRequest,
    /// The object of this name itself: somebody connects to it, and this check asks about it.
    Named(Check),
    /// Of a namespace: the annotations that say which taints its pods tolerate.
    NamespaceTolerations,
    /// A pod spec.
    PodSpec(Route),
    /// The pod spec that a ControllerRevision keeps.
    Revision(Route),
    /// What a TokenRequest asks for.
    TokenRequest(Route),
    /// The account whose token Kubernetes fills in.
    TokenSecret,
}

impl Content {
    /// What of it is looked into, and what is asked there, in words.
    pub fn asked(&self) -> Vec<(String, String)> {
        let one = |path: &str, asked: &str| vec![(path.to_owned(), asked.to_owned())];
        match self {
            Self::Account(_) => one(
                "metadata.annotations",
                "the account, where its identity changes",
            ),
            Self::Binding(route) => one(&route.dotted, "a node"),
            Self::Connection(_) => one("metadata.name", "the account of the pod that runs"),
            Self::Fields(fields) => fields
                .iter()
                .map(|field| (field.path.text().to_owned(), field.to_string()))
                .collect(),
            Self::Named(_) => one("metadata.name", "the object of this name"),
            Self::NamespaceTolerations => NAMESPACE_TOLERATIONS
                .iter()
                .map(|key| {
                    (
                        format!("metadata.annotations[\"{key}\"]"),
                        "tolerations".to_owned(),
                    )
                })
                .collect(),
            Self::PodSpec(route) | Self::Revision(route) => one(&route.dotted, "a pod spec"),
            Self::TokenRequest(route) => one(&route.dotted, "a token"),
            Self::SigningRequest => one(
                "spec.request",
                "the account whose name the certificate would bear",
            ),
            Self::TokenSecret => one(
                TokenSecret::PATH,
                "the account of a Secret that holds a token",
            ),
        }
    }

    /// The checks that ask about it, if not any could.
    pub fn only_checks(&self) -> Option<Vec<Check>> {
        match self {
            // Its pods get its pull secrets.
            Self::Account(_) => Some(vec![Check::Accounts, Check::Secrets]),
            Self::SigningRequest => Some(vec![Check::Accounts]),
            Self::Binding(_) => Some(vec![Check::Nodes]),
            // Who is in a pod also reads what it reads.
            Self::Connection(check @ Check::Connections) => {
                Some(std::iter::once(*check).chain(Check::of_reads()).collect())
            }
            Self::Connection(check) | Self::Named(check) => Some(vec![*check]),
            Self::NamespaceTolerations => Some(vec![Check::Tolerations]),
            Self::TokenSecret => Some(vec![Check::TokenSecrets]),
            Self::Fields(_) | Self::PodSpec(_) | Self::Revision(_) | Self::TokenRequest(_) => None,
        }
    }

    /// The fields, if it is a custom resource.
    pub fn fields(&self) -> Option<&[Field]> {
        match self {
            Self::Fields(fields) => Some(fields),
            _ => None,
        }
    }
}

impl Kind {
    /// The parts whose change is a use of what they name.
    pub(crate) fn governed(&self) -> &[Governed] {
        &self.governed
    }

    /// The parts whose change is a use of what it names, key by key; all of the object but metadata and status is empty.
    pub fn governed_parts(&self) -> impl Iterator<Item = String> + '_ {
        self.governed.iter().map(|part| part.keys.join("."))
    }

    /// Why not its whole spec is governed, if its entry says so.
    pub fn narrow(&self) -> Option<&str> {
        self.narrow.as_deref()
    }

    /// What is free to change, as it is written.
    pub fn free_paths(&self) -> impl Iterator<Item = &str> {
        self.free.iter().map(FieldPath::text)
    }

    /// Whether its governed parts are the same only if their text is.
    pub(crate) fn is_exact(&self) -> bool {
        self.free.is_empty() && !matches!(self.content, Content::Fields(_))
    }

    /// Where its pod spec stands, if it is known for one.
    pub fn pod_spec(&self) -> Option<&Route> {
        match &self.content {
            Content::PodSpec(route) => Some(route),
            _ => None,
        }
    }

    /// Whether some field of it leaves its account to this controller.
    pub fn leaves_accounts_to(&self, controller: &str) -> bool {
        let mut fields = self.content.fields().unwrap_or_default().iter();
        fields.any(|field| field.left_to() == Some(controller))
    }

    /// Why the content of an object of this kind cannot be read, if it cannot.
    pub fn unreadable(&self, object: &RawValue) -> Option<BadObject> {
        match &self.content {
            Content::PodSpec(route) => at::<PodSpec<'_>>(object, &route.keys).err(),
            Content::TokenRequest(route) => at::<TokenRequest<'_>>(object, &route.keys).err(),
            Content::Binding(route) => at::<Text<'_>>(object, &route.keys).err(),
            Content::Account(_) => ServiceAccount::of(object).err(),
            Content::Revision(route) => revised(object, &route.keys).err(),
            Content::TokenSecret => TokenSecret::of(object).err(),
            // What is written in the last two is read when somebody asks for it.
            Content::Connection(_)
            | Content::Fields(_)
            | Content::Named(_)
            | Content::NamespaceTolerations
            | Content::SigningRequest => None,
        }
    }

    /// Whether its paths are those of this version.
    pub(crate) fn has(&self, version: &str) -> bool {
        self.versions.iter().any(|known| **known == *version)
    }

    /// Whether this is the pod itself, not a template of one.
    pub(crate) fn is_pod(&self) -> bool {
        self.group.is_empty() && *self.kind == *"Pod"
    }

    /// Whether a request for this subresource (empty: the object itself) may use what the pod spec names.
    pub fn governs(&self, subresource: &str) -> bool {
        !self.harmless.iter().any(|known| **known == *subresource)
    }

    /// Group and version, as manifests write them.
    pub(crate) fn api_version(&self) -> String {
        let version = self.versions.first().map_or("", |version| version);
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Catalogue;

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
    fn all_that_a_field_is_used_for_is_governed() {
        for (keys, fields, expected) in [
            ("", "{path: spec.a, serviceAccount: {}}", "spec"),
            (
                "",
                "{path: 'spec.l[].a', serviceAccount: {}, when: [other.k]}",
                "other spec",
            ),
            ("", "{path: template.a, serviceAccount: {}}", ""),
            (
                "",
                "{path: spec.a, serviceAccount: {}}, {path: status.s.a, serviceAccount: {}}",
                "spec status.s.a",
            ),
            (
                "",
                "{path: metadata.annotations.a, serviceAccount: {}}",
                " metadata.annotations.a",
            ),
            (
                "narrow: why, ",
                "{path: spec.a, serviceAccount: {}}",
                "spec.a",
            ),
            (
                "governed: spec.p, ",
                "{path: spec.p.a, serviceAccount: {}}",
                "spec.p",
            ),
        ] {
            let file = format!(
                "about: a\nkinds: [{{group: g, kind: K, resource: ks, versions: [v1], {keys}fields: [{fields}]}}]"
            );
            let mut catalogue = Catalogue::embedded().unwrap();
            catalogue.add("f", &file).unwrap();
            let parts: Vec<_> = catalogue.find("g", "K").unwrap().governed_parts().collect();
            assert_eq!(parts.join(" "), expected, "{fields}");
        }
    }
}
