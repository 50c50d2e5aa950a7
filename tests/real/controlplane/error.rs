//! What can go wrong on the way to a running control plane.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why there is no control plane, or why it did not do what it was asked. Messages say what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The variable for ready-made programs is set, and some are missing there.
    #[error(
        "{variable}=\"{}\" lacks {}: add what is missing, or unset {variable} and install Go, which then builds all of \
         tests/{folder}",
        dir.display(), missing.join(", ")
    )]
    Incomplete {
        /// The variable.
        variable: &'static str,
        /// Its value.
        dir: PathBuf,
        /// The names of the missing programs.
        missing: Vec<&'static str>,
        /// The folder of the Go module below tests.
        folder: &'static str,
    },
    /// Neither a Go toolchain nor ready-made programs.
    #[error(
        "{what} cannot be built, for Go is not installed: install Go {go} or newer (https://go.dev/dl; the build takes \
         {takes}, once), or set {variable} to a folder with {names}"
    )]
    NoGo {
        /// What is to be built.
        what: &'static str,
        /// How long that takes.
        takes: &'static str,
        /// The variable for ready-made programs.
        variable: &'static str,
        /// Their names.
        names: String,
        /// The version of Go that go.mod asks for.
        go: String,
    },
    /// Go ran and failed; its own words are on the screen above.
    #[error("\"go {args}\" in \"{}\" ended with {status}; its output is above", folder.display())]
    Go {
        /// Its arguments.
        args: String,
        /// The folder of the module.
        folder: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// A go.mod names no version of the module.
    #[error("tests/{folder}/go.mod does not say which version of {module} to build")]
    NoVersion {
        /// The folder of the Go module below tests.
        folder: &'static str,
        /// The module that was looked for.
        module: &'static str,
    },
    /// The sources of a module are not to be had.
    #[error("cannot get the sources of {module} from go: {why}")]
    NoSource {
        /// The module.
        module: String,
        /// What came instead.
        why: String,
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
