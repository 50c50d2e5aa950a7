//! The cluster that Usher looks at: a real API server with ten thousand role bindings, of which one in ten says
//! something of `use`.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::Namespace,
        rbac::v1::{Role, RoleBinding},
    },
};
use kube::{
    Api, Client, Config, Resource,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    controlplane::{ControlPlane, Options},
    workload::cluster::{self, named, namespace, rules},
};

/// Role bindings in all.
const BINDINGS: usize = 10_000;
/// Role bindings that give something to use, each through a role of its own.
pub(crate) const GRANTS: usize = 1000;
/// Requests under way while the cluster is filled.
const PARALLEL: usize = 32;

/// Boots a control plane and fills it.
pub(crate) async fn filled() -> ControlPlane {
    let plane = tokio::task::spawn_blocking(|| ControlPlane::start(Options::default()).unwrap())
        .await
        .unwrap();
    let file = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    let client = Client::try_from(config).unwrap();
    let namespaces = (0..BINDINGS).step_by(100).map(|n| Namespace {
        metadata: named(&namespace(n), None),
        ..Namespace::default()
    });
    let all = Api::all(client.clone());
    stream::iter(namespaces)
        .map(|namespace| {
            let all = &all;
            async move { all.create(&PostParams::default(), &namespace).await }
        })
        .buffer_unordered(PARALLEL)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    let roles = (0..GRANTS).map(|n| Role {
        metadata: named(&format!("use-{n}"), Some(&namespace(n))),
        rules: Some(rules(n)),
    });
    create(&client, roles).await;
    create(&client, (0..BINDINGS).map(binding)).await;
    plane
}

/// A kubeconfig with the rights that `deploy/` gives to Usher.
pub(crate) fn rights_of_usher(plane: &ControlPlane) -> PathBuf {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for file in ["namespace.yaml", "rbac.yaml"] {
        let file = deploy.join(file).display().to_string();
        plane.run(&["apply", "--server-side", "-f", &file]).unwrap();
    }
    let account = "system:serviceaccount:usher-system:usher";
    let groups = ["system:serviceaccounts:usher-system"];
    plane.kubeconfig_for(account, &groups).unwrap()
}

fn binding(n: usize) -> RoleBinding {
    let own = format!("use-{n}");
    let role = if n < GRANTS {
        ("Role", &*own)
    } else {
        ("ClusterRole", "edit")
    };
    cluster::binding(&format!("bind-{n}"), &namespace(n), role, n)
}

async fn create<K>(client: &Client, objects: impl Iterator<Item = K>)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    stream::iter(objects)
        .map(|object| async move {
            let home = object.meta().namespace.clone().unwrap();
            let api = Api::<K>::namespaced(client.clone(), &home);
            api.create(&PostParams::default(), &object).await.map(drop)
        })
        .buffer_unordered(PARALLEL)
        .try_collect::<()>()
        .await
        .unwrap();
}
