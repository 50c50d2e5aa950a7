//! A real API server with Usher in front of it, to try `kubectl` on as different users: `cargo cluster`.

#[path = "../tests/real/controlplane/mod.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests and the benches, which use other parts"
)]
mod controlplane;

use clap::Parser;
use controlplane::usher::with_usher;
use controlplane::{ControlPlane, Options};
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::{env, fs, io, thread};
use tokio::signal::unix::{SignalKind, signal};

/// Boot a real API server on loopback, with Usher in front of it and a small world to try it in.
///
/// Prints the environment for kubectl and some commands to try, and waits. Ctrl-C, or the end of standard input, takes
/// everything down. The first start builds Kubernetes with Go, about four minutes; KUBEBUILDER_ASSETS spares it.
#[derive(Parser)]
#[command(name = "cargo cluster", max_term_width = 100)]
struct Args {
    /// Usher's configuration (default: deploy/usher.yaml)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run the commands to try, one after the other, and end: status 1 if one does not do as it says
    #[arg(long)]
    tour: bool,
}

/// A command to try, and what it shows.
struct Step {
    says: &'static str,
    command: &'static str,
    /// Whether the API server lets it pass.
    passes: bool,
}

/// Each step stands on those before it.
const STEPS: [Step; 8] = [
    Step {
        says: "jane runs a pod under the account that everybody may use",
        command: "kubectl --as jane -n team-a run web --image nginx",
        passes: true,
    },
    Step {
        says: "jane names an account that she may not use: refused",
        command: r#"kubectl --as jane -n team-a run spy --image nginx --overrides '{"spec":{"serviceAccountName":"deployer"}}'"#,
        passes: false,
    },
    Step {
        says: "ci-bot may use it",
        command: r#"kubectl --as ci-bot -n team-a run release --image nginx --overrides '{"spec":{"serviceAccountName":"deployer"}}'"#,
        passes: true,
    },
    Step {
        says: "jane's pod tolerates every taint, so that it could run on any node: refused",
        command: r#"kubectl --as jane -n team-a run anywhere --image nginx --overrides '{"spec":{"tolerations":[{"operator":"Exists"}]}}'"#,
        passes: false,
    },
    Step {
        says: "a deployment is judged where it is written; its pods come from the real controllers",
        command: "kubectl --as jane -n team-a create deployment api --image nginx",
        passes: true,
    },
    Step {
        says: "a change is judged too: refused",
        command: "kubectl --as jane -n team-a set serviceaccount deployment api deployer",
        passes: false,
    },
    Step {
        says: "you, the administrator, grant jane the account",
        command: "usher grant serviceaccounts/deployer -n team-a --to user:jane | kubectl apply -f -",
        passes: true,
    },
    Step {
        says: "and the very next try passes",
        command: "kubectl --as jane -n team-a set serviceaccount deployment api deployer",
        passes: true,
    },
];

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = args
        .config
        .unwrap_or_else(|| root.join("deploy/usher.yaml"));
    fs::metadata(&config)
        .map_err(|error| format!("configuration {:?}: {error}", config.display()))?;
    let usher = built_usher()?;

    eprintln!("starting etcd, kube-apiserver and kube-controller-manager ...");
    let plane = ControlPlane::start(Options::default())?;
    eprintln!("starting usher ...");
    let _usher = with_usher(&plane, &usher, &config)?;
    plane.apply(include_str!("cluster/world.yaml"))?;
    plane.has_default_account("team-a")?;

    let path = search_path(&plane, &usher)?;
    if args.tour {
        return tour(&plane, &path);
    }
    println!(
        "\n# A real API server with Usher in front of it. In another terminal, first:\n\
         export KUBECONFIG='{}' PATH='{}':\"$PATH\"",
        plane.kubeconfig().display(),
        own_path(&plane, &usher)?.display()
    );
    for Step { says, command, .. } in STEPS {
        println!("\n# {says}\n{command}");
    }
    println!(
        "\n# Mind: the cluster role \"edit\" also lets its holders impersonate service accounts and read secrets\n\
         # in the namespace. Usher judges what objects name; keep those rights from tenants.\n\n\
         # Ctrl-C here takes everything down."
    );
    wait_for_the_end()?;
    eprintln!("\ntaking everything down ...");
    Ok(())
}

/// The folders with kubectl and usher, as a search path.
fn own_path(plane: &ControlPlane, usher: &Path) -> Result<OsString, Box<dyn Error>> {
    let kubectl = plane.kubectl_path();
    Ok(env::join_paths(
        [kubectl.parent(), usher.parent()].into_iter().flatten(),
    )?)
}

fn search_path(plane: &ControlPlane, usher: &Path) -> Result<OsString, Box<dyn Error>> {
    let mut path = own_path(plane, usher)?;
    if let Some(rest) = env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    Ok(path)
}

/// Runs every step and compares what happens with what it says.
fn tour(plane: &ControlPlane, path: &OsString) -> Result<(), Box<dyn Error>> {
    let mut surprises = 0;
    for Step {
        says,
        command,
        passes,
    } in STEPS
    {
        println!("\n# {says}\n$ {command}");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .env("KUBECONFIG", plane.kubeconfig())
            .env("PATH", path);
        if shell.status()?.success() != passes {
            println!("# this is not what should happen");
            surprises += 1;
        }
    }
    println!(
        "\n{} of {} as they should be",
        STEPS.len() - surprises,
        STEPS.len()
    );
    if surprises == 0 {
        Ok(())
    } else {
        Err("the tour did not go as it should".into())
    }
}

/// The usher of the same build profile, which lies one folder above this example's own program. Cargo builds only the
/// example for `cargo run --example`, so it is asked for the program too, which takes no time if nothing has changed.
fn built_usher() -> Result<PathBuf, Box<dyn Error>> {
    let own = env::current_exe()?;
    let profile = own
        .ancestors()
        .nth(2)
        .ok_or("this program lies in no target folder")?;
    let usher = profile.join("usher");
    if let Some(cargo) = env::var_os("CARGO") {
        let name = profile
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("release");
        let name = if name == "debug" { "dev" } else { name };
        let mut build = Command::new(cargo);
        build
            .args(["build", "--quiet", "--bin", "usher", "--profile", name])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if !build.status()?.success() {
            return Err("usher does not build; cargo's words are above".into());
        }
    }
    if usher.is_file() {
        Ok(usher)
    } else {
        Err(format!(
            "no program at {:?}: start this with \"cargo cluster\"",
            usher.display()
        )
        .into())
    }
}

/// Returns at Ctrl-C, SIGTERM or the end of standard input.
fn wait_for_the_end() -> Result<(), Box<dyn Error>> {
    let (end, ended) = mpsc::channel();
    let stdin_end = end.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        let _ = end.send(());
    });
    thread::spawn(move || {
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        let _ = stdin_end.send(());
    });
    ended.recv()?;
    // The thread at standard input may never return.
    runtime.shutdown_background();
    Ok(())
}
