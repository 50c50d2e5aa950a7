//! Takes a request, answers it, and counts how it ended.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::FutureExt;

use super::{
    app::App,
    body::{NoBody, collect},
    deadline::deadline,
    ended::Ended,
    hook::Hook,
};
use crate::facts::{Backend, change, decide, today};
use usher_core::{
    engine::{self, World},
    review,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The webhook: `POST /validate` and `POST /mutate` take an AdmissionReview and answer with one. `stall` is the
/// longest pause in a body.
///
/// Whatever cannot be judged is refused, with HTTP 200 and the reason inside the review, because the API server takes
/// any other status for a webhook that does not work. Only a body whose uid cannot be read gets an HTTP error.
pub fn router<B: Backend>(app: Arc<App<B>>, stall: Duration) -> Router {
    let on = |hook| {
        post(
            move |State(app): State<Arc<App<B>>>, request: Request| async move {
                handle(&app, hook, stall, request).await
            },
        )
        .fallback(|| async { plain(StatusCode::METHOD_NOT_ALLOWED, "only POST is answered here") })
    };
    let served = Hook::ALL.map(Hook::path).join(" and ");
    Hook::ALL
        .into_iter()
        .fold(Router::new(), |router, hook| {
            router.route(hook.path(), on(hook))
        })
        .fallback(move || async move {
            plain(StatusCode::NOT_FOUND, &format!("only {served} are served"))
        })
        .with_state(app)
}

async fn handle<B: Backend>(
    app: &App<B>,
    hook: Hook,
    stall: Duration,
    request: Request,
) -> Response {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let deadline = deadline(head.uri.query(), arrived);
    let (mut response, ended) = if is_json(&head.headers) {
        match collect(body, &app.room, stall, deadline).await {
            Ok(body) => {
                let start = Instant::now();
                let answer = answer(app, hook, &body.bytes, deadline).await;
                app.metrics().seconds.observe(start.elapsed().as_secs_f64());
                answer
            }
            Err(why) => {
                let status = match why {
                    NoBody::Broken => StatusCode::BAD_REQUEST,
                    NoBody::Large => StatusCode::PAYLOAD_TOO_LARGE,
                    NoBody::Slow => StatusCode::REQUEST_TIMEOUT,
                    NoBody::Full => StatusCode::SERVICE_UNAVAILABLE,
                };
                (plain(status, &why.to_string()), Ended::Error)
            }
        }
    } else {
        let why = "the content type must be application/json";
        (plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, why), Ended::Error)
    };
    app.metrics().ended(hook, ended);
    if app.is_draining() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Answers a whole body, whatever is in it.
async fn answer<B: Backend>(
    app: &App<B>,
    hook: Hook,
    bytes: &Bytes,
    deadline: Instant,
) -> (Response, Ended) {
    let judged = AssertUnwindSafe(read_and_judge(app, hook, bytes, deadline));
    if let Ok(answer) = judged.catch_unwind().await {
        return answer;
    }
    app.metrics().panics.inc();
    let why = "usher failed while it judged this request; its log says more";
    let uid = catch_unwind(|| {
        review::read(bytes)
            .ok()
            .map(|request| request.uid.to_string())
    });
    let response = match uid {
        Ok(Some(uid)) => json(review::refuse(&uid, why, 500)),
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, why),
    };
    (response, Ended::Error)
}

async fn read_and_judge<B: Backend>(
    app: &App<B>,
    hook: Hook,
    bytes: &[u8],
    deadline: Instant,
) -> (Response, Ended) {
    let request = match review::read(bytes) {
        Ok(request) => request,
        Err(bad) => {
            let logged = || format!("cannot judge a request: {bad}");
            app.refusals.log(&app.metrics().unlogged, logged);
            let response = match &bad.uid {
                Some(uid) => json(review::refuse(uid, &bad.why, 400)),
                None => plain(StatusCode::BAD_REQUEST, &bad.why),
            };
            return (response, Ended::Error);
        }
    };
    match hook {
        Hook::Mutate => changed(app, &request, deadline).await,
        Hook::Validate => judged(app, &request, deadline).await,
    }
}

async fn judged<B: Backend>(
    app: &App<B>,
    request: &engine::Request<'_>,
    deadline: Instant,
) -> (Response, Ended) {
    let rights = match app.backend.rights() {
        Ok(rights) => rights,
        Err(why) => {
            let why = format!("usher is {why}");
            app.refusals.log(&app.metrics().unlogged, || why.clone());
            let response = json(review::refuse(&request.uid, &why, 503));
            return (response, Ended::Error);
        }
    };
    let settings = app.settings();
    let world = World {
        catalogue: &settings.catalogue,
        policy: &settings.policy,
        rights: &rights,
        today: today(),
    };
    let verdict = decide(request, &world, &app.backend, deadline).await;
    app.metrics().verdict(&verdict);
    let ended = if verdict.allowed() {
        tracing::debug!("allowed: {}", Subject(verdict.request));
        Ended::Allowed
    } else {
        let logged = || {
            format!(
                "refused: {}: {}",
                Subject(verdict.request),
                verdict.message()
            )
        };
        app.refusals.log(&app.metrics().unlogged, logged);
        Ended::Refused
    };
    (json(review::respond(&verdict)), ended)
}

async fn changed<B: Backend>(
    app: &App<B>,
    request: &engine::Request<'_>,
    deadline: Instant,
) -> (Response, Ended) {
    let settings = app.settings();
    let (catalogue, policy) = (&settings.catalogue, &settings.policy);
    let mutation = change(
        request,
        |facts| engine::mutate(request, catalogue, policy, facts),
        &app.backend,
        deadline,
    )
    .await;
    app.metrics().mutation(&mutation);
    app.backend.tell(&mutation);
    let ended = if mutation.allowed() {
        Ended::Allowed
    } else {
        let logged = || format!("refused: {}: {}", Subject(request), mutation.message());
        app.refusals.log(&app.metrics().unlogged, logged);
        Ended::Refused
    };
    (json(review::respond_mutation(&mutation)), ended)
}

/// What a request is about, in the log: `Create Pod team-a/web by jane`, and who acts as an account, if that is known.
struct Subject<'v>(&'v engine::Request<'v>);

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let request = self.0;
        write!(
            f,
            "{:?} {} {}/{} by {}",
            request.operation,
            request.kind.kind,
            request.namespace,
            request.name,
            request.requester.username
        )?;
        match request.requester.behind() {
            Some(behind) => write!(f, " ({behind})"),
            None => Ok(()),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = value.and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn plain(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}
