//! A profile, ready to be given: every value legal, every default filled in.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::entry::{
    BadProfile, EnvEntry, FsGroupEntry, OnClash, OutOfRange, ProfileEntry, TokenEntry, VolumeEntry,
    When,
};
use super::presets::complete;
use crate::reference::{
    Pattern, is_dns_label,
    token::{EXTENDED, LIFETIME, LIFETIMES},
};

/// Bounds where a profile gives none: from the shortest lifetime that Kubernetes has to a day.
const BOUNDS: (i64, i64) = (*LIFETIMES.start(), 86_400);
/// The group "nobody".
const NOBODY: i64 = 65_534;
/// Largest group (`k8s.io/apimachinery/pkg/util/validation.IsValidGroupID`).
const GROUPS: RangeInclusive<i64> = 0..=(1 << 31) - 1;

/// What some pods get: a volume with tokens, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// By which pods ask for it and messages call it.
    pub name: Box<str>,
    /// Whether a pod that is selected is refused without it.
    pub required: bool,
    pub(super) select: Select,
    pub(super) containers: Containers,
    pub(super) volume: Volume,
    pub(super) tokens: Vec<Token>,
    pub(super) root_certificate: bool,
    pub(super) namespace_file: bool,
    pub(super) env: Vec<Env>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) fs_group: FsGroup,
    pub(super) overrides: Overrides,
    pub(super) bounds: Bounds,
    pub(super) on_clash: OnClash,
    pub(super) unsupported: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Select {
    pub(super) namespaces: Option<Vec<Pattern>>,
    pub(super) service_accounts: Option<Vec<Pattern>>,
    pub(super) account_annotations: Vec<String>,
    pub(super) pod_annotations: Vec<String>,
    pub(super) pod_labels: BTreeMap<String, String>,
    pub(super) unless_pod_labels: Vec<String>,
    pub(super) on_request: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Containers {
    pub(super) include: Option<Vec<Pattern>>,
    pub(super) skip: Vec<Pattern>,
    pub(super) include_annotation: Option<String>,
    pub(super) skip_annotation: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) mount_path: String,
    pub(super) mode: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Empty: the API server.
    pub(super) audience: String,
    pub(super) seconds: i64,
    pub(super) jitter: i64,
    pub(super) path: String,
}

#[derive(Clone, Debug)]
pub(super) struct Env {
    pub(super) name: String,
    pub(super) value: EnvValue,
    pub(super) unless_set: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum EnvValue {
    /// An annotation of the service account, and what holds without it.
    Annotation {
        key: String,
        values: Option<BTreeMap<String, String>>,
        otherwise: Option<String>,
    },
    Literal(String),
    /// The file of the token at this path of the volume.
    TokenFile(String),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FsGroup {
    pub(super) when: When,
    pub(super) value: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Overrides {
    pub(super) seconds: String,
    /// None where there is more than one token: nobody could say whose it is.
    pub(super) audience: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) seconds: RangeInclusive<i64>,
    pub(super) audiences: Vec<Pattern>,
    pub(super) out_of_range: OutOfRange,
}

/// The profiles that entries of the configuration stand for. Two of one name are an error.
pub fn profiles(entries: &[ProfileEntry]) -> Result<Vec<Profile>, BadProfile> {
    let mut profiles: Vec<Profile> = Vec::with_capacity(entries.len());
    for entry in entries {
        let profile = Profile::try_from(entry.clone())?;
        if profiles.iter().any(|known| known.name == profile.name) {
            return Err(BadProfile(format!(
                "two profiles are called \"{}\": give one of them another name",
                profile.name
            )));
        }
        profiles.push(profile);
    }
    Ok(profiles)
}

/// Reads entries so that one which is no profile is refused where it stands.
pub(crate) fn entries<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ProfileEntry>, D::Error> {
    #[derive(Deserialize)]
    #[serde(try_from = "ProfileEntry")]
    struct Good(ProfileEntry);

    impl TryFrom<ProfileEntry> for Good {
        type Error = BadProfile;

        fn try_from(entry: ProfileEntry) -> Result<Self, BadProfile> {
            Profile::try_from(entry.clone()).map(|_| Self(entry))
        }
    }

    let entries = Vec::<Good>::deserialize(deserializer)?;
    let entries: Vec<ProfileEntry> = entries.into_iter().map(|Good(entry)| entry).collect();
    profiles(&entries).map_err(D::Error::custom)?;
    Ok(entries)
}

impl TryFrom<ProfileEntry> for Profile {
    type Error = BadProfile;

    fn try_from(entry: ProfileEntry) -> Result<Self, BadProfile> {
        let entry = complete(entry)?;
        let name = entry.name.unwrap_or_default();
        if !is_dns_label(&name) {
            return Err(bad(
                "a profile",
                format_args!(
                    "needs a name of lower case letters, digits and \"-\"; \"{name}\" is none"
                ),
            ));
        }
        let who = format!("profile \"{name}\"");
        let bounds = entry.bounds.unwrap_or_default();
        let (least, most) = bounds.expiration_seconds.unwrap_or(BOUNDS);
        let seconds = least..=most;
        if !LIFETIMES.contains(&least) || !LIFETIMES.contains(&most) || seconds.is_empty() {
            return Err(bad(
                &who,
                format_args!(
                    "has bounds from {least} to {most} s, which are not within 600 to 4294967296 s"
                ),
            ));
        }
        let tokens: Vec<Token> = entry
            .tokens
            .unwrap_or_default()
            .into_iter()
            .map(token)
            .collect();
        if tokens.is_empty() {
            return Err(bad(&who, format_args!("has no tokens")));
        }
        for token in &tokens {
            lives(&who, token, &seconds)?;
        }
        let root_certificate = entry.root_certificate.unwrap_or_default();
        let namespace_file = entry.namespace_file.unwrap_or_default();
        let own = [(root_certificate, "ca.crt"), (namespace_file, "namespace")];
        let own = own.into_iter().filter_map(|(is, path)| is.then_some(path));
        let mut paths: Vec<&str> = Vec::new();
        for path in tokens.iter().map(|token| &*token.path).chain(own) {
            if let Some(taken) = paths.iter().find(|known| overlap(known, path)) {
                return Err(bad(
                    &who,
                    format_args!(
                        "wants one path of its volume for two sources: \"{taken}\" and \"{path}\""
                    ),
                ));
            }
            paths.push(path);
        }
        let volume = volume(&who, &name, entry.volume.unwrap_or_default())?;
        let mut env: Vec<Env> = Vec::new();
        for variable in entry.env.unwrap_or_default() {
            let variable = variable_of(&who, variable, &tokens)?;
            if env.iter().any(|known| known.name == variable.name) {
                let what = format_args!("sets the variable \"{}\" twice", variable.name);
                return Err(bad(&who, what));
            }
            env.push(variable);
        }
        let select = entry.select.unwrap_or_default();
        let containers = entry.containers.unwrap_or_default();
        let overrides = entry.overrides.unwrap_or_default();
        let only = match &*tokens {
            [only] => Some(&*only.audience),
            _ => None,
        };
        if only.is_none() && overrides.audience.is_some() {
            let what = "has several tokens: an annotation for the audience would not say of which";
            return Err(bad(&who, format_args!("{what}")));
        }
        let annotation = |given: Option<String>, word: &str| {
            given.unwrap_or_else(|| format!("{name}.usher.dev/{word}"))
        };
        Ok(Self {
            overrides: Overrides {
                seconds: annotation(overrides.expiration_seconds, "expiration-seconds"),
                audience: only.map(|_| annotation(overrides.audience, "audience")),
            },
            bounds: Bounds {
                seconds,
                audiences: bounds.audiences.unwrap_or_default(),
                out_of_range: bounds.out_of_range.unwrap_or_default(),
            },
            fs_group: fs_group(&who, &entry.fs_group.unwrap_or_default())?,
            name: name.into(),
            required: entry.required.unwrap_or_default(),
            select: Select {
                namespaces: select.namespaces,
                service_accounts: select.service_accounts,
                account_annotations: select.service_account_annotations.unwrap_or_default(),
                pod_annotations: select.pod_annotations.unwrap_or_default(),
                pod_labels: select.pod_labels.unwrap_or_default(),
                unless_pod_labels: select.unless_pod_labels.unwrap_or_default(),
                on_request: select.on_request.unwrap_or_default(),
            },
            containers: Containers {
                include: containers.include,
                skip: containers.skip.unwrap_or_default(),
                include_annotation: containers.include_annotation,
                skip_annotation: containers.skip_annotation,
            },
            volume,
            tokens,
            root_certificate,
            namespace_file,
            env,
            labels: entry.labels.unwrap_or_default(),
            on_clash: entry.on_clash.unwrap_or_default(),
            unsupported: entry.unsupported_annotations.unwrap_or_default(),
        })
    }
}

impl Profile {
    /// Whether one of its own tokens is for this audience; empty: the API server.
    pub fn is_for(&self, audience: &str) -> bool {
        self.tokens.iter().any(|token| token.audience == *audience)
    }
}

fn bad(who: &str, what: fmt::Arguments<'_>) -> BadProfile {
    BadProfile(format!("{who} {what}"))
}

fn token(entry: TokenEntry) -> Token {
    Token {
        audience: entry.audience.unwrap_or_default(),
        seconds: entry.expiration_seconds.unwrap_or(LIFETIME),
        jitter: entry.jitter_seconds.unwrap_or_default(),
        path: entry.path,
    }
}

/// Whether Kubernetes takes the token, and whether its lifetime is within the profile's own bounds.
fn lives(who: &str, token: &Token, bounds: &RangeInclusive<i64>) -> Result<(), BadProfile> {
    let Token {
        audience,
        seconds,
        jitter,
        path,
    } = token;
    if !is_relative(path) {
        return Err(bad(
            who,
            format_args!("has a token at \"{path}\", which is no path within a volume"),
        ));
    }
    let (least, most) = (bounds.start(), bounds.end());
    if !bounds.contains(seconds) {
        return Err(bad(
            who,
            format_args!(
                "has a token of {seconds} s at \"{path}\"; its bounds are {least} to {most} s"
            ),
        ));
    }
    if *jitter < 0 || seconds.saturating_sub(*jitter) < *least {
        return Err(bad(
            who,
            format_args!(
                "has a token of {seconds} s at \"{path}\" that {jitter} s of jitter may take below {least} s"
            ),
        ));
    }
    if audience.is_empty() && *seconds == EXTENDED {
        return Err(bad(
            who,
            format_args!(
                "has a token of exactly {EXTENDED} s for the API server, which lets it live for a year: write 3600"
            ),
        ));
    }
    Ok(())
}

fn volume(who: &str, profile: &str, entry: VolumeEntry) -> Result<Volume, BadProfile> {
    let name = entry.name.unwrap_or_else(|| profile.to_owned());
    if !is_dns_label(&name) {
        let what = format_args!("has a volume \"{name}\", which is no name of a volume");
        return Err(bad(who, what));
    }
    let given = entry.mount_path.unwrap_or_default();
    let mount_path = match given
        .strip_prefix('/')
        .map(|path| path.trim_end_matches('/'))
    {
        Some(path) if is_relative(path) && !path.contains([':', '\\']) => format!("/{path}"),
        _ => {
            return Err(bad(
                who,
                format_args!("has the mount path \"{given}\", which is no absolute path"),
            ));
        }
    };
    let mode = entry.default_mode;
    if mode.is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        return Err(bad(
            who,
            format_args!(
                "has a defaultMode beyond 0777; write it octal, as 0644, or decimal, as 420"
            ),
        ));
    }
    Ok(Volume {
        name,
        mount_path,
        mode,
    })
}

fn variable_of(who: &str, entry: EnvEntry, tokens: &[Token]) -> Result<Env, BadProfile> {
    let name = entry.name;
    if name.is_empty() || name.contains('=') || name.contains(char::is_control) {
        let what = format_args!(
            "has a variable \"{}\", which is no name",
            name.escape_debug()
        );
        return Err(bad(who, what));
    }
    let annotation = entry.from_service_account_annotation;
    if entry.values.is_some() && annotation.is_none() {
        let what = format_args!(
            "gives the variable \"{name}\" values for those of an annotation, but names no fromServiceAccountAnnotation"
        );
        return Err(bad(who, what));
    }
    let value = match (entry.value, annotation, entry.token_file) {
        (Some(value), None, None) => EnvValue::Literal(value),
        (otherwise, Some(key), None) => EnvValue::Annotation {
            key,
            values: entry.values,
            otherwise,
        },
        (None, None, Some(path)) if tokens.iter().any(|token| token.path == path) => {
            EnvValue::TokenFile(path)
        }
        (None, None, Some(path)) => {
            let what = format_args!("has no token at \"{path}\" for the variable \"{name}\"");
            return Err(bad(who, what));
        }
        _ => {
            return Err(bad(
                who,
                format_args!(
                    "must give the variable \"{name}\" a value, a fromServiceAccountAnnotation or a tokenFile"
                ),
            ));
        }
    };
    Ok(Env {
        name,
        value,
        unless_set: entry.unless_set,
    })
}

fn fs_group(who: &str, entry: &FsGroupEntry) -> Result<FsGroup, BadProfile> {
    let value = entry.value.unwrap_or(NOBODY);
    if !GROUPS.contains(&value) {
        let what = format_args!("has the fsGroup {value}, which is no group");
        return Err(bad(who, what));
    }
    Ok(FsGroup {
        when: entry.when.unwrap_or_default(),
        value,
    })
}

/// Whether a path stays below where it starts (`pkg/apis/core/validation.validateLocalNonReservedPath`).
fn is_relative(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(char::is_control)
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
        // The kubelet's own names in such a volume (`pkg/volume/util/atomic_writer.go`).
        && !path.starts_with("..")
}

/// Whether two files cannot be in one volume: they are the same, or one is a folder of the other.
fn overlap(one: &str, other: &str) -> bool {
    let within = |path: &str, folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}
