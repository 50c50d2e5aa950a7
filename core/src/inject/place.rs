//! Puts a profile into a pod.

use std::{borrow::Cow, collections::HashSet};

use super::{
    account::{Annotations, Known},
    content::{Compared, Content},
    draft::{Draft, Seat},
    effect::{Effect, Given, Skipped, Touched},
    entry::{OnClash, When},
    pod::Head,
    profile::{EnvValue, Profile},
    select::{ASKS, Asks, Chosen},
    subject::Subject,
};

/// Works out one profile for one pod.
pub(super) struct Maker<'a, 's> {
    pub(super) profile: &'a Profile,
    pub(super) subject: &'s Subject<'a>,
    pub(super) head: &'s Head<'a>,
    pub(super) asks: &'s Asks,
    pub(super) account: &'s Annotations<'s>,
}

/// How a container comes to its mount.
enum Mounted {
    Add,
    Held,
    Skip(Skipped),
}

impl<'a> Maker<'a, '_> {
    pub(super) fn effect(&self, draft: &mut Draft<'a>) -> Effect<'a> {
        let profile = self.profile;
        let account = self.head.spec.account();
        let mut warnings = Vec::new();
        let annotations = match self.account {
            Ok(known) => Some(known),
            Err(why) => {
                let what = format!("service account \"{account}\" {why}");
                if profile.depends_on_account() {
                    return Effect::Missed(what);
                }
                warnings.push(format!(
                    "{what}; profile \"{}\" is injected without what its annotations may change",
                    profile.name
                ));
                None
            }
        };
        let lacks = |key: &&String| {
            annotations.is_none_or(|known| known.get(key).is_none_or(str::is_empty))
        };
        if let Some(key) = profile.select.account_annotations.iter().find(lacks) {
            let what = format!("service account \"{account}\" has no annotation {key}");
            return if self.asks.is_for(profile) {
                Effect::Missed(what)
            } else {
                Effect::Passed(what)
            };
        }
        let asked = |key: &&String| self.head.annotation(key).is_some();
        if let Some(key) = profile.unsupported.iter().find(asked) {
            return Effect::Refused(format!(
                "profile \"{}\" does not do what the pod asks for by its annotation {key}; remove the annotation{}",
                profile.name,
                self.or_decline()
            ));
        }
        let tokens = match self.tokens(annotations, &mut warnings) {
            Ok(tokens) => tokens,
            Err(why) => return Effect::Refused(why),
        };
        match self.place(draft, &Content::new(profile, tokens), annotations, warnings) {
            Ok(effect) => effect,
            Err(why) => Effect::Refused(why),
        }
    }

    /// Puts the volume, the mounts and the rest into the draft; all of it, or nothing.
    fn place(
        &self,
        draft: &mut Draft<'a>,
        content: &Content<'a>,
        account: Option<&Known<'_>>,
        warnings: Vec<String>,
    ) -> Result<Effect<'a>, String> {
        let profile = self.profile;
        let path = &*profile.volume.mount_path;
        let compared: Vec<Compared> = draft
            .volumes
            .iter()
            .map(|held| {
                held.projected
                    .as_ref()
                    .map_or(Compared::Different, |p| content.compare(p))
            })
            .collect();
        let of = |name: &str| draft.volumes.iter().position(|held| *held.name == *name);
        let mut shortened = None;
        let chosen = Chosen::of(profile, self.head);
        let mut seats = Vec::with_capacity(draft.seats.len());
        for seat in &draft.seats {
            let mounted = match chosen.skips(&seat.container.name) {
                Some(why) => Mounted::Skip(why),
                None => match self.mounted(seat, path)? {
                    None => Mounted::Add,
                    Some((name, whole)) => {
                        match of(name).and_then(|at| Some((at, compared.get(at)?))) {
                            Some((_, Compared::Same)) if whole => Mounted::Held,
                            Some((at, Compared::Extended { source, seconds })) if whole => {
                                shortened = Some((at, *source, *seconds));
                                Mounted::Held
                            }
                            _ => {
                                return Err(format!(
                                    "profile \"{}\": container \"{}\" mounts volume \"{name}\" at {path}, where volume \"{}\" of the \
                                 profile has its place; mount it elsewhere{}",
                                    profile.name,
                                    seat.container.name,
                                    profile.volume.name,
                                    self.or_decline()
                                ));
                            }
                        }
                    }
                },
            };
            seats.push(mounted);
        }
        if seats.iter().all(|seat| matches!(seat, Mounted::Skip(_))) {
            let by_pod = |seat: &Mounted| matches!(seat, Mounted::Skip(Skipped::ByPod));
            let why = "no container of the pod is to have it".to_owned();
            return Ok(if seats.iter().any(by_pod) {
                Effect::Declined(why)
            } else {
                Effect::Passed(why)
            });
        }
        // A volume of the pod that is mounted there already, then one that holds the same, then a new one.
        let same = compared
            .iter()
            .position(|compared| *compared == Compared::Same);
        let equal = shortened.map(|(at, ..)| at).or(same);
        let adds = seats.iter().any(|seat| matches!(seat, Mounted::Add));
        let volume = match equal.and_then(|at| draft.volumes.get(at)) {
            Some(held) => held.name.to_string(),
            None => self.free(draft, of(&profile.volume.name))?,
        };
        let mut given = Given {
            volume: volume.clone(),
            tokens: content
                .tokens
                .iter()
                .map(|t| (t.audience.clone(), t.seconds, t.path.clone()))
                .collect(),
            containers: Vec::with_capacity(seats.len()),
            fs_group: None,
            shortened: shortened.map(|(.., seconds)| seconds),
            changed: shortened.is_some(),
            warnings,
        };
        if adds && equal.is_none() {
            draft.add_volume(volume.clone(), &profile.name, content.volume(&volume));
            given.changed = true;
        }
        if let Some((at, source, seconds)) = shortened {
            draft.shorten(at, source, seconds);
        }
        let windows = draft.windows;
        let (security, mut group) = (draft.security, None);
        for (seat, mounted) in draft.seats.iter_mut().zip(&seats) {
            let name = seat.container.name.clone();
            let mut touched = Touched {
                name,
                skipped: None,
                mounted: false,
                env: Vec::new(),
            };
            match mounted {
                Mounted::Skip(why) => touched.skipped = Some(*why),
                Mounted::Add | Mounted::Held => {
                    if matches!(mounted, Mounted::Add) {
                        seat.mounts.push((volume.clone(), path, &profile.name));
                        touched.mounted = true;
                    }
                    touched.env = self.env(seat, account, windows);
                    given.changed |= touched.mounted || !touched.env.is_empty();
                    let wanted = match profile.fs_group.when {
                        When::Never => false,
                        When::IfNonRoot => seat.container.is_not_root(security),
                        When::Always => true,
                    };
                    if wanted && group.is_none() {
                        group = Some((profile.fs_group.value, seat.container.name.clone()));
                    }
                }
            }
            given.containers.push(touched);
        }
        let unset = security.is_none_or(|held| held.fs_group.is_none()) && draft.fs_group.is_none();
        if let Some((value, because)) = group
            && unset
            && !windows
        {
            draft.fs_group = Some(value);
            given.fs_group = Some((value, because));
            given.changed = true;
        }
        for (key, value) in &profile.labels {
            if !self.head.has_label(key) && !draft.labels.contains_key(&**key) {
                draft.labels.insert(key, value);
                given.changed = true;
            }
        }
        Ok(Effect::Given(given))
    }

    /// The other way out, where there is one.
    fn or_decline(&self) -> String {
        let Profile { name, required, .. } = self.profile;
        if *required {
            String::new()
        } else {
            format!(", or decline the profile ({ASKS}: \"-{name}\")")
        }
    }

    /// The volume that a container has at the path, and whether all of it; an error if another profile puts one there.
    fn mounted<'s>(
        &self,
        seat: &'s Seat<'a>,
        path: &str,
    ) -> Result<Option<(&'s str, bool)>, String> {
        if let Some((.., by)) = seat.mounts.iter().find(|(_, taken, _)| **taken == *path) {
            return Err(format!(
                "profiles \"{by}\" and \"{}\" both mount a volume at {path} of container \"{}\"; decline one of them \
                 ({ASKS}: \"-{by}\")",
                self.profile.name, seat.container.name
            ));
        }
        let mount = seat.container.mount_at(path);
        Ok(mount.map(|mount| (&*mount.name, mount.is_whole())))
    }

    /// The name of the new volume: the profile's own, or the next that is free.
    fn free(&self, draft: &Draft<'a>, taken: Option<usize>) -> Result<String, String> {
        let Profile {
            name,
            volume,
            on_clash,
            ..
        } = self.profile;
        let Some(holder) = taken.and_then(|at| draft.volumes.get(at)) else {
            return Ok(volume.name.clone());
        };
        if *on_clash == OnClash::Refuse {
            let whose = holder.by.map_or_else(
                || "the pod has a volume".to_owned(),
                |by| format!("profile \"{by}\" adds a volume"),
            );
            return Err(format!(
                "profile \"{name}\": {whose} \"{}\" that holds something else than that of the profile; rename it{}",
                volume.name,
                self.or_decline()
            ));
        }
        let names: HashSet<&str> = draft.volumes.iter().map(|held| &*held.name).collect();
        // A name of 63 characters leaves no room for a number.
        let stem: String = volume.name.chars().take(56).collect();
        let numbered = (2..).map(|number: u32| format!("{stem}-{number}"));
        let mut free = numbered
            .take(names.len() + 1)
            .filter(|name| !names.contains(&**name));
        free.next()
            .ok_or_else(|| format!("profile \"{name}\": no name is free for its volume"))
    }

    /// Gives a container the variables that it has not; their names.
    fn env(&self, seat: &mut Seat<'a>, account: Option<&Known<'_>>, windows: bool) -> Vec<&'a str> {
        let mut added = Vec::new();
        let (before, profile) = (seat.env.len(), self.profile);
        for variable in &profile.env {
            let set = |seat: &Seat<'_>, name: &str| {
                let earlier = seat.env.iter().take(before);
                seat.container.has_env(name) || earlier.into_iter().any(|(held, _)| **held == *name)
            };
            if set(seat, &variable.name) || variable.unless_set.iter().any(|name| set(seat, name)) {
                continue;
            }
            let value = match &variable.value {
                EnvValue::Literal(value) => Some(Cow::Borrowed(&**value)),
                EnvValue::Annotation {
                    key,
                    values,
                    otherwise,
                } => {
                    let given = account.and_then(|known| known.get(key));
                    let meant = given.and_then(|given| match values {
                        None => Some(given),
                        Some(values) => values.get(given).map(|value| &**value),
                    });
                    let meant = meant.map(|value| Cow::Owned(value.to_owned()));
                    meant.or(otherwise.as_deref().map(Cow::Borrowed))
                }
                EnvValue::TokenFile(path) => {
                    let file = format!("{}/{path}", profile.volume.mount_path);
                    let file = if windows {
                        format!("C:{}", file.replace('/', "\\"))
                    } else {
                        file
                    };
                    Some(Cow::Owned(file))
                }
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                seat.env.push((&variable.name, value.into_owned()));
                added.push(&*variable.name);
            }
        }
        added
    }
}

impl Profile {
    /// Whether it cannot be worked out without the service account.
    fn depends_on_account(&self) -> bool {
        let from_account =
            |env: &super::profile::Env| matches!(env.value, EnvValue::Annotation { .. });
        !self.select.account_annotations.is_empty() || self.env.iter().any(from_account)
    }
}
