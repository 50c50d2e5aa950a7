//! The accounts that the mutating side writes into custom resources which name none.

use json_patch::patch;
use serde_json::{Value, json, value::to_raw_value};
use usher_core::{
    config,
    config::Settings,
    engine::{Facts, KindRef, Mutating, Operation, Request, mutate},
    reference::Requester,
};

const CONFIG: &str = r"
catalogue: {enable: [flux]}
defaultServiceAccounts:
  - {namespaces: [team-b], controllers: [kustomize-controller, kustomize-controller-decryption], serviceAccount: b}
  - {namespaces: [team-*, kube-system], controllers: [kustomize-controller, helm-controller], serviceAccount: flux}
";

struct Change {
    namespace: &'static str,
    operation: Operation<'static>,
    subresource: &'static str,
    kind: &'static str,
    version: &'static str,
    object: Value,
    old: Option<Value>,
}

/// A new Kustomization with this spec.
fn new(spec: &Value) -> Change {
    Change {
        namespace: "team-a",
        operation: Operation::Create,
        subresource: "",
        kind: "Kustomization",
        version: "v1",
        object: json!({"metadata": {"name": "app"}, "spec": spec}),
        old: None,
    }
}

fn update(old: &Value, new_spec: &Value) -> Change {
    Change {
        operation: Operation::Update,
        old: Some(json!({"metadata": {"name": "app"}, "spec": old})),
        ..new(new_spec)
    }
}

/// The object as it is afterwards, and the warnings.
fn changed(change: &Change) -> Result<(Value, Vec<String>), String> {
    changed_by(CONFIG, change)
}

fn changed_by(config: &str, change: &Change) -> Result<(Value, Vec<String>), String> {
    let raw = |value: &Value| to_raw_value(value).unwrap();
    let (object, old) = (raw(&change.object), change.old.as_ref().map(raw));
    let group = match change.kind {
        "HelmRelease" => "helm.toolkit.fluxcd.io",
        "GitRepository" => "source.toolkit.fluxcd.io",
        _ => "kustomize.toolkit.fluxcd.io",
    };
    let request = Request {
        uid: "".into(),
        operation: change.operation.clone(),
        kind: KindRef {
            group: group.into(),
            version: change.version.into(),
            kind: change.kind.into(),
        },
        subresource: change.subresource.into(),
        namespace: change.namespace.into(),
        name: "app".into(),
        requester: Requester::named("jane", []),
        object: Some(&object),
        old: old.as_deref(),
        dry_run: false,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.yaml");
    std::fs::write(&file, config).unwrap();
    let Settings { policy, catalogue } = usher::files::load(&file).unwrap();
    let Mutating::Done(mutation) = mutate(&request, &catalogue, &policy, &Facts::default()) else {
        panic!("nothing has to be known");
    };
    if let Some(why) = mutation.broken {
        return Err(why.to_string());
    }
    let mut object = change.object.clone();
    patch(&mut object, &mutation.patch).unwrap();
    Ok((object, mutation.warnings))
}

#[track_caller]
fn writes(change: &Change, pointer: &str, account: &str) {
    let (object, warnings) = changed(change).unwrap();
    assert_eq!(object.pointer(pointer), Some(&json!(account)), "{object}");
    let path = pointer.trim_start_matches('/').replace('/', ".");
    let why = format!(
        "{path} named no account: \"{account}\" is written, as defaultServiceAccounts of the configuration says"
    );
    assert_eq!(warnings, [why]);
    // Once is enough.
    let again = Change {
        object: object.clone(),
        operation: change.operation.clone(),
        old: change.old.clone(),
        ..*change
    };
    assert_eq!(changed(&again).unwrap(), (object, Vec::new()));
}

#[track_caller]
fn leaves(change: &Change) {
    assert_eq!(
        changed(change).unwrap(),
        (change.object.clone(), Vec::new())
    );
}

const ACCOUNT: &str = "/spec/serviceAccountName";

#[test]
fn an_object_that_names_no_account_gets_one() {
    for spec in [
        json!({}),
        json!(null),
        json!({"path": "./"}),
        json!({"serviceAccountName": ""}),
        json!({"serviceAccountName": null}),
        json!({"kubeConfig": null}),
    ] {
        writes(&new(&spec), ACCOUNT, "flux");
        let release = Change {
            kind: "HelmRelease",
            version: "v2",
            ..new(&spec)
        };
        writes(&release, ACCOUNT, "flux");
        let old = Change {
            version: "v1beta2",
            ..new(&spec)
        };
        writes(&old, ACCOUNT, "flux");
        // The first entry that matches the namespace and names the controller.
        let other = Change {
            namespace: "team-b",
            ..new(&spec)
        };
        writes(&other, ACCOUNT, "b");
    }
    let release = Change {
        namespace: "team-b",
        kind: "HelmRelease",
        version: "v2",
        ..new(&json!({}))
    };
    writes(&release, ACCOUNT, "flux");
    let bare = Change {
        object: json!({"metadata": {"name": "app"}}),
        ..new(&json!(null))
    };
    writes(&bare, ACCOUNT, "flux");
}

#[test]
fn every_account_that_the_entry_is_about_is_written() {
    let change = Change {
        namespace: "team-b",
        ..new(&json!({"decryption": {"provider": "sops"}}))
    };
    let (object, warnings) = changed(&change).unwrap();
    let spec = json!({
        "serviceAccountName": "b",
        "decryption": {"provider": "sops", "serviceAccountName": "b"},
    });
    assert_eq!((object["spec"].clone(), warnings.len()), (spec, 2));
    // With keys in a secret nobody decrypts as an account.
    let keys = json!({"serviceAccountName": "own", "decryption": {"provider": "sops", "secretRef": {"name": "k"}}});
    leaves(&Change {
        namespace: "team-b",
        ..new(&keys)
    });
}

#[test]
fn two_accounts_below_a_part_that_is_missing_are_both_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.yaml");
    let own = "{about: a, controllers: {c: {namespace: n, serviceAccount: c}}, kinds: [{group: kustomize.toolkit.fluxcd.io, \
               versions: [v1], kind: Kustomization, resource: ks, fields: [\
               {path: spec.a.one, serviceAccount: {absent: {controller: c}}}, \
               {path: spec.a.two, serviceAccount: {absent: {controller: c}}}]}]}";
    std::fs::write(&file, own).unwrap();
    let config = format!(
        "catalogue: {{files: [{}]}}\ndefaultServiceAccounts: [{{namespaces: [team-a], controllers: [c], serviceAccount: t}}]",
        file.display()
    );
    for spec in [json!(null), json!({"a": null}), json!({"a": {"one": ""}})] {
        let (object, warnings) = changed_by(&config, &new(&spec)).unwrap();
        assert_eq!(
            (&object["spec"], warnings.len()),
            (&json!({"a": {"one": "t", "two": "t"}}), 2)
        );
    }
}

#[test]
fn an_object_that_needs_none_is_left_alone() {
    leaves(&new(&json!({"serviceAccountName": "own"})));
    // The account would be one of another cluster.
    leaves(&new(&json!({"kubeConfig": {"secretRef": {"name": "k"}}})));
    // Not a text: the API server refuses it.
    leaves(&new(&json!({"serviceAccountName": 5})));
    for namespace in ["other", "kube-system"] {
        leaves(&Change {
            namespace,
            ..new(&json!({}))
        });
    }
    leaves(&Change {
        kind: "GitRepository",
        ..new(&json!({}))
    });
    // The validating side refuses a version that is not known.
    leaves(&Change {
        version: "v9",
        ..new(&json!({}))
    });
    leaves(&Change {
        subresource: "status",
        ..update(&json!({}), &json!({"path": "./"}))
    });
    leaves(&Change {
        operation: Operation::Delete,
        ..new(&json!({}))
    });
}

#[test]
fn an_update_is_changed_as_far_as_it_is_judged() {
    let bare = json!({"path": "./"});
    // It was admitted as it is, and what changes uses nothing.
    leaves(&update(&bare, &bare));
    leaves(&update(&bare, &json!({"path": "./", "suspend": true})));
    writes(&update(&bare, &json!({"path": "./other"})), ACCOUNT, "flux");
    // Taking the name away.
    let named = json!({"path": "./", "serviceAccountName": "own"});
    writes(&update(&named, &bare), ACCOUNT, "flux");
    leaves(&update(&named, &named));
}

#[test]
fn an_object_that_cannot_be_read_is_refused() {
    let twice = r#"{"spec": {"path": "a", "path": "b", "kubeConfig": 1, "kubeConfig": 2}}"#;
    assert!(changed(&new(&json!([1]))).is_err());
    let review = format!(
        "{{\"apiVersion\": \"admission.k8s.io/v1\", \"kind\": \"AdmissionReview\", \"request\": {{\"uid\": \"u\", \
         \"operation\": \"CREATE\", \"namespace\": \"team-a\", \"name\": \"app\", \"userInfo\": {{\"username\": \"jane\"}}, \
         \"kind\": {{\"group\": \"kustomize.toolkit.fluxcd.io\", \"version\": \"v1\", \"kind\": \"Kustomization\"}}, \
         \"object\": {twice}}}}}"
    );
    let request = usher_core::review::read(review.as_bytes()).unwrap();
    let Settings { policy, catalogue } = config::parse(CONFIG).unwrap();
    let Mutating::Done(mutation) = mutate(&request, &catalogue, &policy, &Facts::default()) else {
        panic!("nothing has to be known");
    };
    assert!(!mutation.allowed());
    assert_eq!(
        mutation.message(),
        "usher cannot read this kustomization: the object cannot be read: \"path\" stands there twice"
    );
}

#[test]
fn an_entry_that_could_do_nothing_is_refused() {
    let flux = "catalogue: {enable: [flux]}\n";
    for (entry, why) in [
        (
            "{namespaces: [], controllers: [kustomize-controller], serviceAccount: f}",
            "an empty list matches nothing",
        ),
        (
            "{namespaces: [a], controllers: [], serviceAccount: f}",
            "an empty list matches nothing",
        ),
        (
            "{namespaces: [a], controllers: [kustomize-controller], serviceAccount: F}",
            "no object can be called \"F\"",
        ),
        (
            "{namespaces: [a], controllers: [kustomize-controller]}",
            "serviceAccount",
        ),
        (
            "{namespaces: [a], controllers: [keda-operator], serviceAccount: f}",
            "keda-operator\" belongs to the project keda, which is not enabled",
        ),
        // Its account is a key of a reference.
        (
            "{namespaces: [a], controllers: [kustomize-controller-kubeconfig], serviceAccount: f}",
            "leaves its account to",
        ),
    ] {
        let text = format!("{flux}defaultServiceAccounts:\n- {entry}");
        let error = config::parse(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{entry}: {error}");
    }
    let without = "defaultServiceAccounts:\n- {namespaces: [a], controllers: [kustomize-controller], serviceAccount: f}";
    assert!(config::parse(without).is_err());
}
