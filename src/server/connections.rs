//! The places for connections, and who has to give way.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::ended::Refused;

/// How many connections a port holds, and how long each may take for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. At the limit the connection that has been idle for longest gives way to a new one.
    pub connections: usize,
    /// From the first byte to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its header.
    pub header: Duration,
    /// Without a request. Above the 90 seconds after which the API server's own client drops a connection: a request
    /// must not meet a connection that the server is just closing.
    pub idle: Duration,
    /// From one part of a body to the next.
    pub body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            body: Duration::from_secs(5),
        }
    }
}

/// The open connections of one port.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    start: Instant,
    free: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
}

/// What one connection is doing, and since when.
#[derive(Debug)]
pub(super) struct Connection {
    start: Instant,
    /// Milliseconds since `start`, times four, plus the phase.
    state: AtomicU64,
    ending: AtomicBool,
    ended: Notify,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Between two requests, or before the first.
    Idle,
    /// A request has begun, its header is not complete.
    Header,
    /// A request is being answered.
    Busy,
}

/// A place among the connections, given back when it is dropped.
pub(super) struct Place {
    id: u64,
    connections: Arc<Connections>,
    /// The connection that has it.
    pub(super) connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            start: Instant::now(),
            free: Arc::new(Semaphore::new(limits.connections)),
            open: Mutex::default(),
            next: AtomicU64::default(),
        }
    }

    /// Waits until there is room for one more, making some where a connection is idle. Calls back for each one that
    /// had to go.
    pub(super) async fn room(&self, mut evicted: impl FnMut()) -> Option<OwnedSemaphorePermit> {
        /// How long one connection may take to go, before the next one has to.
        const PATIENCE: Duration = Duration::from_millis(50);
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Some(permit);
        }
        loop {
            if self.evict() {
                evicted();
            }
            let free = self.free.clone().acquire_owned();
            if let Ok(permit) = tokio::time::timeout(PATIENCE, free).await {
                return permit.ok();
            }
        }
    }

    /// Takes a place for a new connection.
    pub(super) fn open(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let connection = Arc::new(Connection {
            start: self.start,
            state: AtomicU64::default(),
            ending: AtomicBool::default(),
            ended: Notify::new(),
        });
        connection.enter(Phase::Idle);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, connection.clone());
        Place {
            id,
            connections: self.clone(),
            connection,
            _permit: permit,
        }
    }

    /// Ends what takes too long: headers that do not come to an end, and connections without requests.
    pub(super) fn reap(&self, mut ended: impl FnMut(Refused)) {
        for connection in self.lock().values() {
            let (phase, since) = connection.state();
            let (limit, reason) = match phase {
                Phase::Busy => continue,
                Phase::Header => (self.limits.header, Refused::Header),
                Phase::Idle => (self.limits.idle, Refused::Idle),
            };
            if since > limit && !connection.is_ending() {
                ended(reason);
                connection.end();
            }
        }
    }

    /// Asks every connection to end after the request that it is answering.
    pub(super) fn end(&self) {
        for connection in self.lock().values() {
            connection.end();
        }
    }

    /// Ends the connection that has been idle for longest, or in the midst of a header. False if all are busy.
    fn evict(&self) -> bool {
        let open = self.lock();
        let idle = open
            .values()
            .filter(|connection| !connection.is_ending())
            .map(|connection| (connection.state(), connection))
            .filter(|((phase, _), _)| *phase != Phase::Busy)
            .max_by_key(|((_, since), _)| *since);
        if let Some((_, connection)) = idle {
            connection.end();
        }
        idle.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        // The map is whole between two calls, whatever panicked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Bytes have come in.
    pub(super) fn read(&self) {
        if self.state().0 == Phase::Idle {
            self.enter(Phase::Header);
        }
    }

    /// The header of a request is complete.
    pub(super) fn busy(&self) {
        self.enter(Phase::Busy);
    }

    /// A request is answered.
    pub(super) fn idle(&self) {
        self.enter(Phase::Idle);
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.state().0 == Phase::Busy
    }

    /// Comes back once the connection has been asked to end.
    pub(super) async fn ending(&self) {
        self.ended.notified().await;
    }

    fn end(&self) {
        if !self.ending.swap(true, Ordering::Relaxed) {
            self.ended.notify_one();
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    fn enter(&self, phase: Phase) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store(now << 2 | phase as u64, Ordering::Relaxed);
    }

    /// The phase, and for how long it has lasted.
    fn state(&self) -> (Phase, Duration) {
        let state = self.state.load(Ordering::Relaxed);
        let phase = match state & 3 {
            0 => Phase::Idle,
            1 => Phase::Header,
            _ => Phase::Busy,
        };
        let since = Duration::from_millis(state >> 2);
        (phase, self.start.elapsed().saturating_sub(since))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
    }
}
