//! The program's own rounds over facts from memory: nothing is waited for, and no need is named twice.

use std::time::Instant;

use futures_util::FutureExt;
use serde_json::json;
use usher::facts::{FactSource, change, decide};
use usher_core::{
    engine::{Broken, Facts, Mutating, Mutation, Need, Request, Verdict, World},
    reference::Requester,
    review::read,
};

/// The verdict on a request. Panics where the rounds do not end.
pub(crate) fn judged<'a>(
    request: &'a Request<'a>,
    world: &World<'a>,
    source: &impl FactSource,
) -> Verdict<'a> {
    let verdict = decide(request, world, source, Instant::now());
    let verdict = verdict.now_or_never().expect("nothing is waited for");
    assert!(!matches!(verdict.broken, Some(Broken::Endless)));
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
    assert!(!matches!(mutation.broken, Some(Broken::Endless)));
    mutation
}

/// Answers each need. Panics where one is named twice, or was answered before.
pub(crate) fn gathered(needs: Vec<Need>, facts: &mut Facts, answer: impl Fn(Need, &mut Facts)) {
    for need in needs {
        let known = facts.count();
        let named = format!("{need:?}");
        answer(need, facts);
        assert_eq!(facts.count(), known + 1, "{named} was asked again");
    }
}

/// Else the two above would not see it.
#[test]
fn rounds_without_end_are_given_up() {
    struct Nothing;
    impl FactSource for Nothing {
        async fn gather(&self, _: &Requester<'_>, _: Vec<Need>, _: &mut Facts, _: Instant) {}
    }
    let review = super::injected::review(&json!({}), "team-a", "u").to_string();
    let request = read(review.as_bytes()).unwrap();
    let mutation = change(
        &request,
        |_| Mutating::Needs(Vec::new()),
        &Nothing,
        Instant::now(),
    );
    let broken = mutation.now_or_never().unwrap().broken;
    assert!(matches!(broken, Some(Broken::Endless)));
}
