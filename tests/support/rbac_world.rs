//! Random RBAC: few words, so that bindings, roles and questions meet often.

use std::fmt;

use k8s_openapi::{
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use usher_core::{
    object::FIELDS,
    reference::{Question, Requester, Resource, Verb},
    rights::Rbac,
};

use crate::support::random::Dice;

pub(crate) const NAMESPACES: [&str; 4] = ["team-a", "team-b", "team-c", "empty"];
const ROLES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "r5", "nobody-made-this"];
const BINDINGS: [&str; 12] = [
    "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9", "b10", "b11",
];
const VERBS: [&str; 7] = ["use", "use", "use", "*", "get", "create", "USE"];
const GROUPS: [&str; 8] = [
    "",
    "",
    "usher.dev",
    "scheduling.k8s.io",
    "node.k8s.io",
    "apps",
    "*",
    "*",
];
const RESOURCES: [&str; 14] = [
    "*",
    "serviceaccounts",
    "schedulers",
    "tolerations",
    "nodes",
    "priorityclasses",
    "runtimeclasses",
    "*",
    "*/token",
    "serviceaccounts/token",
    "nodes/*",
    "*/*",
    "secrets",
    "deployments",
];
/// What a catalogue may name: each has its group or its name from something that roles hold.
const OTHERS: [&str; 3] = ["deployments.apps", "deployments", "nodes.apps"];
const NAMES: [&str; 12] = [
    "default",
    "ci",
    "gpu-node",
    "high",
    "gvisor",
    "*",
    "*:NoExecute",
    "gpu",
    "gpu=a",
    "gpu:NoExecute",
    "gpu=a:NoExecute",
    "gpu=:NoExecute",
];
pub(crate) const USERS: [&str; 6] = [
    "jane",
    "max",
    "*",
    "system:serviceaccount:team-a:ci",
    "system:serviceaccount:team-b:ci",
    "system:serviceaccount:team-b:default",
];
const USER_GROUPS: [&str; 6] = [
    "devs",
    "ops",
    // As a user is called.
    "system:serviceaccount:team-b:ci",
    "system:serviceaccounts",
    "system:serviceaccounts:team-a",
    "system:authenticated",
];

/// What is stored in a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) roles: Vec<Role>,
    pub(crate) cluster_roles: Vec<ClusterRole>,
    pub(crate) role_bindings: Vec<RoleBinding>,
    pub(crate) cluster_role_bindings: Vec<ClusterRoleBinding>,
}

/// Who asks for what.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    pub(crate) namespace: &'static str,
    pub(crate) verb: Verb,
    pub(crate) resource: Resource,
    /// Any of these will do.
    pub(crate) names: Vec<String>,
}

impl World {
    /// A world. A `legal` one is accepted by the API server.
    pub(crate) fn random(dice: &mut Dice, legal: bool) -> Self {
        let mut world = Self::default();
        for _ in 0..10 + dice.below(20) {
            world.put_role(random_role(dice, legal));
        }
        for _ in 0..2 + dice.below(8) {
            world.put_cluster_role(random_cluster_role(dice, legal));
        }
        for _ in 0..10 + dice.below(40) {
            world.put_role_binding(random_role_binding(dice, legal));
        }
        for _ in 0..dice.below(7) {
            world.put_cluster_role_binding(random_cluster_role_binding(dice, legal));
        }
        world
    }

    pub(crate) fn put_role(&mut self, role: Role) {
        self.roles
            .retain(|held| !same(&held.metadata, &role.metadata));
        self.roles.push(role);
    }

    pub(crate) fn put_cluster_role(&mut self, role: ClusterRole) {
        self.cluster_roles
            .retain(|held| !same(&held.metadata, &role.metadata));
        self.cluster_roles.push(role);
    }

    pub(crate) fn put_role_binding(&mut self, binding: RoleBinding) {
        self.role_bindings
            .retain(|held| !same(&held.metadata, &binding.metadata));
        self.role_bindings.push(binding);
    }

    pub(crate) fn put_cluster_role_binding(&mut self, binding: ClusterRoleBinding) {
        self.cluster_role_bindings
            .retain(|held| !same(&held.metadata, &binding.metadata));
        self.cluster_role_bindings.push(binding);
    }

    /// All of it, taken in anew.
    pub(crate) fn rbac(&self) -> Rbac {
        let mut rbac = Rbac::default();
        rbac.set_reads(true);
        // Bindings first: that they come before their roles must make no difference.
        for binding in &self.role_bindings {
            let role = is_role(&binding.role_ref);
            assert_eq!(rbac.apply_role_binding(binding).is_ok(), role);
        }
        for binding in &self.cluster_role_bindings {
            let role = is_role(&binding.role_ref);
            assert_eq!(rbac.apply_cluster_role_binding(binding).is_ok(), role);
        }
        for role in &self.cluster_roles {
            rbac.apply_cluster_role(role).unwrap();
        }
        for role in &self.roles {
            rbac.apply_role(role).unwrap();
        }
        rbac
    }
}

impl Asked {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        // Mostly about what pods name: few roles hold anything else.
        let resource = match dice.below(40) {
            0..=3 => Resource::ALL[dice.below(Resource::ALL.len())],
            4 | 5 => Resource::SECRETS,
            6 => Resource::named(dice.pick(&OTHERS)),
            _ => FIELDS[dice.below(FIELDS.len())].resource,
        };
        let most = if resource == Resource::TOLERATIONS {
            4
        } else {
            1
        };
        let reads = resource.is_readable() && dice.one_in(2);
        Self {
            verb: if reads { Verb::Get } else { Verb::Use },
            user: dice.pick(&USERS).to_owned(),
            groups: dice.picks(0, 5, &USER_GROUPS),
            namespace: dice.pick(&NAMESPACES),
            resource,
            names: dice.picks(1, most, &NAMES),
        }
    }

    pub(crate) fn requester(&self) -> Requester<'_> {
        Requester {
            username: self.user.as_str().into(),
            groups: self
                .groups
                .iter()
                .map(|group| group.as_str().into())
                .collect(),
            ..Requester::default()
        }
    }

    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            verb: self.verb,
            ..Question::new(self.resource, self.namespace, self.names[0].as_str())
        }
    }
}

/// Each object as a line of JSON.
impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |object: serde_json::Result<String>| writeln!(f, "{}", object.unwrap());
        for held in &self.roles {
            line(serde_json::to_string(held))?;
        }
        for held in &self.cluster_roles {
            line(serde_json::to_string(held))?;
        }
        for held in &self.role_bindings {
            line(serde_json::to_string(held))?;
        }
        for held in &self.cluster_role_bindings {
            line(serde_json::to_string(held))?;
        }
        Ok(())
    }
}

/// Whether a binding binds anything that is a role at all.
pub(crate) fn is_role(role: &RoleRef) -> bool {
    role.kind == "Role" || role.kind == "ClusterRole"
}

fn same(left: &ObjectMeta, right: &ObjectMeta) -> bool {
    left.name == right.name && left.namespace == right.namespace
}

fn metadata(dice: &mut Dice, namespaced: bool, names: &[&str]) -> ObjectMeta {
    ObjectMeta {
        name: Some(dice.pick(names).to_owned()),
        namespace: namespaced.then(|| dice.pick(&NAMESPACES[..3]).to_owned()),
        ..ObjectMeta::default()
    }
}

pub(crate) fn random_role(dice: &mut Dice, legal: bool) -> Role {
    Role {
        metadata: metadata(dice, true, &ROLES[..6]),
        rules: rules(dice, legal),
    }
}

pub(crate) fn random_cluster_role(dice: &mut Dice, legal: bool) -> ClusterRole {
    ClusterRole {
        metadata: metadata(dice, false, &ROLES[..6]),
        rules: rules(dice, legal),
        ..ClusterRole::default()
    }
}

pub(crate) fn random_role_binding(dice: &mut Dice, legal: bool) -> RoleBinding {
    RoleBinding {
        metadata: metadata(dice, true, &BINDINGS),
        role_ref: role_ref(dice, legal, false),
        subjects: subjects(dice, legal),
    }
}

pub(crate) fn random_cluster_role_binding(dice: &mut Dice, legal: bool) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: metadata(dice, false, &BINDINGS),
        role_ref: role_ref(dice, legal, true),
        subjects: subjects(dice, legal),
    }
}

fn rules(dice: &mut Dice, legal: bool) -> Option<Vec<PolicyRule>> {
    if dice.one_in(12) {
        return None;
    }
    let least = usize::from(legal || !dice.one_in(4));
    let mut rule = || PolicyRule {
        verbs: dice.picks(1, 2, &VERBS),
        api_groups: Some(dice.picks(least, 3, &GROUPS)),
        resources: Some(dice.picks(least, 4, &RESOURCES)),
        resource_names: match dice.below(4) {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(dice.picks(1, 7, &NAMES)),
        },
        ..PolicyRule::default()
    };
    let mut rules = vec![rule(), rule(), rule()];
    if !legal && dice.one_in(6) {
        rules[1].resources = None;
    }
    if dice.one_in(8) {
        rules[1] = PolicyRule {
            verbs: vec!["*".to_owned()],
            non_resource_urls: Some(vec!["*".to_owned()]),
            ..PolicyRule::default()
        };
    }
    // A rule of URLs has no place in a Role.
    if legal {
        rules.retain(|rule| rule.non_resource_urls.is_none());
    }
    rules.truncate(1 + dice.below(3));
    Some(rules)
}

fn role_ref(dice: &mut Dice, legal: bool, cluster: bool) -> RoleRef {
    let kind = match dice.below(12) {
        0 if !legal => "Clusterrole",
        1..=6 if !(legal && cluster) => "Role",
        _ => "ClusterRole",
    };
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: dice.pick(&ROLES).to_owned(),
    }
}

fn subjects(dice: &mut Dice, legal: bool) -> Option<Vec<Subject>> {
    if dice.one_in(12) {
        return None;
    }
    let mut subject = || {
        let kinds = ["Group", "User", "ServiceAccount", "ServiceAccount", "group"];
        let last = 4 + usize::from(!legal && dice.one_in(4));
        let kind = dice.pick(&kinds[..last]);
        let account = kind == "ServiceAccount";
        Subject {
            kind: kind.to_owned(),
            api_group: (!account).then(|| "rbac.authorization.k8s.io".to_owned()),
            name: match kind {
                "User" => dice.pick(&USERS),
                "ServiceAccount" => dice.pick(&["ci", "default"]),
                _ => dice.pick(&USER_GROUPS),
            }
            .to_owned(),
            namespace: match dice.below(3) {
                _ if !account => None,
                0 if !legal => None,
                1 if !legal => Some(String::new()),
                _ => Some(dice.pick(&NAMESPACES).to_owned()),
            },
        }
    };
    let subjects = [subject(), subject(), subject(), subject(), subject()];
    let count = dice.below(6);
    Some(subjects.into_iter().take(count).collect())
}
