//! Files that are made from the code are what the code makes today.

use std::process::Command;

#[test]
fn generated_files_are_up_to_date() {
    for (what, file) in [
        ("config", "docs/configuration.yaml"),
        ("config-schema", "docs/configuration.schema.json"),
        ("catalogue-page", "docs/catalogue.md"),
        ("webhook-config", "webhook-config/validating.yaml"),
        (
            "webhook-config --enable flux --enable keda",
            "webhook-config/flux-keda.yaml",
        ),
        ("webhook-config --enable all", "webhook-config/all.yaml"),
    ] {
        let made = Command::new(env!("CARGO_BIN_EXE_usher"))
            .arg("generate")
            .args(what.split(' '))
            .output()
            .unwrap();
        assert!(made.status.success());
        let kept =
            std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
                .unwrap();
        assert_eq!(
            String::from_utf8(made.stdout).unwrap(),
            kept,
            "{file} is stale: cargo run -- generate {what} > {file}"
        );
    }
}
