//! Files that are made from the code are what the code makes today.

use std::{fs, path::Path, process::Command};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::sources::sources;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What is generated, and the file that holds it.
const FILES: [(&str, &str); 10] = [
    ("config", "docs/configuration.yaml"),
    ("config-schema", "docs/configuration.schema.json"),
    ("catalogue-page", "docs/catalogue.md"),
    ("catalogue-schema", "docs/catalogue.schema.json"),
    ("metrics-page", "docs/metrics.md"),
    ("rights", "deploy/rbac.yaml"),
    ("webhook-config", "webhook-config/validating.yaml"),
    ("webhook-config --mutating", "webhook-config/mutating.yaml"),
    (
        "webhook-config --enable flux --enable keda",
        "webhook-config/flux-keda.yaml",
    ),
    ("webhook-config --enable all", "webhook-config/all.yaml"),
];

#[test]
fn generated_files_are_up_to_date() {
    for (what, file) in FILES {
        let made = Command::new(env!("CARGO_BIN_EXE_usher"))
            .arg("generate")
            .args(what.split(' '))
            .output()
            .unwrap();
        assert!(made.status.success());
        let kept = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        assert_eq!(
            String::from_utf8(made.stdout).unwrap(),
            kept,
            "{file} is stale: cargo run -- generate {what} > {file}"
        );
    }
}

/// Else the command that writes it would empty its own source, and no comparison with it could fail.
#[test]
fn no_generated_file_is_a_source_of_the_program() {
    let mut seen = 0;
    for (path, text) in sources(&["src", "core/src"]) {
        for included in text.split("include_str!(").skip(1) {
            let included = included.split(')').next().unwrap();
            let is_in = |(_, file): &&(&str, &str)| included.contains(file);
            let wrong = FILES.iter().find(is_in);
            assert_eq!(wrong, None, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 2, "{seen}");
}

/// The documents of what `usher generate` writes for a configuration.
fn generated(what: &[&str], config: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("usher.yaml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command.arg("generate").args(what).arg("--config").arg(file);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    serde_saphyr::from_multiple(std::str::from_utf8(&made.stdout).unwrap()).unwrap()
}

#[test]
fn accounts_are_written_into_the_kinds_of_the_named_controllers() {
    let webhooks = |config: &str| {
        let registration = generated(&["webhook-config", "--mutating"], config);
        registration[0]["webhooks"].as_array().unwrap().clone()
    };
    let core = webhooks("{}");
    assert_eq!(webhooks("catalogue: {enable: [flux]}"), core);
    let more = webhooks(
        "catalogue: {enable: [flux]}\nexcludedNamespaces: [own]\ndefaultServiceAccounts:\n\
         - {namespaces: [a], controllers: [helm-controller], serviceAccount: f}",
    );
    assert_eq!(more.len(), core.len() + 1);
    let rules = json!([{
        "operations": ["CREATE", "UPDATE"], "apiGroups": ["helm.toolkit.fluxcd.io"],
        "apiVersions": ["v2", "v2beta1", "v2beta2"], "resources": ["helmreleases"], "scope": "Namespaced",
    }]);
    let last = more.last().unwrap();
    assert_eq!(last["rules"], rules);
    assert_eq!(
        last["namespaceSelector"]["matchExpressions"][0]["values"],
        json!(["own"])
    );
}

/// Else revisions, and the end of a namespace, would wait for Usher.
#[test]
fn the_user_that_all_controllers_share_is_asked_only_about_revisions_that_change() {
    let keepers = |config: &str| {
        let registration = generated(&["webhook-config"], config);
        let webhooks = registration[0]["webhooks"].as_array().unwrap().clone();
        let mut conditions = webhooks.iter().map(|held| &held["matchConditions"][0]);
        let of = conditions.find(|condition| condition["name"] == "not-a-keeper");
        of.unwrap()["expression"].as_str().unwrap().to_owned()
    };
    let own = keepers("{}");
    assert!(own.ends_with("'system:serviceaccount:kube-system:generic-garbage-collector'])"));
    for (user, written) in [
        (
            "system:kube-controller-manager",
            "'system:kube-controller-manager'",
        ),
        (r"it's \ odd", r"'it\'s \\ odd'"),
    ] {
        let config = format!(
            "controllers: {{kube-controller-manager: {{user: \"{}\"}}}}",
            user.replace('\\', r"\\")
        );
        let expected = own.replace("'])", &format!("', {written}])"));
        assert_eq!(keepers(&config), expected);
    }
}

#[test]
fn an_editor_with_the_schema_accepts_what_usher_reads() {
    let configuration = validator("docs/configuration.schema.json");
    holds(
        &configuration,
        &yaml(Path::new("docs/configuration.yaml")),
        "configuration",
    );
    let catalogue = validator("docs/catalogue.schema.json");
    let mut files = 0;
    for file in fs::read_dir(Path::new(ROOT).join("core/src/catalogue/data")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The kinds of Kubernetes stand in a form of their own.
        if path.extension().is_some_and(|end| end == "yaml") && name != "core.yaml" {
            holds(&catalogue, &yaml(&path), name);
            files += 1;
        }
    }
    assert!(files > 30, "{files}");
}

#[test]
fn an_editor_with_the_schema_marks_what_usher_refuses() {
    let catalogue = validator("docs/catalogue.schema.json");
    let file = |field: &str| {
        format!(
            "{{about: a, kinds: [{{group: g, versions: [v1], kind: K, resource: ks, fields: [{field}]}}]}}"
        )
    };
    let accepted = |field: &str| catalogue.is_valid(&serde_saphyr::from_str(&file(field)).unwrap());
    assert!(accepted("{path: spec.a, serviceAccount: {}}"));
    for wrong in [
        "{serviceAccount: {}}",
        "{path: spec.a, serviceAccounts: {}}",
        "{path: spec.a, serviceAccount: {absent: nothing}}",
        "{path: 1, namespace: {}}",
        "{path: spec.a, object: {}}",
        "{path: spec.a, when: spec.b, namespace: {}}",
    ] {
        assert!(!accepted(wrong), "{wrong}");
    }
}

fn validator(file: &str) -> Validator {
    let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn yaml(file: &Path) -> Value {
    let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    // An editor reads YAML 1.2, in which a bare `off` is text.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(&text, options).unwrap()
}

fn holds(schema: &Validator, value: &Value, name: &str) {
    let wrong: Vec<String> = schema
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}
