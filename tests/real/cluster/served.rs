//! Registrations for what a cluster serves.

use std::{fs, path::Path, process::Command};

use super::{Said, Team};
use crate::real::controlplane::{
    plane,
    usher::{UsherOptions, UsherProcess},
};

const CONFIG: &str = "catalogue: {enable: [jobset, lws, volcano]}\n";

/// A definition that takes every object, served in these versions.
fn definition(group: &str, kind: &str, plural: &str, versions: &[&str]) -> String {
    let versions: Vec<String> = versions
        .iter()
        .enumerate()
        .map(|(index, version)| {
            format!(
                "{{name: {version}, served: true, storage: {}, schema: {{openAPIV3Schema: {{type: object, \
                 x-kubernetes-preserve-unknown-fields: true}}}}}}",
                index == 0
            )
        })
        .collect();
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {{name: {plural}.{group}, annotations: {{api-approved.kubernetes.io: unapproved}}}}\n\
         spec: {{group: {group}, scope: Namespaced, names: {{kind: {kind}, plural: {plural}}}, versions: [{}]}}",
        versions.join(", ")
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story told in order")]
fn what_the_cluster_serves_is_registered_and_nothing_else() {
    for (group, kind, plural, versions) in [
        (
            "jobset.x-k8s.io",
            "JobSet",
            "jobsets",
            &["v1alpha2", "v9"][..],
        ),
        (
            "leaderworkerset.x-k8s.io",
            "LeaderWorkerSet",
            "leaderworkersets",
            &["v9"],
        ),
    ] {
        let name = format!("crd/{plural}.{group}");
        plane()
            .apply(&definition(group, kind, plural, versions))
            .unwrap();
        let wait = [
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            &name,
        ];
        plane().run(&wait).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("usher.yaml");
    fs::write(&config, CONFIG).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_usher"));

    let mut generate = Command::new(binary);
    generate.args(["generate", "webhook-config", "--served", "--config"]);
    generate
        .arg(&config)
        .arg("--kubeconfig")
        .arg(plane().kubeconfig());
    let said: Said = generate.output().unwrap().into();
    assert!(said.success, "{said:?}");
    for note in [
        "note: jobs.batch.volcano.sh is left out: the cluster does not serve it\n",
        "note: jobsets.jobset.x-k8s.io is also served in v9, which Usher does not know: the API server converts to v1alpha2\n",
        "note: leaderworkersets.leaderworkerset.x-k8s.io is served in v9 alone, and Usher knows v1: every change of such an \
         object is refused\n",
    ] {
        assert!(said.stderr.contains(note), "{note}: {said:?}");
    }
    let registration: serde_json::Value = serde_saphyr::from_str(&said.stdout).unwrap();
    let mut webhooks = registration["webhooks"].as_array().unwrap().iter();
    let customs = webhooks.find(|webhook| webhook["name"] == "validate-customs.usher.dev");
    let rules = customs.unwrap()["rules"].as_array().unwrap();
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "{} {} {}",
                rule["apiGroups"], rule["apiVersions"], rule["resources"]
            )
        })
        .collect();
    assert_eq!(
        rules,
        [
            r#"["jobset.x-k8s.io"] ["v1alpha2"] ["jobsets"]"#,
            r#"["leaderworkerset.x-k8s.io"] ["v9"] ["leaderworkersets"]"#,
        ]
    );
    assert!(!said.stdout.contains("volcano"), "{said:?}");

    let options = UsherOptions {
        namespaces: vec!["served".to_owned()],
        generated: true,
        ..UsherOptions::new(binary, &config)
    };
    let _usher = UsherProcess::start(plane(), &options).unwrap();
    let team = Team::new("served");
    let groups = "jobsets.jobset.x-k8s.io,leaderworkersets.leaderworkerset.x-k8s.io";
    let resources = format!("--resource={groups}");
    for args in [
        &["create", "role", "customs", "--verb=create,get", &resources][..],
        &[
            "create",
            "rolebinding",
            "customs",
            "--role=customs",
            "--user",
            &team.user,
        ],
    ] {
        plane()
            .run(&[&["-n", &*team.namespace], args].concat())
            .unwrap();
    }
    let jobset = |version: &str| {
        format!(
            "apiVersion: jobset.x-k8s.io/{version}\nkind: JobSet\nmetadata: {{name: crunch-{version}}}\n\
             spec: {{replicatedJobs: [{{name: a, template: {{spec: {{template: {{spec: {{serviceAccountName: builder}}}}}}}}}}]}}"
        )
    };
    // The API server converts the version that Usher does not know.
    for version in ["v1alpha2", "v9"] {
        team.create(&jobset(version), &[]).refused_by(
            "validate-customs.usher.dev",
            "served-jane may not use serviceaccount \"builder\" in namespace served",
        );
    }
    let set = "apiVersion: leaderworkerset.x-k8s.io/v9\nkind: LeaderWorkerSet\nmetadata: {name: set}\nspec: {}";
    team.create(set, &[]).refused_by(
        "validate-customs.usher.dev",
        "the fields of version \"v9\" of LeaderWorkerSet are not known",
    );
    team.grant("serviceaccounts/builder");
    for version in ["v1alpha2", "v9"] {
        team.create(&jobset(version), &[]).passes();
    }
}

#[test]
fn a_cluster_that_does_not_answer_registers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    let cluster = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
                   contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]\n";
    fs::write(&kubeconfig, cluster).unwrap();
    let missing = dir.path().join("missing");
    for (file, why) in [
        (&kubeconfig, "the API server does not say what it serves"),
        (&missing, "missing"),
    ] {
        let mut generate = Command::new(env!("CARGO_BIN_EXE_usher"));
        generate.args([
            "generate",
            "webhook-config",
            "--enable",
            "flux",
            "--served",
            "--kubeconfig",
        ]);
        let output = generate.arg(file).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said: Said = output.into();
        assert!(
            said.stdout.is_empty() && said.stderr.contains(why),
            "{said:?}"
        );
    }
}
