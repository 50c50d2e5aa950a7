//! What a profile comes to, in data and in words.

use std::fmt::{self, Write};

use super::{
    profile::Profile,
    why::{Declined, Missed, Passed, Refused},
};
use crate::reference::{Shown, Text, token::EXTENDED};

/// What a profile comes to for one pod.
#[derive(Debug)]
pub struct Step<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// What comes of it.
    pub effect: Effect<'a>,
}

/// What comes of a profile.
#[derive(Debug)]
pub enum Effect<'a> {
    /// The pod gets it, or has it already.
    Given(Given<'a>),
    /// The pod should get it, but what it depends on is not known or not there.
    Missed(Missed<'a>),
    /// The pod says that it does not want it.
    Declined(Declined<'a>),
    /// The profile is not for the pod.
    Passed(Passed<'a>),
    /// The pod cannot have it as it is.
    Refused(Refused<'a>),
}

impl Effect<'_> {
    /// Why the pod gets nothing; none if it does.
    pub fn nothing(&self) -> Option<&dyn fmt::Display> {
        match self {
            Self::Given(_) => None,
            Self::Missed(why) => Some(why),
            Self::Declined(why) => Some(why),
            Self::Passed(why) => Some(why),
            Self::Refused(why) => Some(why),
        }
    }
}

/// A profile in a pod.
#[derive(Debug)]
pub struct Given<'a> {
    /// The name of the volume in this pod.
    pub volume: String,
    /// The tokens.
    pub tokens: Vec<GivenToken>,
    /// What comes of each container.
    pub containers: Vec<Touched<'a>>,
    /// The fsGroup that the pod gets.
    pub fs_group: Option<GivenGroup<'a>>,
    /// The lifetime in seconds that the token of the pod's own volume gets.
    pub shortened: Option<i64>,
    /// Whether anything changes.
    pub changed: bool,
    /// What the author should know.
    pub warnings: Vec<String>,
}

/// A token, all values decided.
#[derive(Clone, Debug)]
pub struct GivenToken {
    /// Who accepts it; empty: the API server.
    pub audience: String,
    /// Its lifetime in seconds.
    pub seconds: i64,
    /// Its file in the volume.
    pub path: String,
}

/// The group that owns the files of the pod's volumes.
#[derive(Debug)]
pub struct GivenGroup<'a> {
    /// Its number.
    pub id: i64,
    /// The container because of which it is given.
    pub because: Text<'a>,
}

/// What comes of a container.
#[derive(Debug)]
pub struct Touched<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// Why it is left out; none if it gets the volume.
    pub skipped: Option<Skipped>,
    /// Whether it gets a mount, or has it already.
    pub mounted: bool,
    /// The variables that it gets.
    pub env: Vec<&'a str>,
}

/// Why a container is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// The pod says so, by an annotation.
    ByPod,
    /// The profile says so.
    ByProfile,
}

/// In words.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByPod => "an annotation of the pod leaves it out",
            Self::ByProfile => "the profile is not for it",
        })
    }
}

/// In words: what a pod gets.
impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        write!(f, "volume {}", self.volume)?;
        if let Some(seconds) = self.shortened {
            write!(f, " of the pod, its token from {EXTENDED} to {seconds} s")?;
        } else {
            for GivenToken {
                audience, seconds, ..
            } in &self.tokens
            {
                let audience = if audience.is_empty() {
                    "the API server"
                } else {
                    audience
                };
                write!(f, ", token for {audience} of {seconds} s")?;
            }
        }
        if let Some(GivenGroup { id, because }) = &self.fs_group {
            write!(f, ", fsGroup {id} (container {because})")?;
        }
        Ok(())
    }
}
