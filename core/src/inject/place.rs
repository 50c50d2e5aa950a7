//! Puts a profile into the draft of a pod, once all is decided.

use std::borrow::Cow;

use super::{
    account::Known,
    content::Content,
    decide::Volume,
    draft::{Draft, NewMount, NewVariable, Seat},
    effect::{Given, GivenGroup, Touched},
    entry::When,
    nested::nested,
    pod::Head,
    profile::{Env, EnvValue, Profile},
    survey::Place,
};

/// What is put into the draft.
pub(super) struct Placing<'a, 's> {
    pub(super) head: &'s Head<'a>,
    /// None if it is not known.
    pub(super) account: Option<&'s Known<'s>>,
    pub(super) content: Content<'a>,
    /// What each container has.
    pub(super) seats: &'s [Place<'a>],
    pub(super) warnings: Vec<String>,
}

impl<'a> Placing<'a, '_> {
    /// Puts the volume, the mounts and the rest into the draft.
    pub(super) fn place(mut self, volume: Volume, draft: &mut Draft<'a>) -> Given<'a> {
        let profile = self.content.profile;
        let mut shortened = None;
        let (volume, mut changed) = match volume {
            Volume::Held(name) => (name, false),
            Volume::New(name) => {
                let content = self.content.volume(&name);
                draft.add_volume(name.clone(), &profile.name, content);
                (name, true)
            }
            Volume::Shortened(name, tokens) => {
                for (at, token) in tokens {
                    draft.shorten(at, token.source, token.seconds);
                    shortened = Some(token.seconds);
                }
                (name, true)
            }
        };
        let mut containers = Vec::with_capacity(self.seats.len());
        for (seat, place) in draft.seats.iter_mut().zip(self.seats) {
            // Of Windows too little is known.
            if matches!(place, Place::Free) && !draft.windows {
                self.warnings.extend(nested(profile, seat, &self.head.spec));
            }
            let touched = self.seat(seat, place, &volume, draft.windows);
            changed |= touched.mounted || !touched.env.is_empty();
            containers.push(touched);
        }
        let fs_group = group(profile, &containers, draft);
        changed |= fs_group.is_some();
        for (key, value) in &profile.labels {
            if !self.head.has_label(key) && !draft.labels.contains_key(&**key) {
                draft.labels.insert(key, value);
                changed = true;
            }
        }
        Given {
            volume,
            tokens: self.content.tokens,
            containers,
            fs_group,
            shortened,
            changed,
            warnings: self.warnings,
        }
    }

    /// Gives a container the mount and the variables that it has not.
    fn seat(
        &self,
        seat: &mut Seat<'a>,
        place: &Place<'_>,
        volume: &str,
        windows: bool,
    ) -> Touched<'a> {
        let profile = self.content.profile;
        let mut touched = Touched {
            name: seat.container.name.clone(),
            skipped: None,
            mounted: false,
            env: Vec::new(),
        };
        match place {
            Place::Skipped(why) => {
                touched.skipped = Some(*why);
                return touched;
            }
            Place::Free => {
                seat.mounts.push(NewMount {
                    volume: volume.to_owned(),
                    path: &profile.volume.mount_path,
                    by: &profile.name,
                });
                touched.mounted = true;
            }
            Place::ByProfile(_) | Place::Extended(..) | Place::Other(_) | Place::Same => {}
        }
        touched.env = self.env(seat, windows);
        touched
    }

    /// Gives a container the variables that it has not; their names.
    fn env(&self, seat: &mut Seat<'a>, windows: bool) -> Vec<&'a str> {
        let mut added = Vec::new();
        let before = seat.env.len();
        for variable in &self.content.profile.env {
            let set = |name: &str| {
                let mut earlier = seat.env.iter().take(before);
                seat.container.has_env(name) || earlier.any(|held| *held.name == *name)
            };
            if set(&variable.name) || variable.unless_set.iter().any(|name| set(name)) {
                continue;
            }
            let value = self.value(variable, windows);
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                seat.env.push(NewVariable {
                    name: &variable.name,
                    value: value.into_owned(),
                });
                added.push(&*variable.name);
            }
        }
        added
    }

    /// The value of a variable; none if its annotation has none.
    fn value(&self, variable: &'a Env, windows: bool) -> Option<Cow<'a, str>> {
        match &variable.value {
            EnvValue::Literal(value) => Some(Cow::Borrowed(&**value)),
            EnvValue::Annotation {
                key,
                values,
                otherwise,
            } => {
                let given = self.account.and_then(|known| known.get(key));
                let meant = given.and_then(|given| match values {
                    None => Some(given),
                    Some(values) => values.get(given).map(|value| &**value),
                });
                let meant = meant.map(|value| Cow::Owned(value.to_owned()));
                meant.or(otherwise.as_deref().map(Cow::Borrowed))
            }
            EnvValue::TokenFile(path) => {
                let file = format!("{}/{path}", self.content.profile.volume.mount_path);
                Some(Cow::Owned(if windows {
                    format!("C:{}", file.replace('/', "\\"))
                } else {
                    file
                }))
            }
        }
    }
}

/// Gives the pod a group, where the first container wants one, nobody has said which, and the pod can have one.
fn group<'a>(
    profile: &Profile,
    containers: &[Touched<'a>],
    draft: &mut Draft<'a>,
) -> Option<GivenGroup<'a>> {
    let security = draft.security;
    let taken = security.is_some_and(|held| held.fs_group.is_some()) || draft.fs_group.is_some();
    if taken || draft.windows {
        return None;
    }
    let mut seats = draft.seats.iter().zip(containers);
    let (_, because) = seats.find(|(seat, touched)| {
        touched.skipped.is_none()
            && match profile.fs_group.when {
                When::Never => false,
                When::IfNonRoot => seat.container.is_not_root(security),
                When::Always => true,
            }
    })?;
    draft.fs_group = Some(profile.fs_group.value);
    Some(GivenGroup {
        id: profile.fs_group.value,
        because: because.name.clone(),
    })
}
