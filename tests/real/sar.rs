//! The index of rights beside the authorizer of a real API server: random RBAC, written there, followed by the same
//! watches as when serving, and asked both ways.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        core::v1::Namespace,
        rbac::v1::{
            AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding,
            RoleRef, Subject,
        },
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams, PostParams},
};
use prometheus_client::registry::Registry;
use serde::{Serialize, de::DeserializeOwned};
use usher::{
    cluster::{Live, connect},
    facts::RightsSource as _,
};
use usher_core::{
    reference::{Question, Requester, Verb},
    rights::{Rbac, Rights},
};

use crate::{
    real::controlplane::plane,
    support::{
        random::{Dice, seed},
        rbac_world::{Asked, World},
    },
};

const QUESTIONS: usize = 4000;
const WORLDS: usize = 12;
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// Who holds the roles of the API server itself, and nothing that a world gives: whoever holds both may have it by either.
const NOBODY_ELSE: &str = "sar-olga";
/// The API server's own watches need a moment.
const SETTLED: Duration = Duration::from_secs(20);

/// A question in words that can be sent.
#[derive(Clone, Debug)]
struct Sent {
    user: String,
    groups: Vec<String>,
    namespace: String,
    asked: usize,
    verb: Verb,
    resource: usher_core::reference::Resource,
    name: String,
}

impl Sent {
    fn answer(&self, rights: &Rights) -> Option<String> {
        let requester = Requester {
            username: self.user.as_str().into(),
            groups: self
                .groups
                .iter()
                .map(|group| group.as_str().into())
                .collect(),
            ..Requester::default()
        };
        let question = Question {
            verb: self.verb,
            ..Question::new(self.resource, &*self.namespace, &*self.name)
        };
        rights
            .find(&requester, &question)
            .map(|grant| grant.to_string())
    }

    async fn review(&self, client: &Client) -> bool {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.user.clone()),
                groups: Some(self.groups.clone()),
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(self.namespace.clone()),
                    verb: Some(self.verb.word().to_owned()),
                    group: Some(self.resource.group.to_owned()),
                    resource: Some(self.resource.name.to_owned()),
                    name: Some(self.name.clone()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(client.clone());
        let answer = api.create(&PostParams::default(), &review).await.unwrap();
        answer.status.unwrap().allowed
    }
}

/// The words of one world, made this world's own: other tests use the same API server.
fn own(json: &str, world: usize, cluster: bool) -> String {
    let mut json = json.replace("\"team-", &format!("\"sar{world}-team-"));
    json = json.replace(
        "system:serviceaccount:team-",
        &format!("system:serviceaccount:sar{world}-team-"),
    );
    json = json.replace(
        "system:serviceaccounts:team-",
        &format!("system:serviceaccounts:sar{world}-team-"),
    );
    for name in ["jane", "max", "devs", "ops"] {
        json = json.replace(&format!("\"{name}\""), &format!("\"sar-{name}\""));
    }
    if cluster {
        // What holds for everybody would hold for the users of other tests.
        for group in ["system:serviceaccounts", "system:authenticated"] {
            json = json.replace(&format!("\"{group}\""), &format!("\"sar-{group}\""));
        }
    }
    json
}

/// The same for an object; cluster-wide names are told apart as well.
fn own_object<K: Serialize + DeserializeOwned + Resource<DynamicType = ()>>(
    object: &K,
    world: usize,
) -> K {
    let cluster = object.meta().namespace.is_none();
    let json = own(&serde_json::to_string(object).unwrap(), world, cluster);
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let prefix = |name: &mut serde_json::Value| {
        *name = format!("sar{world}-{}", name.as_str().unwrap()).into();
    };
    if cluster {
        prefix(&mut value["metadata"]["name"]);
    }
    if value["roleRef"]["kind"] == "ClusterRole" {
        prefix(&mut value["roleRef"]["name"]);
    }
    serde_json::from_value(value).unwrap()
}

fn own_question(asked: &Asked, world: usize, index: usize) -> Sent {
    let mine = |word: &str| {
        own(&format!("\"{word}\""), world, false)
            .trim_matches('"')
            .to_owned()
    };
    let mut groups: Vec<String> = asked.groups.iter().map(|group| mine(group)).collect();
    for group in asked
        .groups
        .iter()
        .filter(|group| group.starts_with("system:") && !group.ends_with("team-a"))
    {
        groups.push(format!("sar-{group}"));
    }
    Sent {
        user: mine(&asked.user),
        groups,
        namespace: mine(asked.namespace),
        asked: index,
        verb: asked.verb,
        resource: asked.resource,
        name: asked.names[0].clone(),
    }
}

async fn write<K>(api: impl Fn(&K) -> Api<K>, objects: Vec<K>)
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let create = objects.iter().map(|object| {
        let api = api(object);
        async move {
            api.create(&PostParams::default(), object)
                .await
                .map(drop)
                .map_err(|error| (error, object))
        }
    });
    let done: Result<Vec<()>, _> = stream::iter(create)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await;
    if let Err((error, object)) = done {
        panic!("{error}: {}", serde_json::to_string(object).unwrap());
    }
}

/// Writes the worlds, and with them what only an API server makes: aggregated roles, and bindings of built-in ones.
async fn populate(client: &Client, worlds: &[World]) {
    let mut namespaces = Vec::new();
    let (mut roles, mut cluster_roles, mut bindings, mut cluster_bindings) =
        (vec![], vec![], vec![], vec![]);
    for (index, world) in worlds.iter().enumerate() {
        for team in ["a", "b", "c"] {
            namespaces.push(Namespace {
                metadata: ObjectMeta {
                    name: Some(format!("sar{index}-team-{team}")),
                    ..ObjectMeta::default()
                },
                ..Namespace::default()
            });
        }
        roles.extend(world.roles.iter().map(|object| own_object(object, index)));
        cluster_roles.extend(
            world
                .cluster_roles
                .iter()
                .map(|object| own_object(object, index)),
        );
        bindings.extend(
            world
                .role_bindings
                .iter()
                .map(|object| own_object(object, index)),
        );
        cluster_bindings.extend(
            world
                .cluster_role_bindings
                .iter()
                .map(|object| own_object(object, index)),
        );
    }
    for (number, name) in ["cluster-admin", "admin", "edit", "view", "sar-aggregated"]
        .iter()
        .enumerate()
    {
        bindings.push(binding(number, name));
    }
    let label = BTreeMap::from([("usher-sar".to_owned(), "yes".to_owned())]);
    cluster_roles.push(ClusterRole {
        metadata: ObjectMeta {
            name: Some("sar-aggregated".to_owned()),
            ..ObjectMeta::default()
        },
        aggregation_rule: Some(AggregationRule {
            cluster_role_selectors: Some(vec![LabelSelector {
                match_labels: Some(label.clone()),
                ..LabelSelector::default()
            }]),
        }),
        ..ClusterRole::default()
    });
    for name in ["ci", "gpu-node"] {
        cluster_roles.push(ClusterRole {
            metadata: ObjectMeta {
                name: Some(format!("sar-part-{name}")),
                labels: Some(label.clone()),
                ..ObjectMeta::default()
            },
            rules: Some(vec![PolicyRule {
                verbs: vec!["use".to_owned()],
                api_groups: Some(vec![String::new()]),
                resources: Some(vec!["serviceaccounts".to_owned(), "nodes".to_owned()]),
                resource_names: Some(vec![name.to_owned()]),
                ..PolicyRule::default()
            }]),
            ..ClusterRole::default()
        });
    }
    let count = roles.len() + cluster_roles.len() + bindings.len() + cluster_bindings.len();
    println!("{count} objects of RBAC in {} namespaces", namespaces.len());
    let namespace_of = |meta: &ObjectMeta| meta.namespace.clone().unwrap();
    write(|_: &Namespace| Api::all(client.clone()), namespaces).await;
    write(|_: &ClusterRole| Api::all(client.clone()), cluster_roles).await;
    write(
        |_: &ClusterRoleBinding| Api::all(client.clone()),
        cluster_bindings,
    )
    .await;
    write(
        |role: &Role| Api::namespaced(client.clone(), &namespace_of(&role.metadata)),
        roles,
    )
    .await;
    write(
        |held: &RoleBinding| Api::namespaced(client.clone(), &namespace_of(&held.metadata)),
        bindings,
    )
    .await;
    filled(client).await;
}

fn binding(number: usize, role: &str) -> RoleBinding {
    RoleBinding {
        metadata: ObjectMeta {
            name: Some(format!("built-in-{role}")),
            namespace: Some(format!("sar{number}-team-c")),
            ..ObjectMeta::default()
        },
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "User".to_owned(),
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            name: NOBODY_ELSE.to_owned(),
            namespace: None,
        }]),
    }
}

/// Waits until the controller has gathered the rules of the aggregated role.
async fn filled(client: &Client) {
    let api: Api<ClusterRole> = Api::all(client.clone());
    let start = Instant::now();
    while api
        .get("sar-aggregated")
        .await
        .unwrap()
        .rules
        .is_none_or(|rules| rules.len() < 2)
    {
        assert!(
            start.elapsed() < SETTLED,
            "the aggregated role is not filled"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All RBAC that the API server has, read at once.
async fn listed(client: &Client) -> Rights {
    async fn list<K>(client: &Client) -> Vec<K>
    where
        K: Clone + std::fmt::Debug + DeserializeOwned + Resource<DynamicType = ()>,
    {
        Api::<K>::all(client.clone())
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
    }
    let mut rbac = Rbac::default();
    rbac.set_reads(true);
    for role in list::<Role>(client).await {
        rbac.apply_role(&role).unwrap();
    }
    for role in list::<ClusterRole>(client).await {
        rbac.apply_cluster_role(&role).unwrap();
    }
    for binding in list::<RoleBinding>(client).await {
        rbac.apply_role_binding(&binding).unwrap();
    }
    for binding in list::<ClusterRoleBinding>(client).await {
        rbac.apply_cluster_role_binding(&binding).unwrap();
    }
    rbac.compile()
}

#[test]
fn the_index_answers_as_the_api_server_does() {
    // Another test may have chosen the same one already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let kubeconfig = plane().kubeconfig();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = connect(Some(kubeconfig)).await.unwrap();
        // The watches begin before there is anything of ours, and see it come.
        let (live, watches) = Live::new(client.clone(), &mut Registry::default());
        live.set_reads(true);
        drop(tokio::spawn(watches.run()));
        let mut dice = Dice::new(seed());
        let mut worlds: Vec<World> = (0..WORLDS)
            .map(|_| World::random(&mut dice, true))
            .collect();
        // Grants for the whole cluster add up over all worlds: a few are enough, or everything is allowed.
        for world in worlds.iter_mut().skip(3) {
            world.cluster_role_bindings.clear();
        }
        populate(&client, &worlds).await;
        let questions: Vec<Sent> = (0..QUESTIONS)
            .map(|index| own_question(&Asked::random(&mut dice), index % WORLDS, index))
            .collect();
        let mut questions = questions;
        questions.extend((0..5).flat_map(given_by_the_api_server));
        let grants = agree(&client, &live, &questions).await;
        for role in ["cluster-admin", "sar-aggregated"] {
            assert!(
                grants.iter().any(|grant| grant.contains(role)),
                "no question was answered by {role}"
            );
        }
        // What is deleted must be forgotten by everybody.
        let (all, params) = (ListParams::default(), DeleteParams::default());
        for world in 0..WORLDS {
            let (a, b) = (format!("sar{world}-team-a"), format!("sar{world}-team-b"));
            let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &a);
            bindings.delete_collection(&params, &all).await.unwrap();
            let roles: Api<Role> = Api::namespaced(client.clone(), &b);
            roles.delete_collection(&params, &all).await.unwrap();
        }
        let left = agree(&client, &live, &questions).await;
        assert!(
            left.len() < grants.len(),
            "{} of {} grants are left",
            left.len(),
            grants.len()
        );
    });
}

/// Questions whose answers hang on roles that the API server itself keeps or fills.
fn given_by_the_api_server(number: usize) -> Vec<Sent> {
    let names = ["ci", "gpu-node", "default"];
    let asked = |(index, name): (usize, &str)| Sent {
        user: NOBODY_ELSE.to_owned(),
        groups: vec!["system:authenticated".to_owned()],
        namespace: format!("sar{number}-team-c"),
        asked: QUESTIONS + number * names.len() + index,
        verb: Verb::Use,
        resource: usher_core::reference::Resource::SERVICE_ACCOUNTS,
        name: name.to_owned(),
    };
    names.into_iter().enumerate().map(asked).collect()
}

/// Asks all three. Gives the grants that the index names.
async fn agree(client: &Client, live: &Live, questions: &[Sent]) -> Vec<String> {
    let listed = listed(client).await;
    let start = Instant::now();
    let answers: HashMap<usize, bool> = stream::iter(questions)
        .map(|sent| async move { (sent.asked, sent.review(client).await) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (mut grants, mut later) = (Vec::new(), 0);
    for sent in questions {
        let expected = sent.answer(&listed);
        let mut answer = answers[&sent.asked];
        let followed = || live.rights().ok().map(|rights| sent.answer(&rights));
        // The watches of the API server's authorizer, and ours, may be a moment behind what was listed.
        let behind = Instant::now();
        while behind.elapsed() < SETTLED
            && (answer != expected.is_some()
                || followed().is_none_or(|grant| grant.is_some() != answer))
        {
            later += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = sent.review(client).await;
        }
        let seed = seed();
        assert_eq!(
            answer,
            expected.is_some(),
            "USHER_SEED={seed}: {sent:?}, listed: {expected:?}"
        );
        assert_eq!(
            Some(answer),
            followed().map(|grant| grant.is_some()),
            "USHER_SEED={seed}: {sent:?}, followed"
        );
        grants.extend(expected);
    }
    let (count, yes) = (questions.len(), grants.len());
    println!(
        "{count} access reviews, {yes} yes, in {:?}; {later} asked again; no disagreement",
        start.elapsed()
    );
    assert!(
        count >= 2000 && yes > count / 40 && yes < count - count / 40,
        "{yes} of {count}"
    );
    grants
}
