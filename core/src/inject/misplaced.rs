//! Where a mistake stands in the entry of a profile.

use super::{
    bad::{BadProfile, ProfileMistake},
    entry::{EnvEntry, ProfileEntry, TokenEntry},
};
use crate::reference::{Step, token::EXTENDED};

/// The way to what is wrong, in the entry. Where the entry does not say it, but its preset, the way leads past its end.
pub(super) fn way(bad: &BadProfile, entry: &ProfileEntry) -> Vec<Step<'static>> {
    match bad {
        BadProfile::Embedded(_) | BadProfile::Merge(_) => Vec::new(),
        BadProfile::Mistaken { mistake, .. } => of_mistake(mistake, entry),
        BadProfile::NoPreset { .. } => vec![Step::Key("preset")],
        BadProfile::Twice(_) if entry.name.is_none() => vec![Step::Key("preset")],
        BadProfile::Name(_) | BadProfile::Twice(_) => vec![Step::Key("name")],
    }
}

fn of_mistake(mistake: &ProfileMistake, entry: &ProfileEntry) -> Vec<Step<'static>> {
    let keys = |outer, inner| vec![Step::Key(outer), Step::Key(inner)];
    // Of two that want one thing it is the second that is wrong.
    let token = |is: &dyn Fn(&TokenEntry) -> bool, key| {
        let at = entry
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.iter().rposition(is));
        let mut way = vec![Step::Key("tokens")];
        way.extend(
            at.into_iter()
                .flat_map(|at| [Step::Index(at), Step::Key(key)]),
        );
        way
    };
    let variable = |is: &dyn Fn(&EnvEntry) -> bool, key| {
        let at = entry.env.as_ref().and_then(|env| env.iter().rposition(is));
        let mut way = vec![Step::Key("env")];
        way.extend(
            at.into_iter()
                .flat_map(|at| [Step::Index(at), Step::Key(key)]),
        );
        way
    };
    match mistake {
        ProfileMistake::Audience => keys("overrides", "audience"),
        ProfileMistake::Bounds(..) => keys("bounds", "expirationSeconds"),
        ProfileMistake::Extended => token(
            &|token| token.expiration_seconds == Some(EXTENDED),
            "expirationSeconds",
        ),
        ProfileMistake::Group(_) => keys("fsGroup", "value"),
        ProfileMistake::Jitter { path, .. } => token(&|token| token.path == *path, "jitterSeconds"),
        ProfileMistake::Lifetime { path, .. } => {
            token(&|token| token.path == *path, "expirationSeconds")
        }
        ProfileMistake::Mode => keys("volume", "defaultMode"),
        ProfileMistake::MountPath(_) => keys("volume", "mountPath"),
        ProfileMistake::NoToken { variable: name, .. } => {
            variable(&|env| env.name == *name, "tokenFile")
        }
        ProfileMistake::NoTokens => vec![Step::Key("tokens")],
        ProfileMistake::OnePath(_, path) | ProfileMistake::TokenPath(path) => {
            token(&|token| token.path == *path, "path")
        }
        ProfileMistake::Variable(name)
        | ProfileMistake::VariableTwice(name)
        | ProfileMistake::Value(name) => variable(&|env| env.name == *name, "name"),
        ProfileMistake::Values(name) => variable(&|env| env.name == *name, "values"),
        ProfileMistake::Volume(_) => keys("volume", "name"),
    }
}
