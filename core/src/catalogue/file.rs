//! Files of the catalogue: what stands in one, its schema, how it is taken in, and what can be wrong with it.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Catalogue,
    controller::{ControllerName, GroupKind, Identity, Making},
    field::Field,
    kind::Kind,
    projects,
};
use crate::yaml::{self, Place, Position, Spanned};

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
    #[schemars(with = "Vec<Making>")]
    makes: Vec<Spanned<Making>>,
    /// The kinds, one entry for the versions that have the same fields.
    #[schemars(with = "Vec<Kind>")]
    kinds: Vec<Spanned<Kind>>,
}

impl Project {
    /// The controllers that its kinds and rows name.
    fn controllers_used(&self) -> impl Iterator<Item = &ControllerName> {
        let kinds = self.kinds.iter();
        let fields = kinds.filter_map(|kind| kind.value.content.fields());
        let makers = self.makes.iter();
        let named = fields.flatten().flat_map(Field::controllers);
        named.chain(makers.filter_map(|maker| maker.value.controller.as_ref()))
    }
}

/// The JSON Schema (2020-12) of a file of the catalogue.
pub fn schema() -> Schema {
    schema_for!(Project)
}

/// A catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCatalogue {
    /// A file of it cannot.
    #[error("catalogue: {file}{}: {fault}", at(*position))]
    File {
        /// Its name.
        file: Box<str>,
        /// Where in it, if that is known.
        position: Option<Position>,
        /// What is wrong.
        fault: Fault,
    },
    /// No project of this name ships with Usher.
    #[error("catalogue: there is no \"{0}\"; there are {names}", names = projects::names())]
    NoProject(Box<str>),
}

/// What is wrong with a file of the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A field names a controller that the file says nothing of.
    #[error(
        "there is no controller \"{0}\": name it under controllers, with its namespace and its account"
    )]
    NoController(Box<str>),
    /// A controller of Kubernetes makes, or carries out, a kind that has no entry.
    #[error("a controller names {0}, which has no entry")]
    NoEntry(Box<str>),
    /// What makes this kind is not named.
    #[error("what makes {0} has no controller")]
    NoMaker(Box<str>),
    /// A version of a kind has two entries.
    #[error("{version} of {kind} stands there twice")]
    Twice {
        /// The version.
        version: Box<str>,
        /// The kind.
        kind: Box<str>,
    },
    /// It is no such file: what the reader of YAML says, or a [`BadEntry`](super::BadEntry) in words.
    #[error("{0}")]
    Unreadable(String),
}

impl BadCatalogue {
    fn in_file(file: &str, place: Place, fault: Fault) -> Self {
        let position = place.position();
        Self::File {
            file: file.into(),
            position: (position.line > 0).then_some(position),
            fault,
        }
    }
}

/// Line and column, as they follow the name of a file.
fn at(position: Option<Position>) -> String {
    position.map_or_else(String::new, |Position { line, column }| {
        format!(":{line}:{column}")
    })
}

fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, BadCatalogue> {
    yaml::read_text(name, text).map_err(|bad| BadCatalogue::File {
        file: name.into(),
        position: bad.position,
        fault: Fault::Unreadable(bad.what),
    })
}

/// How it comes to be.
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
            controllers: Vec<Making>,
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
                let fault = Fault::NoEntry(kind.clone());
                return Err(BadCatalogue::in_file("core", Place::default(), fault));
            }
        }
        Ok(catalogue)
    }

    /// Adds the kinds of a project that ships with Usher; `all`: of every project. After an error the catalogue is not whole.
    pub fn enable(&mut self, project: &str) -> Result<(), BadCatalogue> {
        let known = projects::PROJECTS;
        if project == "all" {
            let mut all = known.iter();
            return all.try_for_each(|(name, yaml)| self.add(name, yaml));
        }
        let Some((_, yaml)) = known.iter().find(|(name, _)| *name == project) else {
            return Err(BadCatalogue::NoProject(project.into()));
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

    /// Adds the kinds of a file, which messages call `name`. After an error the catalogue is not whole.
    pub fn add(&mut self, name: &str, yaml: &str) -> Result<(), BadCatalogue> {
        let mut file: Project = read(name, yaml)?;
        self.about.push(std::mem::take(&mut file.about));
        self.identities
            .extend(std::mem::take(&mut file.controllers));
        if let Some(stranger) = file
            .controllers_used()
            .find(|used| self.identity(used).is_none())
        {
            let fault = Fault::NoController((**stranger).into());
            return Err(BadCatalogue::in_file(name, stranger.place(), fault));
        }
        self.add_kinds(name, file.kinds)?;
        for row in file.makes {
            if row.value.controller.is_none() {
                let fault = Fault::NoMaker(row.value.makes.kind);
                return Err(BadCatalogue::in_file(name, row.place, fault));
            }
            self.controllers.push(row.value);
        }
        Ok(())
    }

    fn add_kinds(&mut self, name: &str, kinds: Vec<Spanned<Kind>>) -> Result<(), BadCatalogue> {
        for kind in kinds {
            let place = kind.place;
            let kind = kind.value;
            let group = self.kinds.entry(kind.group.clone()).or_default();
            let held = group.entry(kind.kind.clone()).or_default();
            let all = || held.iter().chain([&kind]).flat_map(|held| &held.versions);
            let times = |version: &str| all().filter(|held| ***held == *version).count();
            if let Some(version) = kind.versions.iter().find(|version| times(version) > 1) {
                let fault = Fault::Twice {
                    version: version.clone(),
                    kind: kind.kind,
                };
                return Err(BadCatalogue::in_file(name, place, fault));
            }
            held.push(kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
