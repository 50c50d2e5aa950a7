//! Judges one request: a pure function of the request, the world and the facts.
//!
//! [`judge`] knows no clock, no network and no other thread. What it cannot know it asks for ([`Need`]); the caller
//! gathers the facts and calls again. Server and command line call the same function.

mod alike;
mod answer;
mod controllers;
mod custom;
mod defaults;
mod facts;
mod judge;
mod limits;
mod mutate;
mod policy;
mod request;
mod shorten;
mod tokens;
mod verdict;

pub use defaults::DefaultAccount;
pub use facts::{FactError, Facts, Need, ObjectRef};
pub use judge::{Judgement, World, judge};
pub(crate) use limits::legal as legal_limits;
pub use limits::{Access, ExtendedApiToken, Kubelets, TokenLimit, TooLong};
pub use mutate::{Concerned, Mutating, Mutation, mutate, preview};
pub use policy::{
    Authorizer, Baseline, BoundedToleration, Exemption, ExemptionMatch, GrantEntry, GrantSubject,
    GrantedNames, Mode, Modes, NamespaceModes, Policy,
};
pub use request::{KindRef, Operation, Request};
pub use verdict::{Finding, Outcome, Passed, Verdict};
