use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

/// Largest body: an update carries an object twice, each up to the 3 MiB that the API server accepts, and more as
/// JSON. Refusing what the API server accepts would be a way past a webhook whose failures are ignored.
pub(super) const LARGEST: usize = 9 * 1024 * 1024;
/// What is reserved before anything has come: a promise of a large body costs the sender nothing.
const RESERVED: usize = 256 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum NoBody {
    #[error("the connection broke before the whole body was there")]
    Broken,
    #[error("the body is larger than {LARGEST} bytes")]
    Large,
    #[error("the body took too long")]
    Slow,
}

/// Collects a body into one piece, with at most `stall` from one part to the next and none after the deadline.
pub(super) async fn collect(
    mut body: Body,
    stall: Duration,
    deadline: Instant,
) -> Result<Bytes, NoBody> {
    let size = body.size_hint();
    let promised = size
        .exact()
        .map_or(Ok(0), usize::try_from)
        .map_err(|_| NoBody::Large)?;
    if promised > LARGEST {
        return Err(NoBody::Large);
    }
    let mut whole = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let frame = match timeout(stall.min(left), body.frame()).await {
            Err(_) => return Err(NoBody::Slow),
            Ok(None) => return Ok(Bytes::from(whole)),
            Ok(Some(frame)) => frame.map_err(|_| NoBody::Broken)?,
        };
        let Ok(part) = frame.into_data() else {
            continue; // trailers
        };
        if whole.is_empty() && part.len() == promised {
            return Ok(part);
        }
        if whole.len() + part.len() > LARGEST {
            return Err(NoBody::Large);
        }
        if whole.capacity() < whole.len() + part.len() {
            let expected = if whole.is_empty() {
                promised.min(RESERVED)
            } else {
                promised
            };
            whole.reserve(expected.saturating_sub(whole.len()).max(part.len()));
        }
        whole.extend_from_slice(&part);
    }
}
