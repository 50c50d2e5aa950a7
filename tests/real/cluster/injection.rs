//! What pods get: seen in the pods that a real API server stores.

use std::{path::Path, thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::{
    KINDS, Said, Team, manifest,
    meddler::Meddler,
    tokens::{claims, seconds as lifetime},
};
use crate::real::controlplane::{
    plane,
    usher::{UsherOptions, UsherProcess},
};

/// Where the volume of the profile `vault` has its place.
const VAULT: &str = "/var/run/secrets/vault";
/// Where every client looks for its token for the API server.
const API: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Waits for something that the API server or a controller does in its own time.
pub(in crate::real) fn eventually<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = found() {
            return found;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("never: {what}");
}

pub(super) fn json_of(said: &Said) -> Value {
    assert!(said.success, "{said:?}");
    serde_json::from_str(&said.stdout).unwrap()
}

/// The manifest of a pod; annotations and spec in flow style.
fn pod(name: &str, annotations: &str, spec: &str) -> String {
    let head = format!("metadata: {{annotations: {{{annotations}}}, name");
    manifest(KINDS[0].1, name, spec).replace("metadata: {name", &head)
}

impl Team {
    /// The pod as it is stored.
    fn stored(&self, name: &str) -> Value {
        json_of(&self.run(&["get", "pod", name, "-o", "json"]))
    }

    /// Creates a pod and gives what is stored.
    #[track_caller]
    fn injected(&self, manifest: &str, name: &str) -> Value {
        self.create(manifest, &[]).passes();
        self.stored(name)
    }

    /// What is told about pods that got nothing, at the latest look.
    pub(super) fn told(&self) -> Vec<Value> {
        let events = self.run(&[
            "get",
            "events",
            "--field-selector=reason=NotInjected",
            "-o",
            "json",
        ]);
        json_of(&events)["items"].as_array().unwrap().clone()
    }
}

/// Init containers, then the others.
fn containers(pod: &Value) -> Vec<&Value> {
    let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array());
    lists.into_iter().flatten().flatten().collect()
}

/// The volumes with a token for an audience, and those tokens' sources. None: for the API server.
fn tokens<'a>(pod: &'a Value, audience: Option<&str>) -> Vec<(&'a str, &'a Value)> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for volume in volumes {
        let sources = volume["projected"]["sources"].as_array();
        for source in sources.into_iter().flatten() {
            let token = &source["serviceAccountToken"];
            if token.is_object() && token["audience"].as_str() == audience {
                found.push((volume["name"].as_str().unwrap(), token));
            }
        }
    }
    found
}

fn entry<'a>(list: &'a Value, key: &str, value: &str) -> Option<&'a Value> {
    let mut found = list
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry[key] == value);
    let entry = found.next();
    assert!(found.next().is_none(), "{key} {value} twice in {list}");
    entry
}

/// The volume of the profile `vault`: there once, in every container, with the variables. Gives its name.
#[track_caller]
fn holds_vault(pod: &Value) -> String {
    let found = tokens(pod, Some("vault"));
    let [(volume, token)] = *found else {
        panic!("{found:?}: {pod}")
    };
    assert_eq!(token["path"], "token");
    for container in containers(pod) {
        let mount = entry(&container["volumeMounts"], "mountPath", VAULT);
        let expected = json!({"name": volume, "mountPath": VAULT, "readOnly": true});
        assert_eq!(mount, Some(&expected), "{container}");
        for (name, value) in [
            ("VAULT_ADDR", "https://vault.example.org"),
            ("VAULT_TOKEN_FILE", "/var/run/secrets/vault/token"),
        ] {
            let variable = entry(&container["env"], "name", name);
            let expected = json!({"name": name, "value": value});
            assert_eq!(variable, Some(&expected), "{container}");
        }
    }
    volume.to_owned()
}

fn fs_group(pod: &Value) -> Option<i64> {
    pod["spec"]["securityContext"]["fsGroup"].as_i64()
}

/// Nothing of any profile.
#[track_caller]
fn holds_nothing(pod: &Value) {
    let found = tokens(pod, Some("vault"));
    assert!(found.is_empty() && fs_group(pod).is_none(), "{pod}");
    for container in containers(pod) {
        assert!(container.get("env").is_none(), "{container}");
    }
}

#[test]
fn a_pod_of_a_user_gets_volume_mounts_variables_and_group() {
    let team = Team::new("inject-user");
    let spec = "securityContext: {runAsNonRoot: true}, \
                initContainers: [{name: setup, image: nginx}, {name: proxy, image: nginx, restartPolicy: Always}]";
    let web = team.injected(&pod("web", "", spec), "web");
    assert_eq!(containers(&web).len(), 3);
    assert_eq!(holds_vault(&web), "vault-token");
    assert_eq!(fs_group(&web), Some(65534));
    let [(_, token)] = *tokens(&web, Some("vault")) else {
        panic!()
    };
    assert_eq!(token["expirationSeconds"], 3000);
    // Nobody is known not to be root; and the pod's own word counts.
    let root = team.injected(&pod("root", "", ""), "root");
    holds_vault(&root);
    assert_eq!(fs_group(&root), None);
    let spec = "securityContext: {runAsNonRoot: true, fsGroup: 7}";
    let own = team.injected(&pod("own", "", spec), "own");
    assert_eq!(fs_group(&own), Some(7));
    // With a generated name, and by server-side apply.
    let generated = pod("gen", "", "").replace("name: gen", "generateName: gen-");
    let said = json_of(&team.create(&generated, &["-o", "json"]));
    holds_vault(&said);
    let mut apply = team.kubectl();
    apply.args(["apply", "--server-side", "-f", "-"]);
    let said: Said = crate::real::controlplane::feed(&mut apply, &pod("applied", "", ""))
        .unwrap()
        .into();
    said.passes();
    holds_vault(&team.stored("applied"));
    // The audit log says what was added.
    let injected = "\"mutate.usher.dev/injected\":\"vault: volume vault-token, token for vault of 3000 s, fsGroup 65534 (container setup)\"";
    eventually("it is in the audit log", || {
        let log = std::fs::read_to_string(plane().audit_log().unwrap()).unwrap();
        let mut lines = log.lines();
        lines.find(|line| line.contains("inject-user-jane") && line.contains(injected))?;
        Some(())
    });
}

#[test]
fn pods_of_deployments_and_cron_jobs_get_it_and_their_templates_do_not() {
    let team = Team::new("inject-controllers");
    team.create(&manifest(KINDS[4].1, "api", ""), &[]).passes();
    team.create(&manifest(KINDS[8].1, "nightly", ""), &[])
        .passes();
    // The controller is told that it missed an hour, and so makes a job at once.
    let missed = "{\"status\": {\"lastScheduleTime\": \"2026-01-01T00:00:00Z\"}}";
    plane()
        .run(&[
            "-n",
            "inject-controllers",
            "patch",
            "cronjob",
            "nightly",
            "--subresource=status",
            "--type=merge",
            "-p",
            missed,
        ])
        .unwrap();
    for owner in ["ReplicaSet", "Job"] {
        let made = eventually(owner, || {
            let pods = json_of(&team.run(&["get", "pods", "-o", "json"]));
            let mut pods = pods["items"].as_array().unwrap().clone().into_iter();
            pods.find(|pod| pod["metadata"]["ownerReferences"][0]["kind"] == owner)
        });
        holds_vault(&made);
    }
    let jobs = json_of(&team.run(&["get", "jobs", "-o", "json"]));
    let owner = &jobs["items"][0]["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["name"]),
        (&json!("CronJob"), &json!("nightly"))
    );
    // By hand from the same cron job.
    team.run(&["create", "job", "--from=cronjob/nightly", "now"])
        .passes();
    let made = eventually("the pod of the job by hand", || {
        let pods = json_of(&team.run(&["get", "pods", "-l", "job-name=now", "-o", "json"]));
        pods["items"].get(0).cloned()
    });
    holds_vault(&made);
    for kind in ["deployment/api", "cronjob/nightly", "job/now"] {
        let stored = team.run(&["get", kind, "-o", "json"]).stdout;
        assert!(!stored.contains("vault"), "{stored}");
    }
}

#[test]
fn the_token_for_the_api_server_is_shortened_in_place() {
    let team = Team::new("inject-api");
    let web = team.injected(
        &pod("web", "", "initContainers: [{name: setup, image: nginx}]"),
        "web",
    );
    holds_vault(&web);
    let found = tokens(&web, None);
    let [(volume, token)] = *found else {
        panic!("{found:?}")
    };
    assert!(volume.starts_with("kube-api-access-"), "{volume}");
    assert_eq!(token, &json!({"expirationSeconds": 3600, "path": "token"}));
    for container in containers(&web) {
        let mount = entry(&container["volumeMounts"], "mountPath", API).unwrap();
        assert_eq!(mount["name"], volume);
    }
    // A pod without automounting gets a volume of its own.
    let off = team.injected(
        &pod("without", "", "automountServiceAccountToken: false"),
        "without",
    );
    let found = tokens(&off, None);
    let [(volume, token)] = *found else {
        panic!("{found:?}")
    };
    assert_eq!(
        (volume, &token["expirationSeconds"]),
        ("rotating-api-token", &json!(3600))
    );
    for container in containers(&off) {
        let mount = entry(&container["volumeMounts"], "mountPath", API).unwrap();
        assert_eq!(mount["name"], volume);
    }
    // It may be declined: then it lives for a year, as everywhere.
    let declined = pod("declined", "usher.dev/inject: '-rotating-api-token'", "");
    let declined = team.injected(&declined, "declined");
    assert_eq!(tokens(&declined, None)[0].1["expirationSeconds"], 3607);
    holds_vault(&declined);
}

#[test]
fn what_another_webhook_rearranges_is_completed_and_not_doubled() {
    let team = Team::new("inject-meddled");
    let _meddler = Meddler::start("inject-meddled");
    let spec = "securityContext: {runAsUser: 7}, initContainers: [{name: setup, image: nginx}]";
    let two = "containers: [{name: d, image: nginx}, {name: c, image: nginx}]";
    let manifest = pod("web", "", spec).replace(
        "containers: [{name: c, image: nginx}]}",
        &format!("{two}}}"),
    );
    let web = team.injected(&manifest, "web");
    assert_eq!(holds_vault(&web), "z-vault-token");
    let names: Vec<_> = containers(&web)
        .into_iter()
        .map(|container| container["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["setup", "sidecar", "c", "d"]);
    assert_eq!(fs_group(&web), Some(65534));
    // The volume that the API server mounts is in all of them too.
    for container in containers(&web) {
        assert!(entry(&container["volumeMounts"], "mountPath", API).is_some());
    }
}

#[test]
fn a_dry_run_shows_all_and_leaves_no_trace() {
    let team = Team::new("inject-dry");
    let spec = "automountServiceAccountToken: false, securityContext: {runAsUser: 7}";
    let asks = "usher.dev/inject: aws-irsa";
    let apply = |name: &str, args: &[&str]| -> Said {
        let mut command = team.kubectl();
        command.args(["apply", "-o", "json", "-f", "-"]).args(args);
        crate::real::controlplane::feed(&mut command, &pod(name, asks, spec))
            .unwrap()
            .into()
    };
    let warning = "Warning: profile \"aws-irsa\" is not injected: service account \"default\" has no annotation \
                   eks.amazonaws.com/role-arn\n";
    let dry = apply("dry", &["--dry-run=server"]);
    assert_eq!(dry.stderr, warning);
    let dry = json_of(&dry);
    holds_vault(&dry);
    let real = apply("real", &[]);
    assert_eq!(real.stderr, warning);
    assert_eq!(dry["spec"], json_of(&real)["spec"]);
    eventually("the event of the real one", || team.told().first().cloned());
    // One that came of the dry run would have been written first; and the second pass would have written another.
    sleep(Duration::from_millis(300));
    let told = team.told();
    let [event] = &*told else { panic!("{told:?}") };
    assert_eq!(event["involvedObject"]["name"], "real");
    let pods = team.run(&["get", "pods", "-o", "name"]).stdout;
    assert_eq!(pods, "pod/real\n");
}

#[test]
fn a_token_for_what_is_projected_says_so() {
    let team = Team::new("inject-claims");
    let web = team.injected(&pod("web", "", ""), "web");
    let issue = |args: &[&str]| {
        let bound = ["--bound-object-kind=Pod", "--bound-object-name=web"];
        let create = ["create", "token", "default"];
        claims(&team.run(&[&create, &bound[..], args].concat()))
    };
    let [(_, token)] = *tokens(&web, Some("vault")) else {
        panic!()
    };
    let (audience, seconds) = (
        token["audience"].as_str().unwrap(),
        token["expirationSeconds"].as_i64().unwrap(),
    );
    let said = issue(&[
        &format!("--audience={audience}"),
        &format!("--duration={seconds}s"),
    ]);
    assert_eq!(said["aud"], json!(["vault"]));
    assert_eq!(lifetime(&said), 3000);
    let bound = &said["kubernetes.io"];
    assert_eq!(bound["namespace"], "inject-claims");
    assert_eq!(
        bound["pod"],
        json!({"name": "web", "uid": web["metadata"]["uid"]})
    );
    assert_eq!(bound["serviceaccount"]["name"], "default");
    assert_eq!(said["sub"], "system:serviceaccount:inject-claims:default");
    // Why the other lifetime is rewritten: the API server makes a year of it, and an hour of what stands there then.
    assert!(lifetime(&issue(&["--duration=3607s"])) > 300 * 86_400);
    assert_eq!(lifetime(&issue(&["--duration=3600s"])), 3600);
}

#[test]
fn a_clash_is_refused_with_both_sides_named() {
    let team = Team::new("inject-clash");
    let said = |name: &str, spec: &str, mounts: &str| {
        let manifest =
            pod(name, "", spec).replace("image: nginx}", &format!("image: nginx{mounts}}}"));
        let said = team.create(&manifest, &[]);
        assert!(!said.success, "{said:?}");
        said.stderr
    };
    let start = "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \"mutate.usher.dev\" \
                 denied the request: ";
    assert_eq!(
        said("name", "volumes: [{name: vault-token, emptyDir: {}}]", ""),
        format!(
            "{start}profile \"vault\": the pod has a volume \"vault-token\" that holds something else than that of the \
             profile; rename it, or decline the profile (usher.dev/inject: \"-vault\")\n"
        )
    );
    assert_eq!(
        said(
            "path",
            "volumes: [{name: mine, emptyDir: {}}]",
            &format!(", volumeMounts: [{{name: mine, mountPath: {VAULT}/}}]"),
        ),
        format!(
            "{start}profile \"vault\": container \"c\" mounts volume \"mine\" at {VAULT}, where volume \"vault-token\" of \
             the profile has its place; mount it elsewhere, or decline the profile (usher.dev/inject: \"-vault\")\n"
        )
    );
    let unknown = team.create(&pod("unknown", "usher.dev/inject: no-such", ""), &[]);
    assert_eq!(
        unknown.stderr,
        format!(
            "{start}the pod asks for profile \"no-such\", which is none for service account \"default\" in namespace \
             inject-clash (metadata.annotations[usher.dev/inject]); it would get vault, aws-irsa\n"
        )
    );
    // What it is told to do helps.
    let spec = "volumes: [{name: vault-token, emptyDir: {}}]";
    let declined = team.injected(&pod("name", "usher.dev/inject: '-vault'", spec), "name");
    holds_nothing(&declined);
    // The same by hand under another name is no clash, and is taken.
    let spec = "volumes: [{name: mine, projected: {sources: [{serviceAccountToken: \
                {audience: vault, path: token, expirationSeconds: 7200}}]}}]";
    let taken = team.injected(&pod("taken", "", spec), "taken");
    assert_eq!(holds_vault(&taken), "mine");
}

#[test]
fn a_lifetime_out_of_bounds_is_clamped_with_a_warning() {
    let team = Team::new("inject-clamp");
    for (name, wanted, got) in [("short", 60, 600), ("long", 86_400, 7200)] {
        let annotation = format!("vault.usher.dev/expiration-seconds: '{wanted}'");
        let said = team.create(&pod(name, &annotation, ""), &[]);
        assert!(said.success, "{said:?}");
        assert_eq!(
            said.stderr,
            format!(
                "Warning: profile \"vault\": a lifetime of {wanted} s is not within 600 to 7200 s (annotation \
                 vault.usher.dev/expiration-seconds of the pod); it is {got} s\n"
            )
        );
        let stored = team.stored(name);
        holds_vault(&stored);
        assert_eq!(
            tokens(&stored, Some("vault"))[0].1["expirationSeconds"],
            got
        );
    }
}

#[test]
fn a_pod_that_declines_gets_nothing_and_nobody_is_told() {
    let team = Team::new("inject-declined");
    let spec = "securityContext: {runAsUser: 7}";
    let annotation = "usher.dev/inject: 'false'";
    let said = team.create(&pod("web", annotation, spec), &[]);
    assert!(said.success && said.stderr.is_empty(), "{said:?}");
    holds_nothing(&team.stored("web"));
    assert_eq!(team.told(), [] as [Value; 0]);
}

#[test]
fn a_windows_pod_gets_no_group() {
    let team = Team::new("inject-windows");
    let spec = "os: {name: windows}, securityContext: {runAsNonRoot: true}";
    let web = team.injected(&pod("web", "", spec), "web");
    assert_eq!(fs_group(&web), None);
    let [(volume, _)] = *tokens(&web, Some("vault")) else {
        panic!("{web}")
    };
    let container = containers(&web)[0];
    let mount = entry(&container["volumeMounts"], "mountPath", VAULT).unwrap();
    assert_eq!(mount["name"], volume);
    let variable = entry(&container["env"], "name", "VAULT_TOKEN_FILE").unwrap();
    assert_eq!(variable["value"], "C:\\var\\run\\secrets\\vault\\token");
}

#[test]
fn a_required_profile_is_held_or_the_pod_is_refused() {
    let team = Team::new("required-a");
    let web = team.injected(&pod("web", "", ""), "web");
    assert_eq!(tokens(&web, Some("must")).len(), 1);
    let words = |why: &str| {
        format!(
            "every pod that profile \"must\" selects must hold it, and this one does not: {why} (spec.volumes)"
        )
    };
    let declined = team.create(&pod("declined", "usher.dev/inject: '-must'", ""), &[]);
    let why = "the pod declines it by its annotation usher.dev/inject";
    declined.refused(&words(why));

    // Where the mutating webhook is not asked, or was not there: the guard is.
    let bare = Team::new("bare-a");
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/cluster/required.yaml");
    let options = UsherOptions {
        namespaces: vec!["bare-a".to_owned()],
        mutates: false,
        ..UsherOptions::new(Path::new(env!("CARGO_BIN_EXE_usher")), &config)
    };
    let _guard = UsherProcess::start(plane(), &options).unwrap_or_else(|error| panic!("{error}"));
    let why = "the mutating webhook did not add it";
    bare.create(&pod("web", "", ""), &[]).refused(&words(why));
    // What stands in the pod by hand is held.
    let volumes = "volumes: [{name: mine, projected: {sources: [{serviceAccountToken: {audience: must, path: token}}]}}]";
    let mounts = "image: nginx, volumeMounts: [{name: mine, mountPath: /var/run/secrets/must}]}";
    let by_hand = pod("web", "", volumes).replace("image: nginx}", mounts);
    bare.create(&by_hand, &[]).passes();
}
