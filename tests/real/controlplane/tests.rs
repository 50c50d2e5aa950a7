//! The control plane itself: it comes up whole, users are who they say, and nothing is left behind.

use super::binaries::{Binaries, CONTROL_PLANE};
use super::child::{Farewell, Supervised};
use super::rundir::RunDir;
use super::usher::{UsherOptions, UsherProcess};
use super::*;
use std::fs;
use std::io::{BufRead as _, BufReader};

fn is_alive(pid: u32) -> bool {
    // A zombie has ended.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "not within 15 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn says_its_version_and_knows_users_by_certificate() {
    let plane = plane();
    let version = plane.run(&["get", "--raw", "/version"]).unwrap();
    let go_mod = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/real/controlplane/go.mod"
    ))
    .unwrap();
    let pinned = go_mod
        .lines()
        .find_map(|line| line.strip_prefix("require k8s.io/kubernetes "))
        .unwrap();
    let pinned = pinned.split(' ').next().unwrap();
    assert!(
        version.contains(&format!(r#""gitVersion": "{pinned}""#)),
        "{version}"
    );

    for (user, groups) in [
        ("jane", &[][..]),
        ("jane", &["team-a"]),
        ("jane", &["team-a", "team-b"]),
    ] {
        let config = plane.kubeconfig_for(user, groups).unwrap();
        let mut kubectl = plane.kubectl();
        kubectl
            .env("KUBECONFIG", config)
            .args(["auth", "whoami", "-o", "json"]);
        let output = kubectl.output().unwrap();
        let who: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let info = who.pointer("/status/userInfo").unwrap();
        assert_eq!(info["username"], user);
        let known: Vec<&str> = info["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group.as_str().unwrap())
            .collect();
        let all: Vec<&str> = groups
            .iter()
            .copied()
            .chain(["system:authenticated"])
            .collect();
        assert_eq!(known, all);
    }
}

#[test]
fn ordinary_users_create_pods_and_controllers_act_with_their_own_identity() {
    let plane = plane();
    plane.namespace("plane-edit").unwrap();
    plane
        .run(&[
            "create",
            "rolebinding",
            "edit",
            "--clusterrole",
            "edit",
            "--user",
            "pia",
            "-n",
            "plane-edit",
        ])
        .unwrap();
    let deployment = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: plane-edit}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
";
    let refused = plane.apply_as("nobody-here", deployment).unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    let applied = plane.apply_as("pia", deployment).unwrap();
    assert!(applied.status.success(), "{applied:?}");
    until("a pod of the deployment", || {
        plane
            .run(&["get", "pods", "-n", "plane-edit", "-o", "name"])
            .unwrap()
            .starts_with("pod/web-")
    });
    let log = fs::read_to_string(plane.audit_log().unwrap()).unwrap();
    assert!(log.contains("system:serviceaccount:kube-system:replicaset-controller"));
}

#[test]
fn own_folder_and_ports_belong_to_this_run() {
    let plane = plane();
    let ports = plane.ports();
    assert_eq!(
        plane.url(),
        format!("https://127.0.0.1:{}", ports.apiserver)
    );
    assert!(ports.apiserver != ports.etcd && ports.etcd != ports.etcd_peer);
    assert!(plane.kubeconfig().starts_with(plane.dir()));
    assert!(plane.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn an_usher_that_ends_at_once_is_an_error_with_its_words_and_leaves_no_registration() {
    let plane = plane();
    plane.namespace("plane-broken").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("usher");
    fs::write(
        &binary,
        "#!/bin/sh\necho \"no such configuration: $3\"\nexit 2\n",
    )
    .unwrap();
    fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let options = UsherOptions {
        namespaces: vec!["plane-broken".to_owned()],
        ..UsherOptions::new(&binary, Path::new("usher.yaml"))
    };
    let error = UsherProcess::start(plane, &options).err().unwrap();
    assert_eq!(
        error.to_string(),
        "usher ended with exit status: 2; the end of its log:\nno such configuration: usher.yaml"
    );
    let both = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
    let left = plane.run(&["get", both, "-o", "json"]).unwrap();
    assert!(!left.contains("plane-broken"), "{left}");
}

/// The test plays both parts: it starts itself again as the parent that is then killed without a chance to clean up.
#[test]
fn children_and_folder_go_when_the_parent_is_killed() {
    const PART: &str = "USHER_TEST_PARENT_TARGET";
    if let Some(target) = std::env::var_os(PART) {
        let dir = RunDir::create(Path::new(&target)).unwrap();
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let child =
            Supervised::spawn("sleep", &sleep, &dir.path().join("log"), Farewell::Kill).unwrap();
        println!("\nchild {} {}", child.pid(), dir.path().display());
        std::thread::sleep(Duration::from_secs(600));
        return;
    }
    let target = tempfile::tempdir().unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(PART, target.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.starts_with("child "))
        .unwrap();
    let [_, pid, dir] = *line.split(' ').collect::<Vec<_>>() else {
        panic!("{line}")
    };
    let pid = pid.parse().unwrap();
    assert!(is_alive(pid) && Path::new(dir).exists());
    parent.kill().unwrap(); // SIGKILL
    parent.wait().unwrap();
    until("the child is gone", || !is_alive(pid));
    until("the folder is gone", || !Path::new(dir).exists());
}

#[test]
fn folders_of_dead_runs_are_swept_and_those_of_living_ones_kept() {
    let target = tempfile::tempdir().unwrap();
    let living = RunDir::create(target.path()).unwrap();
    let dead = target.path().join("controlplane/run/run-dead");
    fs::create_dir_all(dead.join("etcd")).unwrap();
    fs::write(dead.join("alive"), "").unwrap();
    let next = RunDir::create(target.path()).unwrap();
    assert!(!dead.exists());
    assert!(living.path().exists() && next.path().exists());
    let path = next.path().to_owned();
    drop(next);
    assert!(!path.exists());
}

#[test]
fn a_child_that_ends_is_noticed_and_one_that_ignores_sigterm_is_told_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut failing = Command::new("sh");
    failing.args(["-c", "echo out of luck >&2; exit 3"]);
    let mut child =
        Supervised::spawn("failing", &failing, &dir.path().join("log"), Farewell::Kill).unwrap();
    let error = child
        .wait_for("luck", LIMIT, || Err::<(), _>("none".to_owned()))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "failing ended with exit status: 3; the end of its log:\nout of luck"
    );

    let mut slow = Command::new("sleep");
    slow.arg("600");
    let mut child =
        Supervised::spawn("slow", &slow, &dir.path().join("slow"), Farewell::Terminate).unwrap();
    let error = child
        .wait_for("a wonder", Duration::from_millis(30), || {
            Err::<(), _>("no".to_owned())
        })
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "a wonder did not come within 0 s (last answer: no); the end of the log of slow:"
        ),
        "{text}"
    );
    assert_eq!(child.stop().unwrap().code(), Some(128 + 15));
}

#[test]
fn missing_programs_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let error = Binaries::find(&CONTROL_PLANE, Some(dir.path()), Path::new("unused"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("lacks kube-controller-manager:"), "{error}");
    assert!(error.contains("install Go"), "{error}");
}

#[test]
fn a_port_that_somebody_took_first_is_told_from_other_failures() {
    // The folder of the shared plane's run is there for the length of the test run.
    let dir = tempfile::tempdir_in(plane().dir()).unwrap();
    let pki = Pki::create(&dir.path().join("pki")).unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().port();
    let [apiserver, etcd, etcd_peer] = free_ports().unwrap();
    let pair = pki.client("admin", "admin", None).unwrap();
    let admin = dir.path().join("admin.kubeconfig");
    let who = credentials(&pair, &json!({}));
    write_json(&admin, &kubeconfig(apiserver, &pki, &who)).unwrap();
    let free = Ports {
        apiserver,
        etcd,
        etcd_peer,
    };
    let mut boot = Boot {
        dir: dir.path(),
        binaries: &plane().binaries,
        pki: &pki,
        ports: Ports {
            etcd: taken,
            ..free
        },
        options: &Options::default(),
        admin: &admin,
    };
    let error = boot.run().unwrap_err();
    assert!(error.is_port_clash(), "{error}");
    let wrong = Options {
        apiserver_args: vec!["--no-such-flag".to_owned()],
        ..Options::default()
    };
    boot.ports = free;
    boot.options = &wrong;
    let error = boot.run().unwrap_err();
    assert!(
        !error.is_port_clash() && error.to_string().contains("no-such-flag"),
        "{error}"
    );
}
