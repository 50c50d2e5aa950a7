//! What can go wrong on the way to a running control plane.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why there is no control plane, or why it did not do what it was asked. Messages say what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// `KUBEBUILDER_ASSETS` is set, and programs are missing there.
    #[error(
        "KUBEBUILDER_ASSETS=\"{}\" lacks {}: the usual envtest bundle has no kube-controller-manager; \
         add what is missing, or unset KUBEBUILDER_ASSETS and install Go, and it is built from tests/controlplane",
        dir.display(), missing.join(", ")
    )]
    AssetsIncomplete {
        /// The value of the variable.
        dir: PathBuf,
        /// The names of the missing programs.
        missing: Vec<&'static str>,
    },
    /// Neither a Go toolchain nor ready-made programs.
    #[error(
        "a real control plane is needed, and neither of its two sources is there: install Go {go} or newer \
         (https://go.dev/dl; it is then built once, about four minutes), or set KUBEBUILDER_ASSETS to a folder with \
         etcd, kube-apiserver, kube-controller-manager and kubectl"
    )]
    NoGo {
        /// The version that go.mod asks for.
        go: String,
    },
    /// `go build` ran and failed; its own words are on the screen above.
    #[error("\"go build\" of the control plane ended with {status}; its output is above")]
    GoBuild {
        /// How it ended.
        status: ExitStatus,
    },
    /// tests/controlplane/go.mod names no version of the package.
    #[error("tests/controlplane/go.mod does not say which version of \"{package}\" to build")]
    NoVersion {
        /// The line that was looked for.
        package: &'static str,
    },
    /// A file or a process of the rig itself.
    #[error("cannot {what} \"{}\": {source}", path.display())]
    Io {
        /// The verb: what was tried.
        what: &'static str,
        /// On which path, or with which program.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A process ended although nobody asked it to.
    #[error("{process} ended with {status}; the end of its log:\n{log}")]
    Ended {
        /// Its name.
        process: &'static str,
        /// Its exit status, as the system says it.
        status: ExitStatus,
        /// The last lines that it wrote.
        log: String,
    },
    /// Something that should come did not come in time.
    #[error(
        "{what} did not come within {seconds} s (last answer: {last}); the end of the log of {process}:\n{log}"
    )]
    Late {
        /// What was waited for.
        what: &'static str,
        /// How long, in seconds.
        seconds: u64,
        /// The last answer to the question whether it is there.
        last: String,
        /// The process in charge.
        process: &'static str,
        /// The last lines that it wrote.
        log: String,
    },
    /// kubectl refused.
    #[error("\"kubectl {args}\": {stderr}")]
    Kubectl {
        /// Its arguments.
        args: String,
        /// What it said.
        stderr: String,
    },
    /// A manifest of the repository is not what it should be.
    #[error("\"{}\": {reason}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Puts the path to an input or output error: `.map_err(Error::io("write", &path))`.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }

    /// Whether the error is a port that somebody else took first: worth another attempt with other ports.
    pub(crate) fn is_port_clash(&self) -> bool {
        matches!(self, Self::Ended { log, .. } if log.contains("address already in use"))
    }
}
