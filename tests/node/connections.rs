//! Ways 5 and 6: into a pod that runs already, as another account.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    controlplane::Said,
    image::BUSYBOX,
    node,
    stage::Stage,
    tenants::{CONNECTIONS, CORE, TOKEN, Tenant, Tenants, pod},
};

const DEPLOYER: &str = "serviceAccountName: deployer";
/// A container that does what somebody who attaches to it types.
const SHELL: &str = "stdin: true, command: [sh]";
/// A container that serves the token of its account.
const SERVER: &str =
    "command: [httpd, -f, -p, \"8080\", -h, /var/run/secrets/kubernetes.io/serviceaccount]";
/// The token itself: the file above it is a link, which `kubectl cp` leaves where it is.
const DATA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/..data/token";

/// A way, tried on a pod of another account, which works in the open namespace and for whoever
/// may use the account, and on a pod of one's own.
fn way(
    stage: &Stage,
    name: &str,
    container: &str,
    webhook: &str,
    read: impl Fn(&Tenant<'_>, &str) -> Said,
) {
    let tenants = Tenants::new(stage, name);
    tenants.pod("web", DEPLOYER, container);
    tenants.pod("own", "", container);
    let Tenants { open, guarded } = &tenants;
    open.is_token_of(&passed(&read(open, "web")), "deployer");
    guarded.refused(webhook, &guarded.may_not_connect("web"), |tenant| {
        read(tenant, "web")
    });
    for tenant in tenants.both() {
        tenant.is_token_of(&passed(&read(tenant, "own")), "default");
    }
    guarded.may_use("serviceaccounts/deployer");
    guarded.is_token_of(&passed(&read(guarded, "web")), "deployer");
}

/// What was read.
#[track_caller]
fn passed(said: &Said) -> String {
    assert!(said.success && !said.stdout.is_empty(), "{said:?}");
    said.stdout.clone()
}

pub(crate) fn exec_reads_the_token_of_another_account(stage: &Stage) {
    way(stage, "exec", "", CONNECTIONS, |tenant, pod| {
        tenant.run(&["exec", pod, "--", "cat", TOKEN])
    });
    // kubectl tried it over a WebSocket, and then again over SPDY.
    let refused = "refused: Connect PodExecOptions exec/web by exec-jane";
    assert_eq!(stage.log().matches(refused).count(), 2);
}

pub(crate) fn cp_takes_the_token_of_another_account(stage: &Stage) {
    way(stage, "cp", "", CONNECTIONS, |tenant, pod| {
        let to = stage
            .plane
            .dir()
            .join(format!("{}-{pod}", tenant.namespace));
        let from = format!("{pod}:{DATA}");
        let said = tenant.run(&["cp", &from, &to.display().to_string()]);
        let stdout = std::fs::read_to_string(to).unwrap_or_default();
        Said { stdout, ..said }
    });
}

pub(crate) fn attach_types_into_the_shell_of_another_account(stage: &Stage) {
    way(stage, "attach", SHELL, CONNECTIONS, |tenant, pod| {
        let mut kubectl = tenant.kubectl();
        kubectl
            .args(["attach", pod, "--stdin", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut kubectl = kubectl.spawn().unwrap();
        let mut keyboard = kubectl.stdin.take().unwrap();
        // What the shell says before the container runtime listens to it is lost, so it says it again and again.
        let typed = format!("while :; do cat {TOKEN}; echo; sleep 1; done\n");
        // Nobody reads it where the connection is refused. It ends when nobody sits at the keyboard any more.
        drop(keyboard.write_all(typed.as_bytes()));
        let mut line = String::new();
        let mut stdout = BufReader::new(kubectl.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        ended(kubectl, Some(line).filter(|line| !line.is_empty()))
    });
}

pub(crate) fn a_forwarded_port_leads_to_what_another_account_serves(stage: &Stage) {
    way(stage, "forward", SERVER, CONNECTIONS, forward);
}

pub(crate) fn the_proxy_of_the_api_server_leads_there_too(stage: &Stage) {
    way(stage, "proxy", SERVER, CONNECTIONS, |tenant, pod| {
        let namespace = &tenant.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:8080/proxy/token");
        tenant.run(&["get", "--raw", &path])
    });
}

pub(crate) fn a_kubelet_executes_for_whoever_may_reach_it(stage: &Stage) {
    let tenants = Tenants::new(stage, "kubelet");
    tenants.pod("web", DEPLOYER, "");
    let Tenants { guarded, .. } = &tenants;
    guarded.refused(CONNECTIONS, &guarded.may_not_connect("web"), |tenant| {
        tenant.run(&["exec", "web", "--", "cat", TOKEN])
    });
    // No webhook sees what goes through a node.
    let bob = guarded.colleague_of_the_cluster("bob", &[("create", "nodes/proxy")]);
    for tenant in tenants.both() {
        let container = format!("{}/web/main?cmd=cat%20{TOKEN}", tenant.namespace);
        let path = format!("/api/v1/nodes/{}/proxy/run/{container}", node::NAME);
        let said = bob.run(&["create", "--raw", &path, "-f", "/dev/null"]);
        tenant.is_token_of(&passed(&said), "deployer");
    }
    // So that the right is reported.
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    usher.args(["scan", "--format", "json"]);
    let said = usher.env("KUBECONFIG", stage.plane.kubeconfig()).output();
    let report: Value = serde_json::from_slice(&said.unwrap().stdout).unwrap();
    let mut holdings = report["holdings"].as_array().unwrap().iter();
    let bobs = format!("user {}", bob.user);
    let held = holdings.find(|held| held["subject"] == bobs).unwrap();
    assert_eq!(held["ways"], json!(["nodes-proxy"]));
}

/// Asks the server of a pod for the token, through a forwarded port.
fn forward(tenant: &Tenant<'_>, pod: &str) -> Said {
    let mut kubectl = tenant.kubectl();
    kubectl
        .args(["port-forward", pod, ":8080"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut kubectl = kubectl.spawn().unwrap();
    let mut line = String::new();
    // It says more later, and ends if nobody listens.
    let mut stdout = BufReader::new(kubectl.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    // "Forwarding from 127.0.0.1:40000 -> 8080"
    let port = line
        .split_once("127.0.0.1:")
        .and_then(|(_, rest)| rest.split_once(" ->"));
    let answer = port.map(|(port, _)| get("127.0.0.1", port.parse().unwrap(), "/token").unwrap());
    ended(kubectl, answer)
}

/// Ends a connection that goes on until it is ended, or has ended because it was refused.
fn ended(mut kubectl: Child, answer: Option<String>) -> Said {
    if answer.is_some() {
        kubectl.kill().unwrap();
    }
    let mut stderr = String::new();
    kubectl
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    kubectl.wait().unwrap();
    Said {
        success: answer.is_some(),
        stdout: answer.unwrap_or_default(),
        stderr,
    }
}

/// What a web server says.
pub(crate) fn get(address: &str, port: u16, path: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect((address, port)).map_err(failed)?;
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    // The server may hang up as soon as it has said everything.
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(body.to_owned())
}

pub(crate) fn a_debugger_looks_into_the_container_of_another_account(stage: &Stage) {
    let tenants = Tenants::new(stage, "debug");
    tenants.pod("web", DEPLOYER, "");
    tenants.pod("own", "", "");
    // The role edit does not hold this.
    for tenant in tenants.both() {
        let user = format!("--user={}", tenant.user);
        let what = "--resource=pods/ephemeralcontainers";
        tenant.platform(&["create", "role", "debug", "--verb=patch", what]);
        tenant.platform(&["create", "rolebinding", "debug", "--role=debug", &user]);
    }
    // In the process namespace of the container, its files are there too.
    let debug = |tenant: &Tenant<'_>, pod: &str| {
        let image = format!("--image={BUSYBOX}");
        let file = format!("/proc/1/root{TOKEN}");
        let command = ["--target=main", "--container=debugger", "--", "cat", &file];
        tenant.run(&[&["debug", pod, &image, "--quiet"], &command[..]].concat())
    };
    let read = |tenant: &Tenant<'_>, pod: &str| {
        tenant.is_so(
            &format!("pod/{pod}"),
            "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0",
        );
        tenant.run(&["logs", pod, "--container=debugger"])
    };
    let Tenants { open, guarded } = &tenants;
    debug(open, "web").passes();
    open.is_token_of(&passed(&read(open, "web")), "deployer");
    let path = "spec.serviceAccountName";
    guarded.refused(CORE, &guarded.may_not_use_deployer(path), |tenant| {
        debug(tenant, "web")
    });
    debug(guarded, "own").passes();
    guarded.is_token_of(&passed(&read(guarded, "own")), "default");
    // A copy is another pod of the same account.
    let copy = |tenant: &Tenant<'_>, pod: &str| {
        let to = format!("--copy-to={pod}-copy");
        let image = format!("--set-image=main={BUSYBOX}");
        tenant.run(&["debug", pod, &to, &image, "--quiet"])
    };
    copy(open, "web").passes();
    guarded.refused(CORE, &guarded.may_not_use_deployer(path), |tenant| {
        copy(tenant, "web")
    });
    copy(guarded, "own").passes();
    guarded.runs("pod/own-copy");
}

pub(crate) fn a_pod_that_was_replaced_is_asked_about_anew(stage: &Stage) {
    let tenant = Tenant::new(stage, "replaced");
    let exec = |tenant: &Tenant<'_>| tenant.run(&["exec", "web", "--", "cat", TOKEN]);
    let place = |account: &str| {
        tenant.gives(&pod("web", &format!("serviceAccountName: {account}"), ""));
        tenant.runs("pod/web");
    };
    let remove = || {
        tenant.platform(&["delete", "pod", "web"]);
    };
    place("default");
    tenant.is_token_of(&passed(&exec(&tenant)), "default");
    remove();
    place("deployer");
    tenant.refused(CONNECTIONS, &tenant.may_not_connect("web"), exec);
    remove();
    place("default");
    tenant.is_token_of(&passed(&exec(&tenant)), "default");
}
