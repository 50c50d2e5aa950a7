//! A pod, as far as injection looks at it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    object::{BadObject, Metadata, Texts, Volume, account, fields, parse, text},
    reference::Text,
};

/// What decides whether a pod gets anything: read of every pod, without a look into containers and volumes. A value of an
/// annotation or label that is no text (Kubernetes has none) counts as empty.
#[derive(Debug)]
pub(super) struct Head<'a> {
    annotations: Texts<'a>,
    labels: Texts<'a>,
    labelled: Labelled,
    pub(super) spec: Spec<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    #[serde(borrow, default)]
    service_account_name: Text<'a>,
    #[serde(borrow, default)]
    service_account: Text<'a>,
    #[serde(borrow, default)]
    volumes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    containers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    init_containers: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) security_context: Option<Security>,
    #[serde(borrow, default)]
    os: Option<Os<'a>>,
    #[serde(borrow, default)]
    node_selector: Option<HashMap<Text<'a>, Text<'a>>>,
    #[serde(borrow, default)]
    affinity: Option<&'a RawValue>,
}

/// A security context, of a pod or of a container.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Security {
    #[serde(default)]
    pub(super) fs_group: Option<i64>,
    #[serde(default)]
    run_as_user: Option<i64>,
    #[serde(default)]
    run_as_non_root: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Os<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
}

/// A container, of whichever of the two lists.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) env: Option<Vec<Named<'a>>>,
    #[serde(borrow, default)]
    pub(super) volume_mounts: Option<Vec<Mount<'a>>>,
    #[serde(default)]
    security_context: Option<Security>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(rename = "mountPath", borrow, default)]
    pub(super) path: Text<'a>,
    #[serde(default)]
    read_only: Option<bool>,
    #[serde(borrow, default)]
    sub_path: Text<'a>,
    #[serde(borrow, default)]
    sub_path_expr: Text<'a>,
}

/// Whether there are labels, and what would hold them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Labelled {
    No,
    NoMetadata,
    Yes,
}

impl<'a> Head<'a> {
    /// Reads it. An error if the pod is none.
    pub(super) fn of(pod: &'a RawValue) -> Result<Self, BadObject> {
        #[derive(Deserialize)]
        struct Pod<'a> {
            #[serde(borrow, default)]
            metadata: Option<Metadata<'a>>,
            #[serde(borrow, default)]
            spec: Spec<'a>,
        }

        let Pod { metadata, spec } = parse(pod)?;
        let has_metadata = metadata.is_some();
        let metadata = metadata.unwrap_or_default();
        let labels = metadata.labels()?;
        Ok(Self {
            annotations: metadata.annotations()?.unwrap_or_default(),
            labelled: match labels {
                _ if !has_metadata => Labelled::NoMetadata,
                None => Labelled::No,
                Some(_) => Labelled::Yes,
            },
            labels: labels.unwrap_or_default(),
            spec,
        })
    }

    /// An annotation, if it is there and not empty.
    pub(super) fn annotation(&self, key: &str) -> Option<Text<'a>> {
        text(self.annotations.get(key)?)
    }

    /// A label, if it is there and not empty.
    pub(super) fn label(&self, key: &str) -> Option<Text<'a>> {
        text(self.labels.get(key)?)
    }

    /// Whether the key is among the labels, with whatever value.
    pub(super) fn has_label(&self, key: &str) -> bool {
        self.labels.contains_key(key)
    }

    /// Where labels would have to be added.
    pub(super) fn labelled(&self) -> Labelled {
        self.labelled
    }

    /// Whether the pod only shows a static pod of a kubelet, which nobody can change.
    pub(super) fn is_mirror(&self) -> bool {
        self.annotations.contains_key("kubernetes.io/config.mirror")
    }
}

impl<'a> Spec<'a> {
    /// The account that the pod runs as.
    pub(super) fn account(&self) -> &str {
        account(&self.service_account_name, &self.service_account)
    }

    pub(super) fn volumes(&self) -> Result<Option<Vec<Volume<'a>>>, BadObject> {
        self.volumes.map(parse).transpose()
    }

    /// Whether there is, or will be, a folder for whatever is mounted inside this mount: the volume is writable, or one in
    /// which the kubelet makes it. What cannot be read, or is not among the volumes, no API server takes.
    pub(super) fn has_mount_points(&self, mount: &Mount<'_>) -> bool {
        /// In the root of these the kubelet makes it.
        const MADE: [&str; 4] = ["configMap", "downwardAPI", "projected", "secret"];
        /// Read-only, whatever anybody says.
        const IMAGE: &str = "image";
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Source {
            #[serde(default)]
            read_only: Option<bool>,
        }

        let volumes: Vec<&RawValue> = match self.volumes.map(parse) {
            Some(Ok(volumes)) => volumes,
            Some(Err(_)) | None => return true,
        };
        let mut read = volumes.into_iter().filter_map(|held| fields(held).ok());
        let volume = read.find(|volume| {
            let name = volume.get("name").and_then(|name| text(name));
            name.is_some_and(|name| *name == *mount.name)
        });
        let Some(volume) = volume else {
            return true;
        };
        if MADE.iter().any(|made| volume.contains_key(*made)) {
            return mount.is_whole();
        }
        let sources = || {
            volume
                .values()
                .filter_map(|held| parse::<Source>(held).ok())
        };
        let read_only = volume.contains_key(IMAGE)
            || mount.read_only == Some(true)
            || sources().any(|source| source.read_only == Some(true));
        !read_only
    }

    /// Init containers, native sidecars among them, then the others.
    pub(super) fn containers(&self) -> Result<[Vec<Container<'a>>; 2], BadObject> {
        let read = |list: Option<&'a RawValue>| list.map_or_else(|| Ok(Vec::new()), parse);
        Ok([read(self.init_containers)?, read(self.containers)?])
    }

    /// Whether the pod is known to run on Windows: it says so, or it can be put on no other node.
    pub(super) fn is_windows(&self) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Affinity<'a> {
            #[serde(borrow, default)]
            node_affinity: Option<NodeAffinity<'a>>,
        }
        #[derive(Deserialize)]
        struct NodeAffinity<'a> {
            #[serde(
                rename = "requiredDuringSchedulingIgnoredDuringExecution",
                borrow,
                default
            )]
            required: Option<Required<'a>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Required<'a> {
            #[serde(borrow, default)]
            node_selector_terms: Option<Vec<Term<'a>>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Term<'a> {
            #[serde(borrow, default)]
            match_expressions: Option<Vec<Expression<'a>>>,
        }
        #[derive(Deserialize)]
        struct Expression<'a> {
            #[serde(borrow, default)]
            key: Text<'a>,
            #[serde(borrow, default)]
            operator: Text<'a>,
            #[serde(borrow, default)]
            values: Option<Vec<Text<'a>>>,
        }

        if let Some(os) = &self.os
            && !os.name.is_empty()
        {
            return *os.name == *"windows";
        }
        let labels = ["kubernetes.io/os", "beta.kubernetes.io/os"];
        let mut selectors = self.node_selector.iter();
        if selectors.any(|held| {
            labels
                .iter()
                .any(|key| held.get(*key).is_some_and(|os| **os == *"windows"))
        }) {
            return true;
        }
        let affinity: Option<Affinity<'a>> = self.affinity.and_then(|held| parse(held).ok());
        let terms = affinity
            .and_then(|held| held.node_affinity?.required?.node_selector_terms)
            .unwrap_or_default();
        let windows = |term: &Term<'_>| {
            let mut expressions = term.match_expressions.iter().flatten();
            expressions.any(|expression| {
                labels.contains(&&*expression.key)
                    && *expression.operator == *"In"
                    && matches!(expression.values.as_deref(), Some([only]) if **only == *"windows")
            })
        };
        // One term is enough for a node, so that each of them has to ask for Windows.
        !terms.is_empty() && terms.iter().all(windows)
    }
}

impl Container<'_> {
    /// Whether the container is known not to run as root: its own word over that of the pod.
    pub(super) fn is_not_root(&self, pod: Option<Security>) -> bool {
        let own = self.security_context.unwrap_or_default();
        let pod = pod.unwrap_or_default();
        own.run_as_non_root.or(pod.run_as_non_root) == Some(true)
            || own
                .run_as_user
                .or(pod.run_as_user)
                .is_some_and(|user| user != 0)
    }

    /// The mount at a path, however the path is written.
    pub(super) fn mount_at(&self, path: &str) -> Option<&Mount<'_>> {
        let plain = |path: &str| path.trim_end_matches('/').to_owned();
        let mut mounts = self.volume_mounts.iter().flatten();
        mounts.find(|mount| *mount.path == *path || plain(&mount.path) == path)
    }

    pub(super) fn has_env(&self, name: &str) -> bool {
        self.env.iter().flatten().any(|held| *held.name == *name)
    }
}

impl Mount<'_> {
    /// Whether the whole volume is there, not a part of it.
    pub(super) fn is_whole(&self) -> bool {
        self.sub_path.is_empty() && self.sub_path_expr.is_empty()
    }
}
