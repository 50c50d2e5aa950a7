//! A profile, ready to be given: every value legal, every default filled in.

use std::{collections::BTreeMap, ops::RangeInclusive};

use super::{
    bad::{BadProfile, ProfileMistake},
    complete::complete,
    entry::{
        BoundsEntry, ContainersEntry, EnvEntry, FsGroupEntry, OnClash, OutOfRange, OverridesEntry,
        ProfileEntry, SelectEntry, TokenEntry, VolumeEntry, When,
    },
    misplaced,
};
use crate::reference::{
    Pattern, Step, is_dns_label,
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

impl Profile {
    /// The annotations of service accounts that it reads.
    pub(crate) fn account_annotations(&self) -> impl Iterator<Item = &str> {
        let values = self.env.iter().filter_map(|env| match &env.value {
            EnvValue::Annotation { key, .. } => Some(key),
            EnvValue::Literal(_) | EnvValue::TokenFile(_) => None,
        });
        let overrides = std::iter::once(&self.overrides.seconds).chain(&self.overrides.audience);
        let all = self.select.account_annotations.iter().chain(values);
        all.chain(overrides).map(String::as_str)
    }
}

/// The profiles that entries of the configuration stand for. Two of one name are an error. An error comes with the way to it from
/// the list of the entries.
pub fn profiles(
    entries: &[ProfileEntry],
) -> Result<Vec<Profile>, (Vec<Step<'static>>, BadProfile)> {
    let mut profiles: Vec<Profile> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let at_entry = |bad: BadProfile| {
            let mut way = vec![Step::Index(index)];
            way.extend(misplaced::way(&bad, entry));
            (way, bad)
        };
        let profile = Profile::try_from(entry.clone()).map_err(at_entry)?;
        if profiles.iter().any(|known| known.name == profile.name) {
            return Err(at_entry(BadProfile::Twice(profile.name.into_string())));
        }
        profiles.push(profile);
    }
    Ok(profiles)
}

impl TryFrom<ProfileEntry> for Profile {
    type Error = BadProfile;

    fn try_from(entry: ProfileEntry) -> Result<Self, BadProfile> {
        let mut entry = complete(entry)?;
        let name = entry.name.take().unwrap_or_default();
        if !is_dns_label(&name) {
            return Err(BadProfile::Name(name));
        }
        Self::read(&name, entry).map_err(|mistake| BadProfile::Mistaken { name, mistake })
    }
}

impl Profile {
    /// Whether one of its own tokens is for this audience; empty: the API server.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        self.tokens.iter().any(|token| token.audience == *audience)
    }

    /// The files of its volume.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let own = [
            (self.root_certificate, "ca.crt"),
            (self.namespace_file, "namespace"),
        ];
        let own = own.into_iter().filter_map(|(is, path)| is.then_some(path));
        self.tokens.iter().map(|token| &*token.path).chain(own)
    }

    /// A complete entry with this name, value by value.
    fn read(name: &str, entry: ProfileEntry) -> Result<Self, ProfileMistake> {
        let bounds = bounds(entry.bounds.unwrap_or_default())?;
        let tokens = tokens(entry.tokens.unwrap_or_default(), &bounds.seconds)?;
        let profile = Self {
            name: name.into(),
            required: entry.required.unwrap_or_default(),
            select: entry.select.unwrap_or_default().into(),
            containers: entry.containers.unwrap_or_default().into(),
            volume: volume(name, entry.volume.unwrap_or_default())?,
            root_certificate: entry.root_certificate.unwrap_or_default(),
            namespace_file: entry.namespace_file.unwrap_or_default(),
            env: env(entry.env.unwrap_or_default(), &tokens)?,
            labels: entry.labels.unwrap_or_default(),
            fs_group: fs_group(&entry.fs_group.unwrap_or_default())?,
            overrides: overrides(name, entry.overrides.unwrap_or_default(), &tokens)?,
            on_clash: entry.on_clash.unwrap_or_default(),
            unsupported: entry.unsupported_annotations.unwrap_or_default(),
            bounds,
            tokens,
        };
        let mut paths: Vec<&str> = Vec::new();
        for path in profile.files() {
            if let Some(taken) = paths.iter().find(|known| overlap(known, path)) {
                return Err(ProfileMistake::OnePath(
                    (*taken).to_owned(),
                    path.to_owned(),
                ));
            }
            paths.push(path);
        }
        Ok(profile)
    }
}

impl From<SelectEntry> for Select {
    fn from(entry: SelectEntry) -> Self {
        Self {
            namespaces: entry.namespaces,
            service_accounts: entry.service_accounts,
            account_annotations: entry.service_account_annotations.unwrap_or_default(),
            pod_annotations: entry.pod_annotations.unwrap_or_default(),
            pod_labels: entry.pod_labels.unwrap_or_default(),
            unless_pod_labels: entry.unless_pod_labels.unwrap_or_default(),
            on_request: entry.on_request.unwrap_or_default(),
        }
    }
}

impl From<ContainersEntry> for Containers {
    fn from(entry: ContainersEntry) -> Self {
        Self {
            include: entry.include,
            skip: entry.skip.unwrap_or_default(),
            include_annotation: entry.include_annotation,
            skip_annotation: entry.skip_annotation,
        }
    }
}

fn bounds(entry: BoundsEntry) -> Result<Bounds, ProfileMistake> {
    let (least, most) = entry.expiration_seconds.unwrap_or(BOUNDS);
    let seconds = least..=most;
    if !LIFETIMES.contains(&least) || !LIFETIMES.contains(&most) || seconds.is_empty() {
        return Err(ProfileMistake::Bounds(least, most));
    }
    Ok(Bounds {
        seconds,
        audiences: entry.audiences.unwrap_or_default(),
        out_of_range: entry.out_of_range.unwrap_or_default(),
    })
}

/// The tokens, each as Kubernetes takes it, with a lifetime that is within the profile's own bounds.
fn tokens(
    entries: Vec<TokenEntry>,
    bounds: &RangeInclusive<i64>,
) -> Result<Vec<Token>, ProfileMistake> {
    if entries.is_empty() {
        return Err(ProfileMistake::NoTokens);
    }
    let tokens = entries.into_iter().map(|entry| {
        let token = Token {
            audience: entry.audience.unwrap_or_default(),
            seconds: entry.expiration_seconds.unwrap_or(LIFETIME),
            jitter: entry.jitter_seconds.unwrap_or_default(),
            path: entry.path,
        };
        lives(&token, bounds).map(|()| token)
    });
    tokens.collect()
}

fn lives(token: &Token, bounds: &RangeInclusive<i64>) -> Result<(), ProfileMistake> {
    let Token {
        audience,
        seconds,
        jitter,
        path,
    } = token;
    if !is_relative(path) {
        return Err(ProfileMistake::TokenPath(path.clone()));
    }
    let (least, most) = (*bounds.start(), *bounds.end());
    if !bounds.contains(seconds) {
        return Err(ProfileMistake::Lifetime {
            seconds: *seconds,
            path: path.clone(),
            least,
            most,
        });
    }
    if *jitter < 0 || seconds.saturating_sub(*jitter) < least {
        return Err(ProfileMistake::Jitter {
            seconds: *seconds,
            path: path.clone(),
            jitter: *jitter,
            least,
        });
    }
    if audience.is_empty() && *seconds == EXTENDED {
        return Err(ProfileMistake::Extended);
    }
    Ok(())
}

fn volume(profile: &str, entry: VolumeEntry) -> Result<Volume, ProfileMistake> {
    let name = entry.name.unwrap_or_else(|| profile.to_owned());
    if !is_dns_label(&name) {
        return Err(ProfileMistake::Volume(name));
    }
    let given = entry.mount_path.unwrap_or_default();
    let mount_path = match given
        .strip_prefix('/')
        .map(|path| path.trim_end_matches('/'))
    {
        Some(path) if is_relative(path) && !path.contains([':', '\\']) => format!("/{path}"),
        _ => return Err(ProfileMistake::MountPath(given)),
    };
    let mode = entry.default_mode;
    if mode.is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        return Err(ProfileMistake::Mode);
    }
    Ok(Volume {
        name,
        mount_path,
        mode,
    })
}

fn env(entries: Vec<EnvEntry>, tokens: &[Token]) -> Result<Vec<Env>, ProfileMistake> {
    let mut env: Vec<Env> = Vec::with_capacity(entries.len());
    for entry in entries {
        let variable = variable(entry, tokens)?;
        if env.iter().any(|known| known.name == variable.name) {
            return Err(ProfileMistake::VariableTwice(variable.name));
        }
        env.push(variable);
    }
    Ok(env)
}

fn variable(entry: EnvEntry, tokens: &[Token]) -> Result<Env, ProfileMistake> {
    let name = entry.name;
    if name.is_empty() || name.contains('=') || name.contains(char::is_control) {
        return Err(ProfileMistake::Variable(name));
    }
    let annotation = entry.from_service_account_annotation;
    if entry.values.is_some() && annotation.is_none() {
        return Err(ProfileMistake::Values(name));
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
            return Err(ProfileMistake::NoToken {
                path,
                variable: name,
            });
        }
        _ => return Err(ProfileMistake::Value(name)),
    };
    Ok(Env {
        name,
        value,
        unless_set: entry.unless_set,
    })
}

fn fs_group(entry: &FsGroupEntry) -> Result<FsGroup, ProfileMistake> {
    let value = entry.value.unwrap_or(NOBODY);
    if !GROUPS.contains(&value) {
        return Err(ProfileMistake::Group(value));
    }
    Ok(FsGroup {
        when: entry.when.unwrap_or_default(),
        value,
    })
}

fn overrides(
    profile: &str,
    entry: OverridesEntry,
    tokens: &[Token],
) -> Result<Overrides, ProfileMistake> {
    let annotation = |given: Option<String>, word: &str| {
        given.unwrap_or_else(|| format!("{profile}.usher.dev/{word}"))
    };
    let audience = match (tokens, entry.audience) {
        ([_], given) => Some(annotation(given, "audience")),
        (_, Some(_)) => return Err(ProfileMistake::Audience),
        (_, None) => None,
    };
    Ok(Overrides {
        seconds: annotation(entry.expiration_seconds, "expiration-seconds"),
        audience,
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
