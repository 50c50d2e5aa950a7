//! Time of the pure core: from the bytes of a review to the bytes of the answer, and of single questions. Prints a
//! table of every figure beside its target.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench that cannot go on ends, and its figures are small"
)]

mod workload;

use std::{cell::RefCell, hint::black_box, time::Instant};

use criterion::Criterion;
use serde_json::value::RawValue;
use usher_core::{
    catalogue::Catalogue,
    reference::{Question, Requester, Resource},
    rights::Rights,
};
use workload::{
    cluster::{Layout, account, binding, groups, namespace, user},
    judging::Judging,
    kustomization::kustomization,
    review::Review,
};

/// Different reviews or questions that one measurement goes round: enough that no look-up repeats at once.
const ROUND: usize = 1000;

fn main() {
    let mut table = Table {
        criterion: Criterion::default().configure_from_args().without_plots(),
        rows: Vec::new(),
        growth: Vec::new(),
    };
    reviews(&mut table);
    changes(&mut table);
    doors(&mut table);
    entries(&mut table);
    kustomizations(&mut table);
    questions(&mut table);
    events(&mut table);
    table.criterion.final_summary();
    table.print();
}

fn reviews(table: &mut Table) {
    let judging = Judging::by(Layout::Spread.rights(100_000));
    let changed = |review| Review {
        update: true,
        ..review
    };
    let stranger = |review| Review {
        number: 200_000,
        ..review
    };
    for (what, review, count, target) in [
        ("new pod, allowed", Review::SMALL, ROUND, Some(40.0)),
        (
            "new pod, refused",
            stranger(Review::SMALL),
            ROUND,
            Some(40.0),
        ),
        ("new pod, allowed", Review::MIDDLE, ROUND, None),
        ("label of a pod", changed(Review::SMALL), ROUND, None),
        ("new pod, allowed", Review::LARGE, 50, None),
        ("label of a pod", changed(Review::LARGE), 50, None),
    ] {
        let reviews = review.many(count);
        let size = reviews.iter().map(String::len).sum::<usize>() / count;
        let name = format!("{what}, {:.1} KB", thousands(size));
        let target = target.map(|us| us * 1000.0);
        let allowed = !what.ends_with("refused");
        table.measure("review", &name, target, &reviews, |review| {
            let (verdict, answer) = judging.answer(review.as_bytes());
            assert_eq!(verdict, allowed, "{what}");
            answer
        });
    }
}

/// What the mutating half costs, beside the validating one above.
fn changes(table: &mut Table) {
    for (what, profiles, changes) in [
        ("new pod, no profile", "[]", false),
        (
            "new pod, a profile for others",
            "[{preset: aws-irsa, select: {namespaces: [other]}}]",
            false,
        ),
        ("new pod, aws-irsa", "[{preset: aws-irsa}]", true),
        (
            "new pod, rotating-api-token",
            "[{preset: rotating-api-token}]",
            true,
        ),
        (
            "new pod, both",
            "[{preset: aws-irsa}, {preset: rotating-api-token}]",
            true,
        ),
    ] {
        let judging = Judging::configured(&format!("profiles: {profiles}"));
        let reviews = Review::SMALL.many(ROUND);
        let size = reviews.iter().map(String::len).sum::<usize>() / ROUND;
        let name = format!("{what}, {:.1} KB", thousands(size));
        table.measure("mutate", &name, Some(60_000.0), &reviews, |review| {
            let (changed, answer) = judging.change(review.as_bytes());
            assert_eq!(changed, changes, "{what}");
            answer
        });
    }
}

/// What is asked of others than the author of a pod, beside the ordinary pod: each reads one object, which is at hand here.
fn doors(table: &mut Table) {
    let judging = Judging::by(Layout::Spread.rights(100_000));
    let each = |made: fn(Review) -> (String, Box<RawValue>)| -> Vec<_> {
        let reviews = (0..ROUND).map(|number| Review {
            number,
            ..Review::SMALL
        });
        reviews.map(made).collect()
    };
    let ordinary = each(|review| (review.json(), RawValue::NULL.to_owned()));
    let made = each(Review::made);
    let exec = each(Review::exec);
    let secrets = each(|review| (review.secret(), RawValue::NULL.to_owned()));
    for (name, inputs, reads, times, most) in [
        ("new pod, allowed", &ordinary, 0, None, None),
        ("new pod by its controller", &made, 1, Some(1.5), None),
        ("exec into a pod", &exec, 1, Some(1.0), None),
        ("Secret without a token", &secrets, 0, None, Some(5000.0)),
    ] {
        let target = match times {
            // Beside the ordinary pod, which comes first.
            Some(times) => {
                let ordinary = table
                    .rows
                    .iter()
                    .rev()
                    .find(|row| row.0 == "door: new pod, allowed");
                ordinary.map(|row| row.1 * times)
            }
            None => most,
        };
        table.measure("door", name, target, inputs, |(review, object)| {
            let (allowed, answer, read) =
                judging.answer_knowing(review.as_bytes(), Some(object.clone()));
            assert!(allowed && read == reads, "{name}: {read} objects are read");
            answer
        });
    }
}

/// What entries of the catalogue cost a request for another kind: nothing.
fn entries(table: &mut Table) {
    let reviews = Review::SMALL.many(ROUND);
    for count in [0, 500, 10_000] {
        let mut catalogue = Catalogue::embedded().unwrap();
        let kind = |n| {
            format!(
                "{{group: g{n}.example.org, kind: K{n}, resource: k{n}s, versions: [v1], \
                 fields: [{{path: spec.account, serviceAccount: {{}}}}]}}"
            )
        };
        let kinds: Vec<String> = (0..count).map(kind).collect();
        let file = format!("{{about: many, kinds: [{}]}}", kinds.join(", "));
        catalogue.add("many", &file).unwrap();
        let judging = Judging::by(Layout::Spread.rights(100_000)).over(catalogue);
        let name = format!("new pod beside {count} entries");
        table.measure("catalogue", &name, None, &reviews, |review| {
            let (allowed, answer) = judging.answer(review.as_bytes());
            assert!(allowed);
            answer
        });
    }
}

/// Patches are the only texts that are read as YAML, and only those that could set something.
fn kustomizations(table: &mut Table) {
    let mut catalogue = Catalogue::embedded().unwrap();
    catalogue.enable("flux").unwrap();
    let judging = Judging::by(Layout::Spread.rights(100_000)).over(catalogue);
    for (patches, one_of, target) in [
        (0, 1, None),
        (50, 10, Some(200_000.0)),
        (50, 1, None),
        (500, 10, None),
    ] {
        let review = |n| kustomization(n, patches, one_of);
        let reviews: Vec<String> = (0..100).map(review).collect();
        let size = reviews.iter().map(String::len).sum::<usize>() / reviews.len();
        let name = format!(
            "{patches} patches, 1 of {one_of} sets an account, {:.1} KB",
            thousands(size)
        );
        table.measure("catalogue", &name, target, &reviews, |review| {
            let (allowed, answer) = judging.answer(review.as_bytes());
            assert!(allowed);
            answer
        });
    }
}

/// How many bindings there are when a question is asked.
const BINDINGS: [usize; 4] = [1, 10, 1000, 100_000];

/// Single questions. The same one again and again finds all that it needs in the cache of the processor, so that its
/// time must be the same with any number of bindings. Different ones, from all over the bindings, do not.
fn questions(table: &mut Table) {
    for (layout, lie) in [
        (Layout::Spread, "a hundred in a namespace"),
        (Layout::OneUser, "one user in one namespace"),
        (Layout::OneRole, "one role in one namespace"),
    ] {
        let rights = BINDINGS.map(|bindings| layout.rights(bindings));
        for (hit, found) in [(true, "yes"), (false, "no")] {
            for (round, which) in [(1, "same"), (ROUND, "different")] {
                let name = format!("{lie}, {which}, {found}");
                let mut figures = Vec::new();
                for (bindings, rights) in BINDINGS.into_iter().zip(&rights) {
                    let round: Vec<_> = (0..round)
                        .map(|n| Asked::of(layout, n * bindings.max(ROUND) / ROUND % bindings, hit))
                        .collect();
                    let asked: Vec<_> = round.iter().map(Asked::question).collect();
                    let ask = |(requester, question): &(Requester<'_>, Question<'_>)| {
                        let grant = rights.find(requester, question);
                        assert_eq!(grant.is_some(), hit, "{name}");
                        grant
                    };
                    figures.push(table.time(
                        "question",
                        &format!("{name}, {bindings}"),
                        &asked,
                        ask,
                    ));
                }
                table.growth.push((name, figures));
            }
        }
    }
    toleration(table, &Layout::Spread.rights(100_000));
}

/// The widest question that there is: six names, of which the first is granted, or none.
fn toleration(table: &mut Table, rights: &Rights) {
    for (hit, found) in [(true, "yes"), (false, "no")] {
        let round: Vec<_> = (0..ROUND)
            .map(|n| Asked::of(Layout::Spread, n * 100, hit))
            .collect();
        let asked: Vec<_> = round.iter().map(Asked::toleration).collect();
        let name = format!("toleration of six names, 100000, {found}");
        table.measure("question", &name, Some(1000.0), &asked, |asked| {
            let (requester, question, names) = asked;
            let grant = rights.find_any(requester, question, names);
            assert_eq!(grant.is_some(), hit, "{name}");
            grant
        });
    }
}

/// What one changed binding costs until its rights are in force.
fn events(table: &mut Table) {
    let changed = [0, 1].map(|user| binding("use-0", &namespace(0), ("Role", "use-0"), user));
    for (layout, bindings, lie) in [
        (Layout::Spread, 100_000, "a hundred in each namespace"),
        (Layout::OneUser, 10_000, "all in its namespace"),
    ] {
        let rbac = RefCell::new(layout.rbac(bindings));
        let name = format!("of {bindings}, {lie}");
        table.measure("event", &name, None, &changed, |binding| {
            let mut rbac = rbac.borrow_mut();
            rbac.apply_role_binding(binding).unwrap();
            rbac.compile()
        });
    }
}

/// Who asks for what.
struct Asked {
    user: String,
    groups: [String; 5],
    namespace: String,
    account: String,
}

impl Asked {
    /// What binding `n` gives, or a user like its holder who holds nothing.
    fn of(layout: Layout, n: usize, hit: bool) -> Self {
        let held = layout.held(n);
        let stranger = if hit { 0 } else { 1_000_000 };
        // One user holds everything there: a miss is then an account that was never granted.
        let (user_number, account_number) = match layout {
            Layout::OneUser => (held.user, held.account + stranger),
            Layout::Spread | Layout::OneRole => (held.user + stranger, held.account),
        };
        Self {
            user: user(user_number),
            groups: groups(user_number),
            namespace: held.namespace,
            account: account(account_number),
        }
    }

    fn requester(&self) -> Requester<'_> {
        Requester {
            username: self.user.as_str().into(),
            groups: self
                .groups
                .iter()
                .map(|group| group.as_str().into())
                .collect(),
            ..Requester::default()
        }
    }

    fn question(&self) -> (Requester<'_>, Question<'_>) {
        let question = Question::new(Resource::SERVICE_ACCOUNTS, &*self.namespace, &*self.account);
        (self.requester(), question)
    }

    fn toleration(&self) -> (Requester<'_>, Question<'_>, Vec<String>) {
        let set = format!("dedicated={}", self.account);
        let names = [
            format!("{set}:NoSchedule"),
            set,
            "dedicated:NoSchedule".to_owned(),
            "dedicated".to_owned(),
            "*:NoSchedule".to_owned(),
            "*".to_owned(),
        ];
        let question = Question::new(Resource::TOLERATIONS, &*self.namespace, names[0].clone());
        (self.requester(), question, names.into())
    }
}

/// What was measured.
struct Table {
    criterion: Criterion,
    rows: Vec<(String, f64, Option<f64>)>,
    /// Questions, with their time at each number of bindings.
    growth: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// Measures one call of `work`, over all inputs in turn, for a row of its own. Times are in nanoseconds.
    fn measure<I, O>(
        &mut self,
        group: &str,
        name: &str,
        target: Option<f64>,
        inputs: &[I],
        work: impl Fn(&I) -> O,
    ) {
        let median = self.time(group, name, inputs, work);
        self.rows.push((format!("{group}: {name}"), median, target));
    }

    /// The median of criterion's samples, in nanoseconds; not a number if the filter of the command line leaves it out.
    fn time<I, O>(&mut self, group: &str, name: &str, inputs: &[I], work: impl Fn(&I) -> O) -> f64 {
        let mut samples = Vec::new();
        let mut turn = inputs.iter().cycle();
        self.criterion
            .benchmark_group(group)
            .bench_function(name, |bencher| {
                bencher.iter_custom(|count| {
                    let start = Instant::now();
                    for _ in 0..count {
                        if let Some(input) = turn.next() {
                            black_box(work(black_box(input)));
                        }
                    }
                    let spent = start.elapsed();
                    samples.push(spent.as_secs_f64() * 1e9 / count as f64);
                    spent
                });
            });
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn print(&self) {
        println!(
            "\n{:<52} {:>10} {:>10} {:>6}",
            "what", "median", "at most", "ratio"
        );
        let shown = |time: f64| {
            if time < 10_000.0 {
                format!("{time:.0} ns")
            } else {
                format!("{:.1} us", time / 1000.0)
            }
        };
        for (name, time, target) in self.rows.iter().filter(|(_, time, _)| !time.is_nan()) {
            let (target, ratio) = target.map_or_else(Default::default, |target| {
                (shown(target), format!("{:.2}", time / target))
            });
            println!("{name:<52} {:>10} {target:>10} {ratio:>6}", shown(*time));
        }
        let [few, .., many] = BINDINGS;
        println!(
            "\nquestions, ns (at most 1000; the same one at most 1.5 times as long with {many} as with {few})"
        );
        let columns = BINDINGS.map(|bindings| format!("{bindings:>8}")).concat();
        println!("{:<52} {columns} {:>8}", "bindings", "growth");
        let measured = |times: &[f64]| times.iter().all(|time| !time.is_nan());
        for (name, times) in self.growth.iter().filter(|(_, times)| measured(times)) {
            let cells: Vec<_> = times.iter().map(|time| format!("{time:>8.0}")).collect();
            let growth = times[times.len() - 1] / times[0];
            println!("{name:<52} {} {growth:>7.2}x", cells.concat());
        }
    }
}

fn thousands(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}
