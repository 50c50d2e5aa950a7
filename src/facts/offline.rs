//! Rights and facts from files alone.

use std::{collections::HashMap, sync::Arc, time::Instant};

use serde_json::value::RawValue;

use super::{FactSource, NotReady, RightsSource, Tell};
use usher_core::{
    engine::{FactError, Facts, Mutation, Need, ObjectRef},
    reference::Requester,
    rights::Rights,
};

/// Rights and objects from memory. An object that was not given is not known, and what is not known is refused.
#[derive(Debug, Default)]
pub struct Offline {
    rights: Arc<Rights>,
    objects: HashMap<ObjectRef, Box<RawValue>>,
}

impl Offline {
    /// Rights, and the objects that stand for what the cluster holds.
    pub fn new(rights: Rights, objects: HashMap<ObjectRef, Box<RawValue>>) -> Self {
        Self {
            rights: Arc::new(rights),
            objects,
        }
    }
}

impl RightsSource for Offline {
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        Ok(self.rights.clone())
    }
}

/// There is nobody to tell.
impl Tell for Offline {
    fn tell(&self, _: &Mutation<'_>) {}
}

impl FactSource for Offline {
    async fn gather(&self, _: &Requester<'_>, needs: Vec<Need>, facts: &mut Facts, _: Instant) {
        for need in needs {
            match need {
                Need::Object(at) => {
                    let found = self.objects.get(&at).cloned();
                    let found = found.ok_or_else(|| FactError::NotGiven(at.to_string()));
                    facts.object(at, found.map(Some));
                }
                Need::Review(_) => {
                    let why = "there is no API server to ask".to_owned();
                    facts.failed(need, FactError::Failed(why));
                }
            }
        }
    }
}
