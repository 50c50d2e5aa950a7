//! Why something could not be found out. For a guard that is a no.

use std::fmt;

use super::facts::{FactError, ObjectRef};

/// Why something could not be found out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unknown {
    /// An account that may be there already, and somebody else's.
    Account(ObjectRef, Unread),
    /// What brings tolerations with it: the runtime class of this name.
    Class(String, Unread),
    /// A config map that may name the account.
    ConfigMap(ObjectRef, Unread),
    /// A part of the object cannot be read; the text says why.
    Lost(String),
    /// It may name anything and is not looked into; the text says what it is.
    Opaque(String),
    /// The owner, which the text names, of an object that a controller made.
    Owner(String, Unread),
    /// The running pod that somebody connects to.
    Pod(ObjectRef, Unread),
    /// The API server's access review.
    Review(FactError),
    /// More than this many of something, which the text names, are not looked at.
    TooMany(usize, &'static str),
    /// The version, the first text, of the kind, the second, is one whose fields nobody knows.
    Version(String, String),
}

/// Why an object that decides is not known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unread {
    /// It is not there.
    Absent,
    /// It is not what the API says it is; the text says why.
    Bad(String),
    /// It stands in another namespace than the object that names it: nobody learns there what stands here.
    Elsewhere,
    /// It could not be had.
    Failed(FactError),
}

impl Unknown {
    /// Whether it would be known if the command line had been given an object.
    pub fn is_not_given(&self) -> bool {
        let error = match self {
            Self::Account(_, why)
            | Self::Class(_, why)
            | Self::ConfigMap(_, why)
            | Self::Owner(_, why)
            | Self::Pod(_, why) => match why {
                Unread::Failed(error) => error,
                Unread::Absent | Unread::Bad(_) | Unread::Elsewhere => return false,
            },
            Self::Review(error) => error,
            Self::Lost(_) | Self::Opaque(_) | Self::TooMany(..) | Self::Version(..) => {
                return false;
            }
        };
        matches!(error, FactError::NotGiven(_))
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account, why) => {
                write!(f, "{account}, which may be there already, {why}")
            }
            Self::Class(class, why) => {
                let lead =
                    format_args!("the tolerations of runtimeclass \"{class}\" are not known");
                match why {
                    Unread::Absent => write!(f, "{lead}: it was not found"),
                    Unread::Bad(why) => write!(f, "{lead}: {why}"),
                    Unread::Elsewhere => write!(f, "{lead}: it is one of another namespace"),
                    Unread::Failed(error) => write!(f, "{lead}: {error}"),
                }
            }
            Self::ConfigMap(map, why) => {
                write!(f, "{map}, which may name the account, {why}")
            }
            Self::Lost(why) => f.write_str(why),
            Self::Opaque(what) => write!(f, "not looked into: {what}"),
            Self::Owner(who, Unread::Bad(why)) => write!(f, "{who}: {why}"),
            Self::Owner(who, why) => write!(f, "{who} {why}"),
            Self::Pod(pod, why) => write!(f, "{pod} {why}"),
            Self::Review(error) => error.fmt(f),
            Self::TooMany(most, what) => write!(f, "no more than {most} {what} are looked at"),
            Self::Version(version, kind) => {
                write!(
                    f,
                    "the fields of version \"{version}\" of {kind} are not known"
                )
            }
        }
    }
}

/// As it follows the name of what could not be read.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("was not found"),
            Self::Bad(why) => write!(f, "could not be read: {why}"),
            Self::Elsewhere => f.write_str("is one of another namespace and not read"),
            Self::Failed(error) => write!(f, "could not be read: {error}"),
        }
    }
}
