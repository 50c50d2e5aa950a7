use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap};

use super::{
    grant::{Grant, Source, Via},
    rbac::{Binding, Subject, UseRule},
};
use crate::reference::{Question, Requester};

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
pub(super) struct Scope(HashMap<Subject, Held>);

/// What one subject holds in one scope.
#[derive(Debug, Default)]
struct Held {
    /// Rules with names, by name.
    named: HashMap<Box<str>, Vec<Entry>>,
    /// Rules for every name, by resource as the rule spells it.
    unnamed: HashMap<Box<str>, Vec<Entry>>,
}

/// A rule, as an index into the rules of its role, and where it comes from.
#[derive(Clone, Debug)]
struct Entry {
    rules: Arc<[UseRule]>,
    rule: usize,
    source: Arc<Source>,
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
    /// The grant by which the requester may `use` the target, if there is one.
    ///
    /// Semantics: `plugin/pkg/auth/authorizer/rbac/rbac.go`, with the verb `use`.
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
        let namespace = self.shard(&question.namespace).get(&*question.namespace);
        let scopes = [namespace, self.cluster.as_ref()];
        for scope in scopes.into_iter().flatten() {
            if let Some(entry) = scope.find(false, &requester.username, question, names) {
                return Some(entry.grant(Via::User(requester.username.to_string())));
            }
            for group in &requester.groups {
                if let Some(entry) = scope.find(true, group, question, names) {
                    return Some(entry.grant(Via::Group(group.to_string())));
                }
            }
        }
        None
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
        self.0.is_empty()
    }

    /// Takes in what a binding gives. Bindings of one role must come one after the other.
    pub(super) fn add(
        &mut self,
        namespace: Option<&Arc<str>>,
        name: &Arc<str>,
        binding: &Binding,
        rules: &Arc<[UseRule]>,
    ) {
        let source = Arc::new(Source {
            namespace: namespace.cloned(),
            binding: name.clone(),
            cluster_role: binding.role.cluster,
            role: binding.role.name.clone(),
        });
        for subject in &binding.subjects {
            let held = self.0.entry(subject.clone()).or_default();
            for (rule, at) in rules.iter().enumerate() {
                let entry = || Entry {
                    rules: rules.clone(),
                    rule,
                    source: source.clone(),
                };
                let (table, keys) = if at.names.is_empty() {
                    (&mut held.unnamed, &at.resources)
                } else {
                    (&mut held.named, &at.names)
                };
                for key in keys {
                    let entries = table.entry(key.clone()).or_default();
                    // The same rule through a second binding answers nothing new. Bindings come sorted by role.
                    let known = |e: &Entry| Arc::ptr_eq(&e.rules, rules) && e.rule == rule;
                    if !entries.last().is_some_and(known) {
                        // Mostly there is but one, and there are many of these lists.
                        entries.reserve_exact(1);
                        entries.push(entry());
                    }
                }
            }
        }
    }

    fn find<'s, N: AsRef<str>>(
        &'s self,
        group: bool,
        name: &str,
        question: &Question<'_>,
        names: &[N],
    ) -> Option<&'s Entry> {
        let held = self.0.get(&Key { group, name })?;
        let resource = question.resource;
        let answers = |entry: &&Entry| entry.covers(resource.group, resource.name);
        if !held.named.is_empty() {
            for name in names {
                let entries = held.named.get(name.as_ref()).into_iter().flatten();
                if let Some(entry) = entries.into_iter().find(answers) {
                    return Some(entry);
                }
            }
        }
        [resource.name, "*"]
            .into_iter()
            .filter_map(|key| held.unnamed.get(key))
            .find_map(|entries| entries.iter().find(answers))
    }
}

impl Entry {
    /// `pkg/apis/rbac/v1/evaluation_helpers.go`: `APIGroupMatches`, `ResourceMatches`. A target of ours has no
    /// subresource, so that `x/sub` and `*/sub` never match.
    fn covers(&self, group: &str, resource: &str) -> bool {
        self.rules.get(self.rule).is_some_and(|rule| {
            rule.groups
                .iter()
                .any(|held| **held == *"*" || **held == *group)
                && rule
                    .resources
                    .iter()
                    .any(|held| **held == *"*" || **held == *resource)
        })
    }

    fn grant(&self, via: Via) -> Grant {
        Grant::Binding {
            source: self.source.clone(),
            via,
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
