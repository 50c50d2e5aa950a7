//! What is known of the service account of a pod.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::why::NoAccount;

use crate::{
    object::{BadObject, Metadata, parse},
    reference::Text,
};

/// What is known of the service account of a pod.
#[derive(Clone, Debug)]
pub enum Account<'a> {
    /// It could not be read; the text says why.
    Failed(String),
    /// It is this.
    Known(&'a RawValue),
    /// It is not there.
    Missing,
}

/// The annotations of the account, or why they are not known.
pub(super) type Annotations<'a> = Result<Known<'a>, NoAccount>;

pub(super) struct Known<'a>(Vec<(Text<'a>, Text<'a>)>);

impl Known<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(held, _)| **held == *key)
            .map(|(_, value)| &**value)
    }
}

pub(super) fn annotations(account: Account<'_>) -> Annotations<'_> {
    match account {
        Account::Known(object) => {
            let read = || {
                let metadata = Metadata::of(object)?;
                let held = metadata.annotations()?.unwrap_or_default();
                let texts = held
                    .into_iter()
                    .map(|(key, value)| Ok((key, parse(value)?)));
                texts.collect::<Result<_, BadObject>>()
            };
            let held = read().map_err(|bad| NoAccount::Unreadable(Arc::new(bad)))?;
            Ok(Known(held))
        }
        Account::Missing => Err(NoAccount::Missing),
        Account::Failed(why) => Err(NoAccount::Failed(why)),
    }
}
