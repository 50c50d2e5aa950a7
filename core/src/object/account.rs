//! Service accounts: what steers the identity of one.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    meta::{Metadata, Texts},
    seek::{BadObject, at, parse},
    value::is_something,
};
use crate::reference::{Text, write_key};

/// The lists of a service account whose Secrets its pods get or may mount (`plugin/pkg/admission/serviceaccount`).
const LISTS: [&str; 2] = [PULL_SECRETS, "secrets"];
/// The one whose Secrets its pods get.
const PULL_SECRETS: &str = "imagePullSecrets";

/// What steers the identity of a service account, and which Secrets come with it.
#[derive(Debug)]
pub struct ServiceAccount<'a> {
    annotations: Texts<'a>,
    lists: [Option<&'a RawValue>; LISTS.len()],
}

impl<'a> ServiceAccount<'a> {
    /// What a service account says.
    pub(crate) fn of(account: &'a RawValue) -> Result<Self, BadObject> {
        let metadata = Metadata::of(account)?;
        let mut lists = [None; LISTS.len()];
        for (held, key) in lists.iter_mut().zip(LISTS) {
            *held = at::<&RawValue>(account, &[key.into()])?.filter(|list| is_something(list));
        }
        Ok(Self {
            annotations: metadata.annotations()?.unwrap_or_default(),
            lists,
        })
    }

    /// The pull secrets that were not among its pull secrets before, and where each stands.
    pub(crate) fn pull_secrets(
        &self,
        before: Option<&Self>,
    ) -> Result<Vec<(String, Text<'a>)>, BadObject> {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow, default)]
            name: Text<'a>,
        }

        let names = |account: &Self| {
            let [list, _] = account.lists;
            let named: Vec<Named<'a>> = list.map_or(Ok(Vec::new()), parse)?;
            Ok::<_, BadObject>(named.into_iter().map(|named| named.name))
        };
        let held: Vec<_> = match before {
            Some(before) => names(before)?.collect(),
            None => Vec::new(),
        };
        let now = names(self)?.enumerate();
        let new = now.filter(|(_, name)| !name.is_empty() && !held.contains(name));
        Ok(new
            .map(|(index, name)| (format!("{PULL_SECRETS}[{index}].name"), name))
            .collect())
    }

    /// Where something stands that makes the account somebody: what `steers` it and is new, or its name, if it is made although
    /// somebody gave that name something already.
    pub(crate) fn identity(
        &self,
        before: Option<&Self>,
        steers: impl Fn(&str) -> bool,
        is_bound: impl FnOnce() -> bool,
    ) -> Option<Cow<'static, str>> {
        let bound = || (before.is_none() && is_bound()).then_some("metadata.name".into());
        self.steered(before, steers).or_else(bound)
    }

    /// Where something stands that steers it and did not stand there before: an annotation that `steers`, or a list of
    /// Secrets; of several the first. Before it was made, it said nothing.
    fn steered(
        &self,
        before: Option<&Self>,
        steers: impl Fn(&str) -> bool,
    ) -> Option<Cow<'static, str>> {
        let held = |account: &Self, key: &str| {
            let value = account.annotations.get(key).copied();
            value.filter(|value| is_something(value)).map(RawValue::get)
        };
        let all = self.annotations.keys();
        let all = all.chain(before.iter().flat_map(|before| before.annotations.keys()));
        let changed = all.filter(|key| {
            let before = before.and_then(|before| held(before, key));
            steers(key) && held(self, key) != before
        });
        // In no order of their own.
        if let Some(key) = changed.min() {
            let mut path = "metadata.annotations".to_owned();
            write_key(&mut path, key);
            return Some(path.into());
        }
        let lists = LISTS.iter().enumerate();
        let mut changed = lists.filter(|(index, _)| {
            let text = |account: &Self| {
                account
                    .lists
                    .get(*index)
                    .copied()
                    .flatten()
                    .map(RawValue::get)
            };
            text(self) != before.and_then(text)
        });
        changed.next().map(|(_, key)| Cow::Borrowed(*key))
    }
}
