//! The program's own rounds over facts from memory: nothing is waited for, and no need is named twice.

use std::time::Instant;

use futures_util::FutureExt;
use usher::facts::{FactSource, change, decide};
use usher_core::engine::{Facts, Mutating, Mutation, Need, Request, Verdict, World};

/// What the program says after six rounds.
const GIVEN_UP: &str = "it leads to ever more facts";

/// The verdict on a request. Panics where the rounds do not end.
pub(crate) fn judged<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    source: &impl FactSource,
) -> Verdict<'a> {
    let verdict = decide(request, world, source, Instant::now());
    let verdict = verdict.now_or_never().expect("nothing is waited for");
    assert_ne!(verdict.broken.as_deref(), Some(GIVEN_UP));
    verdict
}

/// What is to be changed in an object. Panics where the rounds do not end.
pub(crate) fn changed<'a>(
    request: &'a Request<'a>,
    work: impl Fn(&Facts) -> Mutating<'a>,
    source: &impl FactSource,
) -> Mutation<'a> {
    let mutation = change(request, work, source, Instant::now());
    let mutation = mutation.now_or_never().expect("nothing is waited for");
    assert_ne!(mutation.broken.as_deref(), Some(GIVEN_UP));
    mutation
}

/// Answers each need. Panics where one is named twice, or was answered before.
pub(crate) fn gathered(needs: Vec<Need>, facts: &mut Facts, answer: impl Fn(Need, &mut Facts)) {
    for need in needs {
        let known = facts.len();
        let named = format!("{need:?}");
        answer(need, facts);
        assert_eq!(facts.len(), known + 1, "{named} was asked again");
    }
}
