//! Objects in documents.

use crate::yaml::{BadYaml, Entry, Node, Source, Value};

/// A Kubernetes object in a document.
#[derive(Clone, Copy, Debug)]
pub struct Object<'n, 't> {
    /// The object itself.
    pub node: &'n Node<'t>,
    /// Group and version, as it is written.
    pub api_version: &'n str,
    /// The kind.
    pub kind: &'n str,
    /// The namespace; empty if none is written.
    pub namespace: &'n str,
    /// The name, or the start of one that is to be made; empty if neither is written.
    pub name: &'n str,
}

/// What a document holds.
#[derive(Debug)]
pub enum Content<'n, 't> {
    /// Input for a tool: a Kustomization is not sent to the cluster.
    Build,
    /// Something that says neither of which kind it is nor of which version.
    Foreign,
    /// Objects: one, or those of a list.
    Objects(Vec<Object<'n, 't>>),
}

/// What a document holds. A list counts as its items, also a list in a list.
pub fn contents<'n, 't>(
    document: &'n Node<'t>,
    source: &Source,
) -> Result<Content<'n, 't>, BadYaml> {
    let api_version = field(document, "apiVersion", source)?;
    let kind = field(document, "kind", source)?;
    if api_version.is_empty() && kind.is_empty() {
        return Ok(Content::Foreign);
    }
    if let Some(group) = api_version.split('/').next()
        && group == "kustomize.config.k8s.io"
    {
        return Ok(Content::Build);
    }
    let mut objects = Vec::new();
    gather(document, ("", ""), source, &mut objects)?;
    Ok(Content::Objects(objects))
}

/// `default` is what a list says of its items, where they say nothing: `kubectl get` leaves it out.
fn gather<'n, 't>(
    node: &'n Node<'t>,
    default: (&'n str, &'n str),
    source: &Source,
    objects: &mut Vec<Object<'n, 't>>,
) -> Result<(), BadYaml> {
    let error = |what: &str| Err(source.error(node.place.position(), what));
    let Value::Map(_) = node.value() else {
        return error("an object is a map, with apiVersion and kind");
    };
    let or =
        |written: &'n str, default: &'n str| if written.is_empty() { default } else { written };
    let api_version = or(field(node, "apiVersion", source)?, default.0);
    let kind = or(field(node, "kind", source)?, default.1);
    match (api_version.is_empty(), kind.is_empty()) {
        (true, true) => return error("no Kubernetes object: it has neither apiVersion nor kind"),
        (true, false) => return error("the object has no apiVersion"),
        (false, true) => return error("the object has no kind"),
        (false, false) => {}
    }
    if let Some(Entry { value: items, .. }) = node.entry("items")
        && let Some(item) = kind.strip_suffix("List")
    {
        let default = if item.is_empty() {
            ("", "")
        } else {
            (api_version, item)
        };
        return match items.value() {
            Value::List(items) => items
                .iter()
                .try_for_each(|item| gather(item, default, source, objects)),
            Value::Null => Ok(()),
            _ => Err(source.error(items.place.position(), "the items of a list are a list")),
        };
    }
    let (mut namespace, mut name) = ("", "");
    if let Some(metadata) = node.at("metadata") {
        namespace = field(metadata, "namespace", source)?;
        name = field(metadata, "name", source)?;
        if name.is_empty() {
            name = field(metadata, "generateName", source)?;
        }
    }
    objects.push(Object {
        node,
        api_version,
        kind,
        namespace,
        name,
    });
    Ok(())
}

/// A field that is text; absent and `null` are empty.
fn field<'n>(node: &'n Node<'_>, key: &str, source: &Source) -> Result<&'n str, BadYaml> {
    let Some(value) = node.at(key).filter(|value| !value.is_null()) else {
        return Ok("");
    };
    value.text().ok_or_else(|| {
        let what = format!("{key} is not text: quote it");
        source.error(value.place.position(), what)
    })
}

impl<'n> Object<'n, '_> {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &'n str {
        self.api_version
            .rsplit_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version.
    pub fn version(&self) -> &'n str {
        self.api_version
            .rsplit_once('/')
            .map_or(self.api_version, |(_, version)| version)
    }
}

/// What was found in an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects.
    pub objects: usize,
    /// Documents that are input for a tool, or that a folder holds for another reason.
    pub others: usize,
}

/// What a text has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Objects, or nothing that is of interest: a folder also holds the values of a chart. Objects beside something else
    /// are an error.
    Anything,
    /// Objects, and nothing else.
    Objects,
}

/// Reads a text object by object; only one document is in memory at a time.
pub fn read<E: From<BadYaml>>(
    source: &Source,
    expected: Expected,
    mut take: impl FnMut(&Source, &Object<'_, '_>) -> Result<(), E>,
) -> Result<Found, E> {
    let mut found = Found::default();
    let mut foreign = None;
    for document in source.documents() {
        let document = document?;
        match contents(&document, source)? {
            Content::Build => found.others += 1,
            Content::Foreign => {
                found.others += 1;
                foreign.get_or_insert(document.place);
            }
            Content::Objects(objects) => {
                found.objects += objects.len();
                for object in &objects {
                    take(source, object)?;
                }
            }
        }
        if let Some(place) = foreign
            && (found.objects > 0 || expected == Expected::Objects)
        {
            let what = "no Kubernetes object: it has neither apiVersion nor kind";
            return Err(source.error(place.position(), what).into());
        }
    }
    Ok(found)
}
