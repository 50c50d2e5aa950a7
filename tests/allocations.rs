//! How often the hot path allocates: a figure that repeats to the last digit, unlike time.

#[cfg(test)]
#[path = "../benches/workload/mod.rs"]
#[expect(dead_code, reason = "shared with the benches, which use other parts")]
mod workload;

use allocation_counter::measure;
use workload::{cluster::Layout, judging::Judging, review::Review};

/// What a review of an ordinary pod may cost, parsing and answering included.
const BUDGET: u64 = 60;

fn allocations(judging: &Judging, review: &str, allowed: bool) -> u64 {
    let mut right = false;
    let counted = measure(|| {
        let (verdict, answer) = judging.answer(review.as_bytes());
        right = verdict == allowed && !answer.is_empty();
    });
    assert!(right, "the verdict is not {allowed}");
    assert_eq!(counted.count_current, 0, "something is not freed");
    counted.count_total
}

#[test]
fn an_ordinary_review_stays_within_its_budget() {
    let judging = Judging::by(Layout::Spread.rights(1000));
    for (what, review, budget) in [
        ("new pod", Review::SMALL, BUDGET),
        ("large new pod", Review::LARGE, BUDGET),
        (
            "label of a pod",
            Review {
                update: true,
                ..Review::SMALL
            },
            60,
        ),
    ] {
        for number in [0, 999] {
            let json = Review { number, ..review }.json();
            let count = allocations(&judging, &json, true);
            println!("{what}: {count} allocations");
            assert!(count <= budget, "{what}: {count} allocations, not {budget}");
        }
    }
}

#[test]
fn allocations_do_not_grow_with_the_bindings() {
    let review = Review::SMALL.json();
    for (layout, what) in [
        (Layout::Spread, "spread"),
        (Layout::OneUser, "one user"),
        (Layout::OneRole, "one role"),
    ] {
        let few = allocations(&Judging::by(layout.rights(1)), &review, true);
        let many = allocations(&Judging::by(layout.rights(20_000)), &review, true);
        assert_eq!(few, many, "{what}");
        let stranger = Review {
            number: 30_000,
            ..Review::SMALL
        }
        .json();
        let few = allocations(&Judging::by(layout.rights(1)), &stranger, false);
        let many = allocations(&Judging::by(layout.rights(20_000)), &stranger, false);
        assert_eq!(few, many, "{what}, refused");
    }
}
