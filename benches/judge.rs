//! Time of the pure core: from the bytes of a review to the bytes of the answer, and of single questions. Prints a
//! table of every figure beside its target.

#![expect(
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a bench that cannot go on ends, and its figures are small"
)]

mod workload;

use std::{hint::black_box, time::Instant};

use criterion::Criterion;
use usher::{
    reference::{Question, Requester, Resource},
    rights::Rights,
};
use workload::{
    cluster::{Layout, account, groups, user},
    judging::Judging,
    review::Review,
};

/// Different reviews or questions that one measurement goes round: enough that no look-up repeats at once.
const ROUND: usize = 1000;

fn main() {
    let mut table = Table {
        criterion: Criterion::default().configure_from_args().without_plots(),
        rows: Vec::new(),
    };
    reviews(&mut table);
    questions(&mut table);
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
        table.measure("review", &name, target, &reviews, |review| {
            judging.answer(review.as_bytes())
        });
    }
}

fn questions(table: &mut Table) {
    for (layout, name) in [
        (Layout::Spread, "spread over users and namespaces"),
        (Layout::OneUser, "all of one user at home"),
        (Layout::OneRole, "all through one role"),
    ] {
        let mut one = [None; 2];
        for bindings in [1, 10, 1000, 100_000] {
            let rights = layout.rights(bindings);
            for (hit, one) in [true, false].into_iter().zip(&mut one) {
                let round: Vec<_> = (0..ROUND)
                    .map(|n| Asked::of(layout, n * bindings.max(ROUND) / ROUND % bindings, hit))
                    .collect();
                let asked: Vec<_> = round.iter().map(Asked::question).collect();
                let found = if hit { "yes" } else { "no" };
                let name = format!("{name}, {bindings}, {found}");
                let ask = |(requester, question): &(Requester<'_>, Question<'_>)| {
                    let grant = rights.find(requester, question);
                    assert_eq!(grant.is_some(), hit, "{name}");
                    grant
                };
                let median = table.measure("question", &name, Some(1000.0), &asked, ask);
                if let Some(few) = *one {
                    let growth = format!("{name}, against 1 binding");
                    table.row(growth, median / few, "x", Some(1.5));
                } else {
                    *one = Some(median);
                }
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
    rows: Vec<(String, f64, &'static str, Option<f64>)>,
}

impl Table {
    /// Measures one call of `work`, over all inputs in turn. Gives the median of criterion's samples, in nanoseconds.
    fn measure<I, O>(
        &mut self,
        group: &str,
        name: &str,
        target: Option<f64>,
        inputs: &[I],
        work: impl Fn(&I) -> O,
    ) -> f64 {
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
        let median = samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN);
        if median.is_finite() {
            self.row(format!("{group}: {name}"), median, "ns", target);
        }
        median
    }

    fn row(&mut self, name: String, figure: f64, unit: &'static str, target: Option<f64>) {
        self.rows.push((name, figure, unit, target));
    }

    fn print(&self) {
        println!(
            "\n{:<72} {:>12} {:>12} {:>7}",
            "what", "median", "at most", "ratio"
        );
        for (name, figure, unit, target) in &self.rows {
            let shown = |figure: f64| match *unit {
                "ns" if figure >= 10_000.0 => format!("{:.1} us", figure / 1000.0),
                "ns" => format!("{figure:.0} ns"),
                unit => format!("{figure:.2} {unit}"),
            };
            let (target, ratio) = target.map_or_else(Default::default, |target| {
                (shown(target), format!("{:.2}", figure / target))
            });
            println!("{name:<72} {:>12} {target:>12} {ratio:>7}", shown(*figure));
        }
    }
}

fn thousands(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}
