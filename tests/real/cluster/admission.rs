//! What is new: refused without the right, admitted with it.

use std::{thread::sleep, time::Duration};

use super::{KINDS, Team, manifest};
use crate::real::controlplane::plane;

#[test]
fn every_kind_is_refused_and_admitted_at_the_first_try_after_the_grant() {
    let paths = [
        "spec.serviceAccountName",
        "template.spec.serviceAccountName",
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.serviceAccountName",
        "spec.jobTemplate.spec.template.spec.serviceAccountName",
    ];
    let free = Team::new("unguarded-kinds");
    for ((kind, template), path) in KINDS.iter().zip(paths) {
        // A namespace each, so that each grant is a fresh one.
        let team = Team::new(&format!("kind-{}", kind.to_lowercase()));
        let manifest = manifest(template, "web", "serviceAccountName: deployer");
        free.create(&manifest, &[]).passes();
        let said = team.create(&manifest, &[]);
        said.refused(&format!(
            "{} may not use serviceaccount \"deployer\" in namespace {} ({path})\nneeds: verb use on serviceaccounts \"deployer\" in {}",
            team.user, team.namespace, team.namespace
        ));
        team.grant("serviceaccounts/deployer");
        team.create(&manifest, &[]).passes();
    }
}

#[test]
fn pods_of_an_admitted_workload_come_up_through_the_real_controllers() {
    let team = Team::new("controllers");
    team.grant("serviceaccounts/deployer");
    team.grant("tolerations.usher.dev/dedicated=gpu:NoSchedule");
    let spec = "serviceAccountName: deployer, tolerations: [{key: dedicated, value: gpu, effect: NoSchedule}]";
    // A daemon set makes pods for nodes only; the API server is asked for one.
    plane()
        .apply("apiVersion: v1\nkind: Node\nmetadata: {name: controllers-1, labels: {only: controllers}}")
        .unwrap();
    for (kind, template) in &KINDS[2..8] {
        let name = format!("a-{}", kind.to_lowercase());
        let spec = if *kind == "DaemonSet" {
            format!("{spec}, nodeSelector: {{only: controllers}}")
        } else {
            spec.to_owned()
        };
        team.create(&manifest(template, &name, &spec), &[]).passes();
    }
    let labels: Vec<String> = KINDS[2..8]
        .iter()
        .map(|(kind, _)| match *kind {
            "Job" => "job-name=a-job".to_owned(),
            kind => format!("app=a-{}", kind.to_lowercase()),
        })
        .collect();
    for label in labels {
        let mut pods = String::new();
        for _ in 0..200 {
            pods = team
                .run(&[
                    "get",
                    "pods",
                    "-l",
                    &label,
                    "-o",
                    "jsonpath={.items[*].spec.serviceAccountName}",
                ])
                .stdout;
            if !pods.is_empty() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let events = || {
            plane().run(&[
                "-n",
                "controllers",
                "get",
                "events",
                "-o",
                "custom-columns=M:.message",
            ])
        };
        assert_eq!(pods, "deployer", "{label}: {:?}", events());
    }
    // The step over a cron job, without waiting for the clock: a person makes its job.
    team.create(&manifest(KINDS[8].1, "nightly", spec), &[])
        .passes();
    team.run(&["create", "job", "--from=cronjob/nightly", "now"])
        .passes();
}

#[test]
fn tolerations_are_sets_of_taints() {
    let [free, team] = ["unguarded-tolerations", "tolerations"].map(Team::new);
    let refused = [
        ("{operator: Exists}", "\"*\""),
        ("{operator: Exists, effect: NoExecute}", "\"*:NoExecute\""),
        ("{key: gpu, operator: Exists}", "\"gpu\""),
        ("{key: gpu, value: a}", "\"gpu=a\""),
        (
            "{key: gpu, value: a, effect: NoSchedule}",
            "\"gpu=a:NoSchedule\"",
        ),
        ("{key: gpu}", "\"gpu=\""),
        (
            "{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}",
            "\"nvidia.com/gpu:NoSchedule\"",
        ),
        (
            "{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 301}",
            "\"node.kubernetes.io/not-ready:NoExecute\"",
        ),
        (
            "{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute}",
            "\"node.kubernetes.io/not-ready:NoExecute\"",
        ),
    ];
    for (index, (toleration, name)) in refused.iter().enumerate() {
        let pod = format!("no-{index}");
        let spec = format!("tolerations: [{toleration}]");
        free.pod(&pod, &spec).passes();
        let said = team.pod(&pod, &spec);
        said.refused(&format!(
            "needs: verb use on tolerations.usher.dev {name} in tolerations"
        ));
    }
    team.grant("tolerations.usher.dev/gpu=a");
    for (index, (toleration, passes)) in [
        ("{key: gpu, value: a, effect: NoSchedule}", true),
        ("{key: gpu, operator: Equal, value: a}", true),
        ("{key: gpu, value: b, effect: NoSchedule}", false),
        ("{key: gpu, operator: Exists, effect: NoSchedule}", false),
        ("{key: other, value: a, effect: NoSchedule}", false),
        ("{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 30}", true),
    ]
    .iter()
    .enumerate()
    {
        let said = team.pod(&format!("gpu-{index}"), &format!("tolerations: [{toleration}]"));
        assert_eq!(said.success, *passes, "{toleration}: {said:?}");
    }
}

#[test]
fn a_node_is_a_right_of_its_own() {
    let [free, team] = ["unguarded-nodes", "nodes"].map(Team::new);
    free.pod("pinned", "nodeName: some-node").passes();
    team.pod("pinned", "nodeName: some-node")
        .refused("may not use node \"some-node\" in namespace nodes (spec.nodeName)");
    team.grant("nodes/some-node");
    team.pod("pinned", "nodeName: some-node").passes();
}

#[test]
fn classes_and_what_they_bring() {
    let [free, team] = ["unguarded-classes", "classes"].map(Team::new);
    plane()
        .apply(
            "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: urgent}\nvalue: 10\n---\n\
             apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: plain}\nhandler: runc\n---\n\
             apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: fast}\nhandler: runc\n\
             scheduling: {tolerations: [{key: fast, operator: Exists, effect: NoSchedule}]}",
        )
        .unwrap();
    let deployment = |name: &str, spec: &str| team.create(&manifest(KINDS[4].1, name, spec), &[]);
    team.pod("urgent", "priorityClassName: urgent")
        .refused("may not use priorityclass \"urgent\"");
    team.grant("priorityclasses.scheduling.k8s.io/urgent");
    team.pod("urgent", "priorityClassName: urgent").passes();

    deployment("plain", "runtimeClassName: plain").refused("may not use runtimeclass \"plain\"");
    team.grant("runtimeclasses.node.k8s.io/plain");
    deployment("plain", "runtimeClassName: plain").passes();

    free.pod("fast", "runtimeClassName: fast").passes();
    let brought = "jsonpath={.spec.tolerations[?(@.key==\"fast\")].effect}";
    let brought = free.run(&["get", "pod", "fast", "-o", brought]);
    assert_eq!(brought.stdout, "NoSchedule");
    // The class may be used, what it brings may not: at the template, which does not show it, and at the pod.
    team.grant("runtimeclasses.node.k8s.io/fast");
    deployment("fast", "runtimeClassName: fast")
        .refused("needs: verb use on tolerations.usher.dev \"fast:NoSchedule\" in classes");
    team.pod("fast", "runtimeClassName: fast")
        .refused("needs: verb use on tolerations.usher.dev \"fast:NoSchedule\"");
    team.grant("tolerations.usher.dev/fast:NoSchedule");
    deployment("fast", "runtimeClassName: fast").passes();
    team.pod("fast", "runtimeClassName: fast").passes();
    for _ in 0..100 {
        let pods = team
            .run(&["get", "pods", "-l", "app=fast", "-o", "name"])
            .stdout;
        if !pods.is_empty() {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("the deployment with the runtime class got no pod");
}

#[test]
fn dry_run_server_side_apply_and_generated_names_are_judged_alike() {
    let [free, team] = ["unguarded-ways", "ways"].map(Team::new);
    let pod = manifest(KINDS[0].1, "web", "serviceAccountName: deployer");
    let generated = pod.replace("{name: web}", "{generateName: web-}");
    let older = pod.replace("serviceAccountName", "serviceAccount");
    for manifest in [&generated, &older] {
        free.create(manifest, &[]).passes();
    }
    let apply = |args: &[&str]| {
        let mut command = team.kubectl();
        command.args(["apply", "-f", "-"]).args(args);
        super::Said::from(crate::real::controlplane::feed(&mut command, &pod).unwrap())
    };
    let words =
        "may not use serviceaccount \"deployer\" in namespace ways (spec.serviceAccountName)";
    apply(&["--dry-run=server"]).refused(words);
    apply(&["--server-side"]).refused(words);
    apply(&["--server-side", "--dry-run=server"]).refused(words);
    team.create(&generated, &[]).refused(words);
    team.create(&older, &[]).refused(words);
    team.grant("serviceaccounts/deployer");
    apply(&["--dry-run=server"]).passes();
    apply(&["--server-side", "--dry-run=server"]).passes();
    apply(&["--server-side"]).passes();
    team.create(&generated, &[]).passes();
    assert_eq!(
        team.run(&["get", "pods", "-o", "name"])
            .stdout
            .lines()
            .count(),
        2
    );
}

#[test]
fn warn_tells_the_user_and_audit_only_the_log() {
    let deployer = "serviceAccountName: deployer";
    let team = Team::new("warn-a");
    let said = team.pod("web", deployer);
    assert!(said.success, "{said:?}");
    assert!(
        said.stderr.starts_with("Warning: warn-a-jane may not use serviceaccount \"deployer\" in namespace warn-a (spec.serviceAccountName)"),
        "{said:?}"
    );
    let team = Team::new("audit-a");
    let said = team.pod("web", deployer);
    assert!(said.success && said.stderr.is_empty(), "{said:?}");
    let audited = || {
        let log = std::fs::read_to_string(plane().audit_log().unwrap()).unwrap();
        log.lines()
            .filter(|line| line.contains("audit-a-jane"))
            .any(|line| {
                line.contains(
                    "\"validate.usher.dev/audited\":\"audit-a-jane may not use serviceaccount",
                )
            })
    };
    assert!((0..100).any(|_| audited() || {
        sleep(Duration::from_millis(50));
        false
    }));
    Team::new("off-a").pod("web", deployer).passes();
}

#[test]
fn ushers_own_namespace_and_kube_system_are_free() {
    super::usher();
    for namespace in ["kube-system", "usher-system"] {
        let _ = plane().run(&["create", "namespace", namespace]);
        plane().has_default_account(namespace).unwrap();
        let user = format!("free-{namespace}");
        plane()
            .run(&[
                "-n",
                namespace,
                "create",
                "rolebinding",
                &user,
                "--clusterrole=edit",
                "--user",
                &user,
            ])
            .unwrap();
        plane()
            .run(&["-n", namespace, "create", "serviceaccount", "free"])
            .unwrap();
        let pod = manifest(
            KINDS[0].1,
            "free",
            "serviceAccountName: free, tolerations: [{operator: Exists}], \
             securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}",
        );
        // Usher's namespace demands restricted pods (deploy/namespace.yaml).
        let pod = pod.replace(
            "image: nginx",
            "image: nginx, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
        );
        let mut command = plane().kubectl_as(&user);
        command.args(["-n", namespace, "create", "-f", "-"]);
        super::Said::from(crate::real::controlplane::feed(&mut command, &pod).unwrap()).passes();
    }
}

#[test]
fn very_many_missing_rights_are_still_named() {
    let team = Team::new("many");
    let tolerations: Vec<String> = (0..20)
        .map(|n| format!("{{key: k{n:02}, value: v, effect: NoSchedule}}"))
        .collect();
    let said = team.pod("web", &format!("tolerations: [{}]", tolerations.join(", ")));
    said.refused(
        "and 15 more\nneeds: verb use on tolerations.usher.dev \"k00=v:NoSchedule\" in many",
    );
}
