//! What a machine must have to become a node, and how to get what it has not.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Programs that come from the system, with the package of Debian that each is in.
const PROGRAMS: [(&str, &str); 7] = [
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("busybox", BUSYBOX),
    ("openssl", "openssl"),
    ("unshare", "util-linux"),
];
const BUSYBOX: &str = "busybox-static";

/// Namespaces of our own, as `unshare` makes them: the network, the mounts and the processes of the node stay in them, and
/// end with them.
pub(crate) const NAMESPACES: [&str; 6] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
];

/// What is missing here, each with what to do about it; empty if nothing is.
pub(crate) fn lacks() -> Vec<String> {
    let mut lacks = Vec::new();
    if !rustix::process::geteuid().is_root() {
        lacks.push("the rights of root: run it as root".to_owned());
    }
    let without = |(name, _): &(&str, &str)| program(name).is_none();
    let mut packages: Vec<_> = PROGRAMS.into_iter().filter(without).collect();
    if program("busybox").is_some_and(|path| !is_static(&path)) {
        packages.push(("busybox without libraries", BUSYBOX));
    }
    if !packages.is_empty() {
        let (names, packages): (Vec<_>, Vec<_>) = packages.into_iter().unzip();
        lacks.push(format!(
            "{}: apt-get install {}",
            names.join(", "),
            packages.join(" ")
        ));
    }
    if lacks.is_empty() {
        // A container may call somebody root who may not do this.
        let tried = Command::new("unshare")
            .args(NAMESPACES)
            .arg("true")
            .output();
        let why = match tried {
            Ok(said) if said.status.success() => None,
            Ok(said) => Some(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
            Err(error) => Some(error.to_string()),
        };
        lacks.extend(why.map(|why| {
            format!("namespaces of its own ({why}): run it where root holds CAP_SYS_ADMIN")
        }));
    }
    lacks
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&path()).find_map(|folder| {
        let file = folder.join(name);
        file.is_file().then_some(file)
    })
}

/// The search path, with the folders that only root has in it.
pub(crate) fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

/// Whether a program needs no loader, and so runs in an image that holds nothing else.
fn is_static(program: &Path) -> bool {
    let loader = b"/ld-";
    fs::read(program).is_ok_and(|code| !code.windows(loader.len()).any(|four| four == loader))
}
