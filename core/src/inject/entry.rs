//! A profile as the configuration writes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::Pattern;

/// A profile as the configuration writes it: whatever is left out comes from the preset, or is the default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ProfileEntry {
    /// The preset that this profile starts from: PRESETS. Lists given here replace those of the preset, but for env: a
    /// variable that the preset has is changed, others are added.
    #[schemars(transform = super::presets::name_them)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preset: Option<String>,
    /// Its name, by which pods ask for it and messages call it: lower case letters, digits and "-". Left out, that of
    /// the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Which pods get it. All that is given must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) select: Option<SelectEntry>,
    /// Which containers of these pods get it; init containers and sidecars are containers like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) containers: Option<ContainersEntry>,
    /// The volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volume: Option<VolumeEntry>,
    /// The tokens in the volume, at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<Vec<TokenEntry>>,
    /// Whether the volume also holds the certificate of the API server, as ca.crt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) root_certificate: Option<bool>,
    /// Whether the volume also holds the namespace of the pod, as namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace_file: Option<bool>,
    /// Environment variables. One that a container already has is left as it is, and one without a value left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<Vec<EnvEntry>>,
    /// Labels of the pod. One that it already has is left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// The group that owns the files of the pod's volumes; set only where the pod sets none, never on Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fs_group: Option<FsGroupEntry>,
    /// Annotations that change the values of this profile: of the pod first, then of its service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) overrides: Option<OverridesEntry>,
    /// How far they may change them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bounds: Option<BoundsEntry>,
    /// Annotations of the pod that ask for what this profile does not do. A pod that has one is refused, so that it does
    /// not start without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unsupported_annotations: Option<Vec<String>>,
    /// What happens if the pod has a volume of that name with other content: refuse the pod, or take the next free
    /// name. A mount path that is taken is always refused: programs look there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_clash: Option<OnClash>,
    /// Whether a pod that is selected is refused without it. The check is called profiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<bool>,
}

/// Which pods get a profile.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct SelectEntry {
    /// Their namespaces; left out, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespaces: Option<Vec<Pattern>>,
    /// Their service accounts; left out, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_accounts: Option<Vec<Pattern>>,
    /// Annotations that the service account must have, and not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_account_annotations: Option<Vec<String>>,
    /// Annotations that the pod must have, and not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_annotations: Option<Vec<String>>,
    /// Labels that the pod must have, with their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_labels: Option<BTreeMap<String, String>>,
    /// Labels by which pods decline it, whatever their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unless_pod_labels: Option<Vec<String>>,
    /// Whether only pods get it that ask for it by name, in the annotation usher.dev/inject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_request: Option<bool>,
}

/// Which containers get a profile.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct ContainersEntry {
    /// Only these; left out, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) include: Option<Vec<Pattern>>,
    /// Not these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skip: Option<Vec<Pattern>>,
    /// An annotation of the pod that names the only containers, with "," or ";" between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) include_annotation: Option<String>,
    /// An annotation of the pod that names containers to skip. usher.dev/skip-containers is always looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skip_annotation: Option<String>,
}

/// The volume of a profile.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct VolumeEntry {
    /// Its name in the pod; left out, that of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Where containers mount it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mount_path: Option<String>,
    /// The mode of its files, octal as in 0644 or decimal as in 420; left out, 0644.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default_mode: Option<i64>,
}

/// A token in the volume.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TokenEntry {
    /// Who accepts it; left out, the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<String>,
    /// How long it lives, in seconds, 600 at least. The kubelet renews it when four fifths of that time are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expiration_seconds: Option<i64>,
    /// By how many seconds at most the lifetime is shortened, differently for each pod, so that not all tokens are
    /// renewed at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jitter_seconds: Option<i64>,
    /// The file in the volume.
    pub(super) path: String,
}

/// An environment variable.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EnvEntry {
    /// Its name.
    pub(super) name: String,
    /// Its value; beside fromServiceAccountAnnotation, the value for accounts without that annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// The annotation of the service account that holds its value. Without a value the variable is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from_service_account_annotation: Option<String>,
    /// What the values of the annotation become; another value of it counts as no annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<BTreeMap<String, String>>,
    /// The path of a token in the volume: the value is the file, as the container sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<String>,
    /// Left out of containers that already have one of these variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unless_set: Vec<String>,
}

/// The group that owns the files of the pod's volumes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct FsGroupEntry {
    /// never; ifNonRoot: if at least one container that gets the volume is known not to run as root; always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<When>,
    /// The group, 65534 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<i64>,
}

/// Annotations that change the values of a profile.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct OverridesEntry {
    /// The annotation with the lifetime of the tokens, in seconds. Left out, NAME.usher.dev/expiration-seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiration_seconds: Option<String>,
    /// The annotation with the audience of the token, if there is only one. Left out, NAME.usher.dev/audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<String>,
}

/// How far values may be changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct BoundsEntry {
    /// The shortest and the longest lifetime, in seconds. Left out, 600 and 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiration_seconds: Option<(i64, i64)>,
    /// The audiences that may be asked for; left out, only that of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audiences: Option<Vec<Pattern>>,
    /// Whether a lifetime beyond them is refused, or becomes the nearest that is allowed, with a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) out_of_range: Option<OutOfRange>,
}

/// What happens if a name is taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OnClash {
    /// The next free name is taken.
    NextName,
    /// The pod is refused.
    #[default]
    Refuse,
}

/// What happens to a lifetime that is out of bounds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OutOfRange {
    /// It becomes the nearest that is allowed.
    Clamp,
    /// The pod is refused.
    #[default]
    Refuse,
}

/// When a pod gets an fsGroup.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum When {
    /// Whoever it runs as.
    Always,
    /// If it is known not to run as root.
    IfNonRoot,
    /// Not at all.
    #[default]
    Never,
}
