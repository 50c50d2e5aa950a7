//! The index of rights beside a slow model, on random worlds.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde_json::json;
use usher_core::{
    reference::{Resource, Verb},
    rights::Rights,
};

use super::rbac::{allows, is_real, names};
use crate::support::{
    random::{Dice, seeds},
    rbac_world::{
        Asked, USERS, World, is_role, random_cluster_role, random_cluster_role_binding,
        random_role, random_role_binding,
    },
};

/// Questions that one run asks at the least.
const QUESTIONS: usize = 100_000;

fn answer(rights: &Rights, asked: &Asked) -> Option<usher_core::rights::Grant> {
    let requester = asked.requester();
    if let [_] = &*asked.names {
        rights.find(&requester, &asked.question())
    } else {
        rights.find_any(&requester, &asked.question(), &asked.names)
    }
}

#[test]
fn the_index_answers_as_the_model_does_and_names_real_grants() {
    let (mut questions, mut yes, mut via_cluster) = (0, 0, 0);
    for seed in seeds().take(QUESTIONS / 200) {
        let mut dice = Dice::new(seed);
        let world = World::random(&mut dice, false);
        let rights = world.rbac().compile();
        for _ in 0..205 {
            let asked = Asked::random(&mut dice);
            let found = answer(&rights, &asked);
            let expected = allows(&world, &asked);
            assert_eq!(
                found.is_some(),
                expected,
                "USHER_SEED={seed}: {asked:?}\n{world}"
            );
            if let Some(grant) = &found {
                assert!(
                    is_real(&world, &asked, grant),
                    "USHER_SEED={seed}: {asked:?} by {grant}\n{world}"
                );
                via_cluster += usize::from(grant.to_string().starts_with("ClusterRoleBinding"));
            }
            questions += 1;
            yes += usize::from(expected);
        }
    }
    println!(
        "{questions} questions: {yes} yes ({via_cluster} by a ClusterRoleBinding), no disagreement"
    );
    assert!(questions >= QUESTIONS);
    let tenth = questions / 10;
    assert!(
        yes > tenth && questions - yes > tenth,
        "{yes} of {questions} are yes: the worlds are too dull"
    );
    assert!(via_cluster > questions / 100, "{via_cluster}");
}

#[test]
fn what_may_be_used_may_not_therefore_be_read() {
    let everything: ClusterRole = serde_json::from_value(json!({
        "metadata": {"name": "all"},
        "rules": [{"verbs": ["use"], "apiGroups": ["*"], "resources": ["*"]}],
    }))
    .unwrap();
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all"},
        "subjects": [{"kind": "User", "name": "jane"}],
    }))
    .unwrap();
    let mut world = World::default();
    world.put_cluster_role(everything);
    world.put_cluster_role_binding(binding);
    let rights = world.rbac().compile();
    for resource in Resource::ALL {
        for verb in [Verb::Use, Verb::Get] {
            let asked = Asked {
                user: "jane".to_owned(),
                groups: Vec::new(),
                namespace: "team-a",
                verb,
                resource,
                names: vec!["x".to_owned()],
            };
            let found = answer(&rights, &asked).is_some();
            assert_eq!(found, verb == Verb::Use, "{asked:?}");
        }
    }
}

#[test]
fn events_in_any_order_give_what_the_final_objects_give() {
    let mut compilations = 0;
    for seed in seeds().take(150) {
        let mut dice = Dice::new(seed);
        let mut world = World::default();
        let mut rbac = world.rbac();
        let mut earlier: Vec<(World, Rights)> = Vec::new();
        for _ in 0..60 {
            event(&mut dice, &mut world, &mut rbac);
            if !dice.one_in(4) {
                continue;
            }
            // Compiled in between without what may be read.
            if dice.one_in(3) {
                rbac.set_reads(false);
                let used = rbac.compile();
                let asked = Asked::random(&mut dice);
                if asked.verb == Verb::Get {
                    assert_eq!(answer(&used, &asked), None, "USHER_SEED={seed}: {asked:?}");
                }
                rbac.set_reads(true);
            }
            let rights = rbac.compile();
            agree(&mut dice, &world, &rights, seed);
            // What was compiled before must not have changed under its readers.
            if let Some((world, rights)) = earlier.pop() {
                agree(&mut dice, &world, &rights, seed);
            }
            earlier.push((world.clone(), rights));
            compilations += 1;
        }
        let namespaced = world.role_bindings.iter().map(|held| &held.role_ref);
        let cluster = world
            .cluster_role_bindings
            .iter()
            .map(|held| &held.role_ref);
        let bindings = namespaced
            .chain(cluster)
            .filter(|role| is_role(role))
            .count();
        assert_eq!(rbac.bindings(), bindings, "USHER_SEED={seed}");
    }
    assert!(compilations > 1000, "{compilations}");
}

fn agree(dice: &mut Dice, world: &World, rights: &Rights, seed: u64) {
    let fresh = world.rbac().compile();
    for account in USERS.iter().filter(|user| user.starts_with("system:")) {
        assert_eq!(
            rights.names(account),
            names(world, account),
            "USHER_SEED={seed}: {account}\n{world}"
        );
    }
    for _ in 0..25 {
        let asked = Asked::random(dice);
        let (found, anew) = (answer(rights, &asked), answer(&fresh, &asked));
        assert_eq!(
            found.is_some(),
            anew.is_some(),
            "USHER_SEED={seed}: {asked:?}\n{world}"
        );
        assert_eq!(
            found.is_some(),
            allows(world, &asked),
            "USHER_SEED={seed}: {asked:?}\n{world}"
        );
        if let Some(grant) = &found {
            assert!(
                is_real(world, &asked, grant),
                "USHER_SEED={seed}: {asked:?} by {grant}\n{world}"
            );
        }
    }
}

/// Something is written, deleted, or listed anew, as a watch tells it.
fn event(dice: &mut Dice, world: &mut World, rbac: &mut usher_core::rights::Rbac) {
    match dice.below(14) {
        0 | 1 => {
            let role = random_role(dice, false);
            rbac.apply_role(&role).unwrap();
            world.put_role(role);
        }
        2 => {
            let role = random_cluster_role(dice, false);
            rbac.apply_cluster_role(&role).unwrap();
            world.put_cluster_role(role);
        }
        3..=6 => {
            let binding = random_role_binding(dice, false);
            let role = is_role(&binding.role_ref);
            assert_eq!(rbac.apply_role_binding(&binding).is_ok(), role);
            world.put_role_binding(binding);
        }
        7 => {
            let binding = random_cluster_role_binding(dice, false);
            let role = is_role(&binding.role_ref);
            assert_eq!(rbac.apply_cluster_role_binding(&binding).is_ok(), role);
            world.put_cluster_role_binding(binding);
        }
        // Of something that is not there, too: a watch may tell a deletion twice.
        8 => {
            let gone = random_role(dice, false).metadata;
            rbac.delete_role(gone.namespace.as_deref(), gone.name.as_deref().unwrap());
            world.roles.retain(|held| {
                (&held.metadata.namespace, &held.metadata.name) != (&gone.namespace, &gone.name)
            });
        }
        9 => {
            let gone = random_cluster_role(dice, false).metadata;
            rbac.delete_role(None, gone.name.as_deref().unwrap());
            world
                .cluster_roles
                .retain(|held| held.metadata.name != gone.name);
        }
        10 => {
            let gone = random_role_binding(dice, false).metadata;
            rbac.delete_binding(gone.namespace.as_deref(), gone.name.as_deref().unwrap());
            world.role_bindings.retain(|held| {
                (&held.metadata.namespace, &held.metadata.name) != (&gone.namespace, &gone.name)
            });
        }
        11 => {
            let gone = random_cluster_role_binding(dice, false).metadata;
            rbac.delete_binding(None, gone.name.as_deref().unwrap());
            world
                .cluster_role_bindings
                .retain(|held| held.metadata.name != gone.name);
        }
        12 => {
            let letter = dice.pick(&["0", "1", "2", "3"]);
            let keep = |name: Option<&str>| !name.is_some_and(|name| name.ends_with(letter));
            if dice.one_in(2) {
                rbac.retain_roles(false, |_, name| keep(Some(name)));
                world
                    .roles
                    .retain(|held| keep(held.metadata.name.as_deref()));
            } else {
                rbac.retain_roles(true, |_, name| keep(Some(name)));
                world
                    .cluster_roles
                    .retain(|held| keep(held.metadata.name.as_deref()));
            }
        }
        _ => {
            let lost = dice.pick(&["team-a", "team-b"]);
            let letter = dice.pick(&["0", "1", "2", "3"]);
            if dice.one_in(2) {
                rbac.retain_bindings(false, |namespace, _| namespace != Some(lost));
                world
                    .role_bindings
                    .retain(|held| held.metadata.namespace.as_deref() != Some(lost));
            } else {
                rbac.retain_bindings(true, |_, name| !name.ends_with(letter));
                world
                    .cluster_role_bindings
                    .retain(|held| !held.metadata.name.as_deref().unwrap().ends_with(letter));
            }
        }
    }
}
