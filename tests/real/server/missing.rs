//! A service account that cannot be read, and events that cannot be written: the pod goes on, and somebody is told.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use usher::cluster::Live;
use usher_core::config;

use super::{
    Changed, Served, changed,
    client::Client,
    eventually,
    fake::{Fake, Reviews, status},
    faults::ready,
    metric, pod,
    process::Usher,
};

const ACCOUNT: &str = "/api/v1/namespaces/team-a/serviceaccounts/builder";
const MISSED: &str = r#"usher_injections_total{profile="role",result="missed"}"#;

/// `role` needs an annotation of the account, `plain` needs nothing of it.
const CONFIGURATION: &str = r"
apiVersion: usher.dev/v1alpha1
kind: Configuration
profiles:
  - name: role
    volume: {mountPath: /role}
    tokens: [{audience: role, path: token}]
    env: [{name: ROLE, fromServiceAccountAnnotation: example.org/role}]
  - name: plain
    volume: {mountPath: /plain}
    tokens: [{audience: plain, path: token}]
";

fn served(fake: &Fake) -> Served<Live> {
    let served = ready(fake);
    served
        .app
        .set_settings(config::parse(CONFIGURATION).unwrap());
    // What it may come to is shown before it comes to anything.
    served.await_metric(MISSED, 0.0);
    served
}

/// The review of a pod of this name.
fn named(name: &str) -> Value {
    let mut review = pod("jane", "builder");
    review["request"]["object"]["metadata"]["name"] = json!(name);
    review
}

/// The volumes of a changed pod.
fn volumes(said: &Changed) -> Vec<String> {
    let patched = said.patched.as_ref().unwrap();
    let volumes = patched["spec"]["volumes"].as_array().unwrap();
    let names = volumes
        .iter()
        .map(|volume| volume["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

fn result(served: &Served<Live>, result: &str) -> f64 {
    served.metric(&format!("usher_events_total{{result=\"{result}\"}}"))
}

#[test]
fn an_account_that_cannot_be_read_is_a_warning_with_the_reason() {
    let fake = Fake::start();
    let served = served(&fake);
    let forbidden = status(403, "usher may not get it").to_string();
    let long = "x".repeat(5000);
    for (turn, (code, body, why)) in [
        (404, status(404, "not found").to_string(), "was not found"),
        (
            403,
            forbidden,
            "could not be read: the API server answers 403 Forbidden: usher may not get it",
        ),
        (403, status(403, &long).to_string(), "could not be read"),
        (
            500,
            "oops".to_owned(),
            "could not be read: the API server answers 500",
        ),
        (
            429,
            String::new(),
            "could not be read: the API server answers 429",
        ),
        (
            200,
            "oops".to_owned(),
            "could not be read: the answer of the API server is no JSON",
        ),
        (
            200,
            " ".repeat(8 << 20),
            "could not be read: the answer of the API server is broken",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = (StatusCode::from_u16(code).unwrap(), body);
        fake.script().reads.insert(ACCOUNT.to_owned(), answer);
        let said = served.change(&named(&format!("web-{turn}")));
        assert!(said.allowed, "{said:?}");
        let [role, plain] = &*said.warnings else {
            panic!("{said:?}")
        };
        assert!(
            role.starts_with(&format!(
                "profile \"role\" is not injected: service account \"builder\" {why}"
            )),
            "{role}"
        );
        assert!(
            plain.starts_with(&format!("service account \"builder\" {why}")),
            "{plain}"
        );
        assert_eq!(volumes(&said), ["plain"]);
        let told = turn + 1;
        eventually("the event", || fake.script().events.len() == told);
        let (path, event) = fake.script().events[turn].clone();
        assert_eq!(path, "/api/v1/namespaces/team-a/events");
        assert_eq!(event["involvedObject"]["name"], format!("web-{turn}"));
        // `k8s.io/kubernetes/pkg/apis/core/validation/events.go` takes 1024 bytes.
        let message = event["message"].as_str().unwrap();
        assert!(message.contains(why) && message.len() <= 1024, "{message}");
        served.await_metric(MISSED, f64::from(u32::try_from(told).unwrap()));
    }
    served.await_metric("usher_events_total{result=\"written\"}", 7.0);
    // What is there but is no account is none.
    for body in [
        "7",
        "[]",
        r#"{"metadata":7}"#,
        r#"{"metadata":{"annotations":[7]}}"#,
    ] {
        let answer = (StatusCode::OK, body.to_owned());
        fake.script().reads.insert(ACCOUNT.to_owned(), answer);
        let said = served.change(&named("web"));
        assert!(said.allowed, "{body}: {said:?}");
        assert!(
            said.warnings[0].contains("\"builder\" could not be read: "),
            "{body}: {said:?}"
        );
        assert_eq!(volumes(&said), ["plain"]);
    }
    // And one that is there gives all.
    let account = json!({"metadata": {"annotations": {"example.org/role": "r"}}}).to_string();
    fake.script()
        .reads
        .insert(ACCOUNT.to_owned(), (StatusCode::OK, account));
    let said = served.change(&named("web"));
    assert!(said.warnings.is_empty(), "{said:?}");
    assert_eq!(volumes(&said), ["role", "plain"]);
}

#[test]
fn an_api_server_that_hangs_is_waited_for_until_the_deadline() {
    let fake = Fake::start();
    let served = served(&fake);
    fake.script().hanging.insert(ACCOUNT.to_owned());
    let review = named("web");
    let start = Instant::now();
    let response = served.post("/mutate?timeout=1s", review.to_string().as_bytes());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(took > Duration::from_millis(500), "{took:?}");
    let said = changed(&review, &response);
    assert!(said.allowed, "{said:?}");
    let why = "service account \"builder\" could not be read: no answer within the deadline of the request";
    assert_eq!(
        said.warnings,
        [
            format!("profile \"role\" is not injected: {why}"),
            format!("{why}; profile \"plain\" is injected without what its annotations may change"),
        ]
    );
    assert_eq!(volumes(&said), ["plain"]);
    eventually("the event", || fake.script().events.len() == 1);
    served.await_metric(MISSED, 1.0);
    served.await_metric("usher_objects_read_total{result=\"error\"}", 1.0);
    // A pod that no profile selects does not wait.
    let mut other = named("web");
    other["request"]["object"]["metadata"]["annotations"] = json!({"usher.dev/inject": "false"});
    let start = Instant::now();
    let said = served.change(&other);
    assert!(said.allowed && said.patched.is_none() && said.warnings.is_empty());
    assert!(start.elapsed() < Duration::from_millis(500));
}

#[test]
fn the_same_is_told_once_and_a_dry_run_never() {
    let fake = Fake::start();
    let served = served(&fake);
    let mut dry = named("dry");
    dry["request"]["dryRun"] = json!(true);
    for _ in 0..3 {
        assert_eq!(served.change(&dry).warnings.len(), 2);
    }
    let web = named("web");
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(served.change(&web).warnings.len(), 2));
        }
    });
    let mut elsewhere = named("web");
    elsewhere["request"]["namespace"] = json!("team-b");
    served.change(&elsewhere);
    eventually("two events", || fake.script().events.len() == 2);
    thread::sleep(Duration::from_millis(200));
    let mut told: Vec<String> = fake
        .script()
        .events
        .iter()
        .map(|(path, _)| path.clone())
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "/api/v1/namespaces/team-a/events",
            "/api/v1/namespaces/team-b/events"
        ]
    );
    // Each pod counts, told or not.
    served.await_metric(MISSED, 24.0);
    served.await_metric("usher_events_total{result=\"written\"}", 2.0);
}

#[test]
fn events_in_flight_and_in_memory_are_bounded_and_what_is_left_out_is_counted() {
    const PODS: u32 = 1100;
    let fake = Fake::start();
    let served = served(&fake);
    fake.script().telling = Some(Reviews::Hang);
    for turn in 0..20 {
        assert!(served.change(&named(&format!("web-{turn}"))).allowed);
    }
    eventually("eight are under way", || fake.script().events.len() == 8);
    assert!((result(&served, "dropped") - 12.0).abs() < 0.1);
    // They are given up, and what was left out is told at the next try.
    fake.script().telling = None;
    served.await_metric("usher_events_total{result=\"error\"}", 8.0);
    assert!(served.change(&named("web-19")).allowed);
    eventually("told", || fake.script().events.len() == 9);
    let mut client = served.client();
    for turn in 0..PODS {
        let body = named(&format!("many-{turn}")).to_string();
        let response = client.post("/mutate", body.as_bytes()).unwrap();
        assert_eq!(response.status, 200);
    }
    let all = f64::from(20 + 1 + PODS);
    eventually("each is counted", || {
        let sum: f64 = ["written", "dropped", "error"]
            .iter()
            .map(|word| result(&served, word))
            .sum();
        (sum - all).abs() < 0.1
    });
    assert!(fake.script().events.len() < 1050);
    served.await_metric(MISSED, all);
}

#[test]
fn without_the_right_to_write_events_the_answer_is_the_same_and_the_log_says_so() {
    let usher = Usher::start(&["--config", "usher.yaml"], |files| {
        fs::write(files.join("usher.yaml"), CONFIGURATION).unwrap();
    });
    let ask = |name: &str| {
        let review = named(name);
        let mut client = Client::connect(usher.address, &usher.trusted).unwrap();
        let response = client
            .post("/mutate", review.to_string().as_bytes())
            .unwrap();
        changed(&review, &response)
    };
    let before = ask("web-1");
    eventually("the event", || usher.fake.script().events.len() == 1);
    usher.fake.script().telling = Some(Reviews::Deny);
    let after = ask("web-2");
    assert!(after.allowed, "{after:?}");
    assert_eq!(before.warnings, after.warnings);
    assert_eq!(volumes(&before), volumes(&after));
    usher.logged(
        "cannot write an event: the API server answers 403 Forbidden: usher may not create events",
    );
    let result = |word: &str| {
        metric(
            usher.health,
            &format!("usher_events_total{{result=\"{word}\"}}"),
        )
    };
    eventually("counted", || (result("error") - 1.0).abs() < 0.1);
    assert!((result("written") - 1.0).abs() < 0.1);
    // It does not try again and again.
    ask("web-2");
    thread::sleep(Duration::from_millis(200));
    assert_eq!(usher.fake.script().events.len(), 2);
}

#[test]
fn a_name_that_leads_elsewhere_is_not_asked_for() {
    let fake = Fake::start();
    let served = served(&fake);
    fake.script().paths.clear();
    for name in ["../../secrets/x", "a%2Fb", "..", "a/token"] {
        let review = pod("jane", name);
        let said = served.change(&review);
        assert!(said.allowed && said.warnings.len() == 2, "{said:?}");
    }
    assert_eq!(fake.script().paths, [] as [String; 0]);
    let mut review = named("web");
    review["request"]["namespace"] = json!("../../x");
    assert!(served.change(&review).allowed);
    assert_eq!(fake.script().paths, [] as [String; 0]);
    let told = fake.script().events.clone();
    assert!(
        told.iter()
            .all(|(path, _)| path == "/api/v1/namespaces/team-a/events"),
        "{told:?}"
    );
    served.await_metric("usher_events_total{result=\"error\"}", 1.0);
}
