//! Why a pod gets nothing of a profile, or cannot be let in: closed, and in words only at the end.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use super::profile::Profile;
use crate::{object::BadObject, reference::Shown};

/// The annotation by which a pod asks for profiles (`vault,aws-irsa`), declines one (`-vault`) or all (`false`).
pub(super) const ASKS: &str = "usher.dev/inject";

/// The pod should get the profile, but what that depends on is not known or not there.
#[derive(Clone, Debug)]
pub enum Missed<'a> {
    /// Nothing is known of its service account.
    Account {
        /// The name of the account.
        account: String,
        /// Why nothing is known.
        why: NoAccount,
    },
    /// Its service account lacks an annotation.
    Annotation {
        /// The name of the account.
        account: String,
        /// The key.
        key: &'a str,
    },
}

/// Why nothing is known of a service account.
#[derive(Clone, Debug)]
pub enum NoAccount {
    /// It could not be had; what whoever has it said.
    Failed(String),
    /// There is none.
    Missing,
    /// It is not what the API says it is.
    Unreadable(Arc<BadObject>),
}

/// The pod says that it does not want the profile: how.
#[derive(Clone, Debug)]
pub enum Declined<'a> {
    /// By its annotation for profiles.
    Annotation,
    /// It leaves out all containers.
    Containers,
    /// By this label.
    Label(&'a str),
    /// It shows a static pod of a kubelet, which nobody could change.
    Mirror,
}

/// The profile is not for the pod.
#[derive(Clone, Debug)]
pub enum Passed<'a> {
    /// It is for others than this service account.
    Account(String),
    /// It is for service accounts with another annotation.
    AccountAnnotation {
        /// The name of the account.
        account: String,
        /// The key.
        key: &'a str,
    },
    /// It is for no container of the pod.
    Containers,
    /// It is for others than this namespace.
    Namespace(&'a str),
    /// It is for pods with this annotation.
    NoAnnotation(&'a str),
    /// It is for pods with this label.
    NoLabel(&'a str, &'a str),
    /// It is for pods that ask for it by this name.
    NotAsked(&'a str),
}

/// What a pod asks for and cannot have.
#[derive(Clone, Debug)]
pub enum Refusal<'a> {
    /// A profile as it is.
    Profile(Refused<'a>),
    /// A profile of this name, which is not there or for others: the same is said of both.
    Unknown {
        /// The name that it asks for.
        name: String,
        /// Its service account.
        account: String,
        /// Its namespace.
        namespace: &'a str,
        /// The names of the profiles that it would get.
        gets: Vec<&'a str>,
    },
}

/// The pod cannot have the profile as it is.
#[derive(Clone, Debug)]
pub struct Refused<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// What hinders it.
    pub why: Hindrance<'a>,
}

/// What keeps a pod from having a profile.
#[derive(Clone, Debug)]
pub enum Hindrance<'a> {
    /// It asks by this annotation for what the profile does not do.
    Annotation(&'a str),
    /// Somebody asks for an audience that the profile does not allow.
    Audience {
        /// The audience.
        audience: String,
        /// The annotation that names it.
        key: &'a str,
        /// Whose it is.
        of: Whose,
    },
    /// Somebody asks for a lifetime that the profile does not allow.
    Bounds {
        /// The lifetime in seconds.
        seconds: i64,
        /// The annotation that names it.
        key: &'a str,
        /// Whose it is.
        of: Whose,
    },
    /// Somebody asks for a lifetime that is none.
    Lifetime {
        /// What is written.
        text: String,
        /// The annotation that holds it.
        key: &'a str,
        /// Whose it is.
        of: Whose,
    },
    /// Every name for its volume is taken.
    NoName,
    /// A container has another volume at its place.
    Place {
        /// The container.
        container: String,
        /// The volume.
        volume: String,
    },
    /// Another profile wants its place.
    Profile {
        /// The other one.
        by: &'a str,
        /// The container.
        container: String,
    },
    /// The name of its volume is taken by another volume: of this profile, or of the pod.
    Volume(Option<&'a str>),
}

/// Who wrote an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The author of the service account.
    Account,
    /// The author of the pod.
    Pod,
}

impl fmt::Display for Missed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        match self {
            Self::Account { account, why } => write!(f, "service account \"{account}\" {why}"),
            Self::Annotation { account, key } => {
                write!(f, "service account \"{account}\" has no annotation {key}")
            }
        }
    }
}

impl fmt::Display for NoAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "could not be read: {why}"),
            Self::Missing => f.write_str("was not found"),
            Self::Unreadable(bad) => write!(f, "could not be read: {bad}"),
        }
    }
}

/// What both say of a pod that has no container for a profile.
const CONTAINERS: &str = "no container of the pod is to have it";

impl fmt::Display for Declined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        match self {
            Self::Annotation => write!(f, "the pod declines it by its annotation {ASKS}"),
            Self::Containers => f.write_str(CONTAINERS),
            Self::Label(key) => write!(f, "the pod declines it by its label {key}"),
            Self::Mirror => f.write_str("the pod says that it shows a static pod of a kubelet"),
        }
    }
}

impl fmt::Display for Passed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        match self {
            Self::Account(account) => write!(f, "it is not for service account \"{account}\""),
            Self::AccountAnnotation { account, key } => {
                write!(f, "service account \"{account}\" has no annotation {key}")
            }
            Self::Containers => f.write_str(CONTAINERS),
            Self::Namespace(namespace) => write!(f, "it is not for namespace {namespace}"),
            Self::NoAnnotation(key) => write!(f, "the pod has no annotation {key}"),
            Self::NoLabel(key, value) => write!(f, "the pod has no label {key}: \"{value}\""),
            Self::NotAsked(name) => write!(f, "the pod does not ask for it ({ASKS}: {name})"),
        }
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        match self {
            Self::Profile(refused) => write!(f, "{refused}"),
            Self::Unknown {
                name,
                account,
                namespace,
                gets,
            } => {
                write!(
                    f,
                    "the pod asks for profile \"{}\", which is none for service account \"{account}\" in namespace {namespace} \
                     (metadata.annotations[{ASKS}])",
                    name.escape_debug()
                )?;
                if !gets.is_empty() {
                    write!(f, "; it would get {}", gets.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Shown(f);
        let Profile {
            name,
            volume,
            bounds,
            ..
        } = self.profile;
        let path = &volume.mount_path;
        let (least, most) = (bounds.seconds.start(), bounds.seconds.end());
        match &self.why {
            Hindrance::Annotation(key) => write!(
                f,
                "profile \"{name}\" does not do what the pod asks for by its annotation {key}; remove the annotation{}",
                or_decline(self.profile)
            ),
            Hindrance::Audience { audience, key, of } => {
                let audience: String = audience.chars().take(200).collect();
                write!(
                    f,
                    "profile \"{name}\": the audience \"{}\" is not one that it allows (annotation {key} of {of})",
                    audience.escape_debug()
                )
            }
            Hindrance::Bounds { seconds, key, of } => write!(
                f,
                "profile \"{name}\": a lifetime of {seconds} s is not within {least} to {most} s (annotation {key} of {of})"
            ),
            Hindrance::Lifetime { text, key, of } => {
                let text: String = text.chars().take(40).collect();
                write!(
                    f,
                    "profile \"{name}\": the lifetime \"{}\" is no number of seconds (annotation {key} of {of}); write a \
                     whole number from {least} to {most}",
                    text.escape_debug()
                )
            }
            Hindrance::NoName => write!(f, "profile \"{name}\": no name is free for its volume"),
            Hindrance::Place {
                container,
                volume: other,
            } => write!(
                f,
                "profile \"{name}\": container \"{container}\" mounts volume \"{other}\" at {path}, where volume \"{}\" of \
                 the profile has its place; mount it elsewhere{}",
                volume.name,
                or_decline(self.profile)
            ),
            Hindrance::Profile { by, container } => write!(
                f,
                "profiles \"{by}\" and \"{name}\" both mount a volume at {path} of container \"{container}\"; decline one \
                 of them ({ASKS}: \"-{by}\")"
            ),
            Hindrance::Volume(by) => {
                write!(f, "profile \"{name}\": ")?;
                match by {
                    Some(by) => write!(f, "profile \"{by}\" adds a volume")?,
                    None => f.write_str("the pod has a volume")?,
                }
                write!(
                    f,
                    " \"{}\" that holds something else than that of the profile; rename it{}",
                    volume.name,
                    or_decline(self.profile)
                )
            }
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "the service account",
            Self::Pod => "the pod",
        })
    }
}

/// The other way out for a pod that cannot have a profile as it is, as the end of a sentence, where there is one.
pub(super) fn or_decline(profile: &Profile) -> String {
    let Profile { name, required, .. } = profile;
    if *required {
        String::new()
    } else {
        format!(", or decline the profile ({ASKS}: \"-{name}\")")
    }
}
