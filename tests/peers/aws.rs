//! `aws/amazon-eks-pod-identity-webhook`.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use usher::{
    facts::Offline,
    server::{App, Limits, Listener, Metrics, router},
};
use usher_core::{catalogue::Catalogue, config::Settings, rights::Rbac};

use super::{
    Difference, Outcome, Row, body, containers, folder, is_taken, judge, mount, names, push,
    rows_of, token_volume,
};
use crate::support::injected::account;

const PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
const ROLE: &str = "arn:aws:iam::111122223333:role/s3-reader";
const TESTING: &str = "testing.eks.amazonaws.com/";

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn the_rows_of_aws() {
    let folder = folder("aws-eks-pod-identity-webhook");
    let pods = rows_of(&folder.join("expected-pods.json"));
    let pods = pods["cases"].as_object().unwrap();
    let mut rows: Vec<Row> = pods
        .iter()
        .map(|(name, case)| pod_row(name, case, &folder))
        .collect();
    assert_eq!(
        rows.len(),
        fs::read_dir(folder.join("pods")).unwrap().count(),
        "every pod is expected"
    );
    let request = folder.join("request.json");
    if request.exists() {
        let review = rows_of(&request);
        let theirs = injected(&review["request"]["object"], 86_400);
        let known = json!({"eks.amazonaws.com/role-arn": ROLE});
        rows.extend(review_rows("request.json", &review, Some(&known), &theirs));
    }
    let cases = rows_of(&folder.join("admission-cases.json"));
    let mut unread = 0;
    for case in cases["cases"].as_array().unwrap() {
        if case["content_type"] == "application/json" {
            rows.extend(admission_rows(case));
        } else {
            refuses_content_type(case);
            unread += 1;
        }
    }
    println!("aws {unread} rows that are no JSON: refused over HTTP, the same");
    judge("aws", &rows);
}

/// A pod with the settings of the suite in its annotations.
fn pod_row(name: &str, case: &Value, folder: &Path) -> Row {
    let text = fs::read_to_string(folder.join(case["file"].as_str().unwrap())).unwrap();
    // One of the files has a key twice; the API server's clients take the last.
    let options =
        serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    let mut pod: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
    let mut expected = case["expected_pod"].clone();
    for pod in [&mut pod, &mut expected] {
        if let Some(held) = pod["metadata"]["annotations"].as_object_mut() {
            held.retain(|key, _| !key.starts_with(TESTING));
        }
    }
    let of = |key: &str| case["harness"][key].as_str();
    let (region, sts) = (
        of("handler/region"),
        of("serviceAccount/sts-regional-endpoints"),
    );
    let expiration = of("serviceAccount/token-expiration").or(of("handler/expiration"));
    let annotations = json!({
        "eks.amazonaws.com/role-arn": of("serviceAccount/roleArn").unwrap_or_default(),
        "eks.amazonaws.com/audience": of("serviceAccount/audience").unwrap_or_default(),
        "eks.amazonaws.com/sts-regional-endpoints": sts.or(of("handler/injectSTS")).unwrap_or_default(),
        "eks.amazonaws.com/token-expiration": expiration.unwrap_or_default(),
    });
    let region = region.unwrap_or_default();
    let agent = of("containercredentials/uri").is_some();
    let profile = if agent {
        let of = |key: &str| of(&format!("containercredentials/{key}")).unwrap();
        agent_profile(region, &of)
    } else {
        json!({"preset": "aws-irsa", "env": [
            {"name": "AWS_DEFAULT_REGION", "value": region},
            {"name": "AWS_REGION", "value": region},
        ]})
    };
    let of = |key: &str| profile["volume"][key].as_str().map(ToOwned::to_owned);
    let token = &profile["tokens"][0];
    let (volume, path) = (of("name"), of("mountPath"));
    let (volume, path) = (
        volume.as_deref().unwrap_or("aws-iam-token"),
        path.as_deref().unwrap_or(PATH),
    );
    let file = format!("{path}/{}", token["path"].as_str().unwrap_or("token"));
    let audience = token["audience"].as_str().unwrap_or("sts.amazonaws.com");
    let wanted = token_volume(
        volume,
        audience,
        86_400,
        token["path"].as_str().unwrap_or("token"),
    );
    let pair = if agent {
        [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ]
    } else {
        ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"]
    };
    let skip = pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"].as_str();
    let skip: Vec<&str> = skip.unwrap_or_default().split(',').collect();
    let ours = if is_taken(&pod, &wanted) {
        Some((Difference::Taken, Outcome::Refused(format!("\"{volume}\""))))
    } else {
        let mut completed = expected.clone();
        for container in containers(&mut completed) {
            let has = pair.map(|name| names(&container["env"]).contains(&name));
            if skip.contains(&container["name"].as_str().unwrap()) || has != [true, false] {
                continue;
            }
            push(container, "env", json!({"name": pair[1], "value": file}));
            if !names(&container["volumeMounts"]).contains(&volume) {
                push(container, "volumeMounts", mount(volume, path));
            }
        }
        let differs = completed != expected;
        differs.then_some((Difference::Completed, Outcome::Pod(completed)))
    };
    Row {
        name: name.to_owned(),
        profile,
        accounts: vec![account("default", "default", &annotations)],
        body: body(&pod, "default"),
        theirs: Outcome::Pod(expected),
        ours,
        // The suite's lot is always the first of them.
        drawn: agent.then_some(79_200..=86_400),
        warning: None,
    }
}

/// The mode in which an agent on the node gives out credentials, as a profile of one's own.
fn agent_profile<'a>(region: &str, of: &impl Fn(&str) -> &'a str) -> Value {
    let regional = json!({"true": "regional"});
    json!({
        "name": "eks-pod-identity",
        "select": {"serviceAccounts": ["default"]},
        "containers": {"skipAnnotation": "eks.amazonaws.com/skip-containers"},
        "volume": {"name": of("volumeName"), "mountPath": of("mountPath")},
        "tokens": [{
            "audience": of("audience"), "expirationSeconds": 86_400, "jitterSeconds": 7200, "path": of("tokenPath"),
        }],
        "labels": {"eks.amazonaws.com/pod-identity": "enabled"},
        "env": [
            {"name": "AWS_STS_REGIONAL_ENDPOINTS", "values": regional,
             "fromServiceAccountAnnotation": "eks.amazonaws.com/sts-regional-endpoints"},
            {"name": "AWS_DEFAULT_REGION", "value": region, "unlessSet": ["AWS_REGION"]},
            {"name": "AWS_REGION", "value": region, "unlessSet": ["AWS_DEFAULT_REGION"]},
            {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": of("uri")},
            {"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "tokenFile": of("tokenPath")},
        ],
        "overrides": {"expirationSeconds": "eks.amazonaws.com/token-expiration"},
    })
}

/// A whole review: as the row has it, and with the version and kind that the API server always sends.
fn review_rows(
    name: &str,
    review: &Value,
    annotations: Option<&Value>,
    theirs: &Value,
) -> Vec<Row> {
    let row = |name: String, review: &Value, ours| Row {
        name,
        profile: json!({"preset": "aws-irsa"}),
        accounts: annotations
            .map(|known| account("default", "default", known))
            .into_iter()
            .collect(),
        body: review.to_string().into_bytes(),
        theirs: Outcome::Pod(theirs.clone()),
        ours,
        drawn: None,
        warning: None,
    };
    let mut whole = review.clone();
    whole["apiVersion"] = "admission.k8s.io/v1".into();
    whole["kind"] = "AdmissionReview".into();
    let mut complete = row(name.to_owned(), &whole, None);
    // Theirs says nothing, and nobody knows why the token is missing.
    complete.warning = annotations.is_none().then_some("was not found");
    if whole == *review {
        return vec![complete];
    }
    let refused = Outcome::Refused("not AdmissionReview of admission.k8s.io/v1".to_owned());
    let bare = format!("{name}, without version and kind");
    vec![
        complete,
        row(bare, review, Some((Difference::Envelope, refused))),
    ]
}

fn admission_rows(case: &Value) -> Vec<Row> {
    let name = case["name"].as_str().unwrap();
    let expect = &case["expect"];
    let known = case["service_account"]["metadata"].get("annotations");
    if expect["allowed"] == true {
        let mut pod = case["body"]["request"]["object"].clone();
        if let Ok(patch) = serde_json::from_value::<json_patch::Patch>(expect["patch"].clone()) {
            json_patch::patch(&mut pod, &patch).unwrap();
        }
        return review_rows(name, &case["body"], known, &pod);
    }
    assert_eq!(expect["allowed"], false, "{name}");
    let mut body = match &case["body"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        review => review.to_string().into_bytes(),
    };
    if let Some(review) = case["body"]
        .as_object()
        .filter(|body| body.contains_key("request"))
    {
        let mut review = review.clone();
        review.insert("apiVersion".to_owned(), "admission.k8s.io/v1".into());
        review.insert("kind".to_owned(), "AdmissionReview".into());
        body = Value::Object(review).to_string().into_bytes();
    }
    vec![Row {
        name: name.to_owned(),
        profile: json!({"preset": "aws-irsa"}),
        accounts: vec![account("default", "default", known.unwrap_or(&json!({})))],
        body,
        theirs: Outcome::Refused(String::new()),
        ours: None,
        drawn: None,
        warning: None,
    }]
}

/// The pod with all that the preset gives.
fn injected(pod: &Value, seconds: i64) -> Value {
    let mut pod = pod.clone();
    push(
        &mut pod["spec"],
        "volumes",
        token_volume("aws-iam-token", "sts.amazonaws.com", seconds, "token"),
    );
    for container in containers(&mut pod) {
        push(container, "volumeMounts", mount("aws-iam-token", PATH));
        push(
            container,
            "env",
            json!({"name": "AWS_ROLE_ARN", "value": ROLE}),
        );
        let file = format!("{PATH}/token");
        push(
            container,
            "env",
            json!({"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": file}),
        );
    }
    pod
}

/// A body of another type than JSON, sent to the server.
fn refuses_content_type(case: &Value) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let metrics = Arc::new(Metrics::default());
    let backend = Offline::new(Rbac::default().compile(), std::collections::HashMap::new());
    let catalogue = Catalogue::embedded().unwrap();
    let settings = Settings::default_for(catalogue);
    let app = Arc::new(App::new(settings, backend, metrics.clone()));
    let (limits, stop) = (Limits::default(), CancellationToken::new());
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = runtime
        .block_on(Listener::bind(loopback, None, limits, metrics))
        .unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(listener.serve(router(app, limits.body), stop.clone()));
    let (sort, body) = (
        case["content_type"].as_str().unwrap(),
        case["body"].to_string(),
    );
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mutate HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {sort}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(case["expect"]["http_error"], true, "{case}");
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    assert!(answer.contains("application/json"), "{answer}");
    stop.cancel();
}
