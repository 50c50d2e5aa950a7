//! What the engine cannot know by itself, and the rounds: judge, gather what is needed, judge again.
//!
//! Rights and facts may come from different places ([`Parts`]): both from a running cluster ([`cluster`](crate::cluster)), both
//! from files ([`Offline`]), or rights from a file with live objects.
//!
//! A review and a manifest both come here, as a [`Request`]. [`decide`] asks [`judge`](engine::judge()), gathers the needs that
//! it names from a [`FactSource`], and asks again; [`change`] does the same with [`mutate`](usher_core::engine::mutate()). What
//! comes out goes to [`review::respond`](usher_core::review::respond), or to [`report`](crate::report).

mod given;
mod offline;

use std::{sync::Arc, time::Instant};

pub use given::Given;
pub(crate) use given::{aggregated, typed};
pub use offline::Offline;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use usher_core::{
    engine::{
        self, Broken, Facts, Finding, Governed, Judgement, Mutating, Mutation, Need, Request,
        Verdict, World,
    },
    reference::{Reference, Requester},
    rights::Rights,
};

/// How often one request is judged anew after facts were gathered. An owner may lead to a class, and a class to
/// access reviews: more rounds than these are a mistake, and end in a refusal.
const ROUNDS: usize = 6;

/// Who may use what.
pub trait RightsSource: Send + Sync + 'static {
    /// The rights as of now. `Err` says why they are not known yet.
    fn rights(&self) -> Result<Arc<Rights>, NotReady>;
}

/// What requests do not say.
pub trait FactSource: Send + Sync + 'static {
    /// Gathers what is needed into `facts`, at the latest until the deadline. What cannot be had is kept as an
    /// error: after the call every need has an answer.
    fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send;
}

/// Who looks after the cluster.
pub trait Tell: Send + Sync + 'static {
    /// Tells what a pod should get and does not. Waits for nothing.
    fn tell(&self, mutation: &Mutation<'_>);
}

/// All that a server needs to know and to tell.
pub trait Backend: RightsSource + FactSource + Tell {}

impl<B: RightsSource + FactSource + Tell> Backend for B {}

/// A backend put together of several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<R, F, T> {
    /// Where rights come from.
    pub rights: R,
    /// Where facts come from.
    pub facts: F,
    /// Who is told.
    pub tell: T,
}

impl<R: RightsSource, F: Send + Sync + 'static, T: Send + Sync + 'static> RightsSource
    for Parts<R, F, T>
{
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        self.rights.rights()
    }
}

impl<R: Send + Sync + 'static, F: FactSource, T: Send + Sync + 'static> FactSource
    for Parts<R, F, T>
{
    async fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) {
        self.facts.gather(requester, needs, facts, deadline).await;
    }
}

impl<R: Send + Sync + 'static, F: Send + Sync + 'static, T: Tell> Tell for Parts<R, F, T> {
    fn tell(&self, mutation: &Mutation<'_>) {
        self.tell.tell(mutation);
    }
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
    source: &impl FactSource,
    deadline: Instant,
) -> Mutation<'a> {
    let round = |facts: &Facts| match work(facts) {
        Mutating::Done(mutation) => Ok(mutation),
        Mutating::Needs(needs) => Err(needs),
    };
    let done = rounds(request, round, source, deadline).await;
    done.unwrap_or_else(|why| Mutation::broken(request, why))
}

/// Judges a request, gathering facts until there is a verdict.
pub async fn decide<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    source: &impl FactSource,
    deadline: Instant,
) -> Verdict<'a> {
    let governed = match Governed::of(request, world) {
        Ok(governed) => governed,
        Err(verdict) => return verdict,
    };
    let round = |facts: &Facts| match governed.judge(facts) {
        Judgement::Verdict(verdict) => Ok(verdict),
        Judgement::Needs(needs) => Err(needs),
    };
    let done = rounds(request, round, source, deadline).await;
    done.unwrap_or_else(|why| Verdict::broken(request, why))
}

/// Asks one question that no object raises, gathering facts until there is an answer. An error if that does not end.
pub async fn ask<'a>(
    request: &'a Request<'a>,
    reference: &Reference<'a>,
    world: &World<'a>,
    source: &impl FactSource,
    deadline: Instant,
) -> Result<Finding<'a>, Broken> {
    let round = |facts: &Facts| engine::ask(request, reference.clone(), world, facts);
    rounds(request, round, source, deadline).await
}

/// Goes round until all is said; an error if that does not end.
async fn rounds<T>(
    request: &Request<'_>,
    round: impl Fn(&Facts) -> Result<T, Vec<Need>>,
    source: &impl FactSource,
    deadline: Instant,
) -> Result<T, Broken> {
    let mut facts = Facts::default();
    for _ in 0..ROUNDS {
        match round(&facts) {
            Ok(done) => return Ok(done),
            Err(needs) => {
                let requester = &request.requester;
                source.gather(requester, needs, &mut facts, deadline).await;
            }
        }
    }
    Err(Broken::Endless)
}
