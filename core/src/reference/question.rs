//! What is asked of the cluster's rights.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use super::{Resource, Shown};

/// May the requester `use` this, in this namespace?
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Question<'a> {
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
            resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The same question with a life of its own.
    pub fn into_owned(self) -> Question<'static> {
        Question::new(
            self.resource,
            self.namespace.into_owned(),
            self.name.into_owned(),
        )
    }
}

/// What to grant: `verb use on serviceaccounts "deployer" in team-a`.
impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            namespace,
            name,
        } = self;
        let namespace = if namespace.is_empty() {
            "the whole cluster"
        } else {
            namespace
        };
        write!(Shown(f), "verb use on {resource} \"{name}\" in {namespace}")
    }
}
