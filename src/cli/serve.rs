//! `usher serve`: the webhook itself.

use std::{
    future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use super::{Exit, Failure};
use crate::{
    cluster::{self, Live},
    facts, files,
    server::{
        App, Certificates, Limits, Listener, Metrics, duration, follow_configuration,
        follow_exemptions, health_router, router,
    },
    telemetry::{self, Format},
};
use usher_core::{catalogue::Catalogue, config::Settings};

/// How often the files are looked at.
const CERTIFICATE: Duration = Duration::from_secs(10);
const CONFIGURATION: Duration = Duration::from_secs(2);
/// How often it is looked whether an exemption has ended: days are long, and a changed configuration is told of at once.
const EXEMPTIONS: Duration = Duration::from_secs(2);
/// Threads at most: one answers some twenty thousand requests a second, and each costs memory.
const THREADS: usize = 4;

/// What the command does, at length.
pub(super) const ABOUT: &str = "Run the webhook.\n\n\
        Usher listens on two ports. The first speaks HTTPS and is called by the API server: POST /validate \
        judges what is created, changed, deleted or connected to. POST /mutate changes what is new: pods get what \
        the profiles of the configuration say, tokens live no longer than it allows, custom resources get their \
        default account, also where they change. A pod that asks for a profile and cannot have it is refused \
        there. The second port speaks plain HTTP, for probes and metrics: /livez, /readyz, /metrics.\n\n\
        Usher watches the cluster's roles and bindings, and is ready when it has seen them all. It reads the \
        configuration and the certificate anew when their files change; a bad file is logged, and the last good one \
        stays in force.\n\n\
        SIGTERM or SIGINT end it: it is no longer ready from then on, still answers for the time of --drain, \
        finishes what it has begun, and exits with 0. A second signal ends it at once.";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        In a pod, with a certificate from a mounted Secret:\n    \
        usher serve --config /etc/usher/usher.yaml --tls-cert /tls/tls.crt --tls-key /tls/tls.key\n\n  \
        On your own machine, against the cluster of a kubeconfig:\n    \
        usher serve --kubeconfig ~/.kube/config --bind 127.0.0.1:8443 --health-bind 127.0.0.1:8081 \\\n      \
        --tls-cert tls.crt --tls-key tls.key --drain 0")]
pub(super) struct Args {
    /// Configuration file; without one the defaults hold
    #[arg(long, value_name = "FILE", env = "USHER_CONFIG")]
    config: Option<PathBuf>,

    /// Cluster to connect to, by the current context of this file; without one, the cluster that the pod runs in
    #[arg(long, value_name = "FILE", env = "USHER_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// Where the API server finds the webhook (HTTPS)
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "USHER_BIND",
        default_value = "0.0.0.0:8443"
    )]
    bind: SocketAddr,

    /// Where probes and metrics are served (plain HTTP)
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "USHER_HEALTH_BIND",
        default_value = "0.0.0.0:8081"
    )]
    health_bind: SocketAddr,

    /// Certificate chain, PEM, the webhook's own certificate first
    #[arg(long, value_name = "FILE", env = "USHER_TLS_CERT")]
    tls_cert: PathBuf,

    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", env = "USHER_TLS_KEY")]
    tls_key: PathBuf,

    /// How long to go on serving after SIGTERM, until no request comes any more; 0 to stop at once
    #[arg(long, value_name = "DURATION", env = "USHER_DRAIN", default_value = "5s", value_parser = parse_duration)]
    drain: Duration,

    /// How much to log: off, error, warn, info, debug, trace
    #[arg(
        long,
        value_name = "LEVEL",
        env = "USHER_LOG_LEVEL",
        default_value = "info"
    )]
    log_level: LevelFilter,

    /// How a line of the log looks
    #[arg(
        long,
        value_name = "FORMAT",
        env = "USHER_LOG_FORMAT",
        default_value = "text"
    )]
    log_format: Format,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "not a duration such as 5s, 500ms or 1m30s".to_owned())
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    telemetry::init(args.log_level, args.log_format);
    let threads = available_parallelism().map_or(1, usize::from).min(THREADS);
    let workers = Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    // All traffic with the API server stays on this thread: what the lists leave behind in the allocator is then
    // there once, and not once for every worker.
    let here = Builder::new_current_thread().enable_all().build()?;
    here.block_on(serve(args, &workers))?;
    Ok(Exit::Allowed)
}

/// Puts everything together, and holds it together: whatever ends before it should ends the process.
async fn serve(args: Args, workers: &Runtime) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let settings = match &args.config {
        Some(path) => files::load(path)?,
        None => Settings::default_for(Catalogue::embedded()?),
    };
    let certificates = Arc::new(Certificates::load(&args.tls_cert, &args.tls_key)?);
    let metrics = Arc::new(Metrics::default());
    let limits = Limits::default();
    let listen = Listener::bind(
        args.bind,
        Some(certificates.clone()),
        limits,
        metrics.clone(),
    );
    let webhook = workers
        .spawn(listen)
        .await?
        .map_err(|error| format!("cannot listen on {}: {error}", args.bind))?;
    let health = Listener::bind(args.health_bind, None, limits, metrics.clone())
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.health_bind))?;
    let client = cluster::connect(args.kubeconfig.as_deref()).await?;
    let (live, watches) = metrics.register(|registry| Live::new(client, registry));
    live.set_reads(settings.policy.asks_reads());
    let app = Arc::new(App::new(settings, live, metrics.clone()));
    tracing::info!(
        "serving HTTPS on {}, health and metrics on {}",
        webhook.local_addr()?,
        health.local_addr()?
    );

    let stop = CancellationToken::new();
    let webhook = workers.spawn(webhook.serve(router(app.clone(), limits.body), stop.clone()));
    let health = tokio::spawn(health.serve(health_router(app.clone()), CancellationToken::new()));
    let configuration = async {
        match &args.config {
            Some(path) => {
                let load = |path: &Path| {
                    files::load(path).inspect(|settings| {
                        app.backend().set_reads(settings.policy.asks_reads());
                    })
                };
                follow_configuration(&app, path, load, CONFIGURATION).await
            }
            None => future::pending().await,
        }
    };
    let exemptions = follow_exemptions(&app, facts::today, EXEMPTIONS);
    let end = async {
        signals.next().await;
        tracing::info!("draining for {:?}", args.drain);
        app.drain();
        tokio::select! {
            () = tokio::time::sleep(args.drain) => stop.cancel(),
            () = signals.next() => return,
        }
        signals.next().await;
    };
    tokio::select! {
        ended = webhook => match ended {
            Ok(()) if stop.is_cancelled() => tracing::info!("stopped"),
            _ => return Err("the webhook port is no longer served".into()),
        },
        () = end => tracing::warn!("stopped by a second signal"),
        _ = health => return Err("the health port is no longer served".into()),
        never = watches.run() => match never {},
        never = configuration => match never {},
        never = exemptions => match never {},
        never = certificates.follow(CERTIFICATE, &metrics) => match never {},
    }
    Ok(())
}

/// The two signals that ask a process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
