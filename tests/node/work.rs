//! Ordinary work of a tenant and of whoever keeps the node, with every check enforced. Nothing of it may be refused, which is
//! counted at the end of the run.

use std::fs;

use crate::{
    connections::get,
    image::BUSYBOX,
    node::NAME,
    stage::Stage,
    tenants::{Tenant, pod},
    tier::until,
};

/// A workload whose pods carry its name as the label `app`. `spec` is what it has beside selector and template.
fn workload(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}selector: {{matchLabels: {{app: {name}}}}}, \
         template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{terminationGracePeriodSeconds: 1, \
         containers: [{{name: main, image: \"{BUSYBOX}\"}}]}}}}}}"
    )
}

/// A Job's spec, whose pods end well.
fn once() -> String {
    format!(
        "template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: \"{BUSYBOX}\", command: [\"true\"]}}]}}}}"
    )
}

impl Tenant<'_> {
    /// Something that must pass.
    #[track_caller]
    fn does(&self, args: &[&str]) {
        self.run(args).passes();
    }

    /// Waits until a workload is rolled out.
    #[track_caller]
    fn rolls_out(&self, workload: &str) {
        self.does(&["rollout", "status", workload, "--timeout=120s"]);
    }
}

pub(crate) fn deployments_roll_out_and_back(stage: &Stage) {
    let tenant = Tenant::new(stage, "deployments");
    tenant
        .create(&workload("Deployment", "web", "replicas: 2, "))
        .passes();
    let web = "deployment/web";
    for change in [
        &["set", "env", web, "COLOR=blue"][..],
        &["rollout", "undo", web],
        &["rollout", "restart", web],
        &["scale", web, "--replicas=3"],
        &["autoscale", web, "--max=4", "--cpu=80%"],
    ] {
        tenant.rolls_out(web);
        tenant.does(change);
    }
    tenant.rolls_out(web);
    tenant.does(&["delete", web, "--cascade=foreground", "--timeout=60s"]);
}

pub(crate) fn stateful_and_daemon_sets_roll_out(stage: &Stage) {
    let tenant = Tenant::new(stage, "sets");
    tenant
        .create(&workload(
            "StatefulSet",
            "db",
            "serviceName: db, replicas: 2, ",
        ))
        .passes();
    tenant.create(&workload("DaemonSet", "agent", "")).passes();
    for set in ["statefulset/db", "daemonset/agent"] {
        tenant.rolls_out(set);
        tenant.does(&["set", "env", set, "COLOR=blue"]);
    }
    for set in ["statefulset/db", "daemonset/agent"] {
        tenant.rolls_out(set);
        tenant.does(&["rollout", "undo", set]);
        tenant.rolls_out(set);
    }
    tenant.does(&["delete", "pod", "db-0"]);
    tenant.rolls_out("statefulset/db");
}

pub(crate) fn what_is_done_on_any_day_passes(stage: &Stage) {
    let tenant = Tenant::new(stage, "daily");
    let resources =
        "resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 50m, memory: 32Mi}}";
    tenant.create(&pod("own", "", resources)).passes();
    tenant.does(&["run", "shell", "--image", BUSYBOX, "--restart=Never"]);
    for pod in ["pod/own", "pod/shell"] {
        tenant.runs(pod);
    }
    tenant.does(&["annotate", "pod", "own", "color=blue"]);
    tenant.does(&["label", "pod", "own", "color=blue"]);
    let less =
        r#"{"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "5m"}}}]}}"#;
    let resizer = tenant.colleague_of_the_cluster(
        "resizer",
        &[("get,patch", "pods"), ("get,patch", "pods/resize")],
    );
    resizer.does(&["patch", "pod", "own", "--subresource=resize", "-p", less]);
    let web = "deployment/web";
    tenant
        .create(&workload("Deployment", "web", "replicas: 2, "))
        .passes();
    tenant.rolls_out(web);
    tenant.does(&[
        "create",
        "poddisruptionbudget",
        "web",
        "--selector=app=web",
        "--min-available=1",
    ]);
    tenant.does(&["rollout", "pause", web]);
    tenant.does(&["set", "env", web, "COLOR=blue"]);
    tenant.does(&["rollout", "resume", web]);
    tenant.rolls_out(web);
    // As a GitOps controller that takes a workload over.
    let manifest = workload("Deployment", "web", "replicas: 1, ");
    let by = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=gitops",
        "-f",
        "-",
    ];
    tenant.fed(&by, &manifest).passes();
    tenant.rolls_out(web);
    let db = workload("StatefulSet", "db", "serviceName: db, replicas: 2, ");
    tenant.create(&db).passes();
    tenant.rolls_out("statefulset/db");
    let held = r#"{"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}"#;
    tenant.does(&["patch", "statefulset", "db", "-p", held]);
    tenant.does(&["set", "env", "statefulset/db", "COLOR=blue"]);
    tenant.does(&["delete", "pod", "db-0"]);
    tenant.is_so("statefulset/db", "jsonpath={.status.readyReplicas}=2");
    // Its pods and revisions stay, and the next set of that name takes them in.
    tenant.does(&[
        "delete",
        "statefulset",
        "db",
        "--cascade=orphan",
        "--timeout=60s",
    ]);
    tenant.create(&db).passes();
    tenant.rolls_out("statefulset/db");
}

pub(crate) fn jobs_complete(stage: &Stage) {
    let tenant = Tenant::new(stage, "jobs");
    let job = once();
    let cron = format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: cron}}\nspec: {{schedule: '* * * * *', jobTemplate: {{spec: {{{job}}}}}}}"
    );
    tenant.create(&cron).passes();
    let indexed = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: indexed}}\nspec: {{completionMode: Indexed, completions: 3, \
         parallelism: 3, ttlSecondsAfterFinished: 600, {job}}}"
    );
    tenant.create(&indexed).passes();
    tenant.does(&["create", "job", "now", "--from=cronjob/cron"]);
    for job in ["job/indexed", "job/now"] {
        tenant.is_so(job, "condition=Complete");
    }
    // The controller makes one at the next full minute.
    until("a job of the CronJob", || {
        let said = tenant.run(&[
            "get",
            "cronjob",
            "cron",
            "-o",
            "jsonpath={.status.lastSuccessfulTime}",
        ]);
        let is_there = !said.stdout.is_empty();
        is_there.then_some(()).ok_or_else(|| format!("{said:?}"))
    });
}

pub(crate) fn a_service_leads_to_its_pods(stage: &Stage) {
    let tenant = Tenant::new(stage, "services");
    let server = "command: [httpd, -f, -p, \"8080\", -h, /etc]";
    let probe = "readinessProbe: {httpGet: {path: /hostname, port: 8080}}";
    tenant
        .create(&pod("web", "", &format!("{server}, {probe}")))
        .passes();
    tenant.does(&["label", "pod", "web", "app=web"]);
    tenant.does(&["expose", "pod", "web", "--port=80", "--target-port=8080"]);
    tenant.runs("pod/web");
    let address = ["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"];
    let address = tenant.run(&address).stdout;
    until("an answer of the service", || {
        let said = get(&address, 80, "/hostname")?;
        let is_there = said.trim() == "web";
        is_there.then_some(()).ok_or(said)
    });
    // And so does the API server's own proxy.
    let path = "/api/v1/namespaces/services/pods/web:8080/proxy/hostname";
    assert_eq!(tenant.run(&["get", "--raw", path]).stdout.trim(), "web");
}

pub(crate) fn the_node_is_drained_and_comes_back(stage: &Stage) {
    let tenant = Tenant::new(stage, "drained");
    let operator = tenant.colleague_of_the_cluster(
        "operator",
        &[
            ("get,list,patch", "nodes"),
            ("get,list", "pods"),
            ("get", "daemonsets.apps"),
            ("create", "pods/eviction"),
        ],
    );
    tenant
        .create(&workload("Deployment", "evicted", ""))
        .passes();
    tenant.rolls_out("deployment/evicted");
    let pods = ["get", "pods", "-l", "app=evicted", "-o", "name"];
    let before = tenant.run(&pods).stdout;
    let drain = [
        "--pod-selector=app=evicted",
        "--ignore-daemonsets",
        "--timeout=60s",
    ];
    operator.does(&[&["drain", NAME], &drain[..]].concat());
    operator.does(&["uncordon", NAME]);
    tenant.rolls_out("deployment/evicted");
    assert_ne!(tenant.run(&pods).stdout, before);
}

pub(crate) fn a_pod_of_the_node_itself_has_a_mirror(stage: &Stage) {
    let tenant = Tenant::new(stage, "static");
    let manifest = pod("own", "automountServiceAccountToken: false", "");
    let placed = manifest.replacen("{name", "{namespace: static, name", 1);
    let file = stage.node.manifests().join("own.yaml");
    fs::write(&file, placed).unwrap();
    let mirror = format!("pod/own-{NAME}");
    until("the mirror", || {
        let said = tenant.run(&["get", &mirror]);
        said.success.then_some(()).ok_or(said.stderr)
    });
    tenant.runs(&mirror);
    fs::remove_file(&file).unwrap();
    tenant.is_so(&mirror, "delete");
}

pub(crate) fn a_namespace_goes_with_all_that_is_in_it(stage: &Stage) {
    let tenant = Tenant::new(stage, "deleted");
    tenant
        .create(&workload("Deployment", "web", "replicas: 2, "))
        .passes();
    tenant
        .create(&workload("StatefulSet", "db", "serviceName: db, "))
        .passes();
    tenant.rolls_out("deployment/web");
    tenant.rolls_out("statefulset/db");
    tenant.platform(&["delete", "namespace", "deleted", "--timeout=120s"]);
}
