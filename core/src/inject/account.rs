use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{object::parse, reference::Text};

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
pub(super) type Annotations<'a> = Result<Known<'a>, String>;

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
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow, default)]
        metadata: Metadata<'a>,
    }
    #[derive(Default, Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow, default)]
        annotations: Option<HashMap<Text<'a>, Text<'a>>>,
    }

    match account {
        Account::Known(object) => {
            let read = parse(object).map_err(|bad| format!("could not be read: {bad}"));
            let object: Object<'_> = read?;
            let held = object.metadata.annotations.unwrap_or_default();
            Ok(Known(held.into_iter().collect()))
        }
        Account::Missing => Err("was not found".to_owned()),
        Account::Failed(why) => Err(format!("could not be read: {why}")),
    }
}
