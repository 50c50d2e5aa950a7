//! The certificates, applied where cert-manager's own definitions are installed: they come from its Go module.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use serde_json::Value;

use super::{accepted, apply, assert_holds, installed, kustomize};
use crate::real::controlplane::plane;

const MODULE: &str = "github.com/cert-manager/cert-manager@v1.21.2";
/// The checksum of the module, as Go's checksum database has it.
const SUM: &str = "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=";
const DEFINITIONS: [&str; 2] = [
    "cert-manager.io_certificates.yaml",
    "cert-manager.io_issuers.yaml",
];

/// The folder of cert-manager's definitions.
fn definitions() -> PathBuf {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", MODULE])
        .current_dir(std::env::temp_dir());
    let said = go
        .output()
        .unwrap_or_else(|error| panic!("go, to fetch the definitions of cert-manager: {error}"));
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let module: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(module["Sum"], SUM);
    Path::new(module["Dir"].as_str().unwrap()).join("deploy/crds")
}

#[test]
#[ignore = "needs Go, which a run with KUBEBUILDER_ASSETS may lack, and the network"]
fn certificates_are_accepted_where_cert_manager_is() {
    let folder = definitions();
    installed();
    for file in DEFINITIONS {
        plane()
            .apply(&fs::read_to_string(folder.join(file)).unwrap())
            .unwrap();
    }
    for object in kustomize("certs") {
        // A definition counts a moment after it was stored.
        let served = || {
            let kind = object["kind"].as_str().unwrap();
            plane()
                .run(&["get", &format!("{kind}.cert-manager.io"), "-A"])
                .is_ok()
        };
        for _ in 0..100 {
            if served() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let stored = accepted(&apply(&object, &[]));
        assert_holds(&stored, &object, "certs");
    }
    // The check has teeth: a misspelt field is refused.
    let mut wrong = kustomize("certs").remove(0);
    wrong["spec"]["selfSinged"] = serde_json::json!({});
    assert!(!apply(&wrong, &["--dry-run=server"]).status.success());
}
