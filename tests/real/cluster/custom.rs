//! Custom resources of Flux and KEDA on a real API server: refused without the grant, admitted with it, and every sample
//! judged there as `usher check` judges it.

use std::{
    path::Path,
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Said, Team};
use crate::{
    real::controlplane::{
        feed, plane,
        usher::{UsherOptions, UsherProcess},
    },
    support::fixtures::fixtures,
};

const CONFIG: &str = "tests/real/cluster/custom.yaml";
const GROUPS: [&str; 9] = [
    "kustomize.toolkit.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
    "source.extensions.fluxcd.io",
    "notification.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "keda.sh",
    "eventing.keda.sh",
    "http.keda.sh",
];

/// The definitions of Flux and KEDA in place, and the cluster role `customs`, whose holders may write objects of them.
pub(super) fn installed(fixtures: &Path) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        for project in ["flux", "keda"] {
            let folder = fixtures.join("crds").join(project);
            let folder = folder.to_str().unwrap();
            let apply = ["apply", "--server-side", "-f", folder];
            plane().run(&apply).unwrap();
            let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", folder];
            plane().run(&wait).unwrap();
        }
        let groups = GROUPS.map(|group| format!("\"{group}\"")).join(", ");
        plane()
            .apply(&format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: customs}}\n\
                 rules: [{{apiGroups: [{groups}], resources: [\"*\"], verbs: [create, get, update, patch]}}]"
            ))
            .unwrap();
    });
}

/// Usher for the custom resources of some namespaces, with their definitions in place.
fn guard(fixtures: &Path) -> &'static UsherProcess<'static> {
    static USHER: OnceLock<UsherProcess<'static>> = OnceLock::new();
    USHER.get_or_init(|| {
        installed(fixtures);
        let binary = Path::new(env!("CARGO_BIN_EXE_usher"));
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIG);
        let options = UsherOptions {
            namespaces: [
                "custom-a",
                "custom-older",
                "custom-kubeconfig",
                "custom-samples",
                "off-owner",
            ]
            .map(str::to_owned)
            .to_vec(),
            mutates: false,
            judges: "flux-keda",
            ..UsherOptions::new(binary, &config)
        };
        UsherProcess::start(plane(), &options).unwrap_or_else(|error| panic!("{error}"))
    })
}

fn team(namespace: &str, fixtures: &Path) -> Team {
    guard(fixtures);
    let team = Team::new(namespace);
    let bind = [
        "-n",
        namespace,
        "create",
        "rolebinding",
        "customs",
        "--clusterrole=customs",
        "--user",
        &team.user,
    ];
    plane().run(&bind).unwrap();
    team
}

fn kustomization(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}}}\n\
         spec: {{interval: 1m, prune: true, sourceRef: {{kind: GitRepository, name: apps}}, {spec}}}"
    )
}

/// A ScaledJob whose pod spec begins with this.
fn scaled_job(account: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\nmetadata: {{name: crunch}}\nspec: {{triggers: [{{type: cron, \
         metadata: {{timezone: UTC, start: 0 6 * * *, end: 0 20 * * *, desiredReplicas: \"1\", namespace: kube-system}}}}], \
         jobTargetRef: {{template: {{spec: {{{account} restartPolicy: Never, containers: [{{name: c, image: nginx}}]}}}}}}}}"
    )
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn flux_and_keda_borrow_nothing_without_a_grant() {
    let fixtures = fixtures();
    let [free, team] = ["unguarded-custom-a", "custom-a"].map(|name| team(name, &fixtures));
    let refused = |said: &Said, words: &str| said.refused_by("validate-customs.usher.dev", words);
    let other = kustomization("other", "serviceAccountName: deployer");
    let none = kustomization("none", "suspend: true");
    let builder = scaled_job("serviceAccountName: builder,");
    for object in [&other, &none, &builder] {
        free.create(object, &[]).passes();
    }
    refused(
        &team.create(&other, &[]),
        "custom-a-jane may not use serviceaccount \"deployer\" in namespace custom-a (spec.serviceAccountName)\n\
         needs: verb use on serviceaccounts \"deployer\" in custom-a",
    );
    team.grant("serviceaccounts/deployer");
    team.create(&other, &[]).passes();
    // No account is the account of the controller.
    refused(
        &team.create(&none, &[]),
        "may not use serviceaccount \"kustomize-controller\" in namespace flux-system",
    );
    // What does not decide may change.
    let label = [
        "label",
        "kustomization.kustomize.toolkit.fluxcd.io",
        "other",
        "a=b",
    ];
    team.run(&label).passes();
    refused(
        &team.create(&builder, &[]),
        "may not use serviceaccount \"builder\" in namespace custom-a (spec.jobTargetRef.template.spec.serviceAccountName)",
    );
    team.create(&scaled_job(""), &[]).passes();
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn a_custom_resource_names_the_account_by_the_older_field_only() {
    let fixtures = fixtures();
    let [free, team] = ["unguarded-custom-older", "custom-older"].map(|name| team(name, &fixtures));
    let older = scaled_job("serviceAccount: builder,");
    free.create(&older, &[]).passes();
    // In a custom resource nobody writes the newer field from it.
    let template = "jsonpath={.spec.jobTargetRef.template.spec}";
    let stored = free.run(&["get", "scaledjob.keda.sh/crunch", "-o", template]);
    let stored: Value = serde_json::from_str(&stored.stdout).unwrap();
    assert_eq!(stored["serviceAccount"], "builder");
    assert_eq!(stored.get("serviceAccountName"), None);
    team.create(&older, &[]).refused_by(
        "validate-customs.usher.dev",
        "may not use serviceaccount \"builder\" in namespace custom-older (spec.jobTargetRef.template.spec.serviceAccount)",
    );
    // The newer field counts where both are there, as it does for Kubernetes.
    let both = scaled_job("serviceAccount: builder, serviceAccountName: default,");
    team.create(&both, &["--dry-run=server"]).passes();
    team.grant("serviceaccounts/builder");
    team.create(&older, &[]).passes();
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn a_configured_account_is_written_where_none_is_named() {
    let fixtures = fixtures();
    let team = team("custom-defaults", &fixtures);
    let binary = Path::new(env!("CARGO_BIN_EXE_usher"));
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/cluster/defaults.yaml");
    let options = UsherOptions {
        namespaces: vec![team.namespace.clone()],
        generated: true,
        ..UsherOptions::new(binary, &config)
    };
    let _usher = UsherProcess::start(plane(), &options).unwrap_or_else(|error| panic!("{error}"));
    let warning = "Warning: spec.serviceAccountName named no account: \"tenant\" is written, as defaultServiceAccounts of the \
                   configuration says";
    let app = kustomization("app", "path: ./");
    let refused = team.create(&app, &[]);
    refused.refused_by(
        "validate-customs.usher.dev",
        "may not use serviceaccount \"tenant\" in namespace custom-defaults (spec.serviceAccountName)",
    );
    assert!(refused.stderr.contains(warning), "{refused:?}");
    team.grant("serviceaccounts/tenant");
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: app}\n\
                   spec: {interval: 1m, chart: {spec: {chart: a, sourceRef: {kind: HelmRepository, name: charts}}}}";
    let named = kustomization("named", "serviceAccountName: tenant");
    let apply = |text: &str, args: &[&str]| -> Said {
        let mut command = team.kubectl();
        command.args(["apply", "-f", "-"]).args(args);
        feed(&mut command, text).unwrap().into()
    };
    for (args, again) in [
        (&[][..], "unchanged"),
        (
            &["--server-side", "--force-conflicts"],
            "serverside-applied",
        ),
    ] {
        for text in [&*app, release, &named] {
            apply(text, args).passes();
            let second = apply(text, args);
            second.passes();
            assert!(second.stdout.contains(again), "{second:?}");
        }
        for object in [
            "kustomization/app",
            "kustomization/named",
            "helmrelease/app",
        ] {
            let account = team.run(&["get", object, "-o", "jsonpath={.spec.serviceAccountName}"]);
            assert_eq!(account.stdout, "tenant", "{object}: {account:?}");
        }
    }
    // Who takes the name away gets it back.
    let patch = [
        "patch",
        "kustomization/named",
        "--type=json",
        "-p",
        r#"[{"op": "remove", "path": "/spec/serviceAccountName"}]"#,
    ];
    let patched = team.run(&patch);
    patched.passes();
    assert!(patched.stderr.contains(warning), "{patched:?}");
    let account = team.run(&[
        "get",
        "kustomization/named",
        "-o",
        "jsonpath={.spec.serviceAccountName}",
    ]);
    assert_eq!(account.stdout, "tenant");
}

/// An account of a controller, which may create Jobs in the namespace.
fn acts(team: &Team, account: &str) {
    let who = format!("--serviceaccount={account}");
    let bind = [
        "-n",
        &team.namespace,
        "create",
        "rolebinding",
        "acts",
        "--clusterrole=edit",
        &who,
    ];
    plane().run(&bind).unwrap();
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn the_owner_of_what_a_named_controller_makes_must_be_readable() {
    let fixtures = fixtures();
    // The Usher of the other tests, which names no such controller, does not look here.
    let team = team("off-owner", &fixtures);
    acts(&team, "keda:keda-operator");
    team.grant("serviceaccounts/deployer");
    let template = "{spec: {restartPolicy: Never, serviceAccountName: deployer, containers: [{name: c, image: nginx}]}}";
    team.create(
        &format!(
            "apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\nmetadata: {{name: crunch}}\n\
             spec: {{triggers: [{{type: cpu, metadata: {{value: \"1\"}}}}], jobTargetRef: {{template: {template}}}}}"
        ),
        &[],
    )
    .passes();
    let uid = [
        "get",
        "scaledjob.keda.sh/crunch",
        "-o",
        "jsonpath={.metadata.uid}",
    ];
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: crunch, ownerReferences: [{{apiVersion: keda.sh/v1alpha1, \
         kind: ScaledJob, name: crunch, uid: {}, controller: true}}]}}\nspec: {{template: {template}}}",
        team.run(&uid).stdout
    );
    let create = || {
        let mut operator = plane().kubectl_as("system:serviceaccount:keda:keda-operator");
        operator.args(["-n", &team.namespace, "create", "-f", "-"]);
        Said::from(feed(&mut operator, &job).unwrap())
    };
    create().refused(
        "ScaledJob crunch could not be read: the API server answers 403 Forbidden: scaledjobs.keda.sh \"crunch\" is \
         forbidden: User \"system:serviceaccount:usher-system:usher\" cannot get resource \"scaledjobs\"",
    );
    let mut generate = Command::new(env!("CARGO_BIN_EXE_usher"));
    generate.args(["generate", "owner-role", "--config", CONFIG]);
    let printed = Said::from(generate.output().unwrap());
    plane().apply(&printed.stdout).unwrap();
    create().passes();
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn the_config_map_of_a_kubeconfig_is_read_with_the_role_of_the_documentation() {
    let fixtures = fixtures();
    let team = team("custom-kubeconfig", &fixtures);
    let refused = |said: &Said, words: &str| said.refused_by("validate-customs.usher.dev", words);
    let app = |map: &str| {
        let spec = format!("kubeConfig: {{configMapRef: {{name: {map}}}}}");
        kustomization("remote", &spec)
    };
    let map = |name: &str, data: &str| {
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: custom-kubeconfig}}\ndata: {data}"
        );
        plane().apply(&map).unwrap();
    };
    map("named", "{serviceAccountName: deployer}");
    map("unnamed", "{address: \"https://remote.example\"}");
    refused(
        &team.create(&app("named"), &[]),
        "ConfigMap custom-kubeconfig/named, which may name the account, could not be read",
    );
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/flux.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, role) = page.split_once("```yaml reads\n").unwrap();
    let role = role.split("```").next().unwrap();
    plane()
        .apply(&role.replace("team-a", &team.namespace))
        .unwrap();
    // The API server takes up the role a moment later.
    let start = Instant::now();
    while team
        .create(&app("named"), &[])
        .stderr
        .contains("could not be read")
    {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    refused(
        &team.create(&app("named"), &[]),
        "custom-kubeconfig-jane may not use serviceaccount \"deployer\" in namespace custom-kubeconfig \
         (spec.kubeConfig.configMapRef)",
    );
    refused(
        &team.create(&app("unnamed"), &[]),
        "may not use serviceaccount \"kustomize-controller\" in namespace flux-system",
    );
    refused(
        &team.create(&app("missing"), &[]),
        "ConfigMap custom-kubeconfig/missing, which may name the account, was not found",
    );
    team.grant("serviceaccounts/deployer");
    let said = team.create(&app("named"), &[]);
    assert!(said.success, "{said:?}");
    // It may name another one later.
    assert!(said.stderr.contains("Warning:"), "{said:?}");
}

/// The objects of a file that Flux or KEDA own, moved into one namespace.
fn objects(file: &Path, namespace: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let documents = serde_saphyr::from_multiple::<Value>(&text).unwrap();
    let ours = |object: &Value| {
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let group = version.split('/').next().unwrap_or_default();
        GROUPS.contains(&group)
            && !object["kind"]
                .as_str()
                .unwrap_or_default()
                .starts_with("Cluster")
    };
    let moved = |mut object: Value| {
        object["metadata"]["namespace"] = json!(namespace);
        object
    };
    documents.into_iter().filter(ours).map(moved).collect()
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn every_sample_is_judged_as_it_is_offline() {
    let fixtures = fixtures();
    let team = team("custom-samples", &fixtures);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIG);
    // Who may read a secret may have it read: what the team holds counts offline, too.
    let rights = tempfile::tempdir().unwrap();
    for (file, args) in [
        (
            "bindings.json",
            &["-n", &*team.namespace, "get", "rolebindings"][..],
        ),
        ("roles.json", &["get", "clusterroles", "edit", "customs"]),
    ] {
        let held = plane().run(&[args, &["-o", "json"]].concat()).unwrap();
        std::fs::write(rights.path().join(file), held).unwrap();
    }
    let (mut refused, mut admitted, mut invalid) = (0, 0, 0);
    for project in ["flux", "keda"] {
        let folder = fixtures.join("samples").join(project);
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "yaml")) {
            for object in objects(&file, &team.namespace) {
                let text = object.to_string();
                let dry = ["create", "--dry-run=server", "-f", "-"];
                let as_platform: Said = feed(plane().kubectl().args(dry), &text).unwrap().into();
                assert!(
                    !as_platform.stderr.contains("denied the request"),
                    "{as_platform:?}"
                );
                if !as_platform.success {
                    // Samples of other releases than the definitions, or with placeholders.
                    invalid += 1;
                    continue;
                }
                let said = team.create(&text, &["--dry-run=server"]);
                let mut check = Command::new(env!("CARGO_BIN_EXE_usher"));
                check
                    .args(["check", "-", "--as", &team.user, "--config"])
                    .arg(&config)
                    .arg("--rbac")
                    .arg(rights.path());
                let offline = feed(&mut check, &text).unwrap();
                assert_eq!(
                    said.success,
                    offline.status.success(),
                    "{}: {text}\n{said:?}\n{offline:?}",
                    file.display()
                );
                assert!(
                    said.success || said.stderr.contains("validate-customs.usher.dev"),
                    "{said:?}"
                );
                if said.success {
                    admitted += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    println!(
        "{refused} samples refused, {admitted} admitted, {invalid} that the API server itself does not take"
    );
    assert!(
        refused > 15 && admitted > 3,
        "{refused} refused, {admitted} admitted"
    );
}
