//! Which kinds a cluster serves.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use super::Failure;
use crate::cluster::{connect_as_person, describe};

/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The resources that a cluster serves, of some groups: group and resource, and the versions.
#[derive(Debug, Default)]
pub(super) struct Served(BTreeMap<(String, String), Vec<String>>);

impl Served {
    /// Asks the API server (its discovery documents, which everybody who is signed in may read).
    pub(super) fn ask(file: Option<&Path>, groups: &BTreeSet<&str>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let asking = async { tokio::time::timeout(PATIENCE, Self::discover(file, groups)).await };
        runtime
            .block_on(asking)
            .map_err(|_| "the API server does not answer")?
    }

    async fn discover(file: Option<&Path>, groups: &BTreeSet<&str>) -> Result<Self, Failure> {
        let (client, _) = connect_as_person(file).await?;
        let failed = |error| {
            let why = describe(&error);
            format!("the API server does not say what it serves: {why}")
        };
        let mut served = Self::default();
        for group in client.list_api_groups().await.map_err(failed)?.groups {
            if !groups.contains(&*group.name) {
                continue;
            }
            for version in group.versions {
                let listed = client.list_api_group_resources(&version.group_version);
                for resource in listed.await.map_err(failed)?.resources {
                    let key = (group.name.clone(), resource.name);
                    let versions = served.0.entry(key).or_default();
                    versions.push(version.version.clone());
                }
            }
        }
        Ok(served)
    }

    /// The versions in which a resource is served; none if it is not.
    pub(super) fn versions(&self, group: &str, resource: &str) -> &[String] {
        let key = (group.to_owned(), resource.to_owned());
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }
}
