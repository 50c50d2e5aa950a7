//! A cluster of any size, and whoever asks in it.

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, PolicyRule, Role, RoleBinding, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use usher_core::rights::{Rbac, Rights};

/// The namespace of review `n`, and of the binding that lets it pass.
pub(crate) fn namespace(n: usize) -> String {
    format!("team-{}", n / 100)
}

/// The user who sends review `n`.
pub(crate) fn user(n: usize) -> String {
    format!("user-{n}@example.test")
}

/// The five groups of user `n`: none of them holds anything.
pub(crate) fn groups(n: usize) -> [String; 5] {
    let team = format!("team-{}", n % 50);
    [
        team.clone(),
        format!("{team}-on-call"),
        "engineers".to_owned(),
        "everyone@example.test".to_owned(),
        "system:authenticated".to_owned(),
    ]
}

/// The account that the pod of review `n` runs as.
pub(crate) fn account(n: usize) -> String {
    format!("shop-{n}")
}

/// How the bindings of a cluster lie.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// A hundred in each namespace, each for its own user and account.
    Spread,
    /// All in one namespace and for user 0, each for another account.
    OneUser,
    /// All in one namespace and through one cluster role for account 0, each for its own user.
    OneRole,
}

/// What one binding gives: user and account are numbers.
pub(crate) struct Held {
    /// The namespace of the binding.
    pub(crate) namespace: String,
    /// Who holds it.
    pub(crate) user: usize,
    /// The account that may be used, and the taint that may be tolerated.
    pub(crate) account: usize,
}

impl Layout {
    /// What binding `n` gives.
    pub(crate) fn held(self, n: usize) -> Held {
        let (namespace, user, account) = match self {
            Self::Spread => (namespace(n), n, n),
            Self::OneUser => (namespace(0), 0, n),
            Self::OneRole => (namespace(0), n, 0),
        };
        Held {
            namespace,
            user,
            account,
        }
    }

    /// The rights of a cluster with this many bindings.
    pub(crate) fn rights(self, bindings: usize) -> Rights {
        self.rbac(bindings).compile()
    }

    /// What a cluster with this many bindings says of `use`.
    pub(crate) fn rbac(self, bindings: usize) -> Rbac {
        let mut rbac = Rbac::default();
        let shared = ClusterRole {
            metadata: named("shared", None),
            rules: Some(rules(0)),
            ..ClusterRole::default()
        };
        rbac.apply_cluster_role(&shared).unwrap();
        for n in 0..bindings {
            let held = self.held(n);
            let name = format!("use-{n}");
            let role = match self {
                Self::OneRole => ("ClusterRole", "shared"),
                Self::Spread | Self::OneUser => {
                    let role = Role {
                        metadata: named(&name, Some(&held.namespace)),
                        rules: Some(rules(held.account)),
                    };
                    rbac.apply_role(&role).unwrap();
                    ("Role", &*name)
                }
            };
            let binding = binding(&name, &held.namespace, role, held.user);
            rbac.apply_role_binding(&binding).unwrap();
        }
        rbac
    }
}

/// A role binding of one user; the role is a kind and a name.
pub(crate) fn binding(
    name: &str,
    namespace: &str,
    (kind, role): (&str, &str),
    holder: usize,
) -> RoleBinding {
    RoleBinding {
        metadata: named(name, Some(namespace)),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: kind.to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "User".to_owned(),
            name: user(holder),
            ..Subject::default()
        }]),
    }
}

/// Rules that let account `n` be used, and its taint tolerated.
pub(crate) fn rules(n: usize) -> Vec<PolicyRule> {
    let rule = |group: &str, resource: &str, name: String| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        resource_names: Some(vec![name]),
        verbs: vec!["use".to_owned()],
        ..PolicyRule::default()
    };
    vec![
        rule("", "serviceaccounts", account(n)),
        rule(
            "usher.dev",
            "tolerations",
            format!("dedicated={}:NoSchedule", account(n)),
        ),
    ]
}

/// The metadata of an object that has only a name.
pub(crate) fn named(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    }
}
