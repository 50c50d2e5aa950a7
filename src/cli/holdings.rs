//! Where roles and bindings are read from: manifests, or a cluster.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource,
    api::{ListParams, PartialObjectMeta},
};
use serde::de::DeserializeOwned;

use super::{Failure, say::say};
use crate::{
    cluster::{connect_as_person, describe},
    facts::{aggregated, typed},
    files,
    scan::{Cluster, TokenSecret},
};
use usher_core::{
    manifest::Object,
    object,
    yaml::{BadYaml, Source},
};

/// How long the API server may take for everything.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many objects are asked for at a time.
const PAGE: u32 = 500;

/// Where roles and bindings are read from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is looked at")]
pub(super) struct From {
    /// Roles, bindings and Secrets: a file or folder of manifests, - for standard input; may be given several times. Other kinds in it are
    /// passed over. Without any, the cluster is asked.
    #[arg(long, value_name = "PATH")]
    rbac: Vec<PathBuf>,
    /// Which cluster to ask. Without it: KUBECONFIG, ~/.kube/config, or the pod's own.
    #[arg(long, value_name = "FILE", conflicts_with = "rbac")]
    kubeconfig: Option<PathBuf>,
}

impl From {
    /// Reads them. What could not be looked at is said on standard error.
    pub(super) fn read(&self) -> Result<Cluster, Failure> {
        if self.rbac.is_empty() {
            return ask(self.kubeconfig.as_deref());
        }
        let mut cluster = Cluster {
            token_secrets: Some(Vec::new()),
            ..Cluster::default()
        };
        for input in files::inputs(&self.rbac)? {
            files::read(&input, |source, object| take(&mut cluster, source, object))?;
        }
        cluster.cluster_roles = aggregated(&cluster.cluster_roles);
        Ok(cluster)
    }
}

fn take(cluster: &mut Cluster, source: &Source, object: &Object<'_, '_>) -> Result<(), BadYaml> {
    match (object.api_version, object.kind) {
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => {
            cluster.cluster_roles.push(typed(source, object)?);
        }
        ("rbac.authorization.k8s.io/v1", "Role") => cluster.roles.push(typed(source, object)?),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            cluster.cluster_role_bindings.push(typed(source, object)?);
        }
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => {
            cluster.role_bindings.push(typed(source, object)?);
        }
        ("v1", "Secret") => {
            let secret: Secret = typed(source, object)?;
            let secrets = cluster.token_secrets.get_or_insert_default();
            if secret.type_.as_deref() == Some(object::TokenSecret::TYPE) {
                secrets.push(token_secret(secret.metadata));
            }
        }
        _ => {}
    }
    Ok(())
}

fn token_secret(metadata: kube::api::ObjectMeta) -> TokenSecret {
    let account = metadata
        .annotations
        .unwrap_or_default()
        .remove(object::TokenSecret::ACCOUNT);
    TokenSecret {
        namespace: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
        account: account.unwrap_or_default(),
    }
}

fn ask(kubeconfig: Option<&Path>) -> Result<Cluster, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asking = async { tokio::time::timeout(PATIENCE, listed(kubeconfig)).await };
    runtime
        .block_on(asking)
        .map_err(|_| "the API server does not answer")?
}

async fn listed(kubeconfig: Option<&Path>) -> Result<Cluster, Failure> {
    let (client, _) = connect_as_person(kubeconfig).await?;
    let all = ListParams::default();
    let tokens = ListParams::default().fields(&format!("type={}", object::TokenSecret::TYPE));
    // The rest of a Secret is not asked for.
    let secrets = list_metadata(&client, tokens).await;
    if let Err(error) = &secrets {
        say(&format!("not looked at: Secrets that hold tokens: {error}"));
    }
    Ok(Cluster {
        cluster_roles: list(&client, &all).await?,
        roles: list(&client, &all).await?,
        cluster_role_bindings: list(&client, &all).await?,
        role_bindings: list(&client, &all).await?,
        token_secrets: secrets.ok(),
    })
}

/// All objects of a kind, page by page.
async fn list<K>(client: &Client, params: &ListParams) -> Result<Vec<K>, Failure>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let mut found = Vec::new();
    let mut params = params.clone().limit(PAGE);
    loop {
        let page = api.list(&params).await.map_err(|error| {
            let why = describe(&error);
            format!("the API server does not list {}: {why}", K::plural(&()))
        })?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

async fn list_metadata(client: &Client, params: ListParams) -> Result<Vec<TokenSecret>, String> {
    let api: Api<Secret> = Api::all(client.clone());
    let mut found = Vec::new();
    let mut params = params.limit(PAGE);
    loop {
        let page = api
            .list_metadata(&params)
            .await
            .map_err(|error| describe(&error))?;
        let items = page.items.into_iter();
        found.extend(items.map(|PartialObjectMeta { metadata, .. }| token_secret(metadata)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}
