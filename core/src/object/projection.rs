//! What is projected into the volumes of a pod: tokens and certificates, and what Kubernetes itself mounts.

use serde::Deserialize;

use crate::reference::{
    Text,
    token::{FILE_MODE, LIFETIME},
};

/// A volume of a pod spec (`k8s.io/api/core/v1 Volume`). Of its many sorts only projections are looked into.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Volume<'a> {
    /// Its name, which mounts give.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// What is projected into it, if it is of that sort.
    #[serde(borrow, default)]
    pub projected: Option<Projected<'a>>,
}

/// What is projected into a volume (`k8s.io/api/core/v1 ProjectedVolumeSource`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Projected<'a> {
    #[serde(default)]
    default_mode: Option<i64>,
    #[serde(borrow, default)]
    sources: Option<Vec<Source<'a>>>,
}

/// One source of a projection. Of the six sorts those are read that injection writes or that limits are about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source<'a> {
    /// A token of the pod's account.
    #[serde(borrow, default)]
    pub service_account_token: Option<TokenSource<'a>>,
    /// A certificate of the pod.
    #[serde(borrow, default)]
    pub pod_certificate: Option<PodCertificateSource<'a>>,
    /// Files of a config map.
    #[serde(borrow, default)]
    config_map: Option<ConfigMapSource<'a>>,
    /// Files that tell the pod about itself.
    #[serde(rename = "downwardAPI", borrow, default)]
    downward_api: Option<DownwardApiSource<'a>>,
}

/// A token (`k8s.io/api/core/v1 ServiceAccountTokenProjection`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenSource<'a> {
    /// Who accepts it; empty: the API server.
    #[serde(borrow, default)]
    pub audience: Text<'a>,
    #[serde(default)]
    expiration_seconds: Option<i64>,
    /// The file in the volume.
    #[serde(borrow, default)]
    pub path: Text<'a>,
}

/// A certificate (`k8s.io/api/core/v1 PodCertificateProjection`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodCertificateSource<'a> {
    /// Who signs it.
    #[serde(borrow, default)]
    pub signer_name: Text<'a>,
}

/// What a pod shows to prove who it is, with the volume that it is projected into.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'v, 'a> {
    /// The place of the volume among the volumes of the pod.
    pub volume_index: usize,
    /// The place of the source among the sources of the volume.
    pub source_index: usize,
    /// The volume.
    pub volume: &'v Volume<'a>,
    /// What is projected into the volume.
    pub projected: &'v Projected<'a>,
    /// The source: a token, a certificate, or, though no API server accepts that, both.
    pub source: &'v Source<'a>,
}

/// The keys at which a source holds a token or a certificate.
pub(crate) const CREDENTIALS: [&str; 2] = ["serviceAccountToken", "podCertificate"];

/// Every token and every certificate that is projected into one of these volumes, in their order.
pub fn credentials<'v, 'a>(
    volumes: &'v [Volume<'a>],
) -> impl Iterator<Item = Credential<'v, 'a>> + use<'v, 'a> {
    let projections = volumes
        .iter()
        .enumerate()
        .filter_map(|(index, volume)| Some((index, volume, volume.projected.as_ref()?)));
    projections.flat_map(|(volume_index, volume, projected)| {
        let sources = projected.sources().iter().enumerate();
        let proves = |source: &Source<'_>| {
            source.service_account_token.is_some() || source.pod_certificate.is_some()
        };
        sources
            .filter(move |(_, source)| proves(source))
            .map(move |(source_index, source)| Credential {
                volume_index,
                source_index,
                volume,
                projected,
                source,
            })
    })
}

/// Files of a config map (`k8s.io/api/core/v1 ConfigMapProjection`).
#[derive(Clone, Debug, Default, Deserialize)]
struct ConfigMapSource<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    items: Option<Vec<Item<'a>>>,
    #[serde(default)]
    optional: Option<bool>,
}

/// A key and its file.
#[derive(Clone, Debug, Default, Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    key: Text<'a>,
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(default)]
    mode: Option<i64>,
}

/// Files that tell a pod about itself (`k8s.io/api/core/v1 DownwardAPIProjection`).
#[derive(Clone, Debug, Default, Deserialize)]
struct DownwardApiSource<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<DownwardApiFile<'a>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DownwardApiFile<'a> {
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(borrow, default)]
    field_ref: Option<FieldRef<'a>>,
    #[serde(default)]
    mode: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldRef<'a> {
    #[serde(borrow, default)]
    field_path: Text<'a>,
}

impl<'a> Projected<'a> {
    /// The sources, in their order.
    pub(crate) fn sources(&self) -> &[Source<'a>] {
        self.sources.as_deref().unwrap_or_default()
    }

    /// The mode of its files that have none of their own.
    pub(crate) fn mode(&self) -> i64 {
        self.default_mode.unwrap_or(FILE_MODE)
    }

    /// Whether this is what the API server itself gives a pod
    /// (`plugin/pkg/admission/serviceaccount`, `TokenVolumeSource`), whatever the lifetime of its token. Its name tells
    /// nothing: everybody may choose it.
    pub(crate) fn is_automounted(&self) -> bool {
        let [token, certificate, namespace] = self.sources() else {
            return false;
        };
        let is_token =
            |token: &TokenSource<'_>| token.audience.is_empty() && *token.path == *"token";
        self.mode() == FILE_MODE
            && token.service_account_token.as_ref().is_some_and(is_token)
            && certificate.is_root_certificate()
            && namespace.is_namespace()
    }
}

impl Source<'_> {
    /// Whether it is the certificate of the API server as `ca.crt`.
    pub(crate) fn is_root_certificate(&self) -> bool {
        self.config_map.as_ref().is_some_and(|map| {
            let items = map.items.as_deref().unwrap_or_default();
            *map.name == *"kube-root-ca.crt"
                && map.optional != Some(true)
                && matches!(items, [only] if *only.key == *"ca.crt" && *only.path == *"ca.crt" && only.mode.is_none())
        })
    }

    /// Whether it is the namespace of the pod as `namespace`.
    pub(crate) fn is_namespace(&self) -> bool {
        self.downward_api.as_ref().is_some_and(|api| {
            let items = api.items.as_deref().unwrap_or_default();
            matches!(items, [only] if *only.path == *"namespace" && only.mode.is_none()
                && only.field_ref.as_ref().is_some_and(|field| *field.field_path == *"metadata.namespace"))
        })
    }
}

impl TokenSource<'_> {
    /// The same, with texts of its own.
    pub(crate) fn into_owned(self) -> TokenSource<'static> {
        TokenSource {
            audience: self.audience.into_owned(),
            expiration_seconds: self.expiration_seconds,
            path: self.path.into_owned(),
        }
    }

    /// How long the token lives, in seconds.
    pub(crate) fn seconds(&self) -> i64 {
        self.expiration_seconds.unwrap_or(LIFETIME)
    }
}

impl PodCertificateSource<'_> {
    /// The same, with texts of its own.
    pub(crate) fn into_owned(self) -> PodCertificateSource<'static> {
        PodCertificateSource {
            signer_name: self.signer_name.into_owned(),
        }
    }
}
