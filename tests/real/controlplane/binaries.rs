//! Where programs in Go come from: a folder that a variable names, or a build of the Go module that pins them.

use super::error::Error;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Programs that one Go module pins.
#[derive(Debug)]
pub(crate) struct Programs {
    /// What they are together.
    pub(crate) what: &'static str,
    /// Their names, with the Go package of each.
    pub(crate) packages: &'static [(&'static str, &'static str)],
    /// The folder of the Go module below tests, and of its builds below the target folder.
    pub(crate) folder: &'static str,
    /// The module whose version is theirs.
    pub(crate) module: &'static str,
    /// The variable that names a folder with ready-made ones.
    pub(crate) variable: &'static str,
    /// How long the first build takes, on two cores.
    pub(crate) takes: &'static str,
}

/// Kubernetes' own module, whose programs are told their version when they are built.
const KUBERNETES: &str = "k8s.io/kubernetes";

/// The programs that make a control plane.
pub(crate) const CONTROL_PLANE: Programs = Programs {
    what: "the control plane",
    packages: &[
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        (
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    folder: "real/controlplane",
    module: KUBERNETES,
    variable: "KUBEBUILDER_ASSETS",
    takes: "about four minutes",
};

impl Programs {
    /// Takes them from the folder that their variable names, else builds them.
    pub(crate) fn find(&self) -> Result<Binaries, Error> {
        let ready = std::env::var_os(self.variable);
        Binaries::find(self, ready.as_deref().map(Path::new), &super::target_dir())
    }

    /// Their names, as a sentence lists them.
    fn names(&self) -> String {
        let names: Vec<_> = self.packages.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// The sources of a module, in the version that go.mod pins; Go fetches them if need be.
    pub(crate) fn source(&self, module: &str) -> Result<PathBuf, Error> {
        let lacks = |why: String| Error::NoSource {
            module: module.to_owned(),
            why,
        };
        let output = match self.go(&["mod", "download", "-json", module]) {
            // Ready-made programs are no way round here.
            Err(Error::NoGo { go, .. }) => {
                return Err(lacks(format!("install Go {go} or newer")));
            }
            output => output?,
        };
        let answer: Value = serde_json::from_slice(&output).unwrap_or_default();
        let folder = answer.get("Dir").and_then(Value::as_str).map(PathBuf::from);
        folder.ok_or_else(|| lacks(answer.to_string()))
    }

    /// The folder of the Go module.
    fn path(&self) -> PathBuf {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        tests.join(self.folder)
    }

    /// The text of go.mod.
    fn pins(&self) -> Result<String, Error> {
        let path = self.path().join("go.mod");
        fs::read_to_string(&path).map_err(Error::io("read", &path))
    }

    /// Runs go in the folder of the module. Its standard error is ours, its output is given.
    fn go(&self, args: &[&str]) -> Result<Vec<u8>, Error> {
        let mut go = Command::new("go");
        go.args(args)
            .current_dir(self.path())
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env_remove("GOFLAGS")
            .stderr(io::stderr());
        let output = go.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoGo {
                what: self.what,
                takes: self.takes,
                variable: self.variable,
                names: self.names(),
                go: self
                    .pins()
                    .ok()
                    .and_then(|text| pin(&text, "go"))
                    .unwrap_or_default(),
            },
            _ => Error::io("run", Path::new("go"))(error),
        })?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Error::Go {
                args: args.join(" "),
                folder: self.path(),
                status: output.status,
            })
        }
    }
}

/// A folder that holds programs.
#[derive(Debug)]
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// Takes the programs from `ready` (the value of their variable) if given, else from the cache below `target`, which
    /// the first caller fills with `go build` while others wait.
    pub(crate) fn find(
        programs: &Programs,
        ready: Option<&Path>,
        target: &Path,
    ) -> Result<Self, Error> {
        match ready {
            Some(dir) => Self::ready(programs, dir),
            None => Self::built(programs, target),
        }
    }

    /// The path of one program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn ready(programs: &Programs, dir: &Path) -> Result<Self, Error> {
        let dir = std::path::absolute(dir).map_err(Error::io("find", dir))?;
        let names = programs.packages.iter().map(|(name, _)| *name);
        let missing: Vec<_> = names.filter(|name| !dir.join(name).is_file()).collect();
        if missing.is_empty() {
            Ok(Self(dir))
        } else {
            Err(Error::Incomplete {
                variable: programs.variable,
                dir,
                missing,
                folder: programs.folder,
            })
        }
    }

    fn built(programs: &Programs, target: &Path) -> Result<Self, Error> {
        let pinned = Pinned::read(programs)?;
        let name = Path::new(programs.folder).file_name().unwrap_or_default();
        let cache = target.join(name).join(&pinned.version);
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
            let what = programs.what;
            say(&format!(
                "another process builds {what}; waiting for it ..."
            ));
            lock.lock().map_err(Error::io("lock", &lock_path))?;
        }
        if is_fresh() {
            return Ok(Self(bin));
        }
        pinned.build(programs, &cache)?;
        Ok(Self(bin))
    }
}

/// What go.mod says.
struct Pinned {
    text: String,
    version: String,
}

impl Pinned {
    fn read(programs: &Programs) -> Result<Self, Error> {
        let text = programs.pins()?;
        let version = pin(&text, programs.module).ok_or(Error::NoVersion {
            folder: programs.folder,
            module: programs.module,
        })?;
        Ok(Self { text, version })
    }

    /// Builds into a folder of its own and puts it in place whole, so that an interrupted build leaves nothing half done.
    fn build(&self, programs: &Programs, cache: &Path) -> Result<(), Error> {
        let Programs { what, takes, .. } = programs;
        say(&format!(
            "building {what} {} with go, {takes} the first time (into \"{}\") ...",
            self.version,
            cache.display()
        ));
        let start = Instant::now();
        let half = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(cache)
            .map_err(Error::io("create a folder in", cache))?;
        let ldflags = self.ldflags(programs);
        for (name, package) in programs.packages {
            say(&format!("  {name} ..."));
            let out = half.path().join(name).display().to_string();
            let build = ["build", "-mod=readonly", "-trimpath"];
            let of = ["-ldflags", &ldflags, "-o", &out, package];
            programs.go(&[&build[..], &of].concat())?;
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
        say(&format!("built in {} s", start.elapsed().as_secs()));
        Ok(())
    }

    fn ldflags(&self, programs: &Programs) -> String {
        let strip = "-s -w";
        if programs.module != KUBERNETES {
            return strip.to_owned();
        }
        // Kubernetes' own build sets these; without them the server calls itself v0.0.0.
        let to = "k8s.io/component-base/version";
        let mut numbers = self.version.trim_start_matches('v').split('.');
        let (major, minor) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        format!(
            "{strip} -X {to}.gitVersion={} -X {to}.gitMajor={major} -X {to}.gitMinor={minor}",
            self.version
        )
    }
}

/// The word after `name` in a go.mod: the version of a module, or of Go itself.
fn pin(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.trim_start_matches("require ").split_whitespace();
        words
            .next()
            .filter(|word| *word == name)
            .and(words.next())
            .map(str::to_owned)
    })
}

/// A line of progress. Written to the stream itself, because the test harness swallows what `eprintln!` says.
pub(crate) fn say(line: &str) {
    // A closed stderr must not end the work.
    drop(writeln!(io::stderr(), "{line}"));
}
