//! Container images out of programs that this machine has, as archives in OCI layout, without a container engine.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{controlplane::Error, needs::program};

/// An image with a shell, which waits until it is asked to end unless it is given something to do.
pub(crate) const BUSYBOX: &str = "localhost/busybox:1";
/// The same image, whose user is not root.
pub(crate) const NOBODY: &str = "localhost/nobody:1";
/// The image that holds the namespaces of a pod.
pub(crate) const PAUSE: &str = "localhost/pause:1";

/// The images, each with its user.
const IMAGES: [(&str, &str); 3] = [
    (BUSYBOX, "0:0"),
    (NOBODY, "1000:1000"),
    (PAUSE, "1000:1000"),
];
/// What they run by default. A shell that is the first process of a container ends only if it says so itself.
const COMMAND: [&str; 4] = ["/bin/busybox", "sh", "-c", WAIT];
const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";

/// The names under which the image has busybox.
const APPLETS: [&str; 11] = [
    "cat", "echo", "grep", "httpd", "id", "ls", "sh", "sleep", "stat", "tar", "true",
];

/// Makes the archives of the images with busybox in `folder`. Gives their paths.
pub(crate) fn busyboxes(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let root = folder.join("root");
    let bin = root.join("bin");
    for dir in [&bin, &root.join("tmp"), &root.join("etc")] {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    }
    let busybox = program("busybox").unwrap_or_default();
    let copy = bin.join("busybox");
    fs::copy(&busybox, &copy).map_err(Error::io("copy", &busybox))?;
    for name in APPLETS {
        let link = bin.join(name);
        symlink("busybox", &link).map_err(Error::io("make", &link))?;
    }
    let build = |(name, user)| {
        let config = json!({"Cmd": COMMAND, "User": user, "Env": ["PATH=/bin"], "WorkingDir": "/"});
        archive(folder, &root, name, &config)
    };
    IMAGES.into_iter().map(build).collect()
}

/// Makes the archive of an image with one program and its libraries, as deploy/Dockerfile would: it is what the image runs,
/// as somebody who is not root.
pub(crate) fn of_program(folder: &Path, name: &str, program: &Path) -> Result<PathBuf, Error> {
    let root = folder.join("program");
    let place = |from: &Path, to: &Path| {
        let to = root.join(to.strip_prefix("/").unwrap_or(to));
        let dir = to.parent().unwrap_or(&root);
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        fs::copy(from, &to).map_err(Error::io("copy", from))
    };
    let inside = Path::new("/usr/local/bin").join(program.file_name().unwrap_or_default());
    place(program, &inside)?;
    // A line for each: a name, perhaps an arrow, a path, an address.
    let libraries = run(Command::new("ldd").arg(program))?;
    for library in libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        place(Path::new(library), Path::new(library))?;
    }
    let config = json!({"Entrypoint": [inside], "User": "65532:65532", "WorkingDir": "/"});
    archive(folder, &root, name, &config)
}

/// An archive with one image: `root` is all that is in it, `config` says how it runs.
fn archive(folder: &Path, root: &Path, name: &str, config: &Value) -> Result<PathBuf, Error> {
    let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
    let layout = folder.join(repository);
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(Error::io("create", &blobs))?;
    let layer = folder.join("layer");
    tar(root, &layer)?;
    let layer = described("layer.v1.tar", &blobs, &Content::File(&layer))?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = described("config.v1+json", &blobs, &Content::Json(&config))?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    });
    let mut manifest = described("manifest.v1+json", &blobs, &Content::Json(&manifest))?;
    manifest["annotations"] = json!({
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": tag,
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    });
    for (file, content) in [
        ("index.json", index),
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
    ] {
        let file = layout.join(file);
        fs::write(&file, content.to_string()).map_err(Error::io("write", &file))?;
    }
    let archive = layout.with_extension("tar");
    tar(&layout, &archive)?;
    Ok(archive)
}

/// What becomes a blob.
enum Content<'a> {
    File(&'a Path),
    Json(&'a Value),
}

/// Puts a blob where its digest says. Gives its descriptor.
fn described(kind: &str, blobs: &Path, content: &Content<'_>) -> Result<Value, Error> {
    let new = blobs.join("new");
    match content {
        Content::File(file) => fs::rename(file, &new),
        Content::Json(value) => fs::write(&new, value.to_string()),
    }
    .map_err(Error::io("write", &new))?;
    let size = fs::metadata(&new).map_err(Error::io("read", &new))?.len();
    let sum = run(Command::new("sha256sum").arg(&new))?;
    let digest = sum.split(' ').next().unwrap_or_default();
    let blob = blobs.join(digest);
    fs::rename(&new, &blob).map_err(Error::io("write", &blob))?;
    Ok(json!({
        "mediaType": format!("application/vnd.oci.image.{kind}"),
        "digest": format!("sha256:{digest}"),
        "size": size,
    }))
}

/// Packs a folder so that the same files make the same archive.
fn tar(folder: &Path, archive: &Path) -> Result<(), Error> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--mtime=@0", "--numeric-owner"])
        .args(["--owner=0", "--group=0", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(folder)
        .arg(".");
    run(&mut tar).map(drop)
}

/// Runs a program of the system; anything but success is an error. Gives what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let program = PathBuf::from(command.get_program());
    let said = command.output().map_err(Error::io("run", &program))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let stderr = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    let why = format!("{}: {stderr}", words.join(" "));
    Err(Error::io("run", &program)(std::io::Error::other(why)))
}

/// The name of this machine's architecture in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
