//! What changes: a use of what the object names, or not.

use super::{KINDS, Team, manifest};
use crate::real::controlplane::plane;

/// A pod and a deployment under an account that the user may not use, written by the administrator.
fn foreign(team: &Team) {
    for (kind, name) in [(KINDS[0].1, "web"), (KINDS[4].1, "api")] {
        let manifest = manifest(kind, name, "serviceAccountName: deployer").replace(
            "metadata: {name",
            &format!("metadata: {{namespace: {}, name", team.namespace),
        );
        plane().apply(&manifest).unwrap();
    }
}

#[test]
fn metadata_passes_and_code_under_a_foreign_account_does_not() {
    let [free, team] = ["unguarded-updates", "updates"].map(Team::new);
    foreign(&free);
    foreign(&team);
    let words = "updates-jane may not use serviceaccount \"deployer\" in namespace updates";
    team.run(&["label", "pod", "web", "color=blue"]).passes();
    team.run(&["annotate", "deployment", "api", "color=blue"])
        .passes();
    team.run(&["scale", "deployment", "api", "--replicas=2"])
        .passes();
    let uses: [&[&str]; 4] = [
        &["set", "image", "pod/web", "c=nginx:2"],
        &["set", "image", "deployment/api", "c=nginx:2"],
        &["rollout", "restart", "deployment/api"],
        &["debug", "web", "--image=busybox"],
    ];
    for args in uses {
        free.run(args).passes();
        team.run(args).refused(words);
    }
    team.grant("serviceaccounts/deployer");
    for args in uses {
        team.run(args).passes();
    }
}

#[test]
fn an_account_cannot_be_taken_by_an_update() {
    let team = Team::new("takes");
    team.create(&manifest(KINDS[4].1, "api", ""), &[]).passes();
    let set = ["set", "serviceaccount", "deployment", "api", "deployer"];
    team.run(&set)
        .refused("(spec.template.spec.serviceAccountName)");
    team.grant("serviceaccounts/deployer");
    team.run(&set).passes();
}

#[test]
fn a_live_pod_gets_no_wider_toleration() {
    let [free, team] = ["unguarded-prolong", "prolong"].map(Team::new);
    for team in [&free, &team] {
        team.pod("web", "").passes();
    }
    let patch = |seconds: &str| {
        format!(
            "[{{\"op\": \"add\", \"path\": \"/spec/tolerations/-\", \"value\": {{\"key\": \"node.kubernetes.io/not-ready\", \
             \"operator\": \"Exists\", \"effect\": \"NoExecute\"{seconds}}}}}]"
        )
    };
    let longer = patch("");
    let longer = ["patch", "pod", "web", "--type=json", "-p", &longer];
    free.run(&longer).passes();
    team.run(&longer).refused(
        "needs: verb use on tolerations.usher.dev \"node.kubernetes.io/not-ready:NoExecute\"",
    );
    team.run(&[
        "patch",
        "pod",
        "web",
        "--type=json",
        "-p",
        &patch(", \"tolerationSeconds\": 20"),
    ])
    .passes();
}

#[test]
fn a_scheduled_pod_may_change_although_its_node_is_not_the_users() {
    let team = Team::new("scheduled");
    team.pod("web", "").passes();
    plane()
        .run(&["create", "--raw", "/api/v1/namespaces/scheduled/pods/web/binding", "-f", &{
            let file = plane().dir().join("binding.json");
            std::fs::write(
                &file,
                r#"{"apiVersion":"v1","kind":"Binding","metadata":{"name":"web"},"target":{"kind":"Node","name":"far-away"}}"#,
            )
            .unwrap();
            file.display().to_string()
        }])
        .unwrap();
    team.run(&["set", "image", "pod/web", "c=nginx:2"]).passes();
}

#[test]
fn pods_and_workloads_are_deleted_without_a_question() {
    let team = Team::new("deletes");
    foreign(&team);
    team.run(&["delete", "pod", "web", "--wait=false"]).passes();
    team.run(&["delete", "deployments", "--all", "--wait=false"])
        .passes();
}
