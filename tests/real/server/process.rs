//! The program itself: how it starts, reloads and ends, and what it costs.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustls::ClientConfig;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Client, client::trusting, eventually, fake::Fake, get, metric, pod, verdict, write_certificate,
};

const VALID: &str = "usher_configuration_valid";

/// `usher serve`, with a cluster that is a fake one.
pub(super) struct Usher {
    child: Child,
    log: Arc<Mutex<String>>,
    pub(super) address: SocketAddr,
    pub(super) health: SocketAddr,
    pub(super) trusted: Arc<ClientConfig>,
    pub(super) fake: Fake,
    files: TempDir,
}

/// The command, with a certificate and a kubeconfig in `files`.
fn command(files: &Path, fake: &Fake) -> (Command, Arc<ClientConfig>) {
    let certificate = write_certificate(files);
    fs::write(files.join("kubeconfig"), fake.kubeconfig()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command
        .arg("serve")
        .current_dir(files)
        .env_clear()
        .env("USHER_BIND", "127.0.0.1:0")
        .env("USHER_HEALTH_BIND", "127.0.0.1:0")
        .env("USHER_KUBECONFIG", "kubeconfig")
        .env("USHER_TLS_CERT", "tls.crt")
        .env("USHER_TLS_KEY", "tls.key")
        .stderr(Stdio::piped());
    (command, trusting(&certificate))
}

impl Usher {
    pub(super) fn start(args: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let fake = Fake::start();
        let files = tempfile::tempdir().unwrap();
        prepare(files.path());
        let (mut command, trusted) = command(files.path(), &fake);
        let mut child = command.args(args).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let written = log.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *written.lock().unwrap() += &(line + "\n");
            }
        });
        let mut ports = None;
        eventually("it says where it listens", || {
            let log = log.lock().unwrap();
            let at = |words: &str| {
                let rest = log.split_once(words)?.1;
                let address = rest.split(|c: char| !c.is_ascii_digit() && !".:".contains(c));
                address.into_iter().next()?.parse().ok()
            };
            ports = at("serving HTTPS on ").zip(at("health and metrics on "));
            ports.is_some()
        });
        let (address, health) = ports.unwrap();
        let usher = Self {
            child,
            log,
            address,
            health,
            trusted,
            fake,
            files,
        };
        eventually("ready", || get(health, "/readyz").0 == 200);
        usher
    }

    fn judge(&self, user: &str, account: &str) -> (bool, String) {
        self.answer(&pod(user, account))
    }

    fn answer(&self, review: &Value) -> (bool, String) {
        let mut client = Client::connect(self.address, &self.trusted).unwrap();
        let response = client
            .post("/validate", review.to_string().as_bytes())
            .unwrap();
        verdict(review, &response)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Resident memory in MiB.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kibibytes: f64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kibibytes / 1024.0
    }

    pub(super) fn logged(&self, words: &str) {
        eventually(words, || self.log.lock().unwrap().contains(words));
    }
}

impl Drop for Usher {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_thousand_idle_connections_cost_so_much_and_no_more() {
    const CONNECTIONS: usize = 2_000;
    // Their other ends are in this process. The limit that a shell sets may be raised up to the hard one.
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let usher = Usher::start(&[], |_| {});
    assert!(usher.judge("jane", "builder").0);
    let before = usher.memory();
    let start = Instant::now();
    let idle: Vec<Client> = (0..CONNECTIONS)
        .map(|_| Client::connect(usher.address, &usher.trusted).unwrap())
        .collect();
    let connected = start.elapsed();
    let start = Instant::now();
    assert!(usher.judge("jane", "builder").0);
    assert!(!usher.judge("eve", "builder").0);
    let served = start.elapsed();
    let after = usher.memory();
    println!(
        "{before:.1} MiB before, {after:.1} MiB with {CONNECTIONS} connections made in {connected:?}; two requests in {served:?}"
    );
    assert!(metric(usher.health, "usher_connections") <= 1024.0);
    assert!(
        metric(
            usher.health,
            "usher_connections_refused_total{reason=\"evicted\"}"
        ) >= 976.0
    );
    assert!(
        after - before < 32.0,
        "{before} MiB before, {after} MiB after"
    );
    assert!(served < Duration::from_secs(5), "{served:?}");
    drop(idle);
    eventually("they are gone", || {
        metric(usher.health, "usher_connections") < 1.0
    });
    assert!(usher.judge("jane", "builder").0);
}

#[test]
fn a_signal_ends_it_after_the_drain() {
    let mut usher = Usher::start(&["--drain", "1s"], |_| {});
    let mut kept = Client::connect(usher.address, &usher.trusted).unwrap();
    let start = Instant::now();
    usher.signal(Signal::TERM);
    eventually("not ready", || {
        get(usher.health, "/readyz").1.contains("draining")
    });
    assert!(usher.judge("jane", "builder").0);
    let body = pod("jane", "builder").to_string();
    let response = kept.post("/validate", body.as_bytes()).unwrap();
    assert!(response.head.contains("connection: close"));
    assert_eq!(usher.ended().code(), Some(0));
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(4),
        "{took:?}"
    );
    usher.logged("draining for 1s");
    usher.logged("stopped");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut usher = Usher::start(&["--drain", "1h"], |_| {});
    usher.signal(Signal::INT);
    usher.logged("draining");
    let start = Instant::now();
    usher.signal(Signal::TERM);
    assert_eq!(usher.ended().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(2));
    let mut usher = Usher::start(&["--drain", "0"], |_| {});
    usher.signal(Signal::TERM);
    assert_eq!(usher.ended().code(), Some(0));
}

#[test]
fn the_configuration_is_read_anew() {
    let off = "apiVersion: usher.dev/v1alpha1\nkind: Configuration\nauthorizer: rbac\nchecks: {serviceAccounts: off}\n";
    let usher = Usher::start(&["--config", "usher.yaml"], |files| {
        fs::write(files.join("usher.yaml"), off).unwrap();
    });
    let file = usher.files.path().join("usher.yaml");
    assert!(usher.judge("eve", "builder").0);
    eventually("valid", || metric(usher.health, VALID) > 0.5);
    // A bad one: the last good one stays.
    fs::write(
        &file,
        "apiVersion: usher.dev/v1alpha1\nkind: Configuration\nchecks: {serviceAccount: off}\n",
    )
    .unwrap();
    eventually("not valid", || metric(usher.health, VALID) < 0.5);
    usher.logged("the last good configuration stays in force");
    assert!(usher.log.lock().unwrap().contains("serviceAccount"));
    assert!(usher.judge("eve", "builder").0);
    assert_eq!(get(usher.health, "/readyz").0, 200);
    fs::remove_file(&file).unwrap();
    usher.logged("cannot read");
    assert!(usher.judge("eve", "builder").0);
    fs::write(&file, off.replace("off", "enforce")).unwrap();
    eventually("in force", || !usher.judge("eve", "builder").0);
    assert!(metric(usher.health, VALID) > 0.5);
    // No access review is asked any more.
    assert!(usher.fake.script().asked.is_empty());
}

#[test]
fn the_catalogue_is_read_anew() {
    let entry = |field: &str| {
        format!(
            "about: a\nkinds: [{{group: bakery.example, kind: Oven, resource: ovens, versions: [v1], \
             fields: [{{path: spec.{field}, serviceAccount: {{}}}}]}}]\n"
        )
    };
    let configuration = "authorizer: rbac\ncatalogue: {files: [own.d]}\n";
    let usher = Usher::start(&["--config", "usher.yaml"], |files| {
        fs::write(files.join("usher.yaml"), configuration).unwrap();
        fs::create_dir(files.join("own.d")).unwrap();
        fs::write(files.join("own.d/a.yaml"), entry("account")).unwrap();
    });
    let files = usher.files.path().to_owned();
    let mut review = pod("eve", "builder");
    review["request"]["kind"] = json!({"group": "bakery.example", "version": "v1", "kind": "Oven"});
    review["request"]["object"] = json!({"spec": {"account": "builder"}});
    let refused = |usher: &Usher| !usher.answer(&review).0;
    assert!(refused(&usher));
    eventually("valid", || metric(usher.health, VALID) > 0.5);
    // A bad one: the last good one stays.
    fs::write(files.join("own.d/a.yaml"), entry(".")).unwrap();
    eventually("not valid", || metric(usher.health, VALID) < 0.5);
    usher.logged("own.d/a.yaml:2:");
    assert!(refused(&usher));
    // The same kind in two files.
    fs::write(files.join("own.d/a.yaml"), entry("account")).unwrap();
    eventually("valid", || metric(usher.health, VALID) > 0.5);
    fs::write(files.join("own.d/b.yaml"), entry("account")).unwrap();
    usher.logged("own.d/b.yaml:2:9: v1 of Oven stands there twice");
    assert!(refused(&usher));
    // One that is no text.
    fs::write(files.join("own.d/b.yaml"), b"about: \xFF").unwrap();
    usher.logged("valid UTF-8");
    assert!(refused(&usher));
    fs::remove_file(files.join("own.d/b.yaml")).unwrap();
    fs::write(files.join("own.d/a.yaml"), entry("other")).unwrap();
    eventually("in force", || !refused(&usher));
}

#[test]
fn the_log_is_json_where_asked() {
    let usher = Usher::start(&["--log-format", "json"], |_| {});
    assert!(!usher.judge("eve\u{1b}[31m\nx", "builder").0);
    usher.logged("refused");
    for line in usher.log.lock().unwrap().lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(line["level"], "INFO");
        let message = line["message"].as_str().unwrap();
        assert!(!message.contains(char::is_control), "{message}");
    }
}

#[test]
fn a_start_that_cannot_work_says_why() {
    let fake = Fake::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let bad = "kind: Configuration\nnothing: 1\n";
    for (args, why) in [
        (vec!["--config", "missing.yaml"], "missing.yaml"),
        (vec!["--config", "bad.yaml"], "nothing"),
        (vec!["--tls-cert", "missing.crt"], "missing.crt"),
        (vec!["--tls-key", "tls.crt"], "tls.crt\" is not PEM"),
        (vec!["--kubeconfig", "missing"], "\"missing\""),
        (vec!["--kubeconfig", "bad.yaml"], "bad.yaml"),
        (vec!["--bind", &taken], &taken),
        (vec!["--health-bind", &taken], &taken),
        (vec!["--bind", "8443"], "--bind"),
        (vec!["--drain", "soon"], "1m30s"),
        (vec!["--log-level", "loud"], "--log-level"),
    ] {
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("bad.yaml"), bad).unwrap();
        let (mut command, _) = command(files.path(), &fake);
        let output = command.args(&args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(
            said.contains("error: ") && said.contains(why),
            "{args:?}: {said}"
        );
    }
    // Neither in a pod nor with a file.
    let files = tempfile::tempdir().unwrap();
    let (mut command, _) = command(files.path(), &fake);
    let output = command.env_remove("USHER_KUBECONFIG").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--kubeconfig"), "{said}");
}
