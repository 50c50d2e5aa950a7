//! Lists one sort of objects and watches it from there on.

use std::{
    convert::Infallible,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{FutureExt, Stream, StreamExt};
use kube::{
    Api, Client, Resource,
    api::{ListParams, WatchEvent, WatchParams},
};
use tokio::time::{sleep, timeout, timeout_at};

use super::{
    call::{describe, quoted},
    index::{Index, Names},
    sort::Sort,
    stored::{Lean, Stored},
};
use usher_core::rights::Rbac;

/// Objects in one page of a list. Pages are read whole: small ones keep the memory low.
const PAGE: u32 = 250;
/// Events that are taken in at once.
const BATCH: usize = 256;
/// How long the API server may take for a page, or to begin a watch.
const ANSWER: Duration = Duration::from_secs(30);
/// How long one watch lasts, in seconds; then the next one goes on from there. A connection that died without a word
/// is noticed after this time.
const WATCH: u32 = 90;
/// A watch that cannot go on from where it was is told so at once: after this time it runs.
const SETTLED: Duration = Duration::from_secs(1);
/// How much later than agreed a watch may end.
const GRACE: Duration = Duration::from_secs(10);
/// Shortest and longest pause after a failure.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Keeps the index up to date with one sort of objects. Never ends.
///
/// Lists, then watches from there on; lists anew when the API server no longer has what came since. `kube`'s own
/// watcher does the same, but keeps to itself when the API server last confirmed that nothing was missed.
pub(super) async fn follow<K: Stored>(client: Client, index: Arc<Index>) -> Infallible {
    let watch = Watch::<K> {
        api: Api::all(client),
        index,
    };
    let mut pause = Pause(SHORTEST);
    let mut names = None;
    loop {
        let mut version = match watch.list(names.take()).await {
            Ok(version) => version,
            Err(problem) => {
                watch.index.failed(K::SORT, problem);
                // What was listed before it failed may be gone by the next time.
                names = Some(Names::default());
                pause.wait().await;
                continue;
            }
        };
        names = Some(Names::default());
        loop {
            let start = Instant::now();
            let broken = watch.watch(&mut version).await.err();
            if start.elapsed() > LONGEST {
                pause = Pause(SHORTEST);
            }
            match broken {
                None if start.elapsed() > LONGEST => {}
                // Something in between does not let it last: that must not become a busy loop.
                None => pause.wait().await,
                Some(Broken { problem, gone }) => {
                    watch.index.failed(K::SORT, problem);
                    pause.wait().await;
                    if gone {
                        break;
                    }
                }
            }
        }
    }
}

struct Watch<K> {
    api: Api<Lean<K>>,
    index: Arc<Index>,
}

/// Why a watch ended before its time.
struct Broken {
    problem: String,
    /// It cannot go on from where it was.
    gone: bool,
}

impl<K: Stored> Watch<K> {
    /// Lists all objects, page by page. Gives the version from which to watch. With `names`, whatever the list does
    /// not hold is forgotten.
    async fn list(&self, mut names: Option<Names>) -> Result<String, String> {
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = timeout(ANSWER, self.api.list(&params)).await;
            let page = page
                .map_err(|_| silent())?
                .map_err(|error| reason(&error))?;
            self.index.update(|rbac| {
                for item in &page.items {
                    apply(item, rbac);
                    let meta = item.meta();
                    if let (Some(names), Some(name)) = (&mut names, &meta.name) {
                        names.add(meta.namespace.as_deref(), name);
                    }
                }
            });
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let version = page.metadata.resource_version;
                let version = version.filter(|version| !version.is_empty());
                let version = version.ok_or("the list has no resource version")?;
                self.index.listed(K::SORT, names.as_ref());
                return Ok(version);
            }
        }
    }

    /// Takes in what happens after `version`, and moves it on, until the time of the watch is over.
    async fn watch(&self, version: &mut String) -> Result<(), Broken> {
        let params = WatchParams::default().timeout(WATCH);
        let end = tokio::time::Instant::now() + Duration::from_secs(WATCH.into()) + GRACE;
        let events = timeout(ANSWER, self.api.watch(&params, version)).await;
        let events = events.map_err(|_| Broken::failed(silent()))??;
        let mut events = pin!(events);
        let mut next = if let Ok(next) = timeout(SETTLED, events.next()).await {
            next
        } else {
            self.index.confirmed(K::SORT);
            next_until(end, events.as_mut()).await?
        };
        loop {
            let mut batch = Vec::new();
            let ended = loop {
                match next {
                    None => break Some(Ok(())),
                    Some(Err(error)) => break Some(Err(error.into())),
                    Some(Ok(WatchEvent::Error(status))) => {
                        break Some(Err(kube::Error::Api(status).into()));
                    }
                    Some(Ok(event)) => batch.push(event),
                }
                if batch.len() == BATCH {
                    break None;
                }
                // What is already there is taken in together, so that a burst is compiled once.
                next = match events.next().now_or_never() {
                    Some(next) => next,
                    None => break None,
                };
            };
            if !batch.is_empty() {
                self.take(batch, version);
            }
            if !matches!(ended, Some(Err(_))) {
                self.index.confirmed(K::SORT);
            }
            if let Some(ended) = ended {
                return ended;
            }
            next = next_until(end, events.as_mut()).await?;
        }
    }

    fn take(&self, batch: Vec<WatchEvent<Lean<K>>>, version: &mut String) {
        self.index.update(|rbac| {
            for event in batch {
                let seen = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        apply(&object, rbac);
                        object.meta().resource_version.clone()
                    }
                    WatchEvent::Deleted(object) => {
                        forget(&object, rbac);
                        object.meta().resource_version.clone()
                    }
                    WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version),
                    WatchEvent::Error(_) => None,
                };
                if let Some(seen) = seen.filter(|seen| !seen.is_empty()) {
                    *version = seen;
                }
            }
        });
    }
}

impl Broken {
    fn failed(problem: String) -> Self {
        Self {
            problem,
            gone: false,
        }
    }
}

impl From<kube::Error> for Broken {
    fn from(error: kube::Error) -> Self {
        let gone = match &error {
            // Also what is no status at all: an event that cannot be read would come again and again.
            kube::Error::Api(status) => status.code < 500 && status.code != 429,
            kube::Error::SerdeError(_) => true,
            _ => false,
        };
        Self {
            problem: reason(&error),
            gone,
        }
    }
}

/// The next event of a watch that lasts until `end` at most.
async fn next_until<S: Stream + Unpin>(
    end: tokio::time::Instant,
    mut events: S,
) -> Result<Option<S::Item>, Broken> {
    let next = timeout_at(end, events.next()).await;
    next.map_err(|_| Broken::failed(silent()))
}

fn apply<K: Stored>(object: &Lean<K>, rbac: &mut Rbac) {
    if let Err(ignored) = object.0.apply(rbac) {
        tracing::debug!("an object of {} is left out: {ignored}", K::SORT);
    }
}

fn forget<K: Stored>(object: &Lean<K>, rbac: &mut Rbac) {
    let meta = object.meta();
    let namespace = meta.namespace.as_deref();
    let Some(name) = meta.name.as_deref() else {
        return;
    };
    match K::SORT {
        Sort::ClusterRoleBindings | Sort::RoleBindings => rbac.delete_binding(namespace, name),
        Sort::ClusterRoles | Sort::Roles => rbac.delete_role(namespace, name),
    }
}

fn silent() -> String {
    "the API server does not answer in time".to_owned()
}

fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => quoted(&status.message),
        other => describe(other),
    }
}

/// The pause before the next try: twice as long each time, and never quite the same, so that replicas do not go in
/// step.
struct Pause(Duration);

impl Pause {
    async fn wait(&mut self) {
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let jitter = clock.map_or(0, |now| now.subsec_nanos() % 512);
        sleep(self.0 / 2 + self.0 / 1024 * jitter).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}
