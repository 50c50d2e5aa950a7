//! The RBAC objects of a cluster, object by object, and what they compile to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use k8s_openapi::api::rbac::v1;

use super::{
    binding::{Binding, RoleRef},
    index::{Rights, Scope},
    rule::UseRule,
};
use crate::reference::Verb;

/// What the RBAC objects of a cluster say about `use`: kept up to date object by object, compiled into [`Rights`].
///
/// Only rules that can ever answer a question are kept, and of the bindings only names.
#[derive(Debug, Default)]
pub struct Rbac {
    /// Rules by role; a role that says nothing of `use`, or of `get` where that answers, is not here. The namespace is `None` for a ClusterRole.
    roles: HashMap<RoleKey, Arc<[UseRule]>>,
    /// Bindings by namespace (`None`: ClusterRoleBindings) and name.
    bindings: HashMap<Option<Arc<str>>, HashMap<Arc<str>, Binding>>,
    /// The names of bound roles, each once: thousands of bindings name the same few.
    names: HashSet<Arc<str>>,
    /// What has changed since the last compilation.
    dirty: HashSet<Option<Arc<str>>>,
    /// Whether what may be read is compiled, too: most people hold `get` on something.
    reads: bool,
    rights: Rights,
}

type RoleKey = (Option<Arc<str>>, Arc<str>);

/// An object that RBAC itself would not act on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Ignored {
    /// No name.
    #[error("it has no name")]
    NoName,
    /// Role or RoleBinding without a namespace.
    #[error("it has no namespace")]
    NoNamespace,
    /// The role that it binds is neither a Role nor a ClusterRole.
    #[error("it binds something that is no role")]
    NoRole,
}

impl Rbac {
    /// Whether [`Rights`] answer for the verb `get`, too. It makes them larger, and is needed only where the checks `secrets` or
    /// `configMaps` are made: at first they do not.
    pub fn set_reads(&mut self, reads: bool) {
        if self.reads != reads {
            self.reads = reads;
            self.dirty.extend(self.bindings.keys().cloned());
        }
    }

    /// Takes a Role in.
    pub fn apply_role(&mut self, role: &v1::Role) -> Result<(), Ignored> {
        let namespace = role
            .metadata
            .namespace
            .as_deref()
            .ok_or(Ignored::NoNamespace)?;
        let name = role.metadata.name.as_deref().ok_or(Ignored::NoName)?;
        self.set_role(Some(namespace), name, UseRule::read(role.rules.as_deref()));
        Ok(())
    }

    /// Takes a ClusterRole in. An aggregated one counts as the API server has filled it.
    pub fn apply_cluster_role(&mut self, role: &v1::ClusterRole) -> Result<(), Ignored> {
        let name = role.metadata.name.as_deref().ok_or(Ignored::NoName)?;
        self.set_role(None, name, UseRule::read(role.rules.as_deref()));
        Ok(())
    }

    /// Takes a RoleBinding in.
    pub fn apply_role_binding(&mut self, binding: &v1::RoleBinding) -> Result<(), Ignored> {
        let namespace = binding
            .metadata
            .namespace
            .as_deref()
            .ok_or(Ignored::NoNamespace)?;
        let name = binding.metadata.name.as_deref().ok_or(Ignored::NoName)?;
        let read = Binding::read(
            Some(namespace),
            &binding.role_ref,
            binding.subjects.as_deref(),
        );
        self.set_binding(Some(namespace), name, read)
    }

    /// Takes a ClusterRoleBinding in.
    pub fn apply_cluster_role_binding(
        &mut self,
        binding: &v1::ClusterRoleBinding,
    ) -> Result<(), Ignored> {
        let name = binding.metadata.name.as_deref().ok_or(Ignored::NoName)?;
        let read = Binding::read(None, &binding.role_ref, binding.subjects.as_deref());
        self.set_binding(None, name, read)
    }

    /// Forgets a role; the namespace is `None` for a ClusterRole.
    pub fn delete_role(&mut self, namespace: Option<&str>, name: &str) {
        self.set_role(namespace, name, Vec::new());
    }

    /// Forgets a binding; the namespace is `None` for a ClusterRoleBinding.
    pub fn delete_binding(&mut self, namespace: Option<&str>, name: &str) {
        let scope = namespace.map(Arc::from);
        if let Some(bindings) = self.bindings.get_mut(&scope)
            && bindings.remove(name).is_some()
        {
            if bindings.is_empty() {
                self.bindings.remove(&scope);
            }
            self.dirty.insert(scope);
        }
    }

    /// Forgets every role of one sort that `keep` does not name: what a fresh list of them is missing was deleted.
    pub fn retain_roles(&mut self, cluster: bool, keep: impl Fn(Option<&str>, &str) -> bool) {
        let gone: Vec<_> = self
            .roles
            .keys()
            .filter(|(namespace, name)| {
                namespace.is_none() == cluster && !keep(namespace.as_deref(), name)
            })
            .cloned()
            .collect();
        for (namespace, name) in gone {
            self.delete_role(namespace.as_deref(), &name);
        }
    }

    /// Forgets every binding of one sort that `keep` does not name.
    pub fn retain_bindings(&mut self, cluster: bool, keep: impl Fn(Option<&str>, &str) -> bool) {
        let gone: Vec<_> = self
            .bindings
            .iter()
            .filter(|(namespace, _)| namespace.is_none() == cluster)
            .flat_map(|(namespace, held)| held.keys().map(move |name| (namespace, name)))
            .filter(|(namespace, name)| !keep(namespace.as_deref(), name))
            .map(|(namespace, name)| (namespace.clone(), name.clone()))
            .collect();
        for (namespace, name) in gone {
            self.delete_binding(namespace.as_deref(), &name);
        }
    }

    /// The rights as they now stand. Only what changed since the last call is built anew, the rest is shared.
    pub fn compile(&mut self) -> Rights {
        for scope in std::mem::take(&mut self.dirty) {
            let built = self
                .bindings
                .get(&scope)
                .map(|held| self.scope(scope.as_ref(), held));
            self.rights
                .set(scope.as_ref(), built.filter(|scope| !scope.is_empty()));
        }
        self.rights.clone()
    }

    /// How many bindings are known.
    pub fn bindings(&self) -> usize {
        self.bindings.values().map(HashMap::len).sum()
    }

    fn scope(&self, namespace: Option<&Arc<str>>, held: &HashMap<Arc<str>, Binding>) -> Scope {
        let mut sorted: Vec<_> = held.iter().collect();
        sorted.sort_unstable_by_key(|&(name, binding)| (&binding.role, name));
        let mut scope = Scope::default();
        scope.name(&self.rights, held.values());
        for (name, binding) in sorted {
            let rules = self.rules(namespace, &binding.role);
            let rules = rules.into_iter().flat_map(|rules| rules.iter());
            let kept = rules.filter(|rule| self.reads || rule.verb == Verb::Use);
            let kept: Vec<&UseRule> = kept.collect();
            if !kept.is_empty() {
                scope.add(namespace, name, binding, &kept);
            }
        }
        scope
    }

    /// The rules behind a binding. A ClusterRoleBinding cannot bind a Role.
    fn rules(&self, namespace: Option<&Arc<str>>, role: &RoleRef) -> Option<&Arc<[UseRule]>> {
        let owner = if role.cluster {
            None
        } else {
            Some(namespace?.clone())
        };
        self.roles.get(&(owner, role.name.clone()))
    }

    fn set_role(&mut self, namespace: Option<&str>, name: &str, rules: Vec<UseRule>) {
        let key = (namespace.map(Arc::from), Arc::<str>::from(name));
        let unchanged = self
            .roles
            .get(&key)
            .map_or(rules.is_empty(), |held| **held == *rules);
        if unchanged {
            return;
        }
        if let Some(namespace) = &key.0 {
            self.dirty.insert(Some(namespace.clone()));
        } else {
            let bound = |held: &HashMap<Arc<str>, Binding>| {
                held.values()
                    .any(|b| b.role.cluster && *b.role.name == *name)
            };
            let touched = self.bindings.iter().filter(|(_, held)| bound(held));
            self.dirty.extend(touched.map(|(scope, _)| scope.clone()));
        }
        if rules.is_empty() {
            self.roles.remove(&key);
        } else {
            self.roles.insert(key, rules.into());
        }
    }

    fn set_binding(
        &mut self,
        namespace: Option<&str>,
        name: &str,
        binding: Option<Binding>,
    ) -> Result<(), Ignored> {
        let Some(mut binding) = binding else {
            self.delete_binding(namespace, name);
            return Err(Ignored::NoRole);
        };
        let scope = namespace.map(Arc::from);
        match self.names.get(&binding.role.name) {
            Some(known) => binding.role.name = known.clone(),
            None => {
                self.names.insert(binding.role.name.clone());
            }
        }
        let held = self.bindings.entry(scope.clone()).or_default();
        if held.get(name) != Some(&binding) {
            held.insert(name.into(), binding);
            self.dirty.insert(scope);
        }
        Ok(())
    }
}
