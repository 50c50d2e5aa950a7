//! Containers that stand elsewhere than in the lists of a pod spec, as many projects have them: what they read.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::{
    Sighting,
    look::{Holder, Holders, Looker},
};
use crate::{
    object::{OF_ANY_CONTAINER, Says, Step, fields, is_containers, is_something, parse, text},
    reference::{Path, Text, write_key},
};

/// How deep a container may stand in an object with fields of a pod spec. Nobody writes one so deep, and every level is read again.
const DEPTH: usize = 40;

impl<'o> Looker<'_, 'o> {
    /// What the containers read that stand anywhere in the objects with fields of a pod spec: whatever has variables as a container
    /// has them, but for the lists that a pod spec itself has, which are read there.
    pub(super) fn containers(&mut self) {
        let Holders {
            mut held,
            elsewhere,
        } = std::mem::take(&mut self.holders);
        held.sort_by(|one, other| one.path.cmp(&other.path));
        held.dedup_by(|one, other| one.path == other.path);
        for holder in &held {
            self.walk(holder, holder.object, &holder.path, &elsewhere, DEPTH);
        }
    }

    fn walk(
        &mut self,
        holder: &Holder<'o>,
        value: &'o RawValue,
        path: &str,
        elsewhere: &HashSet<String>,
        depth: usize,
    ) {
        let below = value.get();
        // Nearly everything ends here: no key in it could be one of those that count.
        if self.is_full() || !below.contains("\"env") && !below.contains("\\u") {
            return;
        }
        if depth == 0 {
            return self.unread(path, "it stands too deep to be read");
        }
        if below.starts_with('[') {
            let Ok(items) = parse::<Vec<&'o RawValue>>(value) else {
                return self.unread(path, "it is no list that can be read");
            };
            for (index, item) in items.into_iter().enumerate() {
                let path = format!("{path}[{index}]");
                if !elsewhere.contains(&path) {
                    self.walk(holder, item, &path, elsewhere, depth - 1);
                }
            }
        } else if below.starts_with('{') {
            let keys = match fields(value) {
                Ok(keys) => keys,
                Err(bad) => return self.unread(path, &bad.to_string()),
            };
            // Variables of another form, a map of them for instance, read nothing.
            let is_list = |key: &str| {
                keys.get(key)
                    .is_some_and(|list| list.get().starts_with('['))
            };
            for key in ["env", "envFrom"].into_iter().filter(|key| is_list(key)) {
                self.variables(holder, value, key, path, elsewhere);
            }
            let is_holder = path == holder.path;
            for (key, value) in keys {
                let mut path = path.to_owned();
                write_key(&mut path, &key);
                let of_pod_spec = is_holder && is_containers(&key);
                if !of_pod_spec && !elsewhere.contains(&path) {
                    self.walk(holder, value, &path, elsewhere, depth - 1);
                }
            }
        }
    }

    /// That a container cannot be looked for here: each check that asks what one reads says so.
    fn unread(&mut self, path: &str, why: &str) {
        let mut told = HashSet::new();
        for (_, says) in OF_ANY_CONTAINER.iter() {
            if self.asking.contains(&says.check()) && told.insert(says.check()) {
                self.unknown(*says, path.to_owned(), why.to_owned());
            }
        }
    }

    /// That what is named cannot be read. It is a secret or a config map, and nothing else.
    fn unknown(&mut self, says: Says, path: String, why: String) {
        let name = Text::default();
        let reference = self.reference(
            says.check(),
            says.resource(),
            name,
            Path::new(path, ""),
            None,
        );
        self.push(Sighting::Malformed(reference, why));
    }

    /// What the variables read that stand at a key of a container.
    fn variables(
        &mut self,
        holder: &Holder<'o>,
        container: &'o RawValue,
        key: &str,
        base: &str,
        elsewhere: &HashSet<String>,
    ) {
        for (row, says) in OF_ANY_CONTAINER.iter() {
            let is_of_key = matches!(row.steps(), [Step::Key(first), ..] if **first == *key);
            if !is_of_key || !self.asking.contains(&says.check()) {
                continue;
            }
            // Where a field of the catalogue names the same, that one asks.
            let asks = |path: &str| {
                let object = path.strip_suffix(".name").unwrap_or(path);
                !elsewhere.contains(object)
            };
            let places = match row.find(container, &self.memo) {
                Ok(places) => places,
                Err(lost) => {
                    let path = format!("{base}.{}", row.text());
                    if asks(&path) {
                        self.unknown(*says, path, lost.to_string());
                    }
                    continue;
                }
            };
            for place in places {
                let path = format!("{base}.{}", place.path);
                // No name, or an empty one, is none.
                let value = place.value.filter(|value| is_something(value));
                let Some(value) = value.filter(|_| asks(&path)) else {
                    continue;
                };
                let namespace = Some(holder.namespace.clone());
                let (check, resource, path) = (says.check(), says.resource(), Path::new(path, ""));
                self.named(check, resource, text(value), path, namespace);
            }
        }
    }
}
