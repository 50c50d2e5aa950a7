//! Where the programs of the control plane come from: `KUBEBUILDER_ASSETS`, or a build of the pinned Go module.

use super::error::Error;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The programs that make a control plane, with the Go package of each.
const PROGRAMS: [(&str, &str); 4] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];

/// A folder that holds every program of [`PROGRAMS`].
#[derive(Debug)]
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// Takes the programs from `assets` (the value of `KUBEBUILDER_ASSETS`) if given, else from the cache below
    /// `target`, which the first caller fills with `go build` (about four minutes on two cores) while others wait.
    pub(crate) fn find(assets: Option<&Path>, target: &Path) -> Result<Self, Error> {
        match assets {
            Some(dir) => Self::in_assets(dir),
            None => Self::built(target),
        }
    }

    /// The path of one program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn in_assets(dir: &Path) -> Result<Self, Error> {
        let dir = std::path::absolute(dir).map_err(Error::io("find", dir))?;
        let missing: Vec<_> = PROGRAMS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !dir.join(name).is_file())
            .collect();
        if missing.is_empty() {
            Ok(Self(dir))
        } else {
            Err(Error::AssetsIncomplete { dir, missing })
        }
    }

    fn built(target: &Path) -> Result<Self, Error> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane");
        let pinned = Pinned::read(&module.join("go.mod"))?;
        let cache = target.join("controlplane").join(&pinned.kubernetes);
        let bin = cache.join("bin");
        // The stamp is written last, so its presence says that the build is whole; its content says of what.
        let stamp = bin.join("go.mod");
        let is_fresh = || fs::read_to_string(&stamp).is_ok_and(|text| text == pinned.text);
        if is_fresh() {
            return Ok(Self(bin));
        }
        fs::create_dir_all(&cache).map_err(Error::io("create", &cache))?;
        let lock_path = cache.join("lock");
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        if lock.try_lock().is_err() {
            say("another process builds the control plane; waiting for it ...");
            lock.lock().map_err(Error::io("lock", &lock_path))?;
        }
        if is_fresh() {
            return Ok(Self(bin));
        }
        pinned.build(&module, &cache)?;
        Ok(Self(bin))
    }
}

/// What go.mod says.
struct Pinned {
    text: String,
    kubernetes: String,
    go: String,
}

impl Pinned {
    fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let word_after = |start: &'static str| {
            let rest = text
                .lines()
                .find_map(|line| line.strip_prefix(start))
                .and_then(|rest| rest.split_whitespace().next());
            rest.map(str::to_owned)
                .ok_or(Error::NoVersion { package: start })
        };
        let kubernetes = word_after("require k8s.io/kubernetes ")?;
        let go = word_after("go ")?;
        Ok(Self {
            text,
            kubernetes,
            go,
        })
    }

    /// Builds into a folder of its own and puts it in place whole, so that an interrupted build leaves nothing half done.
    fn build(&self, module: &Path, cache: &Path) -> Result<(), Error> {
        say(&format!(
            "building the control plane {} with go, about four minutes the first time (into \"{}\") ...",
            self.kubernetes,
            cache.display()
        ));
        let start = Instant::now();
        let half = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(cache)
            .map_err(Error::io("create a folder in", cache))?;
        for (name, package) in PROGRAMS {
            say(&format!("  {name} ..."));
            self.go_build(module, package, &half.path().join(name))?;
        }
        let stamp = half.path().join("go.mod");
        fs::write(&stamp, &self.text).map_err(Error::io("write", &stamp))?;
        let bin = cache.join("bin");
        match fs::remove_dir_all(&bin) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &bin)(error));
            }
            _ => {}
        }
        fs::rename(half.keep(), &bin).map_err(Error::io("put the build into", &bin))?;
        say(&format!(
            "control plane built in {} s",
            start.elapsed().as_secs()
        ));
        Ok(())
    }

    fn go_build(&self, module: &Path, package: &str, out: &Path) -> Result<(), Error> {
        // Kubernetes' own build sets these; without them the server calls itself v0.0.0.
        let version = "k8s.io/component-base/version";
        let mut numbers = self.kubernetes.trim_start_matches('v').split('.');
        let (major, minor) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        let ldflags = format!(
            "-s -w -X {version}.gitVersion={} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}",
            self.kubernetes
        );
        let status = Command::new("go")
            .args([
                "build",
                "-mod=readonly",
                "-trimpath",
                "-ldflags",
                &ldflags,
                "-o",
            ])
            .arg(out)
            .arg(package)
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env_remove("GOFLAGS")
            .status()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Error::NoGo {
                    go: self.go.clone(),
                },
                _ => Error::io("run", Path::new("go"))(error),
            })?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::GoBuild { status })
        }
    }
}

/// A line of progress. Written to the stream itself, because the test harness swallows what `eprintln!` says.
pub(crate) fn say(line: &str) {
    // A closed stderr must not end the work.
    drop(writeln!(io::stderr(), "{line}"));
}
