//! Reviews for `/mutate` that are not what they should be, and pods of every shape: refused with the reason, or changed
//! as they must be, and never a panic. After each one, good requests are still served.

use std::collections::HashMap;

use serde_json::{Value, json, value::to_raw_value};
use usher::{facts::Offline, server::Limits};
use usher_core::{config, engine::ObjectRef, rights::Rights};

use super::{Changed, Served, changed, client::head, pod};

const CONFIGURATION: &str = r#"
apiVersion: usher.dev/v1alpha1
kind: Configuration
profiles:
  - name: vault
    volume: {name: vault-token, mountPath: /vault}
    tokens: [{audience: vault, path: token}]
    env: [{name: VAULT, tokenFile: token}]
    labels: {vault: "yes"}
    fsGroup: {when: ifNonRoot, value: 7}
    bounds: {audiences: ["vault-*"]}
  - name: asked
    select: {onRequest: true}
    volume: {mountPath: /asked}
    tokens: [{audience: asked, path: token}]
    bounds: {outOfRange: clamp}
"#;

fn served() -> Served<Offline> {
    let at = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        resource: "serviceaccounts".to_owned(),
        namespace: Some("team-a".to_owned()),
        name: "builder".to_owned(),
    };
    let objects = HashMap::from([(at, to_raw_value(&json!({})).unwrap())]);
    let backend = Offline::new(Rights::default(), objects);
    let served = Served::start(backend, Limits::default());
    served
        .app
        .set_settings(config::parse(CONFIGURATION).unwrap());
    served
}

/// The review of a pod with this spec beside an account and a container, and these annotations.
fn with(spec: &Value, annotations: &Value) -> Value {
    let mut review = pod("jane", "builder");
    review["request"]["object"]["metadata"]["annotations"] = annotations.clone();
    let held = review["request"]["object"]["spec"].as_object_mut().unwrap();
    held.extend(spec.as_object().unwrap().clone());
    review
}

/// That a good pod still gets all.
fn still_changes(served: &Served<Offline>) {
    let said = served.change(&pod("jane", "builder"));
    assert!(said.allowed && said.warnings.is_empty(), "{said:?}");
    let patched = said.patched.unwrap();
    assert_eq!(patched["spec"]["volumes"][0]["name"], "vault-token");
    assert_eq!(patched["metadata"]["labels"], json!({"vault": "yes"}));
    assert!((served.metric("usher_panics_total")).abs() < 0.1);
}

/// That a change only adds: without what is new, the pod is what it was.
fn only_adds(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                only_adds(value, &after[key]);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert!(before.len() <= after.len());
            for (before, after) in before.iter().zip(after) {
                only_adds(before, after);
            }
        }
        _ => assert_eq!(before, after),
    }
}

fn given(review: &Value, said: &Changed) -> Value {
    assert!(said.allowed, "{said:?}");
    let patched = said.patched.clone().unwrap();
    only_adds(&review["request"]["object"], &patched);
    patched
}

#[test]
fn what_is_no_review_is_a_bad_request_here_too() {
    let served = served();
    for body in [
        "",
        "nonsense",
        "{",
        "7",
        "null",
        "[]",
        "{}",
        "\u{0}",
        "{\"request\":",
    ] {
        let response = served.post("/mutate", body.as_bytes());
        assert_eq!(response.status, 400, "{body}: {response:?}");
        still_changes(&served);
    }
    let errors = r#"usher_requests_total{path="mutate",verdict="error"}"#;
    served.await_metric(errors, 9.0);
    // By its promise alone.
    let mut client = served.client();
    let large = head("/mutate", "application/json", 10 << 20);
    client.send(&large).unwrap();
    assert_eq!(client.response().unwrap().status, 413);
    still_changes(&served);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
fn a_pod_that_cannot_be_read_is_refused_with_its_reason() {
    let served = served();
    let change = |path: &str, value: Value| {
        let mut review = pod("jane", "builder");
        let (parent, field) = path.rsplit_once('/').unwrap();
        review.pointer_mut(parent).unwrap()[field] = value;
        review
    };
    let object = |path: &str, value: Value| change(&format!("/request/object{path}"), value);
    let spec = |field: &str, value: Value| object(&format!("/spec/{field}"), value);
    for (review, why) in [
        (
            change("/apiVersion", json!("admission.k8s.io/v1beta1")),
            "v1beta1",
        ),
        (change("/kind", json!("Review")), "\"Review\""),
        (change("/request/operation", json!(7)), "expected text"),
        (
            change("/request/userInfo", Value::Null),
            "invalid type: null",
        ),
        (change("/request/kind/version", json!("v2")), "\"v2\""),
        (change("/request/object", Value::Null), "no object"),
        (
            change("/request/object", json!("pod")),
            "invalid type: string",
        ),
        (change("/request/object", json!([])), "invalid"),
        (object("/spec", json!([])), "invalid"),
        (object("/metadata", json!([])), "invalid"),
        (
            object("/metadata/annotations", json!(["a"])),
            "invalid type",
        ),
        (object("/metadata/labels", json!(7)), "invalid type"),
        (spec("serviceAccountName", json!({})), "expected text"),
        (spec("containers", json!({})), "invalid type: map"),
        (spec("containers", json!([7])), "invalid type"),
        (spec("containers", json!([{"name": 7}])), "expected text"),
        (
            spec("containers", json!([{"name": "c", "volumeMounts": {}}])),
            "invalid type: map",
        ),
        (
            spec("containers", json!([{"name": "c", "env": "x"}])),
            "invalid type: string",
        ),
        (spec("initContainers", json!("x")), "invalid type: string"),
        (spec("volumes", json!({})), "invalid type: map"),
        (
            spec("volumes", json!([{"name": "v", "projected": []}])),
            "invalid",
        ),
        (
            spec(
                "volumes",
                json!([{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": "3600"}}]}}]),
            ),
            "invalid type: string",
        ),
        (
            spec(
                "volumes",
                json!([{"name": "v", "projected": {"defaultMode": 1e99}}]),
            ),
            "invalid",
        ),
        (spec("securityContext", json!([])), "invalid"),
        (
            spec("securityContext", json!({"fsGroup": "7"})),
            "invalid type: string",
        ),
    ] {
        let said = served.change(&review);
        assert!(
            !said.allowed && said.patched.is_none(),
            "{review}: {said:?}"
        );
        assert!(said.message.contains(why), "{why}: {said:?}");
        still_changes(&served);
    }
    // A key that stands twice has two readers.
    let twice = pod("jane", "builder")
        .to_string()
        .replace("\"containers\":", "\"containers\":[],\"containers\":");
    let response = served.post("/mutate", twice.as_bytes());
    let said = changed(&pod("jane", "builder"), &response);
    assert!(
        !said.allowed && said.message.contains("duplicate field `containers`"),
        "{said:?}"
    );
    // Deep nesting, where nobody looks and where somebody does.
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for (field, allowed) in [
        ("deep", true),
        ("affinity", true),
        ("volumes", false),
        ("containers", false),
    ] {
        let review = spec(field, json!("DEEP"));
        let body = review.to_string().replace("\"DEEP\"", &deep);
        let response = served.post("/mutate", body.as_bytes());
        assert_eq!(response.status, 200);
        let answer = &response.json()["response"];
        assert_eq!(answer["allowed"], allowed, "{field}: {answer}");
        assert_eq!(answer.get("patch").is_some(), allowed, "{field}");
        still_changes(&served);
    }
}

#[test]
fn what_is_not_there_is_added_with_what_holds_it() {
    let served = served();
    for (spec, metadata) in [
        (json!({}), json!({"name": "web"})),
        (
            json!({"volumes": [], "securityContext": {}}),
            json!({"labels": {}}),
        ),
        (
            json!({"containers": [{"name": "c", "volumeMounts": [], "env": []}]}),
            json!({}),
        ),
        (
            json!({"volumes": null, "securityContext": null}),
            json!({"labels": null, "annotations": null}),
        ),
        (
            json!({"containers": [{"name": "c", "volumeMounts": null, "env": null}]}),
            json!({}),
        ),
        (json!({}), Value::Null),
        (
            json!({"initContainers": null}),
            json!({"labels": {"a/b~c": "d"}}),
        ),
    ] {
        let mut review = with(&spec, &json!({}));
        review["request"]["object"]["metadata"] = metadata;
        let said = served.change(&review);
        assert!(said.allowed, "{review}: {said:?}");
        let patched = said.patched.unwrap();
        assert_eq!(
            patched["spec"]["volumes"].as_array().unwrap().len(),
            1,
            "{patched}"
        );
        assert_eq!(patched["metadata"]["labels"]["vault"], "yes");
        let container = &patched["spec"]["containers"][0];
        assert_eq!(
            container["volumeMounts"].as_array().unwrap().len(),
            1,
            "{patched}"
        );
        assert_eq!(container["env"][0]["name"], "VAULT", "{patched}");
        // The second call adds nothing.
        review["request"]["object"] = patched;
        let said = served.change(&review);
        assert!(said.allowed && said.patched.is_none(), "{said:?}");
    }
    // No containers, or no spec: nobody to give anything to. The API server refuses such pods itself.
    for spec in [json!({"containers": null}), json!({"containers": []})] {
        let said = served.change(&with(&spec, &json!({})));
        assert!(said.allowed && said.patched.is_none(), "{said:?}");
    }
}

#[test]
fn annotations_of_256_kib_are_read() {
    let served = served();
    let pad = "x".repeat(256 << 10);
    let review = with(&json!({}), &json!({"pad": pad}));
    given(&review, &served.change(&review));
    let many = |letter: &str| {
        (0..40_000)
            .map(|n| format!("{letter}{n}"))
            .collect::<Vec<_>>()
    };
    let (names, skipped) = (many("p").join(","), many("c").join(","));
    for (key, value, allowed, words) in [
        (
            "usher.dev/inject",
            &*names,
            false,
            "the pod asks for profile \"p0\"",
        ),
        (
            "usher.dev/inject",
            &pad,
            false,
            "the pod asks for profile \"xxx",
        ),
        ("usher.dev/inject", &",".repeat(256 << 10), true, ""),
        ("usher.dev/skip-containers", &skipped, true, ""),
        (
            "vault.usher.dev/audience",
            &pad,
            false,
            "is not one that it allows",
        ),
        (
            "vault.usher.dev/expiration-seconds",
            &"9".repeat(256 << 10),
            false,
            "is no number of seconds",
        ),
    ] {
        let review = with(&json!({}), &json!({key: value}));
        let said = served.change(&review);
        assert_eq!(said.allowed, allowed, "{key}");
        assert!(said.message.contains(words), "{key}: {}", said.message);
        assert!(said.message.len() < 10_000, "{key}: {}", said.message.len());
        assert_eq!(said.patched.is_some(), allowed, "{key}");
        still_changes(&served);
    }
    // All values may be as they are: then the pod gets what it asks for.
    let long = format!("vault-{pad}");
    let review = with(&json!({}), &json!({"vault.usher.dev/audience": long}));
    let patched = given(&review, &served.change(&review));
    let source = &patched["spec"]["volumes"][0]["projected"]["sources"][0];
    assert_eq!(source["serviceAccountToken"]["audience"], long);
}

#[test]
fn two_hundred_containers_all_get_it() {
    let served = served();
    let containers = |prefix: &str| -> Vec<Value> {
        let names = (0..100).map(|n| format!("{prefix}-{n}"));
        names.map(|name| json!({"name": name, "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]})).collect()
    };
    let spec = json!({"initContainers": containers("i"), "containers": containers("c"), "securityContext": {"runAsUser": 1}});
    let review = with(&spec, &json!({}));
    let patched = given(&review, &served.change(&review));
    for list in ["initContainers", "containers"] {
        let held = patched["spec"][list].as_array().unwrap();
        assert_eq!(held.len(), 100);
        for container in held {
            let mount = json!({"name": "vault-token", "mountPath": "/vault", "readOnly": true});
            assert_eq!(container["volumeMounts"][1], mount);
            assert_eq!(
                container["env"],
                json!([{"name": "VAULT", "value": "/vault/token"}])
            );
        }
    }
    assert_eq!(
        patched["spec"]["securityContext"],
        json!({"runAsUser": 1, "fsGroup": 7})
    );
    still_changes(&served);
}

#[test]
fn fifty_projected_volumes_are_compared_and_kept() {
    let served = served();
    let token = |n: i64, audience: &str| {
        let source = json!({"serviceAccountToken": {"audience": audience, "expirationSeconds": 600 + n, "path": "token"}});
        json!({"name": format!("v{n}"), "projected": {"defaultMode": 420, "sources": [source]}})
    };
    let others: Vec<Value> = (0..50).map(|n| token(n, &format!("a{n}"))).collect();
    let review = with(&json!({"volumes": others}), &json!({}));
    let patched = given(&review, &served.change(&review));
    let volumes = patched["spec"]["volumes"].as_array().unwrap();
    assert_eq!(
        (volumes.len(), &volumes[50]["name"]),
        (51, &json!("vault-token"))
    );
    // One of them is the same: it is taken.
    let mut same = others;
    same[30] = token(30, "vault");
    let review = with(&json!({"volumes": same}), &json!({}));
    let patched = given(&review, &served.change(&review));
    assert_eq!(patched["spec"]["volumes"].as_array().unwrap().len(), 50);
    let mounts = &patched["spec"]["containers"][0]["volumeMounts"];
    assert_eq!(
        mounts,
        &json!([{"name": "v30", "mountPath": "/vault", "readOnly": true}])
    );
    still_changes(&served);
}

#[test]
fn values_out_of_bounds_and_hostile_ones_are_refused_in_one_line_each() {
    let served = served();
    for (seconds, words) in [
        ("599", "a lifetime of 599 s is not within 600 to 86400 s"),
        ("4294967297", "a lifetime of 4294967297 s is not within"),
        ("99999999999999999999", "is no number of seconds"),
        ("-1", "a lifetime of -1 s is not within"),
        ("1h", "the lifetime \"1h\" is no number of seconds"),
        ("3600.0", "is no number of seconds"),
        (
            "a\nb\u{1b}[31m",
            "the lifetime \"a\\nb\\u{1b}[31m\" is no number",
        ),
    ] {
        let said = served.change(&with(
            &json!({}),
            &json!({"vault.usher.dev/expiration-seconds": seconds}),
        ));
        assert!(!said.allowed && said.message.contains(words), "{said:?}");
    }
    // A number where a text must be is no annotation: the API server never sends one.
    let said = served.change(&with(
        &json!({}),
        &json!({"vault.usher.dev/expiration-seconds": 599}),
    ));
    assert!(said.allowed, "{said:?}");
    for (key, value) in [
        ("usher.dev/inject", "no\nsuch\u{1b}[31m"),
        ("vault.usher.dev/audience", "evil\n\u{1b}[31m"),
    ] {
        let said = served.change(&with(&json!({}), &json!({key: value})));
        assert!(
            !said.allowed && !said.message.contains(char::is_control),
            "{said:?}"
        );
    }
    // Names of the pod, in refusals and in warnings.
    let hostile = "c\n\u{1b}[31mwarning: all is well";
    let mount = json!([{"name": hostile, "mountPath": "/vault"}]);
    let spec = json!({"containers": [{"name": hostile, "volumeMounts": mount}]});
    let said = served.change(&with(&spec, &json!({})));
    assert!(
        !said.allowed && !said.message.contains(char::is_control),
        "{said:?}"
    );
    let mut review = pod("jane", hostile);
    let said = served.change(&review);
    assert!(said.allowed && !said.warnings.is_empty(), "{said:?}");
    review["request"]["object"]["metadata"]["annotations"] = json!({"usher.dev/inject": "nothing"});
    let said = served.change(&review);
    assert!(
        !said.allowed && !said.message.contains(char::is_control),
        "{said:?}"
    );
}

#[test]
fn warnings_that_are_cut_are_given_once() {
    let served = served();
    let mut review = pod("jane", &"x".repeat(5000));
    review["request"]["object"]["metadata"]["annotations"] = json!({"usher.dev/inject": "asked"});
    let said = served.change(&review);
    assert!(said.allowed && said.patched.is_some(), "{said:?}");
    assert_eq!(said.warnings.len(), 1, "{said:?}");
}

#[test]
fn other_operations_kinds_and_namespaces_are_let_through_unchanged() {
    let served = served();
    let change = |path: &str, value: Value| {
        let mut review = pod("jane", "builder");
        *review.pointer_mut(path).unwrap() = value;
        review
    };
    for review in [
        change("/request/operation", json!("UPDATE")),
        change("/request/operation", json!("DELETE")),
        change("/request/operation", json!("CONNECT")),
        change("/request/kind/kind", json!("ConfigMap")),
        change("/request/kind/group", json!("example.org")),
        change("/request/namespace", json!("kube-system")),
        change(
            "/request/object/metadata",
            json!({"annotations": {"kubernetes.io/config.mirror": "x"}}),
        ),
    ] {
        let said = served.change(&review);
        assert!(
            said.allowed && said.patched.is_none() && said.warnings.is_empty(),
            "{review}: {said:?}"
        );
    }
    let mut status = pod("jane", "builder");
    status["request"]["subResource"] = json!("status");
    assert!(served.change(&status).patched.is_none());
    still_changes(&served);
}
