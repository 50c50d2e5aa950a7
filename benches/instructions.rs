//! Instructions of the pure core, counted by callgrind: unlike time they hardly change from run to run, and not at
//! all with what else the machine does. Without an argument it starts itself under valgrind, case by case.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench that cannot go on ends"
)]

#[expect(dead_code, reason = "shared with benches that use other parts")]
mod workload;

use std::{hint::black_box, process::Command};

use serde_json::value::RawValue;
use usher_core::{
    catalogue::Catalogue,
    object::{PodSpec, at},
    reference::{Question, Requester, Resource},
    review::{read, refuse},
};
use workload::{
    cluster::{Layout, account, groups, user},
    judging::Judging,
    review::Review,
};

/// Reviews or questions that one count is taken over; all different.
const ROUND: usize = 100;

/// The function that callgrind counts in.
const COUNTED: &str = "*counted_by_callgrind*";

/// Which case is meant, and what a table calls it.
const CASES: [(&str, &str); 14] = [
    ("floor", "envelope and pod spec read, 9 KB, no decision"),
    ("allowed", "new pod, 9 KB, allowed"),
    ("refused", "new pod, 9 KB, refused"),
    ("middle", "new pod, 12.5 KB, allowed"),
    ("label", "label of a pod, 17 KB"),
    ("made", "new pod by its controller, 9 KB, owner at hand"),
    ("exec", "exec into a pod of 9 KB, which is at hand"),
    ("secret", "new Secret without a token, 2 KB"),
    ("yes-1", "question, 1 binding, yes"),
    ("yes-100000", "question, 100,000 bindings, yes"),
    ("no-1", "question, 1 binding, no"),
    ("no-100000", "question, 100,000 bindings, no"),
    (
        "one-user-100000",
        "question, 100,000 bindings of one user, yes",
    ),
    (
        "one-role-100000",
        "question, 100,000 bindings of one role, yes",
    ),
];

fn main() {
    let case = std::env::args().nth(1).filter(|arg| arg != "--bench");
    if let Some(case) = case {
        run(&case);
        return;
    }
    println!("{:<48} {:>14}", "what", "instructions");
    for (case, what) in CASES {
        println!("{what:<48} {:>14}", count(case) / ROUND as u64);
    }
}

/// Runs one case under callgrind and reads how many instructions it collected.
fn count(case: &str) -> u64 {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--collect-atstart=no",
        ])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(std::env::current_exe().unwrap())
        .arg(case)
        .output()
        .expect("valgrind must be installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    collected.unwrap().1.trim().parse().unwrap()
}

#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    work();
}

fn run(case: &str) {
    match case {
        "floor" => floor(&Review::SMALL.many(ROUND)),
        "allowed" => reviews(&Review::SMALL.many(ROUND), true),
        "refused" => reviews(
            &Review {
                number: ROUND,
                ..Review::SMALL
            }
            .many(ROUND),
            false,
        ),
        "middle" => reviews(&Review::MIDDLE.many(ROUND), true),
        "label" => reviews(
            &Review {
                update: true,
                ..Review::SMALL
            }
            .many(ROUND),
            true,
        ),
        "made" => doors(|n| numbered(n).made()),
        "exec" => doors(|n| numbered(n).exec()),
        "secret" => doors(|n| (numbered(n).secret(), RawValue::NULL.to_owned())),
        "yes-1" => questions(Layout::Spread, 1, true),
        "yes-100000" => questions(Layout::Spread, 100_000, true),
        "no-1" => questions(Layout::Spread, 1, false),
        "no-100000" => questions(Layout::Spread, 100_000, false),
        "one-user-100000" => questions(Layout::OneUser, 100_000, true),
        "one-role-100000" => questions(Layout::OneRole, 100_000, true),
        unknown => panic!("there is no case {unknown}"),
    }
}

/// What nothing that judges could do without: the price of the rest is the price of judging.
fn floor(reviews: &[String]) {
    let catalogue = Catalogue::embedded().unwrap();
    let keys = &catalogue.find("", "Pod").unwrap().pod_spec().unwrap().keys;
    counted_by_callgrind(&mut || {
        for review in reviews {
            let request = read(review.as_bytes()).unwrap();
            let spec: Option<PodSpec<'_>> = at(request.object.unwrap(), keys).unwrap();
            black_box(spec);
            black_box(refuse(&request.uid, "no", 403));
        }
    });
}

fn reviews(reviews: &[String], allowed: bool) {
    let judging = Judging::by(Layout::Spread.rights(ROUND));
    counted_by_callgrind(&mut || {
        for review in reviews {
            assert_eq!(black_box(judging.answer(review.as_bytes())).0, allowed);
        }
    });
}

fn numbered(number: usize) -> Review {
    Review {
        number,
        ..Review::SMALL
    }
}

/// Reviews, each with the one object that it may need.
fn doors(each: impl Fn(usize) -> (String, Box<RawValue>)) {
    let judging = Judging::by(Layout::Spread.rights(ROUND));
    let mut inputs: Vec<_> = (0..ROUND).map(each).collect();
    counted_by_callgrind(&mut || {
        for (review, object) in inputs.drain(..) {
            let answer = judging.answer_knowing(review.as_bytes(), Some(object));
            assert!(black_box(answer).0);
        }
    });
}

fn questions(layout: Layout, bindings: usize, granted: bool) {
    let rights = layout.rights(bindings);
    let asked: Vec<_> = (0..ROUND)
        .map(|n| {
            let held = layout.held(n * bindings / ROUND);
            let asking = if granted {
                held.user
            } else {
                held.user + 1_000_000
            };
            (
                user(asking),
                groups(asking),
                held.namespace,
                account(held.account),
            )
        })
        .collect();
    let asked: Vec<_> = asked
        .iter()
        .map(|(user, groups, namespace, account)| {
            let requester = Requester {
                username: user.as_str().into(),
                groups: groups.iter().map(|group| group.as_str().into()).collect(),
                ..Requester::default()
            };
            (
                requester,
                Question::new(Resource::SERVICE_ACCOUNTS, namespace, account),
            )
        })
        .collect();
    counted_by_callgrind(&mut || {
        for (requester, question) in &asked {
            assert_eq!(
                black_box(rights.find(requester, question)).is_some(),
                granted
            );
        }
    });
}
