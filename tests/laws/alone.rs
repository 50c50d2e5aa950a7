//! A check that is enforced alone refuses what it would refuse among the others, and what cannot be known. Checks are
//! enforced one after the other by whoever starts to use Usher.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Value, json};
use usher_core::{
    catalogue::Content,
    config,
    engine::{Modes, Operation},
    reference::{Check, Mode},
};

use super::catalogue::each;
use crate::{
    models::catalogue::Book,
    stories::scenarios::told,
    support::{
        catalogue_world::World,
        stage::{Answer, Stage},
    },
};

/// What is said with every check enforced.
fn together(stage: &mut Stage, review: &[u8]) -> Answer {
    answer(stage, review, |_| Mode::Enforce)
}

/// What is said with one check enforced alone.
fn alone(stage: &mut Stage, review: &[u8], check: Check, others: Mode) -> Answer {
    let mode = |held| if held == check { Mode::Enforce } else { others };
    answer(stage, review, mode)
}

/// What is said with each of the checks enforced alone.
fn each_alone(stage: &mut Stage, review: &[u8], others: Mode) -> Vec<(Check, Answer)> {
    let said = |check| (check, alone(stage, review, check, others));
    Check::ALL.into_iter().map(said).collect()
}

fn answer(stage: &mut Stage, review: &[u8], mode: impl Fn(Check) -> Mode) -> Answer {
    stage.policy.modes = Modes {
        default: Check::ALL
            .into_iter()
            .map(|check| (check, mode(check)))
            .collect(),
        namespaces: Vec::new(),
    };
    stage.answer(review)
}

/// Where a check could not know what there is.
fn unknown((check, answer): &(Check, Answer)) -> BTreeSet<&str> {
    let findings = answer.findings.iter();
    let unknown = findings.filter(|seen| seen.check == check.name() && seen.outcome == "unknown");
    unknown.map(|seen| &*seen.path).collect()
}

const KINDS: &str = "
about: Kinds that one might have.
kinds:
  - {group: mill.example, kind: Mill, resource: mills, versions: [v1], fields: [
      {path: 'spec.workers[].template.spec', podSpec: {}}, {path: 'spec.objects[]', manifest: {}}]}
  - {group: mill.example, kind: Loom, resource: looms, versions: [v1], fields: [
      {path: 'spec.workers[].template.spec', podSpec: {}}]}
";

/// A stage on which olga may use everything, so that she is refused only what cannot be known, and tokens are limited in team-a.
fn limited(projects: &str) -> Stage {
    let rbac = [
        json!({"kind": "ClusterRole", "metadata": {"name": "all"},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "all"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all"},
            "subjects": [{"kind": "User", "name": "olga"}]}),
    ];
    let configuration = format!(
        "{{authorizer: rbac, catalogue: {{enable: [{projects}]}}, tokens: [{{namespaces: [team-a], audiences: [vault]}}]}}"
    );
    let mut settings = config::parse(&configuration).unwrap();
    settings.catalogue.add("mill.yaml", KINDS).unwrap();
    Stage::new(settings, &rbac, &[], Date::constant(2026, 11, 21))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
fn what_cannot_be_known_is_refused_by_each_check_that_could_ask() {
    let pods = |count: usize, spec: Value| json!({"workers": vec![json!({"template": {"spec": spec}}); count]});
    let nested = |depth: usize| {
        let list = |of: Value| json!({"apiVersion": "v1", "kind": "List", "items": [of]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}});
        json!({"objects": [(0..depth).fold(pod, |held, _| list(held))]})
    };
    let tokens = |count: usize| {
        let token = json!({"serviceAccountToken": {"audience": "vault", "path": "t"}});
        json!({"volumes": [{"name": "t", "projected": {"sources": vec![token; count]}}]})
    };
    let tolerations = |count: usize| json!({"tolerations": vec![json!({"key": "k"}); count]});
    // Of a pod that is only described, profiles ask nothing, and nobody connects to it; tokens ask only where they are limited:
    // in team-a. Accounts and Secrets are objects, which a Loom does not hold. What another version of it holds, nobody knows.
    let described = &[Check::Profiles, Check::Connections, Check::Proxies][..];
    let objects = [Check::Accounts, Check::TokenSecrets];
    let (no_objects, nothing_else) = (
        &[described, &objects].concat()[..],
        &[described, &[Check::Tokens], &objects].concat()[..],
    );
    let but = |asking: Check| {
        Check::ALL
            .into_iter()
            .filter(|check| *check != asking)
            .collect::<Vec<_>>()
    };
    let everybody = Check::ALL;
    let rows: &[(&str, &str, &str, Value, &[Check])] = &[
        (
            "as much as is looked at",
            "mill.example/v1 Mill",
            "team-a",
            pods(1000, json!({})),
            &everybody,
        ),
        (
            "one more",
            "mill.example/v1 Mill",
            "team-a",
            pods(1001, json!({})),
            described,
        ),
        (
            "one more, beside objects of any namespace",
            "mill.example/v1 Mill",
            "team-b",
            pods(1001, json!({})),
            described,
        ),
        (
            "one more",
            "mill.example/v1 Loom",
            "team-a",
            pods(1001, json!({})),
            no_objects,
        ),
        (
            "one more, where no token is limited",
            "mill.example/v1 Loom",
            "team-b",
            pods(1001, json!({})),
            nothing_else,
        ),
        (
            "a list",
            "mill.example/v1 Mill",
            "team-a",
            nested(1),
            &everybody,
        ),
        (
            "lists in lists",
            "mill.example/v1 Mill",
            "team-a",
            nested(8),
            described,
        ),
        (
            "a version that no entry lists",
            "mill.example/v9 Mill",
            "team-a",
            json!({}),
            described,
        ),
        (
            "a version that no entry lists",
            "mill.example/v9 Loom",
            "team-a",
            json!({}),
            described,
        ),
        (
            "the same, where no token is limited",
            "mill.example/v9 Loom",
            "team-b",
            json!({}),
            described,
        ),
        (
            "what is no pod spec",
            "mill.example/v1 Mill",
            "team-a",
            pods(1, json!(7)),
            described,
        ),
        (
            "what is no list",
            "mill.example/v1 Mill",
            "team-a",
            json!({"workers": 7}),
            described,
        ),
        ("what is no pod spec", "v1 Pod", "team-a", json!(7), &[]),
        (
            "a version of Kubernetes' own kind",
            "v9 Pod",
            "team-a",
            json!({}),
            &[],
        ),
        (
            "too many tolerations",
            "v1 Pod",
            "team-a",
            tolerations(1001),
            &but(Check::Tolerations),
        ),
        (
            "too many tokens",
            "v1 Pod",
            "team-a",
            tokens(201),
            &but(Check::Tokens),
        ),
    ];
    let mut stage = limited("");
    let mut wrong = Vec::new();
    for (what, kind, namespace, spec, passes) in rows {
        let review = review(kind, namespace, spec);
        for others in [Mode::Off, Mode::Audit] {
            for (check, answer) in each_alone(&mut stage, &review, others) {
                if answer.allowed != passes.contains(&check) {
                    let message = answer.message;
                    wrong.push(format!(
                        "{what}: {kind} in {namespace}: {check}, others {others:?}: {message:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn review(kind: &str, namespace: &str, spec: &Value) -> Vec<u8> {
    let (api_version, kind) = kind.split_once(' ').unwrap();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": group, "version": version, "kind": kind},
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "olga"},
            "object": {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it"}, "spec": spec},
        }
    });
    review.to_string().into_bytes()
}

#[test]
fn a_version_that_nobody_knows_is_refused_whatever_the_kind() {
    let mut stage = limited("all");
    let described = [Check::Profiles, Check::Connections, Check::Proxies];
    let mut sent = Vec::new();
    for kind in stage.catalogue.kinds() {
        let (group, name) = (&*kind.group, &*kind.kind);
        let api_version = format!("{group}/v9");
        let object = json!({
            "apiVersion": api_version.trim_start_matches('/'),
            "kind": name,
            "metadata": {"name": "it"},
        });
        let namespace = if kind.cluster { "" } else { "team-b" };
        // A kind of Kubernetes has one version, and nothing is said of another.
        let passes = match kind.content {
            Content::Fields(_) => &described[..],
            _ => &[],
        };
        for operation in Operation::judged(&kind.content) {
            let what = format!("{} of {api_version} {name}", operation.word());
            let mut review: Value =
                serde_json::from_slice(&review("v9 It", namespace, &json!({}))).unwrap();
            let request = &mut review["request"];
            request["kind"] = json!({"group": group, "version": "v9", "kind": name});
            request["operation"] = json!(operation.word());
            request["name"] = json!("it");
            request["object"] = object.clone();
            request["oldObject"] = object.clone();
            sent.push((what, review.to_string().into_bytes(), passes));
        }
        let spec = json!({"objects": [object]});
        let within = review("mill.example/v1 Mill", "team-b", &spec);
        sent.push((
            format!("{api_version} {name} in a Mill"),
            within,
            &described[..],
        ));
    }
    assert!(sent.len() > 300, "{}", sent.len());
    let mut wrong = Vec::new();
    for (what, review, passes) in sent {
        for (check, answer) in each_alone(&mut stage, &review, Mode::Off) {
            if answer.allowed != passes.contains(&check) {
                wrong.push(format!("{what}: {check}: {:?}", answer.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a finding of this check refuses, where it is enforced.
fn refuses(answer: &Answer, check: Check) -> bool {
    let mut of = answer
        .findings
        .iter()
        .filter(|seen| seen.check == check.name());
    of.any(|seen| seen.outcome != "allowed" && seen.exemption.is_none())
}

/// What is wrong with what some checks say alone, beside what all say together: what refuses together refuses alone too,
/// and what refuses alone refuses together.
fn differs(together: &Answer, alone: &[(Check, Answer)]) -> Option<String> {
    alone.iter().find_map(|(check, alone)| {
        let refused = together.broken.is_some() || refuses(together, *check);
        if refused && alone.allowed {
            Some(format!("{check} alone lets pass what it refuses together"))
        } else if together.allowed && !alone.allowed {
            Some(format!("{check} refuses alone what passes together"))
        } else {
            None
        }
    })
}

#[test]
fn no_check_alone_lets_pass_what_it_refuses_in_a_story() {
    let (mut refused, mut wrong) = (0, Vec::new());
    for scenario in told() {
        let mut stage = scenario.stage();
        for ((story, review), others) in scenario
            .reviews()
            .zip([Mode::Off, Mode::Audit].into_iter().cycle())
        {
            let together = together(&mut stage, &review);
            refused += usize::from(!together.allowed);
            let mut answers = Vec::new();
            for check in Check::ALL {
                // Whoever refuses alone what is refused together anyway says nothing new.
                if together.allowed || together.broken.is_some() || refuses(&together, check) {
                    answers.push((check, alone(&mut stage, &review, check, others)));
                }
            }
            if let Some(why) = differs(&together, &answers) {
                wrong.push(format!(
                    "{}: {story}: {why}, others {others:?}",
                    scenario.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 200, "{refused}");
}

#[test]
fn no_check_alone_lets_pass_what_it_refuses_of_random_objects() {
    let book = Book::read();
    let (mut lost, mut wrong) = (0, Vec::new());
    for (limited, others) in [("*", Mode::Off), ("team-b", Mode::Audit)] {
        let mut stage = World::new(&[], json!({})).stage(&[]);
        let limits = format!("tokens: [{{namespaces: ['{limited}'], audiences: []}}]");
        stage.policy.tokens = config::parse(&limits).unwrap().policy.tokens;
        each(&book, 250, 4, |seed, dice, mut sent| {
            if dice.one_in(10) {
                sent.version = "v9".to_owned();
            }
            let review = sent.review();
            let answers = each_alone(&mut stage, &review, others);
            if let Some(why) = differs(&together(&mut stage, &review), &answers) {
                wrong.push(format!("USHER_SEED={seed}: {sent}: {why}"));
            }
            // The name of a node is never unknown: what is, cannot be read, and may name anything.
            let nodes = answers
                .iter()
                .find(|(check, _)| *check == Check::Nodes)
                .unwrap();
            for at in unknown(nodes) {
                lost += 1;
                for held in &answers {
                    let asks = match held.0 {
                        Check::Profiles | Check::Connections | Check::Proxies => false,
                        Check::Accounts | Check::TokenSecrets => {
                            let mut fields = sent.entry.fields.iter();
                            sent.version == "v9"
                                || fields.any(|field| field.get("manifest").is_some())
                        }
                        Check::Tokens => limited == "*" || sent.version == "v9",
                        _ => true,
                    };
                    if asks && (held.1.allowed || !unknown(held).contains(at)) {
                        wrong.push(format!(
                            "USHER_SEED={seed}: {sent}: {at} is lost to {}",
                            held.0
                        ));
                    }
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lost > 20, "{lost}");
}
