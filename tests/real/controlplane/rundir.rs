//! The folder of one run: below the target folder, removed when the run ends, swept by the next one if it could not be.

use super::error::Error;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder that is ours as long as we hold the lock on its file `alive`. The kernel lets go of a lock when its holder
/// ends, so a folder whose lock is free belongs to nobody.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    janitor: Child,
    _alive: File,
}

impl RunDir {
    /// Makes a new folder in `<target>/controlplane/run` and removes those of dead runs.
    pub(crate) fn create(target: &Path) -> Result<Self, Error> {
        let runs = target.join("controlplane/run");
        fs::create_dir_all(&runs).map_err(Error::io("create", &runs))?;
        // Only one process at a time sweeps or makes a folder; else a new folder could be swept before it is locked.
        let gate_path = runs.join("lock");
        let gate = File::create(&gate_path).map_err(Error::io("create", &gate_path))?;
        gate.lock().map_err(Error::io("lock", &gate_path))?;
        sweep(&runs);
        let path = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&runs)
            .map_err(Error::io("create a folder in", &runs))?
            .keep();
        let alive_path = path.join("alive");
        let alive = File::create(&alive_path).map_err(Error::io("create", &alive_path))?;
        alive.lock().map_err(Error::io("lock", &alive_path))?;
        // Removes the folder also when we end without running `drop`, a second after the processes were killed.
        let janitor = Command::new("sh")
            .args(["-c", r#"read -r _; sleep 1; rm -rf -- "$1""#, "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io("start", Path::new("sh")))?;
        Ok(Self {
            path,
            janitor,
            _alive: alive,
        })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        drop(fs::remove_dir_all(&self.path));
        drop(self.janitor.kill());
        drop(self.janitor.wait());
    }
}

fn sweep(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        let is_held = File::open(path.join("alive")).is_ok_and(|alive| alive.try_lock().is_err());
        if !is_held {
            drop(fs::remove_dir_all(&path));
        }
    }
}
