//! What is done about a profile, given what the pod has. Decided only: nothing is written here.

use std::collections::HashSet;

use super::{
    content::Extended,
    draft::Draft,
    effect::{Effect, Skipped},
    entry::OnClash,
    profile::Profile,
    survey::{Place, Survey},
    why::{Declined, Hindrance, Passed, Refused},
};

/// What is done about a profile.
pub(super) enum Decision<'a> {
    /// The containers that are to have it and have not get this volume.
    Give(Volume),
    /// Nothing; the effect says why.
    Nothing(Effect<'a>),
}

/// The volume that containers get.
pub(super) enum Volume {
    /// One that is there and holds the same, by its name.
    Held(String),
    /// A new one of this name.
    New(String),
    /// One that is there, by its name, once these tokens live no longer than they should, each with the place of its volume.
    Shortened(String, Vec<(usize, Extended)>),
}

/// What is done about a profile. A volume that a container has already at its place comes first, then one that holds the
/// same, then a new one.
pub(super) fn decide<'a>(
    profile: &'a Profile,
    survey: &Survey<'a>,
    draft: &Draft<'a>,
) -> Decision<'a> {
    let refused = |why| Decision::Nothing(Effect::Refused(Refused { profile, why }));
    let mut extended = Vec::new();
    for (place, seat) in survey.seats.iter().zip(&draft.seats) {
        let container = || seat.container.name.to_string();
        match place {
            Place::ByProfile(by) => {
                let container = container();
                return refused(Hindrance::Profile { by, container });
            }
            Place::Other(volume) => {
                return refused(Hindrance::Place {
                    container: container(),
                    volume: volume.clone(),
                });
            }
            Place::Extended(at, tokens) => extended.extend(tokens.iter().map(|held| (*at, *held))),
            Place::Free | Place::Same | Place::Skipped(_) => {}
        }
    }
    let skipped = |place: &Place<'_>| matches!(place, Place::Skipped(_));
    if survey.seats.iter().all(skipped) {
        let by_pod = |place: &Place<'_>| matches!(place, Place::Skipped(Skipped::ByPod));
        return Decision::Nothing(if survey.seats.iter().any(by_pod) {
            Effect::Declined(Declined::Containers)
        } else {
            Effect::Passed(Passed::Containers)
        });
    }
    let last = extended.last().map(|(at, _)| *at);
    let held = last.or(survey.same);
    let held = held.and_then(|at| Some(draft.volumes.get(at)?.name.to_string()));
    match held {
        Some(name) if extended.is_empty() => Decision::Give(Volume::Held(name)),
        Some(name) => Decision::Give(Volume::Shortened(name, extended)),
        None => match free(profile, survey, draft) {
            Ok(name) => Decision::Give(Volume::New(name)),
            Err(why) => refused(why),
        },
    }
}

/// The name of the new volume: the profile's own, or the next that is free.
fn free<'a>(
    profile: &Profile,
    survey: &Survey<'a>,
    draft: &Draft<'a>,
) -> Result<String, Hindrance<'a>> {
    let Profile {
        volume, on_clash, ..
    } = profile;
    let Some(holder) = survey.namesake.and_then(|at| draft.volumes.get(at)) else {
        return Ok(volume.name.clone());
    };
    if *on_clash == OnClash::Refuse {
        return Err(Hindrance::Volume(holder.by));
    }
    let names: HashSet<&str> = draft.volumes.iter().map(|held| &*held.name).collect();
    // A name of 63 characters leaves no room for a number.
    let stem: String = volume.name.chars().take(56).collect();
    let numbered = (2..).map(|number: u32| format!("{stem}-{number}"));
    let mut free = numbered
        .take(names.len() + 1)
        .filter(|name| !names.contains(&**name));
    free.next().ok_or(Hindrance::NoName)
}
