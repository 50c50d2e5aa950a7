//! Rights and facts of a live cluster.

use std::{convert::Infallible, sync::Arc, time::Instant};

use futures_util::{
    FutureExt,
    future::{join_all, select_all},
};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::Client;
use prometheus_client::registry::Registry;
use serde_json::value::RawValue;
use tokio::{sync::Semaphore, time::timeout_at};

use super::{
    event::Events,
    index::{Age, Index},
    metrics::LiveMetrics,
    object,
    review::Reviews,
    watch,
};
use crate::facts::{FactSource, NotReady, RightsSource, Tell};
use usher_core::{
    engine::{FactError, Facts, Mutation, Need, ObjectRef},
    reference::{Question, Requester},
    rights::Rights,
};

/// Facts that are gathered for one request.
const FACTS: usize = 64;
/// Objects that are read at once, over all requests.
const READING: usize = 32;

/// Rights and facts from a running cluster.
#[derive(Clone)]
pub struct Live {
    client: Client,
    index: Arc<Index>,
    reviews: Reviews,
    events: Events,
    reading: Arc<Semaphore>,
    metrics: LiveMetrics,
}

/// The watches behind a [`Live`].
pub struct Watches {
    client: Client,
    index: Arc<Index>,
}

impl Live {
    /// Nothing is known until the watches run. What is counted is added to the registry.
    pub fn new(client: Client, registry: &mut Registry) -> (Self, Watches) {
        let metrics = LiveMetrics::default();
        metrics.register(registry);
        let index = Arc::new(Index::new(metrics.clone()));
        registry.register_collector(Box::new(Age(index.clone())));
        let watches = Watches {
            client: client.clone(),
            index: index.clone(),
        };
        let live = Self {
            reviews: Reviews::new(client.clone(), metrics.clone()),
            events: Events::new(client.clone(), metrics.clone()),
            client,
            index,
            reading: Arc::new(Semaphore::new(READING)),
            metrics,
        };
        (live, watches)
    }

    /// Whether the index of rights answers for the verb `get`, too: what [`Policy::asks_reads`] says. Where it does not,
    /// access reviews do.
    ///
    /// [`Policy::asks_reads`]: usher_core::engine::Policy::asks_reads
    pub fn set_reads(&self, reads: bool) {
        self.index.set_reads(reads);
    }

    async fn look(&self, at: &ObjectRef) -> Result<Option<Box<RawValue>>, FactError> {
        // Never closed, and if it were, more at once would do no harm.
        let _permit = self.reading.acquire().await;
        object::fetch(&self.client, at).await
    }
}

/// What came of a need.
enum Found {
    Object(ObjectRef, Result<Option<Box<RawValue>>, FactError>),
    Review(Question<'static>, Result<Option<String>, FactError>),
}

impl RightsSource for Live {
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        self.index.rights()
    }
}

impl Tell for Live {
    fn tell(&self, mutation: &Mutation<'_>) {
        self.events.tell(mutation);
    }
}

impl FactSource for Live {
    async fn gather(
        &self,
        requester: &Requester<'_>,
        mut needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) {
        let room = FACTS.saturating_sub(facts.count()).min(needs.len());
        for need in needs.split_off(room) {
            facts.failed(need, FactError::TooMany(FACTS));
        }
        let deadline = deadline.into();
        let find = |need| async move {
            match need {
                Need::Object(at) => {
                    let found = timeout_at(deadline, self.look(&at)).await;
                    let found = found.unwrap_or(Err(FactError::Deadline));
                    self.metrics.read(&found);
                    Found::Object(at, found)
                }
                Need::Review(question) => {
                    let asked = self.reviews.ask(requester, &question);
                    let answer = timeout_at(deadline, asked).await;
                    let answer = answer.unwrap_or(Err(FactError::Deadline));
                    Found::Review(question, answer)
                }
            }
        };
        for found in join_all(needs.into_iter().map(find)).await {
            match found {
                Found::Object(at, found) => facts.object(at, found),
                Found::Review(question, answer) => facts.review(question, answer),
            }
        }
    }
}

impl Watches {
    /// Keeps the rights up to date. Never ends.
    ///
    /// All four run in this one future, and so on one thread.
    pub async fn run(self) -> Infallible {
        let Self { client, index } = self;
        let never = select_all([
            watch::follow::<ClusterRole>(client.clone(), index.clone()).boxed(),
            watch::follow::<ClusterRoleBinding>(client.clone(), index.clone()).boxed(),
            watch::follow::<Role>(client.clone(), index.clone()).boxed(),
            watch::follow::<RoleBinding>(client, index).boxed(),
        ]);
        never.await.0
    }
}
