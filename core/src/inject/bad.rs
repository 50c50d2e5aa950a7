//! Why an entry of the configuration is no profile.

use crate::reference::token::EXTENDED;

/// A profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadProfile {
    /// What ships with Usher cannot be read: no profile of a user is at fault.
    #[error("the presets cannot be read: {0}")]
    Embedded(String),
    /// What an entry takes from its preset does not fit.
    #[error(transparent)]
    Merge(#[from] serde_json::Error),
    /// A value of this profile is not legal.
    #[error("profile \"{name}\" {mistake}")]
    Mistaken {
        /// The name of the profile.
        name: String,
        /// What is wrong.
        mistake: ProfileMistake,
    },
    /// It has no name that pods could ask by.
    #[error("a profile needs a name of lower case letters, digits and \"-\"; \"{0}\" is none")]
    Name(String),
    /// There is no such preset.
    #[error("there is no preset \"{name}\"; {instead}")]
    NoPreset {
        /// What was asked for.
        name: String,
        /// What to write instead, in words.
        instead: String,
    },
    /// Two profiles have one name.
    #[error("two profiles are called \"{0}\": give one of them another name")]
    Twice(String),
}

/// What is wrong with a profile. In words it goes on from the name of the profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileMistake {
    /// The annotation for the audience could be for any of its tokens.
    #[error("has several tokens: an annotation for the audience would not say of which")]
    Audience,
    /// Its bounds, in seconds, are none that Kubernetes has.
    #[error("has bounds from {0} to {1} s, which are not within 600 to 4294967296 s")]
    Bounds(i64, i64),
    /// A token at this path lives too long for an old client's sake: for a year.
    #[error(
        "has a token of exactly {EXTENDED} s for the API server, which lets it live for a year: write 3600"
    )]
    Extended,
    /// The group is none.
    #[error("has the fsGroup {0}, which is no group")]
    Group(i64),
    /// Jitter may take a token below what its bounds allow.
    #[error(
        "has a token of {seconds} s at \"{path}\" that {jitter} s of jitter may take below {least} s"
    )]
    Jitter {
        /// Its lifetime.
        seconds: i64,
        /// Its file.
        path: String,
        /// By how many seconds it may be shorter.
        jitter: i64,
        /// The shortest lifetime that is allowed.
        least: i64,
    },
    /// A lifetime is not within the profile's own bounds.
    #[error("has a token of {seconds} s at \"{path}\"; its bounds are {least} to {most} s")]
    Lifetime {
        /// Its lifetime.
        seconds: i64,
        /// Its file.
        path: String,
        /// The shortest lifetime that is allowed.
        least: i64,
        /// The longest.
        most: i64,
    },
    /// The mode of the files has more than permissions.
    #[error("has a defaultMode beyond 0777; write it octal, as 0644, or decimal, as 420")]
    Mode,
    /// The place in the containers is none.
    #[error("has the mount path \"{0}\", which is no absolute path")]
    MountPath(String),
    /// A variable is to be the file of a token that there is not.
    #[error("has no token at \"{path}\" for the variable \"{variable}\"")]
    NoToken {
        /// The file.
        path: String,
        /// The variable.
        variable: String,
    },
    /// There is nothing in its volume.
    #[error("has no tokens")]
    NoTokens,
    /// Two sources want one file, or one wants a file where the other wants a folder.
    #[error("wants one path of its volume for two sources: \"{0}\" and \"{1}\"")]
    OnePath(String, String),
    /// The file of a token is none.
    #[error("has a token at \"{0}\", which is no path within a volume")]
    TokenPath(String),
    /// A variable has no name.
    #[error("has a variable \"{}\", which is no name", .0.escape_debug())]
    Variable(String),
    /// A variable is set twice.
    #[error("sets the variable \"{0}\" twice")]
    VariableTwice(String),
    /// A variable has no value, or more than one.
    #[error(
        "must give the variable \"{0}\" a value, a fromServiceAccountAnnotation or a tokenFile"
    )]
    Value(String),
    /// What the values of an annotation become is said of no annotation.
    #[error(
        "gives the variable \"{0}\" values for those of an annotation, but names no fromServiceAccountAnnotation"
    )]
    Values(String),
    /// The name of the volume is none.
    #[error("has a volume \"{0}\", which is no name of a volume")]
    Volume(String),
}
