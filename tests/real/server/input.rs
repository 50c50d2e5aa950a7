//! Requests that are not what they should be. After each one, good requests are still served.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use usher::server::Limits;

use super::{Served, client::head, offline, pod, verdict};

fn served() -> Served<usher::facts::Offline> {
    Served::start(offline(), Limits::default())
}

#[test]
fn a_body_that_is_no_review_is_a_bad_request() {
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
        let response = served.post("/validate", body.as_bytes());
        assert_eq!(response.status, 400, "{body}: {response:?}");
        assert!(
            response.text().ends_with('\n') && response.text().len() > 20,
            "{body}"
        );
        served.still_serves();
    }
    let errors = r#"usher_requests_total{path="validate",verdict="error"}"#;
    served.await_metric(errors, 9.0);
}

#[test]
fn a_review_that_cannot_be_judged_is_refused_with_its_reason() {
    let served = served();
    let change = |path: &str, value: Value| {
        let mut review = pod("jane", "builder");
        *review.pointer_mut(path).unwrap() = value;
        review
    };
    for (review, why) in [
        (
            change("/apiVersion", json!("admission.k8s.io/v1beta1")),
            "v1beta1",
        ),
        (change("/kind", json!("Review")), "\"Review\""),
        (change("/request/operation", json!("PATCH")), "\"PATCH\""),
        (change("/request/operation", json!(7)), "expected text"),
        (
            change("/request/operation", json!("UPDATE")),
            "no oldObject",
        ),
        (change("/request/userInfo", json!({})), "no user"),
        (
            change("/request/userInfo", Value::Null),
            "invalid type: null",
        ),
        (change("/request/namespace", json!("")), "no namespace"),
        (change("/request/object", Value::Null), "no object"),
        (change("/request/object", json!("pod")), "the object"),
        (change("/request/object/spec", json!([])), "the object"),
        (
            change("/request/object/spec/serviceAccountName", json!({})),
            "expected text",
        ),
        (change("/request/kind/version", json!("v2")), "\"v2\""),
    ] {
        let (allowed, message) = served.judge(&review);
        assert!(!allowed, "{review}");
        assert!(message.contains(why), "{why}: {message}");
        served.still_serves();
    }
    for field in ["operation", "userInfo", "kind"] {
        let mut review = pod("jane", "builder");
        review["request"].as_object_mut().unwrap().remove(field);
        let (allowed, message) = served.judge(&review);
        assert!(!allowed && message.contains(field), "{field}: {message}");
    }
}

#[test]
fn nesting_of_5000_changes_nothing() {
    let served = served();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let place = |pointer: &str| {
        let mut review = pod("jane", "ACCOUNT");
        let mut at = &mut review;
        for key in pointer.split('/') {
            at = &mut at[key];
        }
        *at = json!("DEEP");
        review.to_string().replace("\"DEEP\"", &deep)
    };
    for pointer in [
        "deep",
        "request/deep",
        "request/options",
        "request/object/deep",
        "request/object/metadata/annotations",
        "request/object/spec/deep",
        "request/object/spec/containers",
    ] {
        for (account, expected) in [("builder", true), ("admin", false)] {
            let body = place(pointer).replace("ACCOUNT", account);
            let response = served.post("/validate", body.as_bytes());
            let (allowed, message) = verdict(&pod("jane", account), &response);
            assert_eq!(allowed, expected, "{pointer}: {message}");
        }
        served.still_serves();
    }
    // Where it takes the place of what decides, it is refused.
    for pointer in [
        "request/object/spec",
        "request/object/spec/tolerations",
        "request/userInfo",
    ] {
        let response = served.post("/validate", place(pointer).as_bytes());
        let (allowed, message) = verdict(&pod("jane", "x"), &response);
        assert!(!allowed, "{pointer}: {message}");
        served.still_serves();
    }
}

#[test]
fn eight_mebibytes_are_judged_and_ten_are_not_read() {
    let served = served();
    let padded = |size: usize, account: &str| {
        let mut review = pod("jane", account);
        review["request"]["object"]["metadata"]["annotations"] = json!({"pad": "x".repeat(size)});
        review.to_string()
    };
    for (account, expected) in [("builder", true), ("admin", false)] {
        let body = padded(8 << 20, account);
        let response = served.post("/validate", body.as_bytes());
        assert_eq!(verdict(&pod("jane", account), &response).0, expected);
    }
    // By its promise alone.
    let mut client = served.client();
    client
        .send(&head("/validate", "application/json", 10 << 20))
        .unwrap();
    let response = client.response().unwrap();
    assert_eq!(response.status, 413, "{response:?}");
    assert!(!response.head.contains("retry-after"));
    assert!(client.is_closed());
    // And without one.
    let mut client = served.client();
    let chunked =
        b"POST /validate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    client.send(chunked).unwrap();
    let body = padded(10 << 20, "builder");
    // The server stops reading, and may end the connection before all is sent.
    let sent = client
        .send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes())
        .and_then(|()| client.response());
    if let Ok(response) = sent {
        assert_eq!(response.status, 413, "{response:?}");
    }
    served.still_serves();
}

#[test]
fn a_chunked_review_is_judged() {
    let served = served();
    let mut client = served.client();
    let body = pod("jane", "builder").to_string();
    let (first, second) = body.split_at(100);
    client
        .send(
            b"POST /validate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json; charset=utf-8\r\n\
            transfer-encoding: chunked\r\n\r\n",
        )
        .unwrap();
    for part in [first, second] {
        let chunk = format!("{:x}\r\n{part}\r\n", part.len());
        client.send(chunk.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    client.send(b"0\r\n\r\n").unwrap();
    let response = client.response().unwrap();
    assert!(verdict(&pod("jane", "builder"), &response).0);
}

#[test]
fn other_paths_methods_and_media_are_told_apart() {
    let served = served();
    let body = pod("jane", "builder").to_string();
    for (request, status) in [
        ("POST / HTTP/1.1\r\n", 404),
        ("POST /validate/ HTTP/1.1\r\n", 404),
        ("POST /validate/x HTTP/1.1\r\n", 404),
        ("GET /metrics HTTP/1.1\r\n", 404),
        ("GET /validate HTTP/1.1\r\n", 405),
        ("PUT /mutate HTTP/1.1\r\n", 405),
        ("POST /validate HTTP/1.1\r\n", 415),
        (
            "POST /validate HTTP/1.1\r\ncontent-type: text/plain\r\n",
            415,
        ),
        (
            "POST /validate HTTP/1.1\r\ncontent-type: application/yaml\r\n",
            415,
        ),
    ] {
        let mut client = served.client();
        let request = format!(
            "{request}host: localhost\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        client.send(request.as_bytes()).unwrap();
        let response = client.response().unwrap();
        assert_eq!(response.status, status, "{request}");
        assert!(!response.body.is_empty());
        assert!(!response.head.contains("retry-after"), "{response:?}");
    }
    served.still_serves();
}

#[test]
fn mutate_lets_through_what_it_can_read() {
    let served = served();
    let review = pod("jane", "admin");
    let response = served.post("/mutate?timeout=5s", review.to_string().as_bytes());
    assert_eq!(verdict(&review, &response), (true, String::new()));
    assert!(response.json()["response"].get("patch").is_none());
    let mut broken = review;
    broken["request"]["operation"] = json!(1);
    let response = served.post("/mutate", broken.to_string().as_bytes());
    assert!(!verdict(&broken, &response).0);
}

#[test]
fn many_requests_share_a_connection() {
    let served = served();
    let mut client = served.client();
    for turn in 0..200 {
        let account = if turn % 2 == 0 { "builder" } else { "admin" };
        let review = pod("jane", account);
        let response = client
            .post("/validate", review.to_string().as_bytes())
            .unwrap();
        assert_eq!(verdict(&review, &response).0, turn % 2 == 0);
    }
    // Two at once: the second is answered after the first.
    let body = pod("jane", "builder").to_string();
    let mut both = head("/validate", "application/json", body.len());
    both.extend_from_slice(body.as_bytes());
    client.send(&both.repeat(2)).unwrap();
    for _ in 0..2 {
        assert_eq!(client.response().unwrap().status, 200);
    }
    served.await_metric("usher_connections", 1.0);
}

#[test]
fn what_is_no_http_is_answered_and_closed() {
    let served = served();
    for bytes in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"POST\r\n\r\n",
        b"POST /validate HTTP/9.9\r\n\r\n",
    ] {
        let mut client = served.client();
        client.send(bytes).unwrap();
        match client.response() {
            Ok(response) => assert!((400..600).contains(&response.status), "{response:?}"),
            Err(_) => assert!(client.is_closed()),
        }
        served.still_serves();
    }
    let mut client = served.client();
    let long = format!(
        "POST /validate HTTP/1.1\r\nx: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let answered = client
        .send(long.as_bytes())
        .and_then(|()| client.response());
    if let Ok(response) = answered {
        assert_eq!(response.status, 431);
    }
    served.still_serves();
}

#[test]
fn a_slow_body_is_given_up() {
    let limits = Limits {
        body: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Served::start(offline(), limits);
    let start = Instant::now();
    let mut client = served.client();
    client
        .send(&head("/validate", "application/json", 1000))
        .unwrap();
    client.send(b"{").unwrap();
    let response = client.response().unwrap();
    assert_eq!(response.status, 408, "{response:?}");
    assert!(client.is_closed());
    assert!(start.elapsed() < Duration::from_secs(5));
    served.still_serves();
    // One that comes byte by byte has until the deadline of the request.
    let start = Instant::now();
    let mut client = served.client();
    client
        .send(&head("/validate?timeout=1s", "application/json", 1000))
        .unwrap();
    let dripped = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        client.send(b" ").err().map(|_| ())
    });
    let answered = client.response().map(|response| response.status);
    assert!(dripped.is_some() || answered.is_ok_and(|status| status == 408));
    assert!(start.elapsed() > Duration::from_millis(800));
    served.still_serves();
}
