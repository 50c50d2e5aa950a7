//! Access reviews, the same one asked once at a time.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{Method, body::Bytes};
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, watch};

use super::{
    call::{call, declined, quoted},
    metrics::LiveMetrics,
};
use usher_core::{
    engine::FactError,
    reference::{Question, Requester},
};

/// Reviews in flight at once, over all requests.
const IN_FLIGHT: usize = 32;
/// How long one review may take, so that a server that hangs does not keep the places of others.
const LONGEST: Duration = Duration::from_secs(10);
/// How old, from the moment of asking, an answer may be that is shared: a "no" that was kept, or one that is on its
/// way. Whoever was just given a right must not wait longer for it.
const KEPT: Duration = Duration::from_secs(1);
/// How many are kept.
const KEPT_AT_MOST: usize = 1024;

/// Yes with its reason, or no; or why there is neither.
pub(crate) type Answer = Result<Option<String>, FactError>;

/// Asks the API server's own access review. The same question of the same requester is asked once at a time, however
/// many requests wait for it.
#[derive(Clone)]
pub(super) struct Reviews {
    client: Client,
    permits: Arc<Semaphore>,
    table: Arc<Mutex<Table>>,
    metrics: LiveMetrics,
}

/// What is being asked, and what was just answered with no. The key is the review itself, as it is sent: equal text
/// is the same question of the same requester.
#[derive(Debug, Default)]
struct Table {
    asking: HashMap<Bytes, (Instant, watch::Receiver<Option<Answer>>)>,
    denied: HashMap<Bytes, Instant>,
    /// The keys of `denied`, in the order of their answers.
    order: VecDeque<Bytes>,
}

/// Who is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// Whoever sends the question: everybody may ask that.
    Oneself,
    /// A requester, by all that the API server knows them by.
    Requester(&'a Requester<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(flatten)]
    who: Option<Named<'a>>,
    resource_attributes: Attributes<'a>,
}

#[derive(Serialize)]
struct Named<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    groups: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<&'a RawValue>,
}

/// No version: RBAC knows none, and a virtual resource has none.
#[derive(Serialize)]
struct Attributes<'a> {
    namespace: &'a str,
    verb: &'static str,
    group: &'a str,
    resource: &'a str,
    name: &'a str,
}

impl Reviews {
    pub(super) fn new(client: Client, metrics: LiveMetrics) -> Self {
        Self {
            client,
            permits: Arc::new(Semaphore::new(IN_FLIGHT)),
            table: Arc::default(),
            metrics,
        }
    }

    /// Asks one question. The caller limits the time; a review that somebody else also waits for goes on.
    pub(super) async fn ask(&self, requester: &Requester<'_>, question: &Question<'_>) -> Answer {
        let who = Who::Requester(requester);
        let key = who.body(question)?;
        let known = self.lock().known(&key);
        if let Some(known) = known {
            return self.share(known).await;
        }
        let permit = self.permits.clone().acquire_owned().await;
        let (sender, receiver) = watch::channel(None);
        let start = Instant::now();
        // Somebody else may have asked while there was no room.
        let known = self.lock().claim(&key, start, &receiver);
        if let Some(known) = known {
            return self.share(known).await;
        }
        let reviews = self.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let asked =
                tokio::time::timeout(LONGEST, review(&reviews.client, Who::REVIEWS, &key)).await;
            let answer = asked.unwrap_or(Err(FactError::Deadline));
            reviews.metrics.reviewed(&answer);
            reviews.lock().answered(key, start, &answer);
            sender.send_replace(Some(answer));
        });
        wait(receiver).await
    }

    async fn share(&self, known: Known) -> Answer {
        self.metrics.shared();
        match known {
            Known::Asking(receiver) => wait(receiver).await,
            Known::Denied => Ok(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole between two calls, whatever panicked.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that needs no review of its own.
enum Known {
    Asking(watch::Receiver<Option<Answer>>),
    Denied,
}

impl Table {
    fn known(&mut self, key: &Bytes) -> Option<Known> {
        self.forget(Instant::now());
        if self.denied.contains_key(key) {
            return Some(Known::Denied);
        }
        let (start, receiver) = self.asking.get(key)?;
        (start.elapsed() < KEPT).then(|| Known::Asking(receiver.clone()))
    }

    /// What is known by now; if nothing, notes that the question is being asked.
    fn claim(
        &mut self,
        key: &Bytes,
        start: Instant,
        receiver: &watch::Receiver<Option<Answer>>,
    ) -> Option<Known> {
        let known = self.known(key);
        if known.is_none() {
            self.asking.insert(key.clone(), (start, receiver.clone()));
        }
        known
    }

    fn answered(&mut self, key: Bytes, start: Instant, answer: &Answer) {
        // A later one may have taken its place.
        if self.asking.get(&key).is_some_and(|(at, _)| *at == start) {
            self.asking.remove(&key);
        }
        let room = self.order.len() < KEPT_AT_MOST && !self.denied.contains_key(&key);
        if matches!(answer, Ok(None)) && room {
            self.denied.insert(key.clone(), start);
            self.order.push_back(key);
        }
    }

    /// Drops every "no" that is too old.
    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front() {
            let fresh = |at: &Instant| now.saturating_duration_since(*at) < KEPT;
            if self.denied.get(oldest).is_some_and(fresh) {
                return;
            }
            self.denied.remove(oldest);
            self.order.pop_front();
        }
    }
}

async fn wait(mut receiver: watch::Receiver<Option<Answer>>) -> Answer {
    let answer = receiver.wait_for(Option::is_some).await;
    let answer = answer.ok().and_then(|answer| answer.clone());
    answer.unwrap_or_else(|| {
        let why = "the access review ended without an answer".to_owned();
        Err(FactError::Failed(why))
    })
}

impl Who<'_> {
    const REVIEWS: &'static str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    const OWN_REVIEWS: &'static str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

    fn path(self) -> &'static str {
        match self {
            Self::Oneself => Self::OWN_REVIEWS,
            Self::Requester(_) => Self::REVIEWS,
        }
    }

    /// The review as it is sent.
    fn body(self, question: &Question<'_>) -> Result<Bytes, FactError> {
        let (kind, who) = match self {
            Self::Oneself => ("SelfSubjectAccessReview", None),
            Self::Requester(requester) => {
                let named = Named {
                    user: &requester.username,
                    uid: &requester.uid,
                    groups: requester.groups.iter().map(|group| &**group).collect(),
                    extra: requester.extra,
                };
                ("SubjectAccessReview", Some(named))
            }
        };
        let review = Review {
            api_version: "authorization.k8s.io/v1",
            kind,
            spec: Spec {
                who,
                resource_attributes: Attributes {
                    namespace: &question.namespace,
                    verb: question.verb.word(),
                    group: question.resource.group,
                    resource: question.resource.name,
                    name: &question.name,
                },
            },
        };
        let json = serde_json::to_vec(&review);
        json.map(Bytes::from)
            .map_err(|error| FactError::Failed(error.to_string()))
    }
}

/// Asks one question, and keeps nothing. The caller limits the time.
pub(crate) async fn ask_once(client: &Client, who: Who<'_>, question: &Question<'_>) -> Answer {
    review(client, who.path(), &who.body(question)?).await
}

async fn review(client: &Client, path: &str, body: &Bytes) -> Answer {
    #[derive(Deserialize)]
    struct Reviewed {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        allowed: bool,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        evaluation_error: String,
    }

    let (status, answer) = call(client, Method::POST, path, body).await?;
    if !status.is_success() {
        return Err(declined(status, &answer));
    }
    let Reviewed { status } = serde_json::from_slice(&answer).map_err(|error| {
        FactError::Failed(format!(
            "the answer of the API server is no access review: {error}"
        ))
    })?;
    match status {
        Status {
            allowed: true,
            reason,
            ..
        } => Ok(Some(quoted(&reason))),
        // Some authorizer failed, and might have said yes.
        Status {
            evaluation_error, ..
        } if !evaluation_error.is_empty() => Err(FactError::Failed(format!(
            "the access review failed: {}",
            quoted(&evaluation_error)
        ))),
        _ => Ok(None),
    }
}
