//! The index: who may `use` what, found in a few look-ups.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap};

use super::{
    binding::{Binding, Subject},
    grant::{Grant, Source, Via},
    rule::{Others, UseRule},
};
use crate::reference::{Question, Requester, Resource, Verb};

/// Number of parts that the namespaces are spread over: an event copies one part's table of pointers.
const SHARDS: usize = 64;

/// Who may `use` what, by RBAC. Cheap to clone: everything is shared.
///
/// A question costs a few look-ups by name, however many bindings there are.
#[derive(Clone, Debug)]
pub struct Rights {
    cluster: Option<Arc<Scope>>,
    namespaces: Arc<[Arc<Shard>]>,
    hasher: DefaultHashBuilder,
}

type Shard = HashMap<Arc<str>, Arc<Scope>>;

/// The grants of one namespace, or those of the whole cluster, by subject.
#[derive(Debug, Default)]
pub(super) struct Scope {
    held: HashMap<Subject, Held>,
    /// Every service account that a binding names, whatever the role: hashes of the user names, sorted. Two of one hash only
    /// raise a question too many.
    named: Box<[u64]>,
}

/// What one subject holds in one scope. Where several bindings give the same, the first is kept: one is enough.
#[derive(Debug, Default)]
struct Held {
    /// What may be used by name.
    named: HashMap<Named, Arc<Source>>,
    /// What may be used whatever its name, by [`place`]: few hold any of it.
    every: Vec<(usize, Arc<Source>)>,
    /// What may be used of other resources: few hold any of it, and so it is gone through one by one.
    others: Vec<Other>,
}

/// A rule about other resources, and where it comes from.
#[derive(Debug)]
struct Other {
    resources: Others,
    names: Box<[Arc<str>]>,
    source: Arc<Source>,
}

/// What is kept of a resource and a verb: what may be read follows what may be used. `at` is that of [`Resource::ALL`].
fn place(verb: Verb, at: usize) -> usize {
    match verb {
        Verb::Use => at,
        Verb::Get => Resource::ALL.len() + at,
    }
}

/// A resource, by its [`place`], and a name.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Named {
    resource: usize,
    name: Arc<str>,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            cluster: None,
            namespaces: (0..SHARDS).map(|_| Arc::default()).collect(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Rights {
    /// The grant by which the requester may `use` the target, or read it if that is the question and [`Rbac::set_reads`] says
    /// that it is kept.
    ///
    /// Semantics: `plugin/pkg/auth/authorizer/rbac/rbac.go`, with the verb of the question.
    ///
    /// [`Rbac::set_reads`]: super::Rbac::set_reads
    pub fn find(&self, requester: &Requester<'_>, question: &Question<'_>) -> Option<Grant> {
        self.find_any(requester, question, std::slice::from_ref(&question.name))
    }

    /// As [`Rights::find`], for the first of several names that is granted; the question's own name does not count.
    pub fn find_any<N: AsRef<str>>(
        &self,
        requester: &Requester<'_>,
        question: &Question<'_>,
        names: &[N],
    ) -> Option<Grant> {
        let resource = match question.resource.place() {
            Some(at) => Sought::Known(place(question.verb, at)),
            None => Sought::Other(question.resource),
        };
        let namespace = self.shard(&question.namespace).get(&*question.namespace);
        let scopes = [namespace, self.cluster.as_ref()];
        let grant = |source: &Arc<Source>, via| Grant {
            source: source.clone(),
            via,
        };
        for scope in scopes.into_iter().flatten() {
            if let Some(source) = scope.find(false, &requester.username, resource, names) {
                return Some(grant(source, Via::User(requester.username.to_string())));
            }
            for group in &requester.groups {
                if let Some(source) = scope.find(true, group, resource, names) {
                    return Some(grant(source, Via::Group(group.to_string())));
                }
            }
        }
        None
    }

    /// Whether a binding of any namespace names this user, who is a service account: then whoever may make that account has what
    /// the binding gives. A group that the account would be in does not count.
    pub fn names(&self, user: &str) -> bool {
        let hash = self.hasher.hash_one(user);
        let names = |scope: &Arc<Scope>| scope.named.binary_search(&hash).is_ok();
        let mut namespaces = self.namespaces.iter().flat_map(|shard| shard.values());
        self.cluster.as_ref().is_some_and(names) || namespaces.any(names)
    }

    pub(super) fn set(&mut self, namespace: Option<&Arc<str>>, scope: Option<Scope>) {
        let Some(namespace) = namespace else {
            self.cluster = scope.map(Arc::new);
            return;
        };
        let at = self.shard_of(namespace);
        if let Some(shard) = Arc::make_mut(&mut self.namespaces).get_mut(at) {
            let shard = Arc::make_mut(shard);
            match scope {
                Some(scope) => shard.insert(namespace.clone(), Arc::new(scope)),
                None => shard.remove(namespace),
            };
        }
    }

    fn shard(&self, namespace: &str) -> &Shard {
        static EMPTY: std::sync::LazyLock<Shard> = std::sync::LazyLock::new(Shard::new);
        self.namespaces
            .get(self.shard_of(namespace))
            .map_or(&EMPTY, |shard| shard)
    }

    fn shard_of(&self, namespace: &str) -> usize {
        let hash = self.hasher.hash_one(namespace);
        usize::try_from(hash % SHARDS as u64).unwrap_or_default()
    }
}

impl Scope {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.named.is_empty()
    }

    /// Takes in which service accounts bindings name.
    pub(super) fn name<'b>(
        &mut self,
        rights: &Rights,
        bindings: impl Iterator<Item = &'b Binding>,
    ) {
        let subjects = bindings.flat_map(|binding| binding.subjects.iter());
        let accounts = subjects
            .filter(|subject| !subject.group && subject.name.starts_with("system:serviceaccount:"));
        let mut named: Vec<u64> = accounts
            .map(|account| rights.hasher.hash_one(&*account.name))
            .collect();
        named.sort_unstable();
        named.dedup();
        self.named = named.into();
    }

    /// Takes in what a binding gives.
    pub(super) fn add(
        &mut self,
        namespace: Option<&Arc<str>>,
        name: &Arc<str>,
        binding: &Binding,
        rules: &[&UseRule],
    ) {
        let source = Arc::new(Source {
            namespace: namespace.cloned(),
            binding: name.clone(),
            cluster_role: binding.role.cluster,
            role: binding.role.name.clone(),
        });
        for subject in &binding.subjects {
            let held = self.held.entry(subject.clone()).or_default();
            for rule in rules {
                held.add(rule, &source);
            }
        }
    }

    fn find<N: AsRef<str>>(
        &self,
        group: bool,
        name: &str,
        resource: Sought,
        names: &[N],
    ) -> Option<&Arc<Source>> {
        let held = self.held.get(&Key { group, name })?;
        let resource = match resource {
            Sought::Known(place) => place,
            Sought::Other(resource) => return held.other(resource, names),
        };
        let by_name = |name: &N| {
            held.named.get(&Name {
                resource,
                name: name.as_ref(),
            })
        };
        let every = || {
            let mut every = held.every.iter();
            every.find_map(|(place, source)| (*place == resource).then_some(source))
        };
        names.iter().find_map(by_name).or_else(every)
    }
}

/// A resource that is looked for.
#[derive(Clone, Copy)]
enum Sought {
    /// By its [`place`].
    Known(usize),
    Other(Resource),
}

impl Held {
    fn other<N: AsRef<str>>(&self, resource: Resource, names: &[N]) -> Option<&Arc<Source>> {
        let covers = |other: &&Other| {
            let mut held = other.names.iter();
            other.resources.hold(resource)
                && (other.names.is_empty()
                    || held.any(|held| names.iter().any(|name| *name.as_ref() == **held)))
        };
        self.others.iter().find(covers).map(|other| &other.source)
    }

    fn add(&mut self, rule: &UseRule, source: &Arc<Source>) {
        if let Some(resources) = &rule.others {
            self.others.push(Other {
                resources: resources.clone(),
                names: rule.names.clone(),
                source: source.clone(),
            });
        }
        for at in rule.resources.places() {
            let resource = place(rule.verb, at);
            for name in &rule.names {
                let name = name.clone();
                let named = self.named.entry(Named { resource, name });
                named.or_insert_with(|| source.clone());
            }
            if rule.names.is_empty() && self.every.iter().all(|(held, _)| *held != resource) {
                self.every.push((resource, source.clone()));
            }
        }
    }
}

/// A subject that is looked up without building one; hashes as [`Subject`] does.
#[derive(Hash)]
struct Key<'a> {
    group: bool,
    name: &'a str,
}

impl Equivalent<Subject> for Key<'_> {
    fn equivalent(&self, subject: &Subject) -> bool {
        self.group == subject.group && *self.name == *subject.name
    }
}

/// A name that is looked up without keeping it; hashes as [`Named`] does.
#[derive(Hash)]
struct Name<'a> {
    resource: usize,
    name: &'a str,
}

impl Equivalent<Named> for Name<'_> {
    fn equivalent(&self, named: &Named) -> bool {
        self.resource == named.resource && *self.name == *named.name
    }
}
