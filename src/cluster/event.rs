//! Events that tell what a pod should get and does not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper::{Method, body::Bytes};
use jiff::Timestamp;
use kube::Client;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    call::{declined, once, quoted},
    metrics::LiveMetrics,
    object,
};
use usher_core::engine::{Concerned, Mutation};

/// Events in flight at once.
const IN_FLIGHT: usize = 8;
/// How long writing one may take.
const LONGEST: Duration = Duration::from_secs(5);
/// The same is not told again for so long: a controller tries again and again.
const QUIET: Duration = Duration::from_secs(60);
/// How many are remembered.
const REMEMBERED: usize = 1024;

/// Writes events, beside the requests that they are about.
#[derive(Clone)]
pub(super) struct Events {
    client: Client,
    permits: Arc<Semaphore>,
    told: Arc<Mutex<HashMap<String, Instant>>>,
    metrics: LiveMetrics,
}

impl Events {
    pub(super) fn new(client: Client, metrics: LiveMetrics) -> Self {
        Self {
            client,
            permits: Arc::new(Semaphore::new(IN_FLIGHT)),
            told: Arc::default(),
            metrics,
        }
    }

    /// Tells of profiles that a pod should get and does not. Nothing is told of a dry run.
    pub(super) fn tell(&self, mutation: &Mutation<'_>) {
        if mutation.request.dry_run {
            return;
        }
        let namespace = &*mutation.request.namespace;
        for (profile, why) in mutation.missed() {
            let about = mutation.concerned();
            let message = format!("profile \"{}\" is not injected: {why}", profile.name);
            let key = format!("{namespace}/{}/{}: {message}", about.kind, about.name);
            if let Some(permit) = self.admit(key) {
                self.write(permit, namespace, &about, &quoted(&message));
            }
        }
    }

    /// A permit to write, if this was not told a moment ago. What finds no room now is counted, and told at the next
    /// occasion.
    fn admit(&self, key: String) -> Option<OwnedSemaphorePermit> {
        // The table is whole between two calls, whatever panicked.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < QUIET;
        if told.get(&key).is_some_and(fresh) {
            return None;
        }
        if told.len() >= REMEMBERED {
            told.retain(|_, at| fresh(at));
        }
        let permit = self.permits.clone().try_acquire_owned().ok();
        if let Some(permit) = permit.filter(|_| told.len() < REMEMBERED) {
            told.insert(key, now);
            Some(permit)
        } else {
            self.metrics.event("dropped");
            None
        }
    }

    fn write(
        &self,
        permit: OwnedSemaphorePermit,
        namespace: &str,
        about: &Concerned<'_>,
        message: &str,
    ) {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": namespace, "generateName": "usher-"},
            "involvedObject": {
                "apiVersion": &*about.api_version, "kind": &*about.kind, "namespace": namespace, "name": &*about.name,
                "uid": &*about.uid,
            },
            "type": "Warning",
            "reason": "NotInjected",
            "message": message,
            "source": {"component": "usher"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        });
        let mut path = "/api/v1/namespaces/".to_owned();
        if object::encode(&mut path, namespace).is_err() {
            return self.metrics.event("error");
        }
        path.push_str("/events");
        let (client, metrics) = (self.client.clone(), self.metrics.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let sent = once(&client, Method::POST, &path, Bytes::from(event.to_string()));
            let error = match timeout(LONGEST, sent).await {
                Ok(Ok((status, _))) if status.is_success() => return metrics.event("written"),
                Ok(Ok((status, body))) => declined(status, &body).to_string(),
                Ok(Err(why)) => why,
                Err(_) => "the API server takes too long".to_owned(),
            };
            metrics.event("error");
            tracing::warn!("cannot write an event: {error}");
        });
    }
}
