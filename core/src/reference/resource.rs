//! The table of resources: what questions are about, one row each, from which everything else that is said or done about
//! them is made.

use std::{
    collections::HashSet,
    fmt,
    sync::{LazyLock, Mutex, PoisonError},
};

use super::Check;

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

/// What the names of a resource look like, where somebody is given the right to use one by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Nobody is asked about one, so that nobody can be given it.
    None,
    /// Labels of nodes ([`is_node_label`](super::is_node_label)).
    Labels,
    /// Names of objects ([`is_object_name`](super::is_object_name)).
    Object,
    /// A domain, a slash and a name (`pkg/apis/certificates/validation`, `ValidateSignerName`).
    Signer,
    /// Sets of taints, as [`Toleration::names`](super::Toleration::names) writes them.
    Taints,
    /// Any text.
    Text,
}

/// Makes a constant and a variant for each row of one table: group, resource and singular, the check that asks about it, what
/// its names look like, and how the command line calls it beside that.
macro_rules! resources {
    ($($(#[doc = $help:literal])+ $constant:ident $known:ident ($group:literal $name:literal $singular:literal)
        $check:ident $names:ident [$($short:literal)?])+) => {
        impl Resource {
            $($(#[doc = $help])+ pub const $constant: Self = Self { group: $group, name: $name, singular: $singular };)+

            /// Every resource that is known without a catalogue. A question can be about others, too: those that custom
            /// resources name.
            pub const ALL: [Self; Known::ALL.len()] = [$(Self::$constant),+];
        }

        /// A row of the table of resources. What has to be decided for each of them elsewhere is a match over this, without
        /// a default arm.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Known {
            $($(#[doc = $help])+ $known,)+
        }

        impl Known {
            /// Every row, in the order in which roles and messages list them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$known),+];

            /// The resource.
            pub const fn resource(self) -> Resource {
                match self {
                    $(Self::$known => Resource::$constant,)+
                }
            }

            /// The check that asks about it.
            pub const fn check(self) -> Check {
                match self {
                    $(Self::$known => Check::$check,)+
                }
            }

            /// What its names look like.
            pub const fn names(self) -> Names {
                match self {
                    $(Self::$known => Names::$names,)+
                }
            }

            /// A further name of the resource on the command line, mostly that of `kubectl api-resources`.
            pub fn short(self) -> Option<&'static str> {
                match self {
                    $(Self::$known => [$($short)?].first().copied(),)+
                }
            }
        }
    };
}

resources! {
    /// Service accounts.
    SERVICE_ACCOUNTS ServiceAccounts ("" "serviceaccounts" "serviceaccount") ServiceAccounts Object ["sa"]
    /// Sets of taints: virtual, named by their taints.
    TOLERATIONS Tolerations ("usher.dev" "tolerations" "toleration") Tolerations Taints []
    /// Nodes.
    NODES Nodes ("" "nodes" "node") Nodes Object ["no"]
    /// Priority classes.
    PRIORITY_CLASSES PriorityClasses ("scheduling.k8s.io" "priorityclasses" "priorityclass") PriorityClasses Object ["pc"]
    /// Runtime classes.
    RUNTIME_CLASSES RuntimeClasses ("node.k8s.io" "runtimeclasses" "runtimeclass") RuntimeClasses Object []
    /// Schedulers: virtual, named as pods name them, which is any text.
    SCHEDULERS Schedulers ("usher.dev" "schedulers" "scheduler") Schedulers Text []
    /// Labels of nodes that pods choose by: virtual, `key=value`, or `key` for whatever is asked of it.
    NODE_LABELS NodeLabels ("usher.dev" "nodelabels" "node label") NodeLabels Labels ["nodelabel"]
    /// Audiences of tokens: virtual.
    TOKEN_AUDIENCES TokenAudiences ("usher.dev" "tokenaudiences" "token audience") Tokens Text ["tokenaudience"]
    /// Signers of pod certificates, which Kubernetes itself authorizes under this name
    /// (`plugin/pkg/admission/certificates`).
    SIGNERS Signers ("certificates.k8s.io" "signers" "signer") Tokens Signer []
    /// Namespaces that custom resources name; asked in that namespace.
    NAMESPACES Namespaces ("" "namespaces" "namespaces") CrossNamespace Object []
    /// Secrets that pods and custom resources name.
    SECRETS Secrets ("" "secrets" "secret") Secrets Object []
    /// Config maps that pods and custom resources name.
    CONFIG_MAPS ConfigMaps ("" "configmaps" "configmap") ConfigMaps Object ["cm"]
    /// Services that custom resources name.
    SERVICES Services ("" "services" "services") CrossNamespace Object []
    /// Cloud identities that custom resources name: virtual, the family, a colon, and what the cloud calls it.
    CLOUD_IDENTITIES CloudIdentities ("usher.dev" "cloudidentities" "cloudidentities.usher.dev") CloudIdentities Text []
    /// Profiles: virtual. The configuration says which pods must hold one.
    PROFILES Profiles ("usher.dev" "profiles" "profile") Profiles None []
    /// Objects of a kind that is not known, where a custom resource names one: virtual.
    KINDS Kinds ("usher.dev" "kinds" "kinds.usher.dev") CrossNamespace None []
    /// What is not looked into: virtual.
    OPAQUE Opaque ("usher.dev" "opaque" "opaque.usher.dev") Opaque None []
}

impl Resource {
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

    /// Whether the verb `get` answers for it as `use` does: who may read it gains nothing by having it read.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::SECRETS | Self::CONFIG_MAPS)
    }

    /// Its row, if it is known without a catalogue.
    pub(crate) fn known(self) -> Option<Known> {
        Known::ALL.get(self.place()?).copied()
    }

    /// Its place in [`Resource::ALL`], if it has one.
    pub(crate) fn place(self) -> Option<usize> {
        let mut all = Self::ALL.iter();
        // No two resources share both: to compare more would only take time.
        all.position(|known| known.name == self.name && known.group == self.group)
    }
}

impl Check {
    /// Those that ask about what may be read instead ([`Resource::is_readable`]).
    pub(crate) fn of_reads() -> impl Iterator<Item = Self> {
        let known = Known::ALL.into_iter();
        let readable = known.filter(|known| known.resource().is_readable());
        readable.map(Known::check)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_one_row_everywhere() {
        for (known, resource) in Known::ALL.into_iter().zip(Resource::ALL) {
            assert_eq!(known.resource(), resource);
            assert_eq!(resource.known(), Some(known));
            assert_eq!(Resource::named(&resource.to_string()), resource);
        }
        let other = Resource::named("ovens.bakery.example");
        assert_eq!(
            (other.known(), other.singular),
            (None, "ovens.bakery.example")
        );
    }
}
