//! What a volume holds, compared by content.

use serde_json::{Map, Value, json};

use super::{effect::GivenToken, profile::Profile};
use crate::{
    object::Projected,
    reference::token::{EXTENDED, FILE_MODE},
};

/// What the volume of a profile is to hold in one pod, all values decided.
#[derive(Debug)]
pub(super) struct Content<'p> {
    pub(super) profile: &'p Profile,
    pub(super) tokens: Vec<GivenToken>,
}

/// How a volume of a pod compares to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// It holds something else.
    Different,
    /// It holds the same, but for tokens that live for a year: what Kubernetes mounts by itself.
    Extended(Vec<Extended>),
    /// It holds the same.
    Same,
}

/// A token of a pod's volume that lives for a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extended {
    /// Its place among the sources of the volume.
    pub(super) source: usize,
    /// The lifetime in seconds that it is to have.
    pub(super) seconds: i64,
}

impl<'p> Content<'p> {
    pub(super) fn new(profile: &'p Profile, tokens: Vec<GivenToken>) -> Self {
        Self { profile, tokens }
    }

    /// Compares by what is in it, never by name, and whatever the order of the sources. A lifetime may be any that the
    /// profile allows: that of a volume from an earlier round, or the pod's own word.
    pub(super) fn compare(&self, volume: &Projected<'_>) -> Compared {
        let profile = self.profile;
        let mode = profile.volume.mode.unwrap_or(FILE_MODE);
        let wanted = self.tokens.len()
            + usize::from(profile.root_certificate)
            + usize::from(profile.namespace_file);
        if volume.mode() != mode || volume.sources().len() != wanted {
            return Compared::Different;
        }
        let mut extended = Vec::new();
        let mut left: Vec<&GivenToken> = self.tokens.iter().collect();
        let (mut certificate, mut namespace) = (profile.root_certificate, profile.namespace_file);
        for (index, source) in volume.sources().iter().enumerate() {
            if let Some(held) = &source.service_account_token {
                let is_it = |token: &&GivenToken| {
                    *token.audience == *held.audience && *token.path == *held.path
                };
                let Some(at) = left.iter().position(is_it) else {
                    return Compared::Different;
                };
                let token = left.swap_remove(at);
                if held.audience.is_empty() && held.seconds() == EXTENDED {
                    extended.push(Extended {
                        source: index,
                        seconds: token.seconds,
                    });
                } else if !profile.bounds.seconds.contains(&held.seconds()) {
                    return Compared::Different;
                }
            } else if certificate && source.is_root_certificate() {
                certificate = false;
            } else if namespace && source.is_namespace() {
                namespace = false;
            } else {
                return Compared::Different;
            }
        }
        if extended.is_empty() {
            Compared::Same
        } else {
            Compared::Extended(extended)
        }
    }

    /// The volume as JSON.
    pub(super) fn volume(&self, name: &str) -> Value {
        let profile = self.profile;
        let token = |token: &GivenToken| {
            let mut source = Map::new();
            if !token.audience.is_empty() {
                source.insert("audience".to_owned(), token.audience.clone().into());
            }
            source.insert("expirationSeconds".to_owned(), token.seconds.into());
            source.insert("path".to_owned(), token.path.clone().into());
            json!({ "serviceAccountToken": source })
        };
        let mut sources: Vec<Value> = self.tokens.iter().map(token).collect();
        if profile.root_certificate {
            let items = json!([{"key": "ca.crt", "path": "ca.crt"}]);
            sources.push(json!({"configMap": {"name": "kube-root-ca.crt", "items": items}}));
        }
        if profile.namespace_file {
            let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
            let items = json!([{"path": "namespace", "fieldRef": field}]);
            sources.push(json!({"downwardAPI": {"items": items}}));
        }
        let mut projected = Map::new();
        if let Some(mode) = profile.volume.mode {
            projected.insert("defaultMode".to_owned(), mode.into());
        }
        projected.insert("sources".to_owned(), sources.into());
        json!({"name": name, "projected": projected})
    }
}
