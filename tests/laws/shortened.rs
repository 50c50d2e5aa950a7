//! The lifetimes of tokens that the mutating side is to write.

use json_patch::PatchOperation;
use serde_json::{Value, json, value::RawValue};
use usher_core::{
    catalogue::Catalogue,
    config,
    engine::{Facts, KindRef, Mutating, Operation, Request, mutate},
    reference::Requester,
};

const CONFIG: &str = r"
tokens:
  - {namespaces: [strict], serviceAccounts: [free]}
  - {namespaces: [strict, kube-system, spared], maxSeconds: 7200, tooLong: shorten, extendedApiToken: rewrite, kubelets: shorten}
  - {namespaces: [refused], maxSeconds: 7200, extendedApiToken: refuse}
namespaces:
  - {match: [spared], checks: {tokens: warn}}
";

struct Asked<'a> {
    namespace: &'a str,
    user: &'a str,
    operation: Operation<'a>,
    kind: &'a str,
    object: Value,
}

/// Pointers and seconds, and the sentences.
fn written(asked: &Asked<'_>) -> Result<Vec<(String, i64, String)>, String> {
    let (group, version, kind) = match asked.kind {
        "TokenRequest" => ("authentication.k8s.io", "v1", "TokenRequest"),
        "Deployment" => ("apps", "v1", "Deployment"),
        kind => ("", "v1", kind),
    };
    let object: Box<RawValue> = serde_json::value::to_raw_value(&asked.object).unwrap();
    let groups = asked
        .user
        .starts_with("system:node:")
        .then_some("system:nodes");
    let request = Request {
        uid: "".into(),
        operation: asked.operation.clone(),
        kind: KindRef {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        },
        subresource: "".into(),
        namespace: asked.namespace.into(),
        name: asked.object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
            .into(),
        requester: Requester::named(asked.user, groups),
        object: Some(&object),
        old: None,
        dry_run: false,
    };
    let policy = config::parse(CONFIG).unwrap().policy;
    let catalogue = Catalogue::embedded().unwrap();
    let Mutating::Done(mutation) = mutate(&request, &catalogue, &policy, &Facts::default()) else {
        panic!("no profile is there that would need facts");
    };
    if let Some(why) = mutation.broken {
        return Err(why.to_string());
    }
    let written = mutation.patch.0.into_iter().zip(mutation.warnings);
    Ok(written
        .map(|(operation, why)| match operation {
            PatchOperation::Add(add) => (add.path.to_string(), add.value.as_i64().unwrap(), why),
            other => panic!("{other}"),
        })
        .collect())
}

fn pod<'a>(namespace: &'a str, spec: &Value) -> Asked<'a> {
    Asked {
        namespace,
        user: "jane",
        operation: Operation::Create,
        kind: "Pod",
        object: json!({"metadata": {"name": "web"}, "spec": spec}),
    }
}

fn token<'a>(namespace: &'a str, spec: &Value) -> Asked<'a> {
    Asked {
        kind: "TokenRequest",
        ..pod(namespace, spec)
    }
}

fn volumes() -> Value {
    json!([
        {"name": "h", "hostPath": {"path": "/"}},
        {"name": "t", "projected": {"sources": [
            {"secret": {"name": "s"}},
            {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 7201, "path": "t"}},
            {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 7200, "path": "u"}},
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "v"}},
            {"serviceAccountToken": {"expirationSeconds": 599, "path": "w"}},
        ]}},
        {"name": "kube-api-access-x", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]}},
    ])
}

#[test]
fn what_is_too_long_in_a_pod_is_shortened_at_its_place() {
    let asked = pod("strict", &json!({"volumes": volumes()}));
    let found = written(&asked).unwrap();
    let base = "/spec/volumes/1/projected/sources";
    let expected = [
        (
            format!("{base}/1/serviceAccountToken/expirationSeconds"),
            7200,
            "a token of 7201 s for audience \"vault\" is shortened to 7200 s by tokens[1] of the configuration".to_owned(),
        ),
        (
            format!("{base}/3/serviceAccountToken/expirationSeconds"),
            3600,
            "a token of 3607 s for the API server is shortened to 3600 s by tokens[1] of the configuration".to_owned(),
        ),
    ];
    assert_eq!(found, expected);
    // Written into the object, nothing is left to write.
    let mut object = asked.object.clone();
    for (pointer, seconds, _) in found {
        *object.pointer_mut(&pointer).unwrap() = json!(seconds);
    }
    assert_eq!(written(&Asked { object, ..asked }), Ok(Vec::new()));
}

#[test]
fn nothing_else_is_touched() {
    let spec = || json!({"volumes": volumes()});
    let free = json!({"serviceAccountName": "free", "volumes": volumes()});
    let long = json!({"expirationSeconds": 90000});
    for (asked, why) in [
        (pod("strict", &json!({})), "there is no token"),
        (
            pod("strict", &free),
            "the first entry that matches limits nothing",
        ),
        (pod("refused", &spec()), "it is refused, not shortened"),
        (pod("other", &spec()), "no entry matches"),
        (pod("kube-system", &spec()), "the namespace is excluded"),
        (pod("spared", &spec()), "the mode refuses nothing"),
        (
            Asked {
                operation: Operation::Update,
                ..pod("strict", &spec())
            },
            "it is not new",
        ),
        (
            Asked {
                user: "system:node:n1",
                ..pod("strict", &spec())
            },
            "it is a mirror pod",
        ),
        (
            Asked {
                kind: "Deployment",
                object: json!({"spec": {"template": {"spec": spec()}}}),
                ..pod("strict", &json!({}))
            },
            "it is a template",
        ),
        (
            Asked {
                kind: "ConfigMap",
                ..pod("strict", &spec())
            },
            "it is of another kind",
        ),
        (token("other", &long), "no entry matches"),
        (token("refused", &long), "it is refused, not shortened"),
        (
            Asked {
                user: "system:node:n1",
                ..token("refused", &long)
            },
            "kubelets pass",
        ),
        (
            token("strict", &json!({"expirationSeconds": 3607})),
            "it is bound to no pod",
        ),
        (
            token("strict", &json!({"expirationSeconds": 7200})),
            "it is short enough",
        ),
        (token("strict", &json!(null)), "it says nothing"),
    ] {
        assert_eq!(written(&asked), Ok(Vec::new()), "{why}");
    }
}

#[test]
fn token_requests_are_shortened_also_for_kubelets_that_do_not_pass() {
    let long = json!({"audiences": ["a", "b"], "expirationSeconds": 90000});
    let why = "a token of 90000 s for audiences \"a\", \"b\" is shortened to 7200 s by tokens[1] of the configuration";
    let expected = [("/spec/expirationSeconds".to_owned(), 7200, why.to_owned())];
    for user in ["jane", "system:node:n1"] {
        let asked = Asked {
            user,
            ..token("strict", &long)
        };
        assert_eq!(written(&asked).unwrap(), expected, "{user}");
        let extended =
            json!({"expirationSeconds": 3607, "boundObjectRef": {"kind": "Pod", "name": "web"}});
        let asked = Asked {
            user,
            ..token("strict", &extended)
        };
        let found = written(&asked).unwrap();
        assert_eq!(
            (&*found[0].0, found[0].1),
            ("/spec/expirationSeconds", 3600),
            "{user}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    for asked in [
        pod("strict", &json!([])),
        pod("strict", &json!({"volumes": [7]})),
        pod(
            "strict",
            &json!({"volumes": [{"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": "1"}}]}}]}),
        ),
        token("strict", &json!({"expirationSeconds": 1.5})),
    ] {
        assert!(written(&asked).is_err(), "{}", asked.object);
    }
}
