//! One call of the API server.

use std::{error::Error, fmt::Write, time::Duration};

use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes, header::CONTENT_TYPE};
use kube::{Client, client::Body};
use serde::Deserialize;

use usher_core::{engine::FactError, reference::shown};

/// Largest answer: etcd holds no object of more than 1.5 MiB by default, and JSON may be twice as long.
const LARGEST: usize = 4 * 1024 * 1024;
/// Longest part of somebody else's message that is passed on, in characters.
const QUOTED: usize = 300;
/// Pauses before another try. API servers restart, and connections break: that must not refuse anybody.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// Calls the API server until it answers. Only for calls that change nothing: one may be made more than once. The
/// caller limits the time.
pub(super) async fn call(
    client: &Client,
    method: Method,
    path: &str,
    body: &Bytes,
) -> Result<(StatusCode, Bytes), FactError> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let answer = once(client, method.clone(), path, body.clone()).await;
        let transient = match &answer {
            Ok((status, _)) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Err(_) => true,
        };
        match pauses.next().filter(|_| transient) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return answer.map_err(FactError::Failed),
        }
    }
}

/// Calls the API server once.
pub(super) async fn once(
    client: &Client,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), String> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|error| error.to_string())?;
    let response = client
        .send(request)
        .await
        .map_err(|error| format!("the API server does not answer: {}", describe(&error)))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| {
        format!(
            "the answer of the API server is broken: {}",
            describe(&*error)
        )
    })?;
    Ok((status, body.to_bytes()))
}

/// What the API server says about a call that it did not carry out.
pub(super) fn declined(status: StatusCode, body: &[u8]) -> FactError {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let said = serde_json::from_slice(body).map_or_else(
        |_| String::new(),
        |Status { message }| format!(": {}", quoted(&message)),
    );
    FactError::Failed(format!("the API server answers {status}{said}"))
}

/// Somebody else's message, in one line of bounded length.
pub(super) fn quoted(message: &str) -> String {
    shown(message).chars().take(QUOTED).collect()
}

/// An error with everything that caused it, in one line.
pub(crate) fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {more}");
        }
        cause = error.source();
    }
    quoted(&text)
}
