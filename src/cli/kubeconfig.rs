use std::path::Path;

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::Failure;

/// How to reach a cluster: by this kubeconfig, or as kubectl would find one, or as a pod. `otherwise` is what to do
/// where there is none.
pub(super) async fn config(file: Option<&Path>, otherwise: &str) -> Result<Config, Failure> {
    // Somebody may have chosen one before: then that one holds.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let Some(file) = file else {
        return Config::infer()
            .await
            .map_err(|error| format!("no cluster to ask: {otherwise} ({error})").into());
    };
    let bad = |error| format!("{}: {error}", file.display());
    let kubeconfig = Kubeconfig::read_from(file).map_err(bad)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Ok(config.map_err(bad)?)
}
