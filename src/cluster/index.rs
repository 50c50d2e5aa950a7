//! The index of rights as the watches keep it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwapOption;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
};

use super::{metrics::LiveMetrics, sort::Sort};
use crate::facts::NotReady;
use usher_core::rights::{Rbac, Rights};

/// The rights that the watches have seen so far. Nothing is published before all four lists are complete; after that
/// the last state stays in use, whatever happens to the watches.
#[derive(Debug)]
pub(super) struct Index {
    rights: ArcSwapOption<Rights>,
    state: Mutex<State>,
    metrics: LiveMetrics,
}

#[derive(Debug, Default)]
struct State {
    rbac: Rbac,
    watches: HashMap<Sort, Watched>,
}

/// How one of the watches is doing.
#[derive(Debug, Default)]
struct Watched {
    /// When the API server last confirmed that nothing was missed; `None` until the first list is complete.
    confirmed: Option<Instant>,
    /// What went wrong, while it does.
    problem: Option<String>,
}

/// The names of one sort that a list holds, by namespace; empty for what has none.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, HashSet<String>>);

impl Names {
    pub(super) fn add(&mut self, namespace: Option<&str>, name: &str) {
        let namespace = namespace.unwrap_or_default();
        if !self.0.contains_key(namespace) {
            self.0.insert(namespace.to_owned(), HashSet::new());
        }
        if let Some(names) = self.0.get_mut(namespace) {
            names.insert(name.to_owned());
        }
    }

    fn hold(&self, namespace: Option<&str>, name: &str) -> bool {
        let names = self.0.get(namespace.unwrap_or_default());
        names.is_some_and(|names| names.contains(name))
    }
}

impl Index {
    pub(super) fn new(metrics: LiveMetrics) -> Self {
        Self {
            rights: ArcSwapOption::empty(),
            state: Mutex::default(),
            metrics,
        }
    }

    /// The rights as they were last published.
    pub(super) fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        self.rights.load_full().ok_or_else(|| {
            let state = self.lock();
            let waits = Sort::ALL
                .into_iter()
                .filter(|sort| state.confirmed(*sort).is_none())
                .map(|sort| {
                    let problem = state.watches.get(&sort).and_then(|w| w.problem.as_ref());
                    problem
                        .map_or_else(|| sort.to_string(), |problem| format!("{sort} ({problem})"))
                });
            let waits: Vec<String> = waits.collect();
            NotReady(format!("the list is not complete of {}", waits.join(", ")))
        })
    }

    /// Takes in what a watch has seen, and publishes it once the lists are complete.
    pub(super) fn update(&self, change: impl FnOnce(&mut Rbac)) {
        let mut state = self.lock();
        change(&mut state.rbac);
        self.publish(&mut state);
    }

    /// Whether the rights answer for the verb `get`, too.
    pub(super) fn set_reads(&self, reads: bool) {
        self.update(|rbac| rbac.set_reads(reads));
    }

    /// A list is complete. What it does not name is gone; `None` if there was nothing before it.
    pub(super) fn listed(&self, sort: Sort, names: Option<&Names>) {
        let mut state = self.lock();
        if let Some(names) = names {
            let keep = |namespace: Option<&str>, name: &str| names.hold(namespace, name);
            match sort {
                Sort::ClusterRoleBindings => state.rbac.retain_bindings(true, keep),
                Sort::ClusterRoles => state.rbac.retain_roles(true, keep),
                Sort::RoleBindings => state.rbac.retain_bindings(false, keep),
                Sort::Roles => state.rbac.retain_roles(false, keep),
            }
        }
        self.confirm(&mut state, sort);
        self.publish(&mut state);
    }

    /// The API server says that nothing was missed.
    pub(super) fn confirmed(&self, sort: Sort) {
        self.confirm(&mut self.lock(), sort);
    }

    /// A list or a watch failed. Said once, until it runs again or fails otherwise.
    pub(super) fn failed(&self, sort: Sort, problem: String) {
        self.metrics.failed(sort);
        self.metrics.watch(sort, false);
        let mut state = self.lock();
        let watched = state.watches.entry(sort).or_default();
        if watched.problem.as_ref() == Some(&problem) {
            return;
        }
        if watched.confirmed.is_some() {
            tracing::warn!("the watch of {sort} failed, what it last saw stays in use: {problem}");
        } else {
            tracing::warn!("cannot list {sort}: {problem}");
        }
        watched.problem = Some(problem);
    }

    fn confirm(&self, state: &mut State, sort: Sort) {
        let watched = state.watches.entry(sort).or_default();
        if watched.confirmed.is_none() || watched.problem.is_some() {
            self.metrics.watch(sort, true);
        }
        watched.confirmed = Some(Instant::now());
        if watched.problem.take().is_some() {
            tracing::info!("the watch of {sort} runs again");
        }
    }

    fn publish(&self, state: &mut State) {
        if Sort::ALL
            .iter()
            .any(|sort| state.confirmed(*sort).is_none())
        {
            return;
        }
        let rights = state.rbac.compile();
        self.metrics
            .bindings
            .set(i64::try_from(state.rbac.bindings()).unwrap_or(i64::MAX));
        if self.rights.swap(Some(Arc::new(rights))).is_none() {
            let bindings = state.rbac.bindings();
            tracing::info!("the index of rights is complete: {bindings} bindings");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in the midst of a change ends its watch, and with it the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn confirmed(&self, sort: Sort) -> Option<Instant> {
        self.watches.get(&sort)?.confirmed
    }
}

/// How old the index may be: the time since the API server confirmed the watch that it confirmed longest ago.
#[derive(Debug)]
pub(super) struct Age(pub(super) Arc<Index>);

impl Collector for Age {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = self.0.lock();
        let oldest = Sort::ALL
            .map(|sort| state.confirmed(sort))
            .into_iter()
            .min();
        drop(state);
        let Some(Some(oldest)) = oldest else {
            return Ok(());
        };
        let gauge = ConstGauge::new(oldest.elapsed().as_secs_f64());
        let encoder = encoder.encode_descriptor(
            "rights_age_seconds",
            "Time since the API server last confirmed the index of rights",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(encoder)
    }
}
