//! What the stories play on: a control plane with a node, and Usher in front of it.

use std::{collections::BTreeSet, error::Error, path::Path};

use crate::{
    controlplane::{
        ControlPlane,
        binaries::{Binaries, say},
        usher::{UsherOptions, UsherProcess},
    },
    node::Node,
    tier::{Provoked, REFUSED},
};

/// What the stories share.
pub(crate) struct Stage {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) node: Node,
    ushers: [UsherProcess<'static>; 1],
    pub(crate) provoked: Provoked,
}

impl Stage {
    /// Puts everything in place. When it returns, pods run, and Usher is asked about those in the namespaces `guarded`.
    pub(crate) fn set(
        plane: &'static ControlPlane,
        binaries: &Binaries,
        guarded: Vec<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let node = Node::start(plane, binaries)?;
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/usher.yaml");
        let options = UsherOptions {
            namespaces: guarded,
            // No file of the repository registers all checks.
            generated: true,
            ..UsherOptions::new(Path::new(env!("CARGO_BIN_EXE_usher")), &config)
        };
        Ok(Self {
            plane,
            node,
            ushers: [UsherProcess::start(plane, &options)?],
            provoked: Provoked::default(),
        })
    }

    /// What Usher has written so far.
    pub(crate) fn log(&self) -> String {
        let logs = self.ushers.iter().map(|usher| usher.log().unwrap());
        logs.collect()
    }

    /// An error if Usher refused anything that no story provoked, or could not judge something, or if a program of the node
    /// has ended. Says how many there were of both.
    pub(crate) fn nothing_else_was_refused(&mut self) -> Result<String, Box<dyn Error>> {
        self.node.still_runs()?;
        self.provoked.nothing_else(&self.ushers)
    }

    /// The ends of all logs, for whoever must find out why a story failed.
    pub(crate) fn show_logs(&self) {
        self.node.show_logs();
        let log = self.log();
        let refusals = log.lines().filter_map(|line| line.split_once(REFUSED));
        let why: BTreeSet<_> = refusals.map(|(_, line)| line).collect();
        for line in why {
            say(&format!("refused: {line}"));
        }
    }
}
