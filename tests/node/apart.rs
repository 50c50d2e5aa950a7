//! The world of its own in which the node lives: networks, mounts, processes and control groups that are not the machine's.
//! It ends with us, however we end, and takes everything with it.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
    thread,
};

use crate::{
    controlplane::{Error, binaries::say, forget_dead_runs},
    image::run,
    needs::{NAMESPACES, path},
};

/// Says to the same program, started inside, that it is inside.
const INSIDE: &str = "USHER_NODE_INSIDE";
/// The address of the node, from a network that is kept for documentation (RFC 5737), so that it hides nobody's.
pub(crate) const ADDRESS: &str = "192.0.2.1";
/// The control group below which pods run: a kubelet ends what it does not know below its own.
pub(crate) const GROUP: &str = "usher-node";
/// Only one run at a time has the control group.
const LOCK: &str = "/run/usher-node.lock";
const GROUPS: &str = "/sys/fs/cgroup";
/// A kubelet keeps sockets here, whatever its root folder is.
const KUBELET: &str = "/var/lib/kubelet";

/// Whether this process is the one inside. It is the first of its own world: the variable alone would let somebody hide the
/// folders of the machine itself.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some() && std::process::id() == 1
}

/// Runs this program again, inside, and cleans up when it has ended.
pub(crate) fn enter() -> Result<ExitCode, Error> {
    let path = Path::new(LOCK);
    let lock = File::create(path).map_err(Error::io("create", path))?;
    if lock.try_lock().is_err() {
        say("another run has made a node of this machine; waiting for it ...");
        lock.lock().map_err(Error::io("lock", path))?;
    }
    let groups = groups()?;
    // Those of a run that was killed are in the way of nobody, but they are ours.
    empty(&groups);
    for dir in groups
        .iter()
        .map(PathBuf::as_path)
        .chain([Path::new(KUBELET)])
    {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    }
    let ended = inside();
    empty(&groups);
    // Goes only if it is empty: a node may have been here before us.
    drop(fs::remove_dir(KUBELET));
    forget_dead_runs()?;
    let ended = ended?;
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn inside() -> Result<ExitStatus, Error> {
    let program = std::env::current_exe().map_err(Error::io("find", Path::new("this program")))?;
    let unshare = Path::new("unshare");
    let mut child = Command::new(unshare)
        .args(NAMESPACES)
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env("PATH", path())
        .stdin(Stdio::piped())
        .spawn()
        .map_err(Error::io("run", unshare))?;
    // The other end of this pipe closes when we end, whatever ends us; but waiting must not close it.
    let _alive = child.stdin.take();
    child.wait().map_err(Error::io("wait for", unshare))
}

/// What has to be done first inside.
pub(crate) fn settle() -> Result<(), Error> {
    thread::spawn(|| {
        drop(io::stdin().read(&mut [0]));
        // This is the first process here: with it, all others end.
        std::process::exit(1);
    });
    // What programs leave in these folders is not to be left on the machine.
    for folder in ["/run", "/var/log", KUBELET] {
        run(Command::new("mount").args(["-t", "tmpfs", "node", folder]))?;
    }
    let cidr = format!("{ADDRESS}/24");
    for args in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "node0", "type", "bridge"],
        &["address", "add", &cidr, "dev", "node0"],
        &["link", "set", "node0", "up"],
        // Nothing leaves; but an address of a service must lead somewhere before kube-proxy can send it elsewhere.
        &["route", "add", "default", "dev", "node0"],
    ] {
        run(Command::new("ip").args(args))?;
    }
    let forward = Path::new("/proc/sys/net/ipv4/ip_forward");
    fs::write(forward, "1").map_err(Error::io("write", forward))
}

/// The control group in each hierarchy: one with version 2 of them, several with version 1.
fn groups() -> Result<Vec<PathBuf>, Error> {
    let root = Path::new(GROUPS);
    if root.join("cgroup.controllers").is_file() {
        return Ok(vec![root.join(GROUP)]);
    }
    let entries = fs::read_dir(root).map_err(Error::io("read", root))?;
    let folders = entries.flatten().map(|entry| entry.path());
    let hierarchies = folders.filter(|path| path.join("cgroup.procs").is_file());
    Ok(hierarchies.map(|path| path.join(GROUP)).collect())
}

/// Removes control groups and those below them, as far as nothing runs in them.
fn empty(groups: &[PathBuf]) {
    for group in groups {
        let entries = fs::read_dir(group).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        empty(&below.map(|entry| entry.path()).collect::<Vec<_>>());
        // Its files go with it. One in which something runs stays for the next run to remove.
        drop(fs::remove_dir(group));
    }
}
