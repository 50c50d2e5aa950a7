//! What the engine cannot know by itself: rights and facts, from a live cluster or from files.

mod call;
mod connect;
mod event;
mod given;
mod index;
mod live;
mod metrics;
mod object;
mod offline;
mod review;
mod sort;
mod stored;
mod watch;

use std::{sync::Arc, time::Instant};

pub(crate) use call::describe;
pub use connect::{ConnectError, client, connect};
pub use given::Given;
pub use live::{Live, Watches};
pub use offline::Offline;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use usher_core::{
    engine::{Facts, Judgement, Mutating, Mutation, Need, Request, Verdict, World, judge},
    reference::Requester,
    rights::Rights,
};

/// How often one request is judged anew after facts were gathered. An owner may lead to a class, and a class to
/// access reviews: more rounds than these are a mistake, and end in a refusal.
const ROUNDS: usize = 6;

/// Where rights and facts come from.
pub trait Backend: Send + Sync + 'static {
    /// Who may use what, as of now. `Err` says why that is not known yet.
    fn rights(&self) -> Result<Arc<Rights>, NotReady>;

    /// Gathers what is needed into `facts`, at the latest until the deadline. What cannot be had is kept as an
    /// error: after the call every need has an answer.
    fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send;

    /// Tells whoever looks after the cluster what a pod should get and does not. Waits for nothing.
    fn tell(&self, _: &Mutation<'_>) {}
}

/// The rights are not complete: nothing can be judged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not ready: {0}")]
pub struct NotReady(pub String);

/// The day (UTC) by which exemptions expire: the one place where a verdict looks at a clock.
pub fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Works out what is to be changed in an object, gathering facts until that is known. `work` is
/// [`mutate`](usher_core::engine::mutate()) or [`preview`](usher_core::engine::preview) for this request.
pub async fn change<'a>(
    request: &'a Request<'a>,
    work: impl Fn(&Facts) -> Mutating<'a>,
    backend: &impl Backend,
    deadline: Instant,
) -> Mutation<'a> {
    let mut facts = Facts::default();
    for _ in 0..ROUNDS {
        match work(&facts) {
            Mutating::Done(mutation) => return mutation,
            Mutating::Needs(needs) => {
                backend
                    .gather(&request.requester, needs, &mut facts, deadline)
                    .await;
            }
        }
    }
    Mutation::broken(request, "it leads to ever more facts".to_owned())
}

/// Judges a request, gathering facts until there is a verdict.
pub async fn decide<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    backend: &impl Backend,
    deadline: Instant,
) -> Verdict<'a> {
    let mut facts = Facts::default();
    for _ in 0..ROUNDS {
        match judge(request, world, &facts) {
            Judgement::Verdict(verdict) => return verdict,
            Judgement::Needs(needs) => {
                backend
                    .gather(&request.requester, needs, &mut facts, deadline)
                    .await;
            }
        }
    }
    Verdict::broken(request, "it leads to ever more facts".to_owned())
}
