//! Bodies of requests, within a bound of memory and time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Largest body: an update carries an object twice, each up to the 3 MiB that the API server accepts, and more as
/// JSON. Refusing what the API server accepts would be a way past a webhook whose failures are ignored.
pub(super) const LARGEST: usize = 9 * 1024 * 1024;
/// What is reserved before anything has come: a promise of a large body costs the sender nothing.
const RESERVED: usize = 256 * 1024;

/// What a body may hold without asking: more than nearly every review has.
const FREE: usize = 32 * 1024;
/// What all bodies together may hold beyond that, in KiB.
const ROOM: u32 = 64 * 1024;

/// Memory for bodies, shared by all connections. A body takes of it what has arrived, so that a sender who promises
/// much and sends little keeps nothing from others.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM as usize)))
    }
}

/// A body in one piece, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum NoBody {
    #[error("the connection broke before the whole body was there")]
    Broken,
    #[error("there is no room for so large a body now")]
    Full,
    #[error("the body is larger than {LARGEST} bytes")]
    Large,
    #[error("the body took too long")]
    Slow,
}

/// Collects a body into one piece, with at most `stall` from one part to the next and none after the deadline.
pub(super) async fn collect(
    mut body: Body,
    room: &Room,
    stall: Duration,
    deadline: Instant,
) -> Result<Whole, NoBody> {
    let size = body.size_hint();
    let promised = size
        .exact()
        .map_or(Ok(0), usize::try_from)
        .map_err(|_| NoBody::Large)?;
    if promised > LARGEST {
        return Err(NoBody::Large);
    }
    let mut whole = Vec::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    let left = || deadline.saturating_duration_since(Instant::now());
    loop {
        let frame = match timeout(stall.min(left()), body.frame()).await {
            Err(_) => return Err(NoBody::Slow),
            Ok(None) => {
                return Ok(Whole {
                    bytes: whole.into(),
                    _room: taken,
                });
            }
            Ok(Some(frame)) => frame.map_err(|_| NoBody::Broken)?,
        };
        let Ok(part) = frame.into_data() else {
            continue; // trailers
        };
        if whole.is_empty() && part.len() == promised {
            return Ok(Whole {
                bytes: part,
                _room: None,
            });
        }
        let arrived = whole.len() + part.len();
        if arrived > LARGEST {
            return Err(NoBody::Large);
        }
        let held = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = arrived
            .saturating_sub(FREE)
            .div_ceil(1024)
            .saturating_sub(held);
        if more > 0 {
            let more = u32::try_from(more).map_err(|_| NoBody::Large)?;
            let permit = timeout(left(), room.0.clone().acquire_many_owned(more)).await;
            let (Ok(Ok(permit)), held) = (permit, taken.take()) else {
                return Err(NoBody::Full);
            };
            taken = Some(match held {
                Some(mut held) => {
                    held.merge(permit);
                    held
                }
                None => permit,
            });
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

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const STALL: Duration = Duration::from_secs(5);

    /// A body of so many parts of 16 KiB, as hyper gives them.
    fn body(parts: usize) -> Body {
        let part = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 16 * 1024]));
        Body::from_stream(stream::iter((0..parts).map(move |_| part())))
    }

    fn in_ms(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[tokio::test]
    async fn large_bodies_share_one_room_and_give_it_back() {
        let room = Room::default();
        let mut held = Vec::new();
        // Each holds 9 MiB but what is free: seven fit, the eighth has to wait, and is told so at its deadline.
        for _ in 0..7 {
            held.push(collect(body(576), &room, STALL, in_ms(5000)).await.unwrap());
        }
        let full = collect(body(576), &room, STALL, in_ms(50)).await;
        assert_eq!(full.unwrap_err(), NoBody::Full);
        assert!(
            collect(body(2), &room, STALL, in_ms(50)).await.is_ok(),
            "small ones need no room"
        );
        held.pop();
        assert_eq!(
            collect(body(576), &room, STALL, in_ms(5000))
                .await
                .unwrap()
                .bytes
                .len(),
            LARGEST
        );
        drop(held);
        assert_eq!(room.0.available_permits(), ROOM as usize);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_refused_while_it_comes() {
        let refused = collect(body(577), &Room::default(), STALL, in_ms(5000)).await;
        assert_eq!(refused.unwrap_err(), NoBody::Large);
    }
}
