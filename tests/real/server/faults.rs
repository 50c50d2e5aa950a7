//! The API server fails. What it cannot answer is refused with the reason; what was known stays known.

use std::{thread, time::Duration, time::Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};
use usher::{
    cluster::{Live, client},
    facts::Parts,
    server::Limits,
};

use super::{
    Served, binding, eventually,
    fake::{Fake, Reviews, SORTS, status},
    offline, pod, verdict,
};

fn served(fake: &Fake) -> Served<Live> {
    Served::with(
        |runtime, metrics| {
            let _runtime = runtime.enter();
            let config = kube::Config::new(format!("http://{}", fake.address).parse().unwrap());
            let client = client(config).unwrap();
            let (live, watches) = metrics.register(|registry| Live::new(client, registry));
            runtime.spawn(watches.run());
            live
        },
        Limits::default(),
    )
}

pub(super) fn ready(fake: &Fake) -> Served<Live> {
    let served = served(fake);
    eventually("ready", || served.get("/readyz").0 == 200);
    eventually("watched", || fake.script().is_watched());
    served
}

#[test]
fn rights_from_a_file_go_with_live_facts() {
    let fake = Fake::start();
    let served = Served::with(
        |runtime, metrics| {
            let _runtime = runtime.enter();
            let config = kube::Config::new(format!("http://{}", fake.address).parse().unwrap());
            let client = client(config).unwrap();
            let (live, _) = metrics.register(|registry| Live::new(client, registry));
            Parts {
                rights: offline(),
                facts: live.clone(),
                tell: live,
            }
        },
        Limits::default(),
    );
    // Ready without a watch: the rights are those of the file.
    assert_eq!(served.get("/readyz").0, 200);
    assert!(served.judge(&pod("jane", "builder")).0);
    assert!(fake.script().asked.is_empty());
    // What the file does not say is asked live.
    assert!(!served.judge(&pod("mallory", "builder")).0);
    assert_eq!(fake.script().asked.len(), 1);
    fake.script().reviews = Reviews::Allow;
    assert!(served.judge(&pod("mallory", "other")).0);
}

/// The review of a pod, by somebody with all that a user can have.
fn extra(account: &str) -> Value {
    let mut review = pod("mallory", account);
    review["request"]["userInfo"] = json!({
        "username": "mallory", "uid": "u-1", "groups": ["a", "b"],
        "extra": {"scopes": ["x", "y"], "authentication.kubernetes.io/credential-id": ["z"]},
    });
    review
}

#[test]
fn an_access_review_without_an_answer_is_a_refusal() {
    let fake = Fake::start();
    let served = ready(&fake);
    let say = |code: StatusCode, body: &str| Reviews::Say(code, body.to_owned());
    let forbidden = status(403, "usher may not create subjectaccessreviews").to_string();
    for (reviews, why) in [
        (say(StatusCode::INTERNAL_SERVER_ERROR, "oops"), "500"),
        (
            say(StatusCode::FORBIDDEN, &forbidden),
            "may not create subjectaccessreviews",
        ),
        (say(StatusCode::TOO_MANY_REQUESTS, ""), "429"),
        (say(StatusCode::CREATED, ""), "no access review"),
        (say(StatusCode::CREATED, "{}"), "no access review"),
        (say(StatusCode::CREATED, "<html>"), "no access review"),
        (
            say(StatusCode::CREATED, r#"{"status":{}}"#),
            "no access review",
        ),
        (
            say(StatusCode::CREATED, r#"{"status":{"allowed":"true"}}"#),
            "no access review",
        ),
        (
            say(
                StatusCode::CREATED,
                r#"{"status":{"allowed":false,"evaluationError":"a webhook is down"}}"#,
            ),
            "a webhook is down",
        ),
        (Reviews::Hang, "deadline"),
    ] {
        fake.script().reviews = reviews.clone();
        let review = pod("mallory", "builder");
        let start = Instant::now();
        let response = served.post("/validate?timeout=1s", review.to_string().as_bytes());
        let (allowed, message) = verdict(&review, &response);
        assert!(!allowed, "{reviews:?}");
        assert!(
            message.contains("cannot tell whether mallory may use") && message.contains(why),
            "{reviews:?}: {message}"
        );
        assert!(start.elapsed() < Duration::from_secs(2), "{reviews:?}");
        // What the index knows needs no review.
        assert!(served.judge(&pod("jane", "builder")).0);
    }
    // Large answers are not read to the end.
    fake.script().reviews = say(StatusCode::CREATED, &" ".repeat(8 << 20));
    let (allowed, message) = served.judge(&pod("mallory", "large"));
    assert!(!allowed && message.contains("broken"), "{message}");
    // And when it works again, it counts again.
    fake.script().reviews = Reviews::Allow;
    assert!(served.judge(&pod("mallory", "other")).0);
}

#[test]
fn a_review_asks_for_exactly_this_requester_and_target() {
    let fake = Fake::start();
    let served = ready(&fake);
    assert!(!served.judge(&extra("builder")).0);
    let asked = fake.script().asked.clone();
    let expected = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "mallory", "uid": "u-1", "groups": ["a", "b"],
            "extra": {"scopes": ["x", "y"], "authentication.kubernetes.io/credential-id": ["z"]},
            "resourceAttributes": {
                "namespace": "team-a", "verb": "use", "group": "", "resource": "serviceaccounts", "name": "builder",
            },
        },
    });
    assert_eq!(asked, [expected]);
}

#[test]
fn one_question_is_asked_once_at_a_time() {
    let fake = Fake::start();
    let served = ready(&fake);
    fake.script().delay = Duration::from_millis(300);
    let all_at_once = |reviews: &[Value]| {
        thread::scope(|scope| {
            for review in reviews {
                scope.spawn(|| assert!(!served.judge(review).0));
            }
        });
        std::mem::take(&mut fake.script().asked).len()
    };
    assert_eq!(all_at_once(&vec![pod("mallory", "builder"); 20]), 1);
    // The no is kept for a moment. On a busy machine that may be over before the next one comes; not every time.
    let kept = |attempt: i32| {
        let account = format!("builder-{attempt}");
        all_at_once(&[pod("mallory", &account)]);
        all_at_once(&vec![pod("mallory", &account); 3]) == 0
    };
    assert!((0..20).any(kept));
    // For the same question only.
    let mut others = vec![
        pod("mallory", "other"),
        pod("eve", "builder"),
        extra("builder"),
    ];
    for (field, value) in [
        ("uid", json!("u-2")),
        ("groups", json!(["a"])),
        ("extra", json!({"scopes": ["x"]})),
    ] {
        let mut review = extra("builder");
        review["request"]["userInfo"][field] = value;
        others.push(review);
    }
    let mut elsewhere = pod("mallory", "builder");
    elsewhere["request"]["namespace"] = json!("team-b");
    others.push(elsewhere);
    let different = others.len();
    assert_eq!(all_at_once(&others), different);
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(all_at_once(&[pod("mallory", "builder")]), 1);
    // A yes is not kept.
    fake.script().reviews = Reviews::Allow;
    thread::sleep(Duration::from_millis(1_100));
    for _ in 0..2 {
        assert!(served.judge(&pod("mallory", "builder")).0);
    }
    assert_eq!(fake.script().asked.len(), 2);
    let shared = served.metric(r#"usher_access_reviews_total{result="shared"}"#);
    assert!(shared >= 22.0, "{shared}");
}

#[test]
fn reviews_in_flight_are_bounded() {
    let fake = Fake::start();
    let served = ready(&fake);
    fake.script().delay = Duration::from_millis(50);
    thread::scope(|scope| {
        for client in 0..100 {
            let served = &served;
            scope.spawn(move || {
                let (allowed, message) = served.judge(&pod(&format!("user-{client}"), "admin"));
                assert!(!allowed && message.contains("may not use"), "{message}");
            });
        }
    });
    let script = fake.script();
    assert_eq!(script.asked.len(), 100);
    assert!(script.at_once.1 <= 32, "{}", script.at_once.1);
    assert!(script.at_once.1 > 8, "{}", script.at_once.1);
}

#[test]
fn one_request_asks_for_so_much_and_no_more() {
    let fake = Fake::start();
    let served = ready(&fake);
    let mut review = pod("mallory", "builder");
    let tolerations: Vec<Value> = (0..30)
        .map(|n| json!({"key": format!("k{n}"), "operator": "Equal", "value": "v", "effect": "NoSchedule"}))
        .collect();
    review["request"]["object"]["spec"]["tolerations"] = json!(tolerations);
    let (allowed, message) = served.judge(&review);
    assert!(!allowed, "{message}");
    // What was asked and what was not is refused alike, and the reader learns what to grant.
    assert!(
        message.contains("and 26 more\nneeds: verb use on "),
        "{message}"
    );
    assert_eq!(fake.script().asked.len(), 64);
}

#[test]
fn an_object_that_cannot_be_read_is_a_refusal() {
    let fake = Fake::start();
    let served = ready(&fake);
    let path = "/apis/node.k8s.io/v1/runtimeclasses/gvisor";
    let mut review = pod("jane", "builder");
    review["request"]["object"]["spec"]["runtimeClassName"] = json!("gvisor");
    for (code, body, expected) in [
        (
            404,
            status(404, "not found").to_string(),
            Some("was not found"),
        ),
        (
            403,
            status(403, "usher may not get it").to_string(),
            Some("usher may not get it"),
        ),
        (500, "oops".to_owned(), Some("500")),
        (200, "oops".to_owned(), Some("no JSON")),
        (200, "7".to_owned(), Some("cannot be read")),
        (
            200,
            r#"{"scheduling":{"tolerations":[{"operator":"Exists"}]}}"#.to_owned(),
            Some("may not tolerate"),
        ),
        (200, r#"{"handler":"runsc"}"#.to_owned(), None),
    ] {
        let code = StatusCode::from_u16(code).unwrap();
        fake.script().reads.insert(path.to_owned(), (code, body));
        let (allowed, message) = served.judge(&review);
        assert_eq!(allowed, expected.is_none(), "{message}");
        assert!(message.contains(expected.unwrap_or_default()), "{message}");
    }
    // A hostile name is asked for as it is, or not at all.
    fake.script().paths.clear();
    for name in ["../../secrets", "a%2Fb", "x?y=z", ".."] {
        review["request"]["object"]["spec"]["runtimeClassName"] = json!(name);
        assert!(!served.judge(&review).0, "{name}");
    }
    assert_eq!(
        fake.script().paths,
        ["/apis/node.k8s.io/v1/runtimeclasses/x%3Fy%3Dz"]
    );
}

#[test]
fn a_broken_watch_keeps_the_last_good_rights() {
    let fake = Fake::start();
    let served = ready(&fake);
    let running = r#"usher_watch_running{resource="rolebindings"}"#;
    served.await_metric(running, 1.0);
    served.await_metric("usher_rights_bindings", 1.0);
    // The API server no longer knows what came since, and cannot list either.
    {
        let mut script = fake.script();
        for sort in SORTS {
            script
                .failing
                .insert(sort.to_owned(), StatusCode::INTERNAL_SERVER_ERROR);
        }
        assert!(script.send(
            "rolebindings",
            "ERROR",
            &status(410, "too old resource version")
        ));
        script.cut("roles");
    }
    served.await_metric(running, 0.0);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(served.get("/readyz").0, 200);
    assert!(served.judge(&pod("jane", "builder")).0);
    // It lists again: what is gone is gone, what is new is there.
    {
        let mut script = fake.script();
        script.version = 30;
        script
            .objects
            .insert("rolebindings".to_owned(), vec![binding("eve")]);
        script.failing.clear();
    }
    served.await_metric(running, 1.0);
    assert!(!served.judge(&pod("jane", "builder")).0);
    assert!(served.judge(&pod("eve", "builder")).0);
    let script = fake.script();
    assert_eq!(script.watched["rolebindings"], ["10", "30"]);
    // This one was only cut off: it goes on from where it was.
    assert!(
        script.watched["roles"]
            .iter()
            .all(|version| version == "10")
    );
}

#[test]
fn a_watch_goes_on_from_the_last_event() {
    let fake = Fake::start();
    let served = ready(&fake);
    let mut new = binding("eve");
    new["metadata"]["resourceVersion"] = json!("21");
    assert!(fake.script().send("rolebindings", "ADDED", &new));
    served.await_metric("usher_rights_bindings", 2.0);
    assert!(served.judge(&pod("eve", "builder")).0);
    let bookmark = json!({"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"resourceVersion": "25"}});
    assert!(fake.script().send("rolebindings", "BOOKMARK", &bookmark));
    thread::sleep(Duration::from_millis(100));
    fake.script().cut("rolebindings");
    eventually("watched again", || {
        fake.script().watched["rolebindings"] == ["10", "25"]
    });
    assert!(served.judge(&pod("eve", "builder")).0);
    // Changed, and deleted.
    let mut other = new.clone();
    other["metadata"]["resourceVersion"] = json!("26");
    other["subjects"][0]["name"] = json!("adam");
    eventually("sent", || {
        fake.script().send("rolebindings", "MODIFIED", &other)
    });
    eventually("adam", || served.judge(&pod("adam", "builder")).0);
    assert!(!served.judge(&pod("eve", "builder")).0);
    assert!(fake.script().send("rolebindings", "DELETED", &other));
    served.await_metric("usher_rights_bindings", 1.0);
    assert!(!served.judge(&pod("adam", "builder")).0);
    // Nonsense in the stream: it lists anew.
    fake.script().version = 40;
    assert!(
        fake.script()
            .send_raw("rolebindings", "{\"type\":\"ADDED\",\"object\":7}\n")
    );
    eventually("listed anew", || {
        fake.script().watched["rolebindings"].last().unwrap() == "40"
    });
    assert!(served.judge(&pod("jane", "builder")).0);
}

#[test]
fn nothing_is_answered_before_every_list_is_complete() {
    for sort in SORTS {
        let fake = Fake::start();
        fake.script()
            .failing
            .insert(sort.to_owned(), StatusCode::FORBIDDEN);
        let served = served(&fake);
        let running = |sort| served.metric(&format!("usher_watch_running{{resource=\"{sort}\"}}"));
        eventually("the others run", || {
            let up = SORTS.into_iter().filter(|other| *other != sort);
            up.map(running).sum::<f64>() > 2.5
        });
        eventually("the reason is known", || {
            served.get("/readyz").1.contains("out of order")
        });
        let (status, why) = served.get("/readyz");
        assert_eq!(status, 503);
        assert!(why.contains(&format!("not complete of {sort} (")), "{why}");
        let (allowed, message) = served.judge(&pod("jane", "builder"));
        assert!(!allowed && message.contains("not ready"), "{message}");
        fake.script().failing.clear();
        eventually("ready", || served.get("/readyz").0 == 200);
        assert!(served.judge(&pod("jane", "builder")).0);
    }
}
