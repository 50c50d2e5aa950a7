//! RBAC as one would explain it: look at every binding, every rule. Slow, and right by inspection.
//!
//! Rules of Kubernetes: `plugin/pkg/auth/authorizer/rbac/rbac.go`, `pkg/registry/rbac/validation/rule.go`,
//! `pkg/apis/rbac/v1/evaluation_helpers.go`.

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use usher_core::rights::{Grant, Source, Via};

use crate::support::rbac_world::{Asked, World, is_role};

/// Whether RBAC lets the one who asks do what is asked with one of the names.
pub(crate) fn allows(world: &World, asked: &Asked) -> bool {
    let by_role = |role: &RoleRef, namespace| {
        rules_of(world, role, namespace)
            .iter()
            .any(|rule| matches(rule, asked))
    };
    let cluster = world.cluster_role_bindings.iter().any(|binding| {
        let subjects = binding.subjects.iter().flatten();
        holds(subjects, asked, None) && by_role(&binding.role_ref, None)
    });
    let namespaced = world.role_bindings.iter().any(|binding| {
        let namespace = binding.metadata.namespace.as_deref();
        let subjects = binding.subjects.iter().flatten();
        namespace == Some(asked.namespace)
            && holds(subjects, asked, namespace)
            && by_role(&binding.role_ref, namespace)
    });
    cluster || namespaced
}

/// Whether a binding of something that is a role names this account, of whatever namespace.
pub(crate) fn names(world: &World, account: &str) -> bool {
    let named = |subject: &Subject, namespace: Option<&str>| match subject.kind.as_str() {
        "User" => subject.name == account,
        "ServiceAccount" => account_name(subject, namespace).as_deref() == Some(account),
        _ => false,
    };
    let cluster = world.cluster_role_bindings.iter().any(|binding| {
        let mut subjects = binding.subjects.iter().flatten();
        is_role(&binding.role_ref) && subjects.any(|subject| named(subject, None))
    });
    let namespaced = world.role_bindings.iter().any(|binding| {
        let namespace = binding.metadata.namespace.as_deref();
        let mut subjects = binding.subjects.iter().flatten();
        is_role(&binding.role_ref) && subjects.any(|subject| named(subject, namespace))
    });
    cluster || namespaced
}

/// Whether a grant that was named is there, and says what was asked.
pub(crate) fn is_real(world: &World, asked: &Asked, grant: &Grant) -> bool {
    let Grant { source, via } = grant;
    let Source {
        namespace,
        binding,
        cluster_role,
        role,
    } = &**source;
    let found = if let Some(namespace) = namespace {
        let there = world.role_bindings.iter().find(|held| {
            held.metadata.name.as_deref() == Some(binding)
                && held.metadata.namespace.as_deref() == Some(namespace)
        });
        there.map(|held| (&held.role_ref, &held.subjects))
    } else {
        let there = world
            .cluster_role_bindings
            .iter()
            .find(|held| held.metadata.name.as_deref() == Some(binding));
        there.map(|held| (&held.role_ref, &held.subjects))
    };
    let Some((role_ref, subjects)) = found else {
        return false;
    };
    let named = |subject: &&Subject| match (via, subject.kind.as_str()) {
        (Via::Group(group), "Group") => subject.name == *group,
        (Via::User(user), "User") => subject.name == *user,
        (Via::User(user), "ServiceAccount") => {
            account_name(subject, namespace.as_deref()).as_ref() == Some(user)
        }
        _ => false,
    };
    let held_by_asker = match via {
        Via::Group(group) => asked.groups.contains(group),
        Via::User(user) => asked.user == *user,
    };
    namespace
        .as_deref()
        .is_none_or(|namespace| namespace == asked.namespace)
        && role_ref.name == **role
        && role_ref.kind == if *cluster_role { "ClusterRole" } else { "Role" }
        && subjects.iter().flatten().any(|subject| named(&subject))
        && held_by_asker
        && rules_of(world, role_ref, namespace.as_deref())
            .iter()
            .any(|rule| matches(rule, asked))
}

fn rules_of<'w>(world: &'w World, role: &RoleRef, namespace: Option<&str>) -> &'w [PolicyRule] {
    let rules = match role.kind.as_str() {
        "Role" => namespace
            .and_then(|namespace| {
                world.roles.iter().find(|held| {
                    held.metadata.name.as_ref() == Some(&role.name)
                        && held.metadata.namespace.as_deref() == Some(namespace)
                })
            })
            .and_then(|role| role.rules.as_deref()),
        "ClusterRole" => world
            .cluster_roles
            .iter()
            .find(|held| held.metadata.name.as_ref() == Some(&role.name))
            .and_then(|role| role.rules.as_deref()),
        _ => None,
    };
    rules.unwrap_or_default()
}

fn holds<'w>(
    mut subjects: impl Iterator<Item = &'w Subject>,
    asked: &Asked,
    namespace: Option<&str>,
) -> bool {
    subjects.any(|subject| match subject.kind.as_str() {
        "User" => asked.user == subject.name,
        "Group" => asked.groups.contains(&subject.name),
        "ServiceAccount" => account_name(subject, namespace).as_ref() == Some(&asked.user),
        _ => false,
    })
}

fn account_name(subject: &Subject, namespace: Option<&str>) -> Option<String> {
    let own = subject.namespace.as_deref().filter(|own| !own.is_empty());
    let home = own.or(namespace)?;
    Some(format!("system:serviceaccount:{home}:{}", subject.name))
}

/// The four matchers. None of our targets has a subresource.
fn matches(rule: &PolicyRule, asked: &Asked) -> bool {
    let verb = rule
        .verbs
        .iter()
        .any(|held| held == "*" || held == asked.verb.word());
    let group = rule
        .api_groups
        .iter()
        .flatten()
        .any(|held| held == "*" || held == asked.resource.group);
    let resource = rule
        .resources
        .iter()
        .flatten()
        .any(|held| held == "*" || held == asked.resource.name);
    let names = rule.resource_names.as_deref().unwrap_or_default();
    verb && group
        && resource
        && (names.is_empty() || names.iter().any(|name| asked.names.contains(name)))
}
