//! Usher over HTTPS under load, beside two yardsticks: a webhook in Go that admits everything unseen, and a server in
//! Rust that reads but does not decide. Usher watches a real API server with ten thousand role bindings. Every server
//! is a process of its own, every review is another user's with another account, every answer is checked.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench that cannot go on ends, and its figures are small"
)]

mod cluster;
#[path = "../../tests/real/controlplane/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the tests and the example, which use other parts"
)]
mod controlplane;
mod floor;
mod load;
mod process;
mod start;
mod table;
#[expect(dead_code, reason = "shared with benches that use other parts")]
#[path = "../workload/mod.rs"]
mod workload;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use hyper::body::Bytes;
use load::{Case, Client};
use process::Server;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use table::{Contender, Figures};
use tempfile::TempDir;
use workload::review::Review;

/// Measure Usher over HTTPS, and print tables
#[derive(Parser)]
struct Args {
    /// How long one server is loaded at a time
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How often the servers take turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Keep-alive connections at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How often Usher is started to measure its start
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Another Usher than that of this build
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_usher"))]
    usher: PathBuf,
    /// An Usher to compare with, as that of an older build: it takes its turns in the same rounds
    #[arg(long, value_name = "FILE")]
    beside: Option<PathBuf>,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the server without a decision: address, certificate, key
    #[arg(long, hide = true, num_args = 3)]
    floor: Vec<String>,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    if let [address, certificate, key] = &*args.floor {
        floor::serve(address, certificate, key).await;
    }
    let servers = Place::new();
    let plane = cluster::filled().await;
    let rights = cluster::rights_of_usher(&plane);
    let cases = cases(Review::MIDDLE.many(cluster::GRANTS));
    let strangers: Vec<String> = (0..cluster::GRANTS)
        .map(|n| {
            Review {
                number: 1_000_000 + n,
                ..Review::MIDDLE
            }
            .json()
        })
        .collect();

    let refused = self::cases(strangers);
    let usher = |program, lines| servers.usher(program, lines, &rights);
    let started = start::measure(args.starts, &cases, || usher(&args.usher, "")).await;
    let idle = started.server.memory();
    let (null, floor) = (servers.null(), servers.floor());
    let refusing = usher(&args.usher, REFUSING);
    let mut contenders = vec![
        Contender::new("null webhook in Go", null, &cases, true),
        Contender::new("floor: no decision", floor, &cases, true),
        Contender::new("usher", (started.server, started.client), &cases, true),
        Contender::new("usher, all refused", refusing, &refused, false),
    ];
    if let Some(other) = &args.beside {
        let (judging, refusing) = (usher(other, ""), usher(other, REFUSING));
        contenders.push(Contender::new("beside", judging, &cases, true));
        contenders.push(Contender::new(
            "beside, all refused",
            refusing,
            &refused,
            false,
        ));
    }
    let time = Duration::from_secs(args.seconds);
    for contender in &mut contenders {
        contender.ready().await;
        contender
            .turn(args.connections, Duration::from_secs(1))
            .await;
        contender.runs.clear();
    }
    for round in 1..=args.rounds {
        eprintln!("round {round} of {} ...", args.rounds);
        let mut turns: Vec<&mut Contender> = contenders.iter_mut().collect();
        // Whoever comes later finds other things in the caches: every second round goes the other way.
        if round % 2 == 0 {
            turns.reverse();
        }
        for contender in turns {
            contender.turn(args.connections, time).await;
        }
    }
    table::print(&contenders, &started.times, idle);
}

/// The lines of a configuration by which Usher refuses by itself, without a question to the API server.
const REFUSING: &str = "authorizer: rbac";

/// Reviews with their uids.
fn cases(reviews: Vec<String>) -> Arc<[Case]> {
    let case = |review: String| {
        let request = usher_core::review::read(review.as_bytes()).unwrap();
        Case {
            uid: request.uid.to_string(),
            body: Bytes::from(review.clone()),
        }
    };
    reviews.into_iter().map(case).collect()
}

/// Where the servers find what they need, and one certificate for all.
struct Place {
    dir: TempDir,
    certificate: CertificateDer<'static>,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(dir.path().join("tls.crt"), pair.cert.pem()).unwrap();
        fs::write(dir.path().join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
        let certificate = CertificateDer::from_pem_file(dir.path().join("tls.crt")).unwrap();
        Self { dir, certificate }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a server on an address of its own.
    fn start(&self, command: impl FnOnce(SocketAddr) -> Command) -> (Server, Client) {
        let [port] = controlplane::free_ports().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let log = self.path(&format!("{port}.log"));
        let server = Server::start(&command(address), &log);
        (server, Client::new(address, self.certificate.clone()))
    }

    fn null(&self) -> (Server, Client) {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("null-webhook");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/null-webhook");
        let built = Command::new("go")
            .args(["build", "-trimpath", "-o"])
            .arg(&program)
            .current_dir(source)
            .status();
        assert!(built.expect("go must be installed").success());
        self.start(|address| {
            let mut command = Command::new(&program);
            command.arg(address.to_string());
            command.args([self.path("tls.crt"), self.path("tls.key")]);
            command
        })
    }

    fn floor(&self) -> (Server, Client) {
        self.start(|address| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--floor", &address.to_string()]);
            command.args([self.path("tls.crt"), self.path("tls.key")]);
            command
        })
    }

    /// An Usher with the default configuration and these lines more.
    fn usher(&self, program: &Path, lines: &str, kubeconfig: &Path) -> (Server, Client) {
        let [health] = controlplane::free_ports().unwrap();
        let config = self.path(&format!("usher-{health}.yaml"));
        let head = "apiVersion: usher.dev/v1alpha1\nkind: Configuration\n";
        fs::write(&config, format!("{head}{lines}\n")).unwrap();
        self.start(|address| {
            let mut command = Command::new(program);
            command.arg("serve").arg("--config").arg(config);
            command.arg("--kubeconfig").arg(kubeconfig);
            command.args(["--bind", &address.to_string()]);
            command.args(["--health-bind", &format!("127.0.0.1:{health}")]);
            command.arg("--tls-cert").arg(self.path("tls.crt"));
            command.arg("--tls-key").arg(self.path("tls.key"));
            command
        })
    }
}

impl Contender {
    /// Waits until it answers.
    async fn ready(&self) {
        while self.client.connect().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while self
            .client
            .load(1, Duration::from_millis(1), &self.cases, self.allowed)
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// One turn under load.
    async fn turn(&mut self, connections: usize, time: Duration) {
        let before = self.server.processor();
        let run = self
            .client
            .load(connections, time, &self.cases, self.allowed)
            .await
            .unwrap_or_else(|wrong| panic!("{}: {}", self.name, wrong.0));
        let processor = self.server.processor() - before;
        self.runs.push(Figures {
            rate: run.rate(),
            half: run.percentile(0.5),
            most: run.percentile(0.99),
            processor: processor / run.answers() as f64 * 10_000.0,
        });
    }
}
