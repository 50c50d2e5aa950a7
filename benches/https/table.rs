//! The tables.

use std::{sync::Arc, time::Duration};

use crate::{
    load::{Case, Client},
    process::{Memory, Server},
};

/// A server in the comparison.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) cases: Arc<[Case]>,
    /// The right answer to every case.
    pub(crate) allowed: bool,
    pub(crate) runs: Vec<Figures>,
}

/// What one turn under load came to.
pub(crate) struct Figures {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Median latency, in milliseconds.
    pub(crate) half: f64,
    /// The latency that one in a hundred exceeds, in milliseconds.
    pub(crate) most: f64,
    /// Processor seconds of the server for 10,000 answers.
    pub(crate) processor: f64,
}

impl Contender {
    pub(crate) fn new(
        name: &'static str,
        (server, client): (Server, Client),
        cases: &Arc<[Case]>,
        allowed: bool,
    ) -> Self {
        Self {
            name,
            server,
            client,
            cases: cases.clone(),
            allowed,
            runs: Vec::new(),
        }
    }

    fn each(&self, figure: impl Fn(&Figures) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure).collect())
    }

    /// Turn by turn, this server's figure as a multiple of another's: what disturbs the machine disturbs both.
    fn against(&self, other: &Self, figure: impl Fn(&Figures) -> f64) -> Spread {
        let pairs = self.runs.iter().zip(&other.runs);
        Spread::of(
            pairs
                .map(|(own, other)| figure(own) / figure(other))
                .collect(),
        )
    }
}

/// Median, least and most of some turns.
struct Spread(Vec<f64>);

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn show(&self, digits: usize) -> String {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        format!(
            "{:.digits$} ({least:.digits$}..{most:.digits$})",
            self.median()
        )
    }
}

/// Prints all: the null webhook, the floor, Usher and Usher that refuses come first, in this order, and then perhaps
/// two of another Usher, that admits and that refuses.
pub(crate) fn print(contenders: &[Contender], starts: &[Duration], idle: Memory) {
    let [null, floor, usher, refusing, beside @ ..] = contenders else {
        unreachable!("four are always there");
    };
    let columns = [
        "server",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "CPU s/10,000",
        "RSS MiB",
        "peak",
    ];
    row(&columns.map(str::to_owned));
    for contender in contenders {
        let memory = contender.server.memory();
        row(&[
            contender.name.to_owned(),
            contender.each(|run| run.rate).show(0),
            contender.each(|run| run.half).show(2),
            contender.each(|run| run.most).show(2),
            contender.each(|run| run.processor).show(3),
            format!("{:.1}", memory.resident),
            format!("{:.1}", memory.peak),
        ]);
    }
    println!("\n{:<52} {:>24} {:>10}", "usher", "measured", "target");
    let memory = usher.server.memory();
    let slowest = starts.last().map_or(f64::NAN, Duration::as_secs_f64) * 1000.0;
    let middle = starts[starts.len() / 2].as_secs_f64() * 1000.0;
    for (what, measured, target) in [
        (
            "CPU s for 10,000 reviews",
            usher.each(|run| run.processor).show(3),
            "<= 0.45",
        ),
        (
            "CPU, as a multiple of the floor's",
            usher.against(floor, |run| run.processor).show(2),
            "",
        ),
        (
            "answers/s, as a multiple of the null webhook's",
            usher.against(null, |run| run.rate).show(2),
            ">= 2",
        ),
        (
            "p99, as a multiple of the null webhook's",
            usher.against(null, |run| run.most).show(2),
            "<= 0.5",
        ),
        (
            "start to first right answer, ms: median, slowest",
            format!("{middle:.0}, {slowest:.0}"),
            "<= 300",
        ),
        ("idle memory, MiB", format!("{:.1}", idle.resident), "<= 16"),
        ("peak memory, MiB", format!("{:.1}", memory.peak), "<= 24"),
    ] {
        println!("{what:<52} {measured:>24} {target:>10}");
    }
    for (own, other) in [usher, refusing].into_iter().zip(beside) {
        let rate = own.against(other, |run| run.rate).show(3);
        let processor = own.against(other, |run| run.processor).show(3);
        let compared = format!("{}, as a multiple of {}", own.name, other.name);
        println!("{compared:<52} answers/s {rate}, CPU {processor}");
    }
}

fn row(cells: &[String; 7]) {
    let [name, rate, half, most, processor, resident, peak] = cells;
    println!("{name:<20} {rate:>23} {half:>22} {most:>24} {processor:>22} {resident:>8} {peak:>6}");
}
