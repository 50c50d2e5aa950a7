use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Largest body: an update carries an object twice, each up to the 3 MiB that the API server accepts, and more as
/// JSON. Refusing what the API server accepts would be a way past a webhook whose failures are ignored.
pub(super) const LARGEST: usize = 9 * 1024 * 1024;
/// What every body gets at once: more than most reviews need. The promise of a large body costs its sender nothing, so
/// that more is only reserved when this much has come.
const SMALL: usize = 64 * 1024;
/// Room for all bodies together that are larger, in KiB. They wait for each other: memory stays bounded, however many
/// come.
static LARGE: Semaphore = Semaphore::const_new(64 * 1024);

/// A whole body.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    /// The room that it takes.
    _room: Option<SemaphorePermit<'static>>,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum NoBody {
    #[error("the connection broke before the whole body was there")]
    Broken,
    #[error("there are too many large bodies at once")]
    Crowded,
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
) -> Result<Whole, NoBody> {
    let promised = body.size_hint().exact();
    let promised = promised.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    if promised.is_some_and(|size| size > LARGEST) {
        return Err(NoBody::Large);
    }
    let mut whole = Vec::new();
    let mut room = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let frame = match timeout(stall.min(left), body.frame()).await {
            Err(_) => return Err(NoBody::Slow),
            Ok(None) => {
                let bytes = Bytes::from(whole);
                return Ok(Whole { bytes, _room: room });
            }
            Ok(Some(frame)) => frame.map_err(|_| NoBody::Broken)?,
        };
        let Ok(part) = frame.into_data() else {
            continue; // trailers
        };
        if whole.is_empty() && Some(part.len()) == promised {
            return Ok(Whole {
                bytes: part,
                _room: None,
            });
        }
        let size = whole.len() + part.len();
        if size > LARGEST {
            return Err(NoBody::Large);
        }
        if size <= SMALL {
            let expected = promised.unwrap_or_default().min(SMALL);
            whole.reserve(expected.saturating_sub(whole.len()).max(part.len()));
        } else if room.is_none() {
            let expected = promised.unwrap_or(LARGEST);
            let kibibytes = u32::try_from(expected.div_ceil(1024)).unwrap_or(u32::MAX);
            let left = deadline.saturating_duration_since(Instant::now());
            let permit = timeout(left, LARGE.acquire_many(kibibytes)).await;
            room = permit.ok().and_then(Result::ok);
            if room.is_none() {
                return Err(NoBody::Crowded);
            }
            whole.reserve(promised.unwrap_or(size).saturating_sub(whole.len()));
        }
        whole.extend_from_slice(&part);
    }
}
