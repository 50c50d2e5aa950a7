//! The manifests of other projects' suites and samples: what is no object of the cluster is not judged, and whoever holds
//! every grant is refused nothing.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

use super::rows_of;
use crate::support::fixtures::fixtures;

const EVERYTHING: &str = "{kind: ClusterRole, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: all}, \
                          rules: [{apiGroups: ['*'], resources: ['*'], verbs: [use]}]}\n---\n\
                          {kind: ClusterRoleBinding, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: all}, \
                          roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}, \
                          subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: max}]}\n";
const CONFIG: &str = "{catalogue: {enable: [all]}, checks: {secrets: enforce, configMaps: enforce, scaleTargets: enforce}}";

/// What `usher check` says about some files, in its own JSON.
struct Checks(tempfile::TempDir);

impl Checks {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rbac.yaml"), EVERYTHING).unwrap();
        fs::write(dir.path().join("usher.yaml"), CONFIG).unwrap();
        Self(dir)
    }

    fn check(&self, user: &str, paths: &[&Path]) -> Value {
        let mut check = Command::new(env!("CARGO_BIN_EXE_usher"));
        check.args(["check", "--as", user, "--format", "json", "--rbac"]);
        check
            .arg(self.0.path().join("rbac.yaml"))
            .arg("--config")
            .arg(self.0.path().join("usher.yaml"));
        let output = check.args(paths).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn what_is_no_object_of_the_cluster_is_not_judged() {
    let fixtures = fixtures();
    let checks = Checks::new();
    let mut seen = 0;
    for peer in fs::read_dir(fixtures.join("peers")).unwrap() {
        let folder = peer.unwrap().path();
        let index = folder.join("INDEX.json");
        if !index.is_file() {
            continue;
        }
        for row in rows_of(&index)["files"].as_array().unwrap() {
            if !matches!(row["expect"].as_str(), Some("ignore" | "expectations")) {
                continue;
            }
            let file = folder.join(row["file"].as_str().unwrap());
            let said = checks.check("jane", &[&file]);
            assert_eq!(said["summary"]["judged"], 0, "{}: {said}", file.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn whoever_holds_every_grant_is_refused_nothing() {
    let fixtures = fixtures();
    let folders = ["peers", "samples"].map(|folder| fixtures.join(folder));
    let folders: Vec<&Path> = folders.iter().map(AsRef::as_ref).collect();
    let checks = Checks::new();
    let outcomes = |user: &str| {
        let said = checks.check(user, &folders);
        let mut outcomes = Vec::new();
        for object in said["objects"].as_array().unwrap() {
            for finding in object["findings"].as_array().unwrap() {
                let words = ["check", "outcome", "message"]
                    .map(|key| finding[key].as_str().unwrap_or_default().to_owned());
                outcomes.push(words);
            }
        }
        outcomes
    };
    let denied = |found: &[[String; 3]]| {
        found
            .iter()
            .filter(|[_, outcome, _]| outcome == "denied")
            .count()
    };
    let (nobody, max) = (outcomes("jane"), outcomes("max"));
    assert!(denied(&nobody) > 100, "{}", denied(&nobody));
    // What nobody can tell is left: values for charts, and the tolerations of classes that are in no file.
    let left: BTreeSet<&[String; 3]> = max
        .iter()
        .filter(|[check, outcome, _]| outcome != "allowed" && check != "opaque")
        .collect();
    let classes = left
        .iter()
        .filter(|[_, _, message]| message.contains("the tolerations of runtimeclass"))
        .count();
    assert_eq!(left.len(), classes, "{left:#?}");
}
