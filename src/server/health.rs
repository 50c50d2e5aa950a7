//! The second port: liveness, readiness, metrics.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use super::app::App;
use crate::facts::Backend;

/// The second port: `/livez` (the process runs), `/readyz` (requests can be judged; if not, why) and `/metrics`
/// (OpenMetrics).
pub fn router<B: Backend>(app: Arc<App<B>>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<B>))
        .route("/metrics", get(metrics::<B>))
        .with_state(app)
}

async fn ready<B: Backend>(State(app): State<Arc<App<B>>>) -> Response {
    match app.ready() {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {why}\n"),
        )
            .into_response(),
    }
}

async fn metrics<B: Backend>(State(app): State<Arc<App<B>>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics().text()).into_response()
}
