//! What the stories play on: a control plane with the definitions, Usher in front of it, and the controllers beside it.

use std::{
    collections::BTreeSet,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    controllers::{Controllers, install},
    controlplane::{
        ControlPlane,
        binaries::{Binaries, say},
        usher::{UsherOptions, UsherProcess},
    },
    tier::{Provoked, REFUSED, until},
    web::Web,
};

/// The configurations, each with the namespaces that it is for. Nobody guards those whose name ends in `-open`.
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
    /// What the stories provoked.
    pub(crate) provoked: Provoked,
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
            provoked: Provoked::default(),
        })
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
    /// Says how many there were of both.
    pub(crate) fn nothing_else_was_refused(&mut self) -> Result<String, Box<dyn Error>> {
        self.controllers.still_run()?;
        self.provoked.nothing_else(&self.ushers)
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
