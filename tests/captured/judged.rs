//! Reviews that a real API server sent (`tests/captured`): judged, and damaged.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use jiff::civil::Date;
use serde_json::{Value, json, value::RawValue};
use usher_core::engine::Policy;

use crate::support::{
    random::{Dice, nth_seed},
    stage::{Answer, Stage, over_core},
};

/// Name of the file; what is said where nothing is granted; what is said to a team with grants and real owners.
const JUDGED: [(&str, &str, &str); 74] = [
    (
        "controllerrevision-create-by-user",
        "serviceAccounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "controllerrevision-delete-by-user",
        "serviceAccounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "cronjob-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "daemonset-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "daemonset-update-image-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "deployment-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "deployment-scale-by-user",
        "nothing to ask: the kind names nothing that is asked about",
        "nothing to ask: the kind names nothing that is asked about",
    ),
    (
        "deployment-status-update-by-deployment-controller",
        "nothing to ask: the subresource cannot change the pod spec",
        "nothing to ask: the subresource cannot change the pod spec",
    ),
    (
        "deployment-update-account-by-user",
        "serviceAccounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "deployment-update-restart-by-user",
        "serviceAccounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "deployment-update-server-side-apply",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "deployment-update-undo-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "job-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "job-create-from-cronjob-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "job-status-update-by-job-controller",
        "nothing to ask: the subresource cannot change the pod spec",
        "nothing to ask: the subresource cannot change the pod spec",
    ),
    (
        "job-update-labels-by-user",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "job-update-suspend-by-user",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "namespace-update-tolerations-by-user",
        "tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "node-status-update-by-kubelet",
        "nothing to ask: the kind names nothing that is asked about",
        "nothing to ask: the kind names nothing that is asked about",
    ),
    (
        "pod-attach-connect",
        "connections ",
        "allowed: RoleBinding team-a/team",
    ),
    ("pod-binding-by-user", "nodes node-1", "nodes node-1"),
    (
        "pod-create-by-account-pod-bound-token",
        "tolerations dedicated=gpu:NoSchedule",
        "tolerations dedicated=gpu:NoSchedule",
    ),
    (
        "pod-create-by-controller-manager",
        "allowed: everybody may (baseline)",
        "allowed: everybody may (baseline)",
    ),
    (
        "pod-create-by-job-controller",
        "serviceAccounts tenant",
        "allowed: carried out for Job job, everybody may (baseline)",
    ),
    (
        "pod-create-by-replicaset-controller",
        "serviceAccounts tenant",
        "allowed: carried out for ReplicaSet dep-d554c4c6, everybody may (baseline)",
    ),
    (
        "pod-create-by-replicaset-controller.mutating",
        "serviceAccounts tenant",
        "allowed: carried out for ReplicaSet rs, everybody may (baseline)",
    ),
    (
        "pod-create-by-replication-controller",
        "serviceAccounts tenant",
        "allowed: carried out for ReplicationController rc, everybody may (baseline)",
    ),
    (
        "pod-create-by-statefulset-controller",
        "serviceAccounts tenant",
        "allowed: carried out for StatefulSet sts, everybody may (baseline)",
    ),
    (
        "pod-create-by-user",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-by-user-dryrun",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-by-user.mutating",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-client-side-apply",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-constrained-impersonation",
        "allowed: everybody may (baseline)",
        "allowed: everybody may (baseline)",
    ),
    (
        "pod-create-default-account",
        "allowed: everybody may (baseline)",
        "allowed: everybody may (baseline)",
    ),
    (
        "pod-create-forged-owner",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-from-replaced-controllerrevision",
        "serviceAccounts ci",
        "serviceAccounts ci",
    ),
    (
        "pod-create-generate-name.mutating",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-impersonated-account",
        "tolerations dedicated=gpu:NoSchedule",
        "tolerations dedicated=gpu:NoSchedule",
    ),
    (
        "pod-create-impersonated-masters",
        "allowed: everybody may (baseline), group system:masters may do everything",
        "allowed: ClusterRoleBinding cluster-admin, everybody may (baseline)",
    ),
    (
        "pod-create-impersonated-user",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-create-mirror-by-kubelet",
        "allowed: mirror pod of node node-1",
        "allowed: mirror pod of node node-1",
    ),
    (
        "pod-create-server-side-apply",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule",
        "allowed: RoleBinding team-a/team, everybody may (baseline)",
    ),
    (
        "pod-delete-by-garbage-collector",
        "nothing to ask: the operation uses nothing",
        "nothing to ask: the operation uses nothing",
    ),
    (
        "pod-delete-by-user",
        "nothing to ask: the operation uses nothing",
        "nothing to ask: the operation uses nothing",
    ),
    (
        "pod-delete-collection-by-user",
        "nothing to ask: the operation uses nothing",
        "nothing to ask: the operation uses nothing",
    ),
    (
        "pod-ephemeralcontainers-update",
        "serviceAccounts tenant, tolerations dedicated=gpu:NoSchedule, tolerations added:NoExecute",
        "tolerations added:NoExecute",
    ),
    (
        "pod-eviction-create",
        "nothing to ask: the kind names nothing that is asked about",
        "nothing to ask: the kind names nothing that is asked about",
    ),
    (
        "pod-exec-connect",
        "connections ",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "pod-portforward-connect",
        "proxies ",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "pod-proxy-connect",
        "proxies ",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "pod-status-update-by-kubelet",
        "nothing to ask: the subresource cannot change the pod spec",
        "nothing to ask: the subresource cannot change the pod spec",
    ),
    (
        "pod-update-finalizer-by-job-controller",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "pod-update-labels",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "pod-update-orphan-by-garbage-collector",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "pod-update-owner-references",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "pod-update-release-by-replicaset-controller",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "pod-update-tolerations",
        "tolerations added:NoExecute",
        "tolerations added:NoExecute",
    ),
    (
        "podtemplate-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "replicaset-create-by-deployment-controller",
        "serviceAccounts tenant",
        "allowed: carried out for Deployment dep",
    ),
    (
        "replicaset-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "replicaset-update-by-deployment-controller",
        "nothing to ask: nothing that decides has changed",
        "nothing to ask: nothing that decides has changed",
    ),
    (
        "replicationcontroller-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "secret-create-by-user",
        "nothing to ask: the Secret holds no token of an account",
        "nothing to ask: the Secret holds no token of an account",
    ),
    (
        "secret-create-token-by-user",
        "tokenSecrets ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "secret-update-account-by-user",
        "tokenSecrets tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "secret-update-token-by-controller-manager",
        "allowed: Kubernetes itself writes it",
        "allowed: Kubernetes itself writes it",
    ),
    ("service-proxy-connect", "proxies web", "proxies web"),
    (
        "serviceaccount-create-by-user",
        "nothing to ask: nothing is written that steers the identity of the account",
        "nothing to ask: nothing is written that steers the identity of the account",
    ),
    (
        "serviceaccount-update-annotation-by-user",
        "accounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "signingrequest-approve-by-user",
        "accounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "signingrequest-create-by-user",
        "accounts ci",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "statefulset-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "statefulset-update-image-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
    (
        "token-create-by-user",
        "serviceAccounts tenant",
        "allowed: RoleBinding team-a/team",
    ),
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured")
}

pub(crate) fn body(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.json"))).unwrap()
}

pub(crate) fn names() -> BTreeSet<String> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|end| end == "json"))
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

fn today() -> Date {
    Date::constant(2026, 11, 21)
}

/// Nobody may use anything but the baseline, and no owner is to be found.
fn bare() -> Stage {
    Stage::new(over_core(everywhere()), &[], &[], today())
}

/// The team may use its accounts and its machines, and the owners that were captured are there.
fn team() -> Stage {
    let rule = |group: &str, resource: &str, names: &[&str]| json!({"apiGroups": [group], "resources": [resource], "resourceNames": names, "verbs": ["use"]});
    let role = json!({
        "kind": "Role",
        "metadata": {"namespace": "team-a", "name": "team"},
        "rules": [
            rule("", "serviceaccounts", &["tenant", "ci"]),
            rule("usher.dev", "tolerations", &["dedicated:NoSchedule"]),
        ],
    });
    let binding = json!({
        "kind": "RoleBinding",
        "metadata": {"namespace": "team-a", "name": "team"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "team"},
        "subjects": [{"kind": "Group", "name": "team-a-devs"}],
    });
    let all = json!({
        "kind": "ClusterRole",
        "metadata": {"name": "cluster-admin"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    });
    let masters = json!({
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "cluster-admin"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "name": "system:masters"}],
    });
    let owners = OWNERS.map(|name| {
        let review: Value = serde_json::from_slice(&body(name)).unwrap();
        review["request"]["object"].clone()
    });
    // This one was made for the capture: its template names tenant, its revision was replaced by one that names ci.
    let mut replaced = owners[0].clone();
    replaced["metadata"]["name"] = json!("crs");
    replaced["metadata"]["uid"] = json!("f5f45bf6-babf-4f3b-b347-d311a0c62353");
    // The pod that somebody connects to.
    let web = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "team-a", "name": "web"},
        "spec": {"serviceAccountName": "tenant"},
    });
    let owners = [&owners[..], &[replaced, web]].concat();
    Stage::new(
        over_core(everywhere()),
        &[role, binding, all, masters],
        &owners,
        today(),
    )
}

/// The default, with every namespace judged: the captured mirror pod is one of kube-system.
fn everywhere() -> Policy {
    Policy {
        excluded_namespaces: Vec::new(),
        ..Policy::default()
    }
}

/// The reviews whose objects are the owners in others.
const OWNERS: [&str; 6] = [
    "statefulset-create-by-user",
    "replicaset-create-by-user",
    "replicaset-create-by-deployment-controller",
    "deployment-create-by-user",
    "job-create-by-user",
    "replicationcontroller-create-by-user",
];

/// A verdict in a line.
fn line(answer: &Answer) -> String {
    if let Some(why) = &answer.broken {
        return format!("broken: {why}");
    }
    if let Some(passed) = &answer.passed {
        return format!("nothing to ask: {passed}");
    }
    let no = answer.findings.iter().filter(|seen| seen.grant.is_none());
    let no: Vec<_> = no
        .map(|seen| format!("{} {}", seen.check, seen.target))
        .collect();
    let by = answer
        .findings
        .iter()
        .filter_map(|seen| seen.grant.as_deref()?.split(',').next());
    let by: BTreeSet<_> = by.collect();
    if no.is_empty() {
        format!("allowed: {}", by.into_iter().collect::<Vec<_>>().join(", "))
    } else {
        no.join(", ")
    }
}

#[test]
fn what_a_real_api_server_sent_is_judged_as_expected() {
    let (bare, team) = (bare(), team());
    let mut wrong = Vec::new();
    for (name, in_bare, in_team) in JUDGED {
        for (stage, expected) in [(&bare, in_bare), (&team, in_team)] {
            let said = line(&stage.answer(&body(name)));
            if said != expected {
                wrong.push(format!("{name}: {said:?} instead of {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let judged: BTreeSet<String> = JUDGED.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(judged, names(), "every captured review is judged, once");
}

/// Where the pod spec of a kind stands, as a JSON pointer.
fn spec_pointer(kind: &Value) -> Option<&'static str> {
    Some(match (kind["group"].as_str()?, kind["kind"].as_str()?) {
        ("", "Pod") => "/spec",
        ("", "PodTemplate") => "/template/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        ("apps", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => "/spec/template/spec",
        _ => return None,
    })
}

/// Whether a damaged review asks for something that nobody may in the bare world, or cannot be understood: read with
/// another reader, by the rules in their plainest words.
fn must_be_refused(bytes: &[u8]) -> bool {
    if serde_json::from_slice::<&RawValue>(bytes).is_err() {
        return true;
    }
    // A number that no number type holds, in a part that nobody looks at: this reader cannot tell.
    let Ok(review) = serde_json::from_slice::<Value>(bytes) else {
        return false;
    };
    let request = &review["request"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let creates = request["operation"] == "CREATE";
    let kind = &request["kind"];
    if ["group", "version", "kind"]
        .iter()
        .any(|part| kind.get(part).is_none())
    {
        return true;
    }
    let (true, Some(pointer)) = (creates, spec_pointer(kind)) else {
        return false;
    };
    let Some(spec) = request["object"]
        .pointer(pointer)
        .filter(|spec| !spec.is_null())
    else {
        return false;
    };
    if !spec.is_object() {
        return true;
    }
    let is_empty = |value: &Value| value.is_null() || value == "";
    let mut account = &spec["serviceAccountName"];
    if is_empty(account) {
        account = &spec["serviceAccount"];
    }
    let user = text(&request["userInfo"]["username"]);
    let itself = format!(
        "system:serviceaccount:{}:{}",
        text(&request["namespace"]),
        text(account)
    );
    let account_is_free = is_empty(account) || account == "default" || user == itself;
    let tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    let tolerations_are_free = tolerations.iter().all(|toleration| {
        let key = text(&toleration["key"]);
        let known = [
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
        ];
        known.contains(&&*key)
            && toleration["effect"] == "NoExecute"
            && toleration["tolerationSeconds"]
                .as_i64()
                .is_some_and(|seconds| seconds <= 300)
    });
    let list = spec["tolerations"].is_array() || spec["tolerations"].is_null();
    let mirror = request["object"]
        .pointer("/metadata/annotations/kubernetes.io~1config.mirror")
        .is_some();
    let is_free = account_is_free && tolerations_are_free && list && is_empty(&spec["nodeName"]);
    let groups = request["userInfo"]["groups"].as_array();
    let is_master = groups.is_some_and(|groups| groups.contains(&json!("system:masters")));
    !mirror && !is_free && !is_master
}

/// Damages a review anywhere.
pub(crate) fn damage(dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(8) {
            0 => bytes.truncate(at),
            1 | 2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            3 => {
                let digits = "9".repeat(1 + dice.below(400));
                bytes.splice(at..at, digits.bytes());
            }
            4 => {
                let end = (at + dice.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + dice.below(256)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            6 => {
                let marks = [
                    "\"", "{", "}", "[", "]", ",", ":", "\\", "\\u0000", "\\ud800", "null", "-",
                    "1e999", "\n",
                ];
                bytes.splice(at..at, dice.pick(&marks).bytes());
            }
            // A line of the document twice: mostly a duplicate key.
            _ => {
                let start = bytes[..at]
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .unwrap_or_default();
                let end = bytes[at..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(bytes.len(), |end| at + end);
                let line = bytes[start..end].to_vec();
                bytes.splice(start..start, line);
            }
        }
    }
    bytes
}

#[test]
fn damaged_reviews_never_panic_and_never_let_through_what_is_not_free() {
    let stage = bare();
    let (mut tried, mut refused, mut unread, mut passed) = (0, 0, 0, 0);
    for (index, (name, ..)) in JUDGED.iter().enumerate() {
        let whole = body(name);
        for round in 0..60 {
            let seed = nth_seed(index * 1000 + round);
            let bytes = damage(&mut Dice::new(seed), whole.clone());
            let answer = catch_unwind(AssertUnwindSafe(|| stage.answer(&bytes)));
            let shown = || {
                format!(
                    "{name}, USHER_SEED={seed}: {}",
                    String::from_utf8_lossy(&bytes)
                )
            };
            let Ok(answer) = answer else {
                panic!("{}", shown())
            };
            tried += 1;
            if answer.allowed {
                passed += 1;
                assert!(!must_be_refused(&bytes), "allowed: {}", shown());
            } else {
                refused += 1;
                unread += usize::from(answer.broken.is_some());
            }
        }
    }
    println!(
        "{tried} damaged reviews: {refused} refused ({unread} could not be judged), {passed} allowed"
    );
    assert!(
        tried > 3000 && unread > tried / 4 && passed > tried / 40 && refused - unread > tried / 20
    );
}

#[test]
fn references_damaged_into_something_else_are_refused() {
    let wrong = [
        json!([]),
        json!({}),
        json!(7),
        json!(-1.5),
        json!(true),
        json!([[]]),
        json!(["default"]),
        json!({"a": null}),
        json!(18_446_744_073_709_551_615_u64),
    ];
    let empty = [json!(""), json!(null)];
    let (mut tried, stage, team) = (0, bare(), team());
    for (name, ..) in JUDGED {
        let review: Value = serde_json::from_slice(&body(name)).unwrap();
        let Some(pointer) = spec_pointer(&review["request"]["kind"]) else {
            continue;
        };
        // A status or a delete is not looked into, and a mirror pod shows what already runs.
        let judged = stage.answer(&body(name));
        if judged.passed.is_some() || name.contains("mirror") {
            continue;
        }
        let base = format!("/request/object{pointer}");
        let mut refused = |path: &str, value: &Value, why: &str| {
            let mut damaged = review.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            damaged.pointer_mut(parent).unwrap()[field] = value.clone();
            let bytes = serde_json::to_vec(&damaged).unwrap();
            for stage in [&stage, &team] {
                let answer = stage.answer(&bytes);
                assert!(
                    !answer.allowed,
                    "{name}: {path} = {value} is {why}: {answer:?}"
                );
            }
            tried += 1;
        };
        for value in &wrong {
            let is_list = value.as_array().is_some_and(Vec::is_empty);
            for field in [
                "serviceAccountName",
                "serviceAccount",
                "nodeName",
                "priorityClassName",
                "runtimeClassName",
                "schedulerName",
            ] {
                refused(&format!("{base}/{field}"), value, "no text");
            }
            if !is_list {
                refused(
                    &format!("{base}/tolerations"),
                    value,
                    "no list of tolerations",
                );
            }
            if value != &json!({}) && value != &json!({"a": null}) {
                refused(&base, value, "no pod spec");
                refused("/request/object", value, "no object");
                refused("/request/userInfo", value, "nobody");
                refused("/request/kind", value, "no kind");
            }
            refused("/request/userInfo/username", value, "no user");
            refused("/request/namespace", value, "no namespace");
            refused("/request/operation", value, "no operation");
            for field in ["group", "kind", "version"] {
                refused(&format!("/request/kind/{field}"), value, "no kind");
            }
        }
        for value in &empty {
            refused("/request/userInfo/username", value, "nobody");
            refused("/request/namespace", value, "nowhere");
            refused("/request/operation", value, "nothing");
            refused("/request/kind/kind", value, "no kind");
            refused("/request/kind/version", value, "no version");
        }
        refused("/request/object", &json!(null), "no object");
        for operation in ["create", "CREATE ", "PATCH", "UPSERT"] {
            refused("/request/operation", &json!(operation), "no operation");
        }
    }
    println!("{tried} damaged references, all refused");
    assert!(tried > 3000, "{tried}");
}
