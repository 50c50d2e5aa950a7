//! The node: a container runtime, a kubelet, a proxy and a scheduler beside the control plane.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    apart::{ADDRESS, GROUP},
    controlplane::{
        ControlPlane, Error,
        binaries::{Binaries, Programs, say},
        child::{Farewell, Supervised, tail},
    },
    image,
};

/// The programs of a node, in the versions that go.mod names.
pub(crate) const PROGRAMS: Programs = Programs {
    what: "a node",
    packages: &[
        (KUBELET, "k8s.io/kubernetes/cmd/kubelet"),
        (PROXY, "k8s.io/kubernetes/cmd/kube-proxy"),
        (SCHEDULER, "k8s.io/kubernetes/cmd/kube-scheduler"),
        (
            CONTAINERD,
            "github.com/containerd/containerd/v2/cmd/containerd",
        ),
        (
            "containerd-shim-runc-v2",
            "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        ),
        ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        (
            "bridge",
            "github.com/containernetworking/plugins/plugins/main/bridge",
        ),
        (
            "loopback",
            "github.com/containernetworking/plugins/plugins/main/loopback",
        ),
        (
            "host-local",
            "github.com/containernetworking/plugins/plugins/ipam/host-local",
        ),
    ],
    folder: "node",
    module: "k8s.io/kubernetes",
    variable: "USHER_NODE",
    takes: "about two minutes after the control plane",
};
const KUBELET: &str = "kubelet";
const PROXY: &str = "kube-proxy";
const SCHEDULER: &str = "kube-scheduler";
const CONTAINERD: &str = "containerd";

/// Its name.
pub(crate) const NAME: &str = "node-1";
/// The addresses of its pods, from another network for documentation.
const PODS: &str = "198.51.100.0/24";
/// Where the container runtime listens: in a folder of our own world, for the path of a socket must be short.
const SOCKET: &str = "/run/containerd/containerd.sock";
/// How long anything may take to come up.
const LIMIT: Duration = Duration::from_secs(120);

/// The running node.
pub(crate) struct Node {
    processes: Vec<Supervised>,
    dir: PathBuf,
    /// The program that talks to the container runtime.
    ctr: PathBuf,
}

impl Node {
    /// Starts everything, and waits until pods can run.
    pub(crate) fn start(plane: &ControlPlane, binaries: &Binaries) -> Result<Self, Error> {
        let dir = plane.dir().join("node");
        for folder in ["cni", "manifests"].map(|folder| dir.join(folder)) {
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        let mut node = Self {
            processes: Vec::new(),
            dir,
            ctr: binaries.path("ctr"),
        };
        node.containers(plane, binaries)?;
        node.programs(plane, binaries)?;
        Ok(node)
    }

    /// The folder whose manifests the kubelet runs by itself.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.dir.join("manifests")
    }

    /// An error if one of its programs has ended.
    pub(crate) fn still_runs(&mut self) -> Result<(), Error> {
        self.processes
            .iter_mut()
            .try_for_each(Supervised::still_runs)
    }

    /// The ends of their logs, for whoever must find out why a story failed.
    pub(crate) fn show_logs(&self) {
        for path in self.processes.iter().map(Supervised::log) {
            say(&format!("the end of {}:\n{}\n", path.display(), tail(path)));
        }
    }

    /// The container runtime, with the images in it.
    fn containers(&mut self, plane: &ControlPlane, binaries: &Binaries) -> Result<(), Error> {
        let folder = binaries.path(CONTAINERD);
        let folder = folder.parent().unwrap_or(Path::new("/"));
        self.write("cni/pods.conflist", &network(&self.dir).to_string())?;
        self.write("containerd.toml", &runtime(&self.dir, folder))?;
        let mut containerd = Command::new(binaries.path(CONTAINERD));
        containerd
            .arg("--config")
            .arg(self.dir.join("containerd.toml"))
            // It looks there for its own shim, and for runc.
            .env("PATH", path_with(folder));
        self.spawn(plane, CONTAINERD, &containerd)?;
        let ctr = self.ctr.clone();
        self.last_is("containerd", || {
            let answer = image::run(Command::new(&ctr).args(["--address", SOCKET, "version"]));
            answer.map(drop).map_err(|error| error.to_string())
        })?;
        let archives = image::busyboxes(&self.dir.join("images"))?;
        archives.iter().try_for_each(|archive| self.import(archive))
    }

    /// Gives the node an image.
    pub(crate) fn import(&self, archive: &Path) -> Result<(), Error> {
        let mut ctr = Command::new(&self.ctr);
        ctr.args(["--address", SOCKET, "-n", "k8s.io", "images", "import"]);
        image::run(ctr.arg(archive)).map(drop)
    }

    /// The folder of what it needs.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Kubernetes' own programs.
    fn programs(&mut self, plane: &ControlPlane, binaries: &Binaries) -> Result<(), Error> {
        self.write("ca.crt", plane.ca_pem())?;
        self.write("resolv.conf", "nameserver 127.0.0.1\n")?;
        let mut scheduler = Command::new(binaries.path(SCHEDULER));
        let kubeconfig = plane.kubeconfig_for("system:kube-scheduler", &[])?;
        for flag in [
            "--kubeconfig",
            "--authentication-kubeconfig",
            "--authorization-kubeconfig",
        ] {
            scheduler.arg(flag).arg(&kubeconfig);
        }
        scheduler.args(["--leader-elect=false", "--secure-port=0"]);
        self.spawn(plane, SCHEDULER, &scheduler)?;

        let mut proxy = Command::new(binaries.path(PROXY));
        proxy
            .arg("--kubeconfig")
            .arg(plane.kubeconfig_for("system:kube-proxy", &[])?)
            .args(["--hostname-override", NAME, "--cluster-cidr", PODS])
            .args(["--proxy-mode=iptables", "--conntrack-max-per-core=0"]);
        // What these would set is the whole machine's.
        for what in ["established", "close-wait"] {
            proxy.arg(format!("--conntrack-tcp-timeout-{what}=0s"));
        }
        self.spawn(plane, PROXY, &proxy)?;

        self.write("kubelet.json", &kubelet(&self.dir).to_string())?;
        let user = format!("system:node:{NAME}");
        let mut kubelet = Command::new(binaries.path(KUBELET));
        kubelet
            .arg("--config")
            .arg(self.dir.join("kubelet.json"))
            .arg("--kubeconfig")
            .arg(plane.kubeconfig_for(&user, &["system:nodes"])?)
            .args(["--hostname-override", NAME, "--node-ip", ADDRESS]);
        self.spawn(plane, KUBELET, &kubelet)?;
        self.last_is("a node that is ready", || {
            let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
            match plane.run(&["get", "node", NAME, "-o", ready]) {
                Ok(said) if said == "True" => Ok(()),
                Ok(said) => Err(said),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn spawn(
        &mut self,
        plane: &ControlPlane,
        name: &'static str,
        command: &Command,
    ) -> Result<(), Error> {
        let log = plane.dir().join("log").join(name);
        let process = Supervised::spawn(name, command, &log, Farewell::Kill)?;
        self.processes.push(process);
        Ok(())
    }

    /// Waits for an answer of the program that was started last.
    fn last_is(
        &mut self,
        what: &'static str,
        is_there: impl FnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        let last = self.processes.last_mut();
        last.map_or(Ok(()), |last| last.wait_for(what, LIMIT, is_there))
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        let path = self.dir.join(file);
        fs::write(&path, text).map_err(Error::io("write", &path))
    }
}

/// The search path with one more folder.
fn path_with(folder: &Path) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", folder.display())
}

/// The network of the pods, for the plugins that the container runtime calls.
fn network(dir: &Path) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": dir.join("addresses"),
            },
        }],
    })
}

/// The configuration of the container runtime.
fn runtime(dir: &Path, plugins: &Path) -> String {
    // A string of JSON is one of TOML, too.
    let [root, networks] = ["containers", "cni"].map(|folder| json!(dir.join(folder)));
    let (plugins, pause) = (json!(plugins), json!(image::PAUSE));
    let cri = "[plugins.'io.containerd.cri.v1";
    // Not every machine lets root make a process less likely to be killed for want of memory: runc would fail there.
    format!(
        "version = 3\nroot = {root}\nstate = '/run/containerd'\n\
         [grpc]\naddress = '{SOCKET}'\n\
         {cri}.images'.pinned_images]\nsandbox = {pause}\n\
         {cri}.runtime']\nrestrict_oom_score_adj = true\n\
         {cri}.runtime'.cni]\nbin_dirs = [{plugins}]\nconf_dir = {networks}\n\
         {cri}.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n"
    )
}

/// The configuration of the kubelet.
fn kubelet(dir: &Path) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": dir.join("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{GROUP}"),
        // The first version of control groups is still what some machines of continuous integration have.
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        // Machines that are almost full do for tests, too.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "staticPodPath": dir.join("manifests"),
        // How soon it looks at manifests, and whether mounted Secrets are still what they were.
        "fileCheckFrequency": "1s",
        "syncFrequency": "5s",
        "resolvConf": dir.join("resolv.conf"),
        "podCIDR": PODS,
    })
}
