//! What a pod has already of what a profile gives. Looked at only: nothing is decided here, and nothing written.

use super::{
    content::{Compared, Content, Extended},
    draft::{Draft, NewMount, Seat},
    effect::Skipped,
    select::Chosen,
};

/// What a pod has already of what a profile gives.
pub(super) struct Survey<'a> {
    /// The first volume that holds the same, by its place.
    pub(super) same: Option<usize>,
    /// The volume that has the name of the profile's own, by its place.
    pub(super) namesake: Option<usize>,
    /// What each container has.
    pub(super) seats: Vec<Place<'a>>,
}

/// What a container has at the place of the profile.
pub(super) enum Place<'a> {
    /// The volume of this other profile, since a moment ago.
    ByProfile(&'a str),
    /// The whole of a volume that holds the same, but for tokens that live for a year.
    Extended(usize, Vec<Extended>),
    /// Nothing.
    Free,
    /// Something else: this volume, or a part of one.
    Other(String),
    /// The whole of a volume that holds the same.
    Same,
    /// Whatever it is: the container is left out.
    Skipped(Skipped),
}

impl<'a> Survey<'a> {
    pub(super) fn of(content: &Content<'_>, chosen: &Chosen<'_>, draft: &Draft<'a>) -> Self {
        let volume = &content.profile.volume;
        let compared: Vec<Compared> = draft
            .volumes
            .iter()
            .map(|held| match &held.projected {
                Some(projected) => content.compare(projected),
                None => Compared::Different,
            })
            .collect();
        let named = |name: &str| draft.volumes.iter().position(|held| *held.name == *name);
        let place = |seat: &Seat<'a>| {
            if let Some(why) = chosen.skips(&seat.container.name) {
                return Place::Skipped(why);
            }
            let taken = |mount: &&NewMount<'_>| *mount.path == *volume.mount_path;
            if let Some(mount) = seat.mounts.iter().find(taken) {
                return Place::ByProfile(mount.by);
            }
            let Some(mount) = seat.container.mount_at(&volume.mount_path) else {
                return Place::Free;
            };
            let at = named(&mount.name).filter(|_| mount.is_whole());
            match at.and_then(|at| Some((at, compared.get(at)?))) {
                Some((_, Compared::Same)) => Place::Same,
                Some((at, Compared::Extended(tokens))) => Place::Extended(at, tokens.clone()),
                Some((_, Compared::Different)) | None => Place::Other(mount.name.to_string()),
            }
        };
        Self {
            same: compared.iter().position(|held| *held == Compared::Same),
            namesake: named(&volume.name),
            seats: draft.seats.iter().map(place).collect(),
        }
    }
}
