//! Judges one request: a pure function of the request, the world and the facts.
//!
//! [`judge`] knows no clock, no network and no other thread. What it cannot know it asks for ([`Need`]); the caller
//! gathers the facts and calls again. Server and command line call the same function. [`mutate`] works the same way.
//!
//! What a pod spec names comes from the tables of [`object`](crate::object), what a custom resource names from [`sight`](crate::sight), by what
//! the [`catalogue`](crate::catalogue) says of its kind. Each reference becomes a [`Question`](crate::reference::Question), and
//! [`rights`](crate::rights) answer it, or a [`Need`] does. A [`Verdict`] holds all findings, after the modes and exemptions of the [`Policy`]; a
//! [`Mutation`] what [`inject`](crate::inject) works out. Both go on to [`review`](crate::review).

mod answer;
mod bounds;
mod broken;
mod case;
mod facts;
mod judge;
mod mutate;
mod owner;
mod policy;
mod profiles;
mod reason;
mod request;
mod token;
mod unchanged;
mod unknown;
mod verdict;
mod world;

pub use broken::Broken;
pub use facts::{FactError, Facts, Need, ObjectRef};
pub use judge::{Governed, Judgement, ask, judge};
pub use mutate::{Concerned, Mutating, Mutation, Unfit, mutate, preview};
pub(crate) use policy::legal_limits;
pub use policy::{
    Access, Authorizer, Baseline, BoundedToleration, DefaultAccount, Ending, Exemption,
    ExemptionMatch, ExtendedApiToken, GrantEntry, GrantSubject, GrantedNames, Kubelets, Modes,
    NamespaceModes, Policy, TokenLimit, TooLong,
};
pub use reason::Reason;
pub use request::{KindRef, Operation, Request};
pub use unknown::{Unknown, Unread};
pub use verdict::{Finding, Outcome, Passed, Verdict};
pub use world::World;
