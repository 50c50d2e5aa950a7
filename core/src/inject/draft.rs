//! The patch as it grows.

use std::collections::BTreeMap;

use json_patch::{AddOperation, Patch, PatchOperation, ReplaceOperation};
use serde_json::{Value, json};

use super::pod::{Container, Head, Labelled, Security};
use crate::{
    object::{BadObject, Projected, Volume, lifetime, pointer},
    reference::Text,
};

/// A pod, and what is to be added to it. Nothing in it is ever taken away or written anew, but the lifetime of a token.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Where the pod stands in its object: nowhere, or under a template.
    base: &'a [Box<str>],
    pub(super) windows: bool,
    pub(super) security: Option<Security>,
    /// The volumes of the pod, then those that were added.
    pub(super) volumes: Vec<Held<'a>>,
    pub(super) seats: Vec<Seat<'a>>,
    has_volumes: bool,
    labelled: Labelled,
    added: Vec<Value>,
    shortened: Vec<Shortened>,
    pub(super) fs_group: Option<i64>,
    pub(super) labels: BTreeMap<&'a str, &'a str>,
}

/// A volume that is there, or will be.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) name: Text<'a>,
    /// The profile that adds it; none for the pod's own.
    pub(super) by: Option<&'a str>,
    pub(super) projected: Option<Projected<'a>>,
}

/// A container, with what it gets.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    list: &'static str,
    index: usize,
    pub(super) container: Container<'a>,
    pub(super) mounts: Vec<NewMount<'a>>,
    pub(super) env: Vec<NewVariable<'a>>,
}

/// A mount that a container gets.
#[derive(Debug)]
pub(super) struct NewMount<'a> {
    pub(super) volume: String,
    pub(super) path: &'a str,
    /// The profile that it comes from.
    pub(super) by: &'a str,
}

/// A variable that a container gets.
#[derive(Debug)]
pub(super) struct NewVariable<'a> {
    pub(super) name: &'a str,
    pub(super) value: String,
}

/// A token of a volume of the pod that gets another lifetime.
#[derive(Debug, PartialEq, Eq)]
struct Shortened {
    volume: usize,
    source: usize,
    seconds: i64,
}

impl<'a> Draft<'a> {
    /// Looks into the pod, which stands at `base` in its object.
    pub(super) fn new(head: &Head<'a>, base: &'a [Box<str>]) -> Result<Self, BadObject> {
        let spec = &head.spec;
        let volumes = spec.volumes()?;
        let [init, main] = spec.containers()?;
        let seats = |list, containers: Vec<Container<'a>>| {
            let numbered = containers.into_iter().enumerate();
            numbered.map(move |(index, container)| Seat {
                list,
                index,
                container,
                mounts: Vec::new(),
                env: Vec::new(),
            })
        };
        let held = |volume: Volume<'a>| Held {
            name: volume.name,
            by: None,
            projected: volume.projected,
        };
        Ok(Self {
            base,
            windows: spec.is_windows(),
            security: spec.security_context,
            has_volumes: volumes.is_some(),
            volumes: volumes.into_iter().flatten().map(held).collect(),
            seats: seats("initContainers", init)
                .chain(seats("containers", main))
                .collect(),
            labelled: head.labelled(),
            added: Vec::new(),
            shortened: Vec::new(),
            fs_group: None,
            labels: BTreeMap::new(),
        })
    }

    /// Adds a volume.
    pub(super) fn add_volume(&mut self, name: String, by: &'a str, volume: Value) {
        self.added.push(volume);
        self.volumes.push(Held {
            name: name.into(),
            by: Some(by),
            projected: None,
        });
    }

    /// Gives the token of a source of a volume of the pod another lifetime.
    pub(super) fn shorten(&mut self, volume: usize, source: usize, seconds: i64) {
        let shortened = Shortened {
            volume,
            source,
            seconds,
        };
        if !self.shortened.contains(&shortened) {
            self.shortened.push(shortened);
        }
    }

    /// The smallest patch that makes the pod hold all this.
    pub(super) fn patch(self) -> Patch {
        let mut patch = Vec::new();
        let base = self.base;
        let mut add = |tail: &[&str], value| {
            let path = pointer(base, tail);
            patch.push(PatchOperation::Add(AddOperation { path, value }));
        };
        if !self.labels.is_empty() {
            match self.labelled {
                Labelled::Yes => {
                    for (key, value) in &self.labels {
                        add(&["metadata", "labels", key], json!(value));
                    }
                }
                Labelled::No => add(&["metadata", "labels"], json!(self.labels)),
                Labelled::NoMetadata => add(&["metadata"], json!({ "labels": self.labels })),
            }
        }
        append(&mut add, &["spec", "volumes"], self.has_volumes, self.added);
        for seat in self.seats {
            let index = seat.index.to_string();
            let had = &seat.container;
            let env = seat.env.iter();
            let env = env
                .map(|NewVariable { name, value }| json!({"name": name, "value": value}))
                .collect();
            append(
                &mut add,
                &["spec", seat.list, &index, "env"],
                had.env.is_some(),
                env,
            );
            let mounts = seat.mounts.iter();
            let mounts = mounts
                .map(|NewMount { volume, path, .. }| {
                    json!({"name": volume, "mountPath": path, "readOnly": true})
                })
                .collect();
            let there = had.volume_mounts.is_some();
            append(
                &mut add,
                &["spec", seat.list, &index, "volumeMounts"],
                there,
                mounts,
            );
        }
        match (self.fs_group, self.security) {
            (None, _) => {}
            (Some(group), Some(_)) => add(&["spec", "securityContext", "fsGroup"], json!(group)),
            (Some(group), None) => add(&["spec", "securityContext"], json!({ "fsGroup": group })),
        }
        for shortened in self.shortened {
            // It lives for a year because of what stands there: so it is there.
            patch.push(PatchOperation::Replace(ReplaceOperation {
                path: lifetime(base, &["spec"], shortened.volume, shortened.source),
                value: json!(shortened.seconds),
            }));
        }
        Patch(patch)
    }
}

/// Adds entries to a list, or the list with them where there is none.
fn append(add: &mut impl FnMut(&[&str], Value), list: &[&str], there: bool, entries: Vec<Value>) {
    if there {
        let mut end = list.to_vec();
        end.push("-");
        for entry in entries {
            add(&end, entry);
        }
    } else if !entries.is_empty() {
        add(list, Value::Array(entries));
    }
}
