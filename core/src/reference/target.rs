use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::{self, Write as _},
    sync::{LazyLock, Mutex, PoisonError},
};

use super::{Shown, Text, Toleration};

/// What a reference names.
#[derive(Clone, Debug)]
pub enum Target<'a> {
    /// An object, by name.
    Object {
        /// Its API group and resource.
        resource: Resource,
        /// Its name.
        name: Text<'a>,
    },
    /// A set of taints.
    Taints(Toleration<'a>),
}

/// An API group and resource that can be asked about. Real ones and virtual ones look alike to RBAC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource, in the plural.
    pub name: &'static str,
    /// How a message names one of it.
    pub singular: &'static str,
}

impl Resource {
    /// Nodes.
    pub const NODES: Self = Self::of("", "nodes", "node");
    /// Priority classes.
    pub const PRIORITY_CLASSES: Self =
        Self::of("scheduling.k8s.io", "priorityclasses", "priorityclass");
    /// Runtime classes.
    pub const RUNTIME_CLASSES: Self = Self::of("node.k8s.io", "runtimeclasses", "runtimeclass");
    /// Profiles: virtual. Nobody is granted one; the configuration says which pods must hold it.
    pub const PROFILES: Self = Self::of("usher.dev", "profiles", "profile");
    /// Signers of pod certificates, which Kubernetes itself authorizes under this name
    /// (`plugin/pkg/admission/certificates`).
    pub const SIGNERS: Self = Self::of("certificates.k8s.io", "signers", "signer");
    /// Audiences of tokens: virtual.
    pub const TOKEN_AUDIENCES: Self = Self::of("usher.dev", "tokenaudiences", "token audience");
    /// Service accounts.
    pub const SERVICE_ACCOUNTS: Self = Self::of("", "serviceaccounts", "serviceaccount");
    /// Sets of taints: virtual, named as [`Toleration::names`] says.
    pub const TOLERATIONS: Self = Self::of("usher.dev", "tolerations", "toleration");

    /// Every resource that a question can be about.
    pub const ALL: [Self; 7] = [
        Self::SERVICE_ACCOUNTS,
        Self::TOLERATIONS,
        Self::NODES,
        Self::PRIORITY_CLASSES,
        Self::RUNTIME_CLASSES,
        Self::TOKEN_AUDIENCES,
        Self::SIGNERS,
    ];

    /// The resource that a text such as `gitrepositories.source.toolkit.fluxcd.io` names. Each one that is not in
    /// [`Resource::ALL`] is kept for the life of the process, once: they come from the catalogue, and so are few.
    pub fn named(text: &str) -> Self {
        let (name, group) = text.split_once('.').unwrap_or((text, ""));
        let known = |known: &&Self| *known.name == *name && *known.group == *group;
        Self::ALL
            .iter()
            .find(known)
            .copied()
            .unwrap_or_else(|| Self {
                group: kept(group),
                name: kept(name),
                singular: kept(text),
            })
    }

    const fn of(group: &'static str, name: &'static str, singular: &'static str) -> Self {
        Self {
            group,
            name,
            singular,
        }
    }
}

/// A text for the life of the process; the same text is kept once.
fn kept(text: &str) -> &'static str {
    static KEPT: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    // The set is whole between two calls, whatever panicked.
    let mut texts = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    texts.get(text).copied().unwrap_or_else(|| {
        let text: &'static str = Box::leak(text.into());
        texts.insert(text);
        text
    })
}

/// As kubectl takes it: `serviceaccounts`, `tolerations.usher.dev`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.group.is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.group)
        }
    }
}

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
