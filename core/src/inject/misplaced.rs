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
    let token =
        |is: &dyn Fn(&TokenEntry) -> bool, key| item("tokens", entry.tokens.as_deref(), is, key);
    let variable = |is: &dyn Fn(&EnvEntry) -> bool, key| item("env", entry.env.as_deref(), is, key);
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

/// The way to a key of an item of a list. Of two that want one thing it is the second that is wrong.
fn item<T>(
    list: &'static str,
    items: Option<&[T]>,
    is: impl Fn(&T) -> bool,
    key: &'static str,
) -> Vec<Step<'static>> {
    let at = items.and_then(|items| items.iter().rposition(is));
    let below = at.map(|at| [Step::Index(at), Step::Key(key)]);
    let list = std::iter::once(Step::Key(list));
    list.chain(below.into_iter().flatten()).collect()
}
