//! What the stories play on: a control plane with the definitions, Usher in front of it, and the controllers beside it.

use std::{
    collections::BTreeSet,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    controllers::{Controllers, install},
    controlplane::{
        ControlPlane,
        binaries::{Binaries, say},
        usher::{UsherOptions, UsherProcess},
    },
    web::Web,
};

/// The configurations, each with the namespaces that it is for.
const USHERS: [(&str, &[&str]); 4] = [
    (
        "usher.yaml",
        &[
            "flux-system",
            "keda",
            "platform",
            "flux-account",
            "flux-applies",
            "flux-no-account",
            "flux-source",
            "keda-jobs",
            "keda-scales",
            "keda-token",
        ],
    ),
    ("defaulted.yaml", &["flux-default"]),
    ("flagged.yaml", &["flux-flag"]),
    ("unnamed.yaml", &["keda-unnamed"]),
];

/// What the log of Usher says before what it refuses.
const REFUSED: &str = " refused: ";

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A file of this folder.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/controllers")
        .join(name)
}

/// What the stories share.
pub(crate) struct Stage<'p> {
    pub(crate) plane: &'p ControlPlane,
    // They end in this order.
    controllers: Controllers,
    ushers: Vec<UsherProcess<'p>>,
    pub(crate) web: Web,
    /// The messages of refusals that the stories provoked.
    provoked: Mutex<BTreeSet<String>>,
}

impl<'p> Stage<'p> {
    /// Puts everything in place. When it returns, every controller works, and Usher is asked about whatever they do.
    pub(crate) fn set(
        plane: &'p ControlPlane,
        binaries: &Binaries,
    ) -> Result<Self, Box<dyn Error>> {
        let web = Web::serve(&plane.dir().join("git"), &file("apps"))?;
        install(plane)?;
        plane.run(&["apply", "-f", &file("tenant.yaml").display().to_string()])?;
        // Beside deploy/rbac.yaml, which Usher has in every test: it reads the owners of what named controllers make.
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(["generate", "owner-role", "--config"])
            .arg(file("usher.yaml"));
        plane.apply(&String::from_utf8_lossy(&usher.output()?.stdout))?;
        let start = |(config, namespaces): (&str, &[&str])| {
            let options = UsherOptions {
                // What it allows is to be seen, too. At the end nobody asks any more.
                args: ["--log-level=debug", "--drain=0"]
                    .map(str::to_owned)
                    .to_vec(),
                namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
                judges: "flux-keda",
                // No file of the repository has Kustomizations changed.
                generated: config == "defaulted.yaml",
                ..UsherOptions::new(Path::new(env!("CARGO_BIN_EXE_usher")), &file(config))
            };
            UsherProcess::start(plane, &options)
        };
        let ushers = USHERS.into_iter().map(start).collect::<Result<_, _>>()?;
        Ok(Self {
            plane,
            controllers: Controllers::start(plane, binaries)?,
            ushers,
            web,
            provoked: Mutex::default(),
        })
    }

    /// Notes that Usher refuses something with this message because a story wants it to.
    pub(crate) fn provokes(&self, message: &str) {
        let mut provoked = self.provoked.lock().unwrap_or_else(PoisonError::into_inner);
        provoked.insert(message.to_owned());
    }

    /// Waits until Usher has allowed a request, as its log names it: `Create Pod team-a/web by jane`.
    #[track_caller]
    pub(crate) fn allowed(&self, request: &str) {
        let line = format!("allowed: {request}");
        until(&line, || {
            let logs = self.ushers.iter().map(|usher| usher.log().unwrap());
            let is_there = logs.into_iter().any(|log| log.contains(&line));
            is_there.then_some(()).ok_or_else(|| "not asked".to_owned())
        });
    }

    /// An error if Usher refused anything that no story provoked, or could not judge something, or if a controller has ended.
    /// Gives the number of reviews.
    pub(crate) fn nothing_else_was_refused(&mut self) -> Result<u64, Box<dyn Error>> {
        self.controllers.still_run()?;
        let provoked = self.provoked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reviews = 0;
        for usher in &self.ushers {
            let log = usher.log()?;
            let refused: Vec<_> = log.lines().filter(|line| line.contains(REFUSED)).collect();
            let is_known = |line: &str| {
                provoked
                    .iter()
                    .any(|known| line.ends_with(&one_line(known)))
            };
            if let Some(line) = refused.iter().find(|line| !is_known(line)) {
                return Err(format!("no story wanted this: {line}").into());
            }
            let metrics = usher.metrics()?;
            let mut of = |verdict: &str| -> Result<u64, String> {
                let on = |path: &str| {
                    let labels = format!("{{path=\"{path}\",verdict=\"{verdict}\"}}");
                    count(&metrics, &format!("usher_requests_total{labels}"))
                };
                let requests = on("mutate")? + on("validate")?;
                reviews += requests;
                Ok(requests)
            };
            let [_, counted, unjudged] = [of("allowed")?, of("refused")?, of("error")?];
            let unseen = count(&metrics, "usher_unlogged_refusals_total")?;
            let panics = count(&metrics, "usher_panics_total")?;
            let logged = refused.len() as u64;
            if counted != logged || unjudged + unseen + panics > 0 {
                return Err(
                    format!("{logged} refusals in the log, in the metrics:\n{metrics}").into(),
                );
            }
        }
        Ok(reviews)
    }

    /// The ends of all logs, for whoever must find out why a story failed.
    pub(crate) fn show_logs(&self) {
        self.controllers.show_logs();
        for usher in &self.ushers {
            let log = usher.log().unwrap_or_default();
            // What is refused is tried again and again, under other names.
            let refusals = log.lines().filter_map(|line| line.split_once(REFUSED));
            let why: BTreeSet<_> = refusals
                .filter_map(|(_, line)| line.split_once(": "))
                .collect();
            for (what, why) in why.iter().take(20) {
                say(&format!("refused: {what}: {why}"));
            }
        }
    }
}

/// Asks until there is an answer, for at most [`LIMIT`].
#[track_caller]
pub(crate) fn until<T>(what: &str, mut is_there: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match is_there() {
            Ok(value) => return value,
            Err(last) if start.elapsed() > LIMIT => {
                panic!("not within {LIMIT:?}: {what}; last: {last}")
            }
            Err(_) => sleep(Duration::from_millis(200)),
        }
    }
}

/// The value of a metric.
fn count(metrics: &str, name: &str) -> Result<u64, String> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|value| value.trim().parse().ok());
    value.ok_or_else(|| format!("no {name} in the metrics:\n{metrics}"))
}

/// A message as the log of Usher has it.
fn one_line(message: &str) -> String {
    let lines: Vec<_> = message.lines().map(str::trim).collect();
    lines.join("; ")
}
