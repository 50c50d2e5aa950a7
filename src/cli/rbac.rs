//! What Usher itself may do in a cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{catalogue::Content, engine::Policy};

/// What every installation needs.
const CORE: &str = include_str!("../../deploy/rbac.yaml");
/// The last rule of it, behind which others may follow.
const LAST: &str = "    resources: [jobs, cronjobs]\n    verbs: [get]\n";

/// Account, ClusterRole and ClusterRoleBinding of Usher: with the right to read what owns the objects of the controllers that
/// the configuration names.
pub(super) fn role(policy: &Policy) -> String {
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for maker in policy.catalogue.iter().flat_map(|held| held.controllers()) {
        let controller = maker.controller.as_deref();
        let named = controller.is_some_and(|name| policy.controllers.contains_key(name));
        let owner = policy.catalogue.iter();
        let mut owner = owner.filter_map(|held| held.find(&maker.of.group, &maker.of.kind));
        // Kinds of Kubernetes itself stand there already.
        if let (true, Some(owner)) = (named, owner.next())
            && matches!(owner.content, Content::Fields(_))
        {
            owners
                .entry(&owner.group)
                .or_default()
                .insert(&owner.resource);
        }
    }
    let mut rules = LAST.to_owned();
    if !owners.is_empty() {
        rules.push_str("  # The same of the controllers that the configuration names.\n");
    }
    for (group, resources) in owners {
        let resources: Vec<&str> = resources.into_iter().collect();
        // Writing to a String cannot fail.
        let _ = write!(
            rules,
            "  - apiGroups: [{group}]\n    resources: [{}]\n    verbs: [get]\n",
            resources.join(", ")
        );
    }
    CORE.replace(LAST, &rules)
}
