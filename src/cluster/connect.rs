//! The way to a cluster.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{InClusterError, InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

/// There is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The client cannot be built: mostly a certificate that is none.
    #[error("cannot set up the connection to the API server: {0}")]
    Client(#[from] kube::Error),
    /// Not in a pod, and no file was named.
    #[error("not in a cluster ({0}): name a file with --kubeconfig")]
    InCluster(#[from] InClusterError),
    /// The file cannot be used.
    #[error("{0}: {1}")]
    Kubeconfig(String, KubeconfigError),
    /// Neither a file nor a pod leads to a cluster.
    #[error("no cluster to ask: name one with --kubeconfig ({0})")]
    Nowhere(#[from] InferConfigError),
}

/// A client for the API server: of the file's current context, or, without a file, with the service account of the
/// pod. Nothing is sent yet.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    match kubeconfig {
        None => client(Config::incluster()?),
        Some(path) => client(of_file(path).await?),
    }
}

/// The same for a person at a command line, with the namespace that they are in: without a file, as kubectl would find the
/// cluster.
pub async fn connect_as_person(
    kubeconfig: Option<&Path>,
) -> Result<(Client, String), ConnectError> {
    // Somebody may have chosen one before: then that one holds.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = match kubeconfig {
        None => Config::infer().await?,
        Some(path) => of_file(path).await?,
    };
    let namespace = config.default_namespace.clone();
    Ok((client(config)?, namespace))
}

async fn of_file(path: &Path) -> Result<Config, ConnectError> {
    let bad = |error| ConnectError::Kubeconfig(path.display().to_string(), error);
    let file = Kubeconfig::read_from(path).map_err(bad)?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(bad)
}

/// A client with the time limits that a webhook needs.
pub fn client(mut config: Config) -> Result<Client, ConnectError> {
    config.connect_timeout = Some(Duration::from_secs(5));
    config.write_timeout = Some(Duration::from_secs(10));
    // Longer than a watch lasts. What must answer sooner is given its own limit.
    config.read_timeout = Some(Duration::from_secs(120));
    config.reset_reader_on_write = true;
    // The client's own retries go on for minutes: too long for a request that somebody waits for.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}
