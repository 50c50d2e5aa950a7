//! What users install, from the files and by the commands that they get: Usher in two pods, behind its Service.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    controlplane::Said,
    image,
    stage::Stage,
    tenants::{CONNECTIONS, CORE, TOKEN, Tenant, pod},
    tier::{count, until},
};

/// The name of the image in deploy/deployment.yaml, as the container runtime completes it.
const IMAGE: &str = "docker.io/library/usher:dev";

/// What it has refused.
const REFUSALS: &str = "usher_requests_total{path=\"validate\",verdict=\"refused\"}";
/// What waits for the end of its pods.
const GONE: [&str; 4] = [
    "-l",
    "app.kubernetes.io/name=usher",
    "--for=delete",
    "--timeout=120s",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands on a page behind some words, between these two.
fn between(page: &str, words: &str, [start, end]: [&str; 2]) -> String {
    let page = fs::read_to_string(root().join(page)).unwrap();
    let (_, behind) = page.split_once(words).unwrap();
    let (_, behind) = behind.split_once(start).unwrap();
    behind.split_once(end).unwrap().0.to_owned()
}

/// The commands of a page below a heading, in its first block.
fn commands(page: &str, heading: &str) -> String {
    between(page, &format!("\n## {heading}\n"), ["```sh\n", "```"])
}

/// The page about certificates, and where it tells how to make them.
const CERTIFICATES: &str = "certs/README.md";
const BY_HAND: &str = "By hand, with openssl";

/// Makes another certificate of the same authority, as the page has it for a year later, and waits until it is served.
fn renews(stage: &Stage, folder: &Path) {
    let part = ["# The certificate.\n", "# Both into the cluster."];
    types(stage, folder, &between(CERTIFICATES, BY_HAND, part));
    let then = between(
        CERTIFICATES,
        "A year later: the second part again, then\n",
        ["`", "`"],
    );
    types(stage, folder, &then);
    let serial = "openssl x509 -noout -serial";
    let wanted = types(stage, folder, &format!("{serial} -in tls.crt"));
    let address = "$(kubectl -n usher-system get service usher -o jsonpath={.spec.clusterIP}):443";
    let served = format!("openssl s_client -connect {address} </dev/null 2>/dev/null | {serial}");
    until("the new certificate", || {
        // Either pod may answer.
        let served = [(); 5].map(|()| types(stage, folder, &served));
        let is_so = served.iter().all(|serial| *serial == wanted);
        is_so.then_some(()).ok_or_else(|| served.concat())
    });
}

/// A copy of the files, in which somebody works.
fn checked_out(stage: &Stage) -> PathBuf {
    let folder = stage.plane.dir().join("checkout");
    fs::create_dir_all(&folder).unwrap();
    let mut cp = Command::new("cp");
    cp.arg("-r").current_dir(root());
    cp.args(["deploy", "webhook-config", "certs"]).arg(&folder);
    image::run(&mut cp).unwrap();
    folder
}

/// Runs commands as an administrator types them. Gives what they print.
fn types(stage: &Stage, folder: &Path, commands: &str) -> String {
    let kubectl = stage.plane.kubectl_path();
    let path = std::env::var("PATH").unwrap();
    let mut sh = Command::new("sh");
    sh.args(["-euc", commands])
        .current_dir(folder)
        .env("KUBECONFIG", stage.plane.kubeconfig())
        .env("HOME", folder)
        .env(
            "PATH",
            format!("{}:{path}", kubectl.parent().unwrap().display()),
        );
    let said = Said::from(sh.output().unwrap());
    assert!(said.success, "{commands}: {said:?}");
    said.stdout
}

/// Creates and deletes pods, as far as the API server's last word before it stores them, until a flag is set. Gives how many.
fn creates_until(tenant: &Tenant<'_>, is_over: &AtomicBool) -> u32 {
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        tenant
            .create_with(&pod("trial", "", ""), &["--dry-run=server"])
            .passes();
        count += 1;
    }
    count
}

pub(crate) fn it_guards_from_two_pods_and_goes_again(stage: &Stage) {
    let program = Path::new(env!("CARGO_BIN_EXE_usher"));
    let folder = stage.node.dir().join("usher");
    let archive = image::of_program(&folder, IMAGE, program).unwrap();
    stage.node.import(&archive).unwrap();
    let folder = checked_out(stage);
    types(stage, &folder, &commands(CERTIFICATES, BY_HAND));
    let ready = [
        "get",
        "deployment",
        "usher",
        "-o",
        "jsonpath={.status.readyReplicas}",
    ];
    let system = |args: &[&str]| {
        let args = [&["-n", "usher-system"], args].concat();
        stage.plane.run(&args).unwrap()
    };
    assert_eq!(system(&ready), "2");

    // It guards.
    let tenant = Tenant::new(stage, "installed");
    let borrowed = pod("borrowed", "serviceAccountName: deployer", "");
    tenant.gives(&borrowed);
    tenant.create(&pod("own", "", "")).passes();
    for pod in ["borrowed", "own"] {
        tenant.runs(&format!("pod/{pod}"));
    }
    let message = tenant.may_not_use_deployer("spec.serviceAccountName");
    let again = borrowed.replace("name: borrowed", "name: again");
    assert_eq!(tenant.create(&again).denial(CORE), message);
    let exec = |pod: &str| tenant.run(&["exec", pod, "--", "cat", TOKEN]);
    let denied = exec("borrowed");
    assert_eq!(
        denied.denial(CONNECTIONS),
        tenant.may_not_connect("borrowed")
    );
    tenant.is_token_of(&exec("own").stdout, "default");

    // The pods themselves have counted it: a pod, and a connection, which kubectl tried twice.
    let names = ["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"];
    let names = system(&names);
    let refused = names.split(' ').map(|pod| {
        let path = format!("/api/v1/namespaces/usher-system/pods/{pod}:8081/proxy/metrics");
        let metrics = stage.plane.run(&["get", "--raw", &path]).unwrap();
        count(&metrics, REFUSALS).unwrap()
    });
    assert_eq!(refused.sum::<u64>(), 3);

    // While its certificate is renewed and its pods are replaced one after the other, nobody notices.
    let is_over = AtomicBool::new(false);
    let created = thread::scope(|scope| {
        let creates = scope.spawn(|| creates_until(&tenant, &is_over));
        let changes = scope.spawn(|| {
            renews(stage, &folder);
            system(&["rollout", "restart", "deployment/usher"]);
            system(&["rollout", "status", "deployment/usher", "--timeout=120s"]);
        });
        let changed = changes.join();
        is_over.store(true, Ordering::Relaxed);
        changed.unwrap();
        creates.join().unwrap()
    });
    assert!(created > 0);

    // While it is away, nothing passes that it would be asked about; what it is not asked about does, and so it comes back.
    let trial =
        |tenant: &Tenant<'_>| tenant.create_with(&pod("trial", "", ""), &["--dry-run=server"]);
    system(&["scale", "deployment/usher", "--replicas=0"]);
    system(&[&["wait", "pod"], &GONE[..]].concat());
    for (said, webhook) in [(trial(&tenant), CORE), (exec("own"), CONNECTIONS)] {
        let failed = format!("failed calling webhook \"{webhook}\"");
        assert!(!said.success && said.stderr.contains(&failed), "{said:?}");
    }
    tenant.run(&["delete", "pod", "own"]).passes();
    system(&["scale", "deployment/usher", "--replicas=2"]);
    system(&["rollout", "status", "deployment/usher", "--timeout=120s"]);
    until("an answer of Usher", || {
        let said = trial(&tenant);
        said.success.then_some(()).ok_or(said.stderr)
    });

    // And it goes as it came.
    types(
        stage,
        &folder,
        &commands("docs/install.md", "Take Usher away"),
    );
    tenant.create(&again).passes();
}
