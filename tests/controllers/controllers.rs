//! The real controllers, as plain processes with the rights that their projects give them.

use std::{path::Path, process::Command, time::Duration};

use crate::{
    controlplane::{
        ControlPlane, Error,
        binaries::{Binaries, Programs, say},
        child::{Farewell, Supervised, tail},
        free_ports,
        usher::ready,
    },
    stage::file,
};

/// The controllers, in the versions that go.mod names.
pub(crate) const CONTROLLERS: Programs = Programs {
    what: "the controllers of Flux and KEDA",
    packages: &[
        (SOURCE, "github.com/fluxcd/source-controller"),
        (KUSTOMIZE, "github.com/fluxcd/kustomize-controller"),
        (OPERATOR, "github.com/kedacore/keda/v2/cmd/operator"),
    ],
    folder: "controllers",
    module: "github.com/kedacore/keda/v2",
    variable: "USHER_CONTROLLERS",
    takes: "about nine minutes",
};
const SOURCE: &str = "source-controller";
const KUSTOMIZE: &str = "kustomize-controller";
const OPERATOR: &str = "keda-operator";

/// How long a controller may take to come up.
const LIMIT: Duration = Duration::from_secs(120);

/// The running controllers. They end when this is dropped.
pub(crate) struct Controllers(Vec<Supervised>);

impl Controllers {
    /// Starts all of them and waits until they are ready.
    pub(crate) fn start(plane: &ControlPlane, binaries: &Binaries) -> Result<Self, Error> {
        let mut controllers = Self(Vec::new());
        let source = plane.kubeconfig_of("flux-system", SOURCE)?;
        let artifacts = plane.dir().join("artifacts");
        std::fs::create_dir(&artifacts).map_err(Error::io("create", &artifacts))?;
        controllers.start_one(plane, SOURCE, |[health, files]| {
            let mut command = flux(&binaries.path(SOURCE), &source, health);
            let files = format!("127.0.0.1:{files}");
            command
                .args(["--storage-addr", &files, "--storage-adv-addr", &files])
                .arg("--storage-path")
                .arg(&artifacts)
                .env("TUF_ROOT", plane.dir().join("tuf"));
            command
        })?;
        // One for the platform's own flags, one for the story in which there is a flag. They share the work by a label.
        let kustomize = plane.kubeconfig_of("flux-system", KUSTOMIZE)?;
        for flags in [
            &["--watch-label-selector=!sharding.fluxcd.io/key"][..],
            &[
                "--watch-label-selector=sharding.fluxcd.io/key=flag",
                "--default-service-account=tenant",
            ],
        ] {
            controllers.start_one(plane, KUSTOMIZE, |[health, _]| {
                let mut command = flux(&binaries.path(KUSTOMIZE), &kustomize, health);
                command.args(flags);
                command
            })?;
        }
        let operator = plane.kubeconfig_of("keda", OPERATOR)?;
        let certificate = plane.serving_certificate(OPERATOR)?;
        controllers.start_one(plane, OPERATOR, |[health, metrics]| {
            let mut command = Command::new(binaries.path(OPERATOR));
            command
                .env("KUBECONFIG", &operator)
                .env("POD_NAMESPACE", "keda")
                .env("KEDA_CLUSTER_OBJECT_NAMESPACE", "keda")
                .env("WATCH_NAMESPACE", "")
                .env(
                    "KEDA_SERVICE_ACCOUNT_TOKEN_AUDIENCES",
                    r#"[{"audience": "queue", "namespace": "keda-token", "serviceAccountName": "queue-reader"}]"#,
                )
                .arg(format!("--health-probe-bind-address=127.0.0.1:{health}"))
                .arg(format!("--metrics-service-bind-address=127.0.0.1:{metrics}"))
                .arg("--metrics-bind-address=0")
                .arg("--cert-dir")
                .arg(&certificate);
            command
        })?;
        Ok(controllers)
    }

    /// An error if one of them has ended.
    pub(crate) fn still_run(&mut self) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(Supervised::still_runs)
    }

    /// The ends of their logs, for whoever must find out why a story failed.
    pub(crate) fn show_logs(&self) {
        for controller in &self.0 {
            let path = controller.log();
            say(&format!("the end of {}:\n{}\n", path.display(), tail(path)));
        }
    }

    /// Starts a controller on two free ports, the first of them for its probes, and waits until it is ready.
    fn start_one(
        &mut self,
        plane: &ControlPlane,
        name: &'static str,
        command: impl Fn([u16; 2]) -> Command,
    ) -> Result<(), Error> {
        let log = format!("log/{name}-{}", self.0.len());
        let log = plane.dir().join(log);
        let mut attempts = 0;
        loop {
            let ports = free_ports()?;
            let mut child = Supervised::spawn(name, &command(ports), &log, Farewell::Kill)?;
            attempts += 1;
            match child.wait_for("/readyz of the controller", LIMIT, || ready(ports[0])) {
                // Between our look and its start, a port may go to somebody else.
                Err(error) if error.is_port_clash() && attempts < 5 => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.0.push(child);
                    return Ok(());
                }
            }
        }
    }
}

/// The definitions, the accounts of the controllers and their rights: from the modules themselves, where they have files
/// that can be applied as they are.
pub(crate) fn install(plane: &ControlPlane) -> Result<(), Error> {
    let apply = |flag: &str, path: &Path| {
        plane.run(&["apply", "--server-side", flag, &path.display().to_string()])
    };
    let source = CONTROLLERS.source("github.com/fluxcd/source-controller")?;
    let kustomize = CONTROLLERS.source("github.com/fluxcd/kustomize-controller")?;
    let keda = CONTROLLERS.source("github.com/kedacore/keda/v2")?;
    for module in [&source, &kustomize, &keda] {
        apply("-k", &module.join("config/crd"))?;
    }
    apply("-f", &file("rbac.yaml"))?;
    apply("-f", &source.join("config/rbac/role.yaml"))?;
    for path in [
        "config/service_account/service_account.yaml",
        "config/rbac/role.yaml",
        "config/rbac/role_binding.yaml",
    ] {
        apply("-f", &keda.join(path))?;
    }
    plane.run(&[
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd",
        "--all",
    ])?;
    Ok(())
}

/// A controller of Flux, with what all of them take.
fn flux(program: &Path, kubeconfig: &Path, health: u16) -> Command {
    let mut command = Command::new(program);
    command
        .env("KUBECONFIG", kubeconfig)
        .env("RUNTIME_NAMESPACE", "flux-system")
        .args(["--enable-leader-election=false", "--metrics-addr=0"])
        .arg(format!("--health-addr=127.0.0.1:{health}"));
    command
}
