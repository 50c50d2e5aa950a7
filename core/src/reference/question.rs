//! What is asked of the cluster's rights.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use super::{Resource, Shown};

/// What the requester would do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Verb {
    /// Use it: the verb of ours.
    #[default]
    Use,
    /// Read it: asked where `use` is not granted, of what [`Resource::is_readable`] says.
    Get,
}

/// May the requester `use` this, in this namespace?
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Question<'a> {
    /// What would be done with it.
    pub verb: Verb,
    /// What kind of thing.
    pub resource: Resource,
    /// Where the right is looked for. Cluster-scoped targets are asked about in the namespace of the object that
    /// names them, so that a RoleBinding can grant them.
    pub namespace: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
}

impl<'a> Question<'a> {
    /// A question about one name.
    pub fn new(
        resource: Resource,
        namespace: impl Into<Cow<'a, str>>,
        name: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            verb: Verb::Use,
            resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Whether the requester may read it instead; none if that does not answer the question.
    pub(crate) fn instead(&self) -> Option<Self> {
        let asks = self.verb == Verb::Use && self.resource.is_readable();
        asks.then(|| Self {
            verb: Verb::Get,
            ..self.clone()
        })
    }

    /// The same question with a life of its own.
    pub(crate) fn into_owned(self) -> Question<'static> {
        Question {
            verb: self.verb,
            resource: self.resource,
            namespace: Cow::Owned(self.namespace.into_owned()),
            name: Cow::Owned(self.name.into_owned()),
        }
    }
}

impl Verb {
    /// As RBAC spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Get => "get",
        }
    }
}

/// What to grant: `verb use on serviceaccounts "deployer" in team-a`; of what may be read instead `verb use or get on …`.
impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            resource,
            namespace,
            name,
        } = self;
        let namespace = if namespace.is_empty() {
            "the whole cluster"
        } else {
            namespace
        };
        let or_get = if self.instead().is_some() {
            " or get"
        } else {
            ""
        };
        let verb = verb.word();
        write!(
            Shown(f),
            "verb {verb}{or_get} on {resource} \"{name}\" in {namespace}"
        )
    }
}
