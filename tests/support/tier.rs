//! What the tiers that tell stories share: the telling, the waiting, and the account of what was refused.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::{Mutex, PoisonError},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use crate::controlplane::{binaries::say, usher::UsherProcess};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What the log of Usher says before what it refuses.
pub(crate) const REFUSED: &str = " refused: ";

/// The words of the command line, which choose stories by name.
pub(crate) fn words() -> Vec<String> {
    let args = std::env::args().skip(1);
    args.filter(|arg| !arg.starts_with('-')).collect()
}

/// The stories whose name holds one of the words, all without any.
pub(crate) fn chosen<'s, F>(
    stories: &'s [(&'static str, F)],
    words: &[String],
) -> Result<Vec<&'s (&'static str, F)>, Box<dyn Error>> {
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let chosen: Vec<_> = stories.iter().filter(|(name, _)| is_wanted(name)).collect();
    if chosen.is_empty() {
        return Err(format!("no story is called {}", words.join(" or ")).into());
    }
    Ok(chosen)
}

/// Tells stories side by side on one stage. A story panics when it does not end as it should. Gives how many failed.
pub(crate) fn tell<S: Sync>(
    stories: &[&(&'static str, impl Fn(&S) + Copy + Send)],
    stage: &S,
) -> Result<usize, Box<dyn Error>> {
    thread::scope(|scope| {
        let threads = stories.iter().map(|(name, story)| {
            let (name, story) = (*name, *story);
            let told = move || {
                let start = Instant::now();
                story(stage);
                say(&format!("{name} ok after {}", took(start)));
            };
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, told)
        });
        let threads = threads.collect::<Result<Vec<_>, _>>()?;
        let ends = threads.into_iter().map(thread::ScopedJoinHandle::join);
        Ok(ends.filter(Result::is_err).count())
    })
}

/// How long something took, in whole seconds.
pub(crate) fn took(start: Instant) -> String {
    let seconds = Duration::from_secs(start.elapsed().as_secs());
    format!("{seconds:?}")
}

/// Asks until there is an answer, for at most [`LIMIT`].
#[track_caller]
pub(crate) fn until<T>(what: &str, mut is_there: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match is_there() {
            Ok(value) => return value,
            Err(last) if start.elapsed() > LIMIT => {
                panic!("not within {LIMIT:?}: {what}; last: {last}")
            }
            Err(_) => sleep(Duration::from_millis(200)),
        }
    }
}

/// The messages of refusals that the stories provoked.
#[derive(Default)]
pub(crate) struct Provoked(Mutex<BTreeSet<String>>);

impl Provoked {
    /// Notes that Usher refuses something with this message because a story wants it to.
    pub(crate) fn add(&self, message: &str) {
        let mut provoked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        provoked.insert(message.to_owned());
    }

    /// An error if one of these Ushers refused anything else, or could not judge something. Says how many reviews there were,
    /// and how many refusals.
    pub(crate) fn nothing_else(
        &self,
        ushers: &[UsherProcess<'_>],
    ) -> Result<String, Box<dyn Error>> {
        let provoked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut reviews, mut refusals) = (0, 0);
        for usher in ushers {
            let log = usher.log()?;
            let refused: Vec<_> = log.lines().filter(|line| line.contains(REFUSED)).collect();
            let is_known = |line: &str| {
                provoked
                    .iter()
                    .any(|known| line.ends_with(&one_line(known)))
            };
            if let Some(line) = refused.iter().find(|line| !is_known(line)) {
                return Err(format!("no story wanted this: {line}").into());
            }
            let metrics = usher.metrics()?;
            let mut of = |verdict: &str| -> Result<u64, String> {
                let on = |path: &str| {
                    let labels = format!("{{path=\"{path}\",verdict=\"{verdict}\"}}");
                    count(&metrics, &format!("usher_requests_total{labels}"))
                };
                let requests = on("mutate")? + on("validate")?;
                reviews += requests;
                Ok(requests)
            };
            let [_, counted, unjudged] = [of("allowed")?, of("refused")?, of("error")?];
            let unseen = count(&metrics, "usher_unlogged_refusals_total")?;
            let panics = count(&metrics, "usher_panics_total")?;
            let logged = refused.len() as u64;
            if counted != logged || unjudged + unseen + panics > 0 {
                return Err(
                    format!("{logged} refusals in the log, in the metrics:\n{metrics}").into(),
                );
            }
            refusals += counted;
        }
        Ok(format!(
            "{reviews} reviews, {refusals} refused as the stories want it, nothing else"
        ))
    }
}

/// The value of a metric.
pub(crate) fn count(metrics: &str, name: &str) -> Result<u64, String> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|value| value.trim().parse().ok());
    value.ok_or_else(|| format!("no {name} in the metrics:\n{metrics}"))
}

/// A message as the log of Usher has it.
fn one_line(message: &str) -> String {
    let lines: Vec<_> = message.lines().map(str::trim).collect();
    lines.join("; ")
}
