//! What the process counts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use super::{
    ended::{Ended, Refused},
    hook::Hook,
};
use usher_core::{
    engine::{Mutation, Outcome, Verdict},
    inject::{Effect, Step},
    reference::{Check, Mode},
};

/// Upper bounds of the review durations, in seconds: from 10 µs (an answer from the index) to 10 s (one that waited
/// for the API server until the deadline).
const DURATIONS: [f64; 19] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What the process counts, and all that it shows at `/metrics`. What can be counted stands there from the start, with 0.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Request, Counter>,
    findings: Family<Found, Counter>,
    injections: Family<Injection, Counter>,
    pub(super) seconds: Histogram,
    pub(super) panics: Counter,
    pub(super) unlogged: Counter,
    pub(super) connections: Gauge,
    pub(super) accept_errors: Counter,
    refused: Family<Reason, Counter>,
    pub(super) configuration: Reloaded,
    pub(super) certificate: Reloaded,
    pub(super) expiry: Gauge,
    exemptions: Family<State, Gauge>,
}

/// How often a file was read anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Reloaded {
    family: Family<Loaded, Counter>,
    valid: Gauge,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Request {
    path: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Found {
    check: &'static str,
    outcome: &'static str,
    mode: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Loaded {
    result: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct State {
    state: &'static str,
}

/// The profiles are those of the configuration, and so few.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Injection {
    profile: String,
    result: &'static str,
}

usher_core::words! {
    /// What came of a profile for a pod that it is for.
    #[derive(Clone, Copy, Debug)]
    enum Came,
    fn word {
        Held = "held",
        Injected = "injected",
        Missed = "missed",
        Refused = "refused",
    }
}

impl Came {
    /// None if the profile is not for the pod.
    fn of(effect: &Effect<'_>) -> Option<Self> {
        match effect {
            Effect::Declined(_) | Effect::Passed(_) => None,
            Effect::Given(given) if given.changed => Some(Self::Injected),
            Effect::Given(_) => Some(Self::Held),
            Effect::Missed(_) => Some(Self::Missed),
            Effect::Refused(_) => Some(Self::Refused),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("usher");
        let shown = &mut registry;
        let metrics = Self {
            requests: kept(shown, "requests", "Requests, by verdict"),
            findings: kept(shown, "findings", "References that were asked about"),
            injections: kept(
                shown,
                "injections",
                "Pods that a profile selects; missed: not injected, because its service account is not as it must be",
            ),
            seconds: counted(
                shown,
                "review_duration_seconds",
                "Time from the whole request to the whole answer",
                Histogram::new(DURATIONS),
            ),
            panics: kept(
                shown,
                "panics",
                "Requests that ended in a panic, and were refused",
            ),
            unlogged: kept(
                shown,
                "unlogged_refusals",
                "Refusals that were left out of the log",
            ),
            connections: kept(shown, "connections", "Open connections of the webhook port"),
            refused: kept(
                shown,
                "connections_refused",
                "Connections that the server ended for a reason",
            ),
            accept_errors: kept(
                shown,
                "accept_errors",
                "Connections that the system could not hand over",
            ),
            configuration: Reloaded {
                family: kept(shown, "configuration_loads", "Configuration files read"),
                valid: kept(
                    shown,
                    "configuration_valid",
                    "Whether the configuration file, as it is now, is in force",
                ),
            },
            exemptions: kept(
                shown,
                "exemptions",
                "Exemptions of the configuration in force: active, ending within 30 days, ended",
            ),
            certificate: Reloaded {
                family: kept(shown, "certificate_loads", "Certificates read"),
                valid: kept(
                    shown,
                    "certificate_valid",
                    "Whether the certificate files, as they are now, are in use",
                ),
            },
            expiry: kept(
                shown,
                "certificate_expiry_timestamp_seconds",
                "When the certificate in use expires; 0 if that is not known",
            ),
            registry: Mutex::new(registry),
        };
        for reloaded in [&metrics.configuration, &metrics.certificate] {
            for result in ["failed", "loaded"] {
                reloaded.family.get_or_create_owned(&Loaded { result });
            }
        }
        metrics.exemptions(0, 0, 0);
        for (hook, ended) in pairs(Hook::ALL, Ended::ALL) {
            metrics
                .requests
                .get_or_create_owned(&Request::of(hook, ended));
        }
        for (check, outcome) in pairs(Check::ALL, Outcome::words()) {
            for mode in Mode::ALL.into_iter().filter(|mode| *mode != Mode::Off) {
                let labels = Found::of(check, outcome, mode);
                metrics.findings.get_or_create_owned(&labels);
            }
        }
        for reason in Refused::ALL {
            metrics.refused.get_or_create_owned(&reason.labels());
        }
        metrics
    }
}

/// A metric that is shown under a name, with what its reader should know.
fn kept<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    counted(registry, name, help, M::default())
}

/// Likewise one that does not begin with nothing.
fn counted<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Each of the first with each of the second.
fn pairs<A: Copy, B: Copy>(
    first: impl IntoIterator<Item = A>,
    second: impl IntoIterator<Item = B> + Clone,
) -> impl Iterator<Item = (A, B)> {
    first
        .into_iter()
        .flat_map(move |a| second.clone().into_iter().map(move |b| (a, b)))
}

impl Request {
    fn of(hook: Hook, ended: Ended) -> Self {
        Self {
            path: hook.path().trim_start_matches('/'),
            verdict: ended.word(),
        }
    }
}

impl Found {
    fn of(check: Check, outcome: &'static str, mode: Mode) -> Self {
        Self {
            check: check.name(),
            outcome,
            mode: mode.name(),
        }
    }
}

impl Injection {
    fn of(profile: &str, came: Came) -> Self {
        Self {
            profile: profile.to_owned(),
            result: came.word(),
        }
    }
}

impl Metrics {
    /// Lets another room add what it counts.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.lock())
    }

    /// Shows what may come of a profile, with 0 as long as it has not.
    pub fn profile(&self, name: &str) {
        for came in Came::ALL {
            let labels = Injection::of(name, came);
            self.injections.get_or_create_owned(&labels);
        }
    }

    /// Everything, in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.lock());
        out
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // A registry is whole between two calls, whatever panicked.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ended(&self, hook: Hook, ended: Ended) {
        let labels = Request::of(hook, ended);
        self.requests.get_or_create_owned(&labels).inc();
    }

    pub(super) fn verdict(&self, verdict: &Verdict<'_>) {
        for finding in &verdict.findings {
            let labels = Found::of(
                finding.reference.check,
                finding.outcome.word(),
                finding.mode,
            );
            self.findings.get_or_create_owned(&labels).inc();
        }
    }

    pub(super) fn mutation(&self, mutation: &Mutation<'_>) {
        for Step { profile, effect } in &mutation.steps {
            if let Some(came) = Came::of(effect) {
                let labels = Injection::of(&profile.name, came);
                self.injections.get_or_create_owned(&labels).inc();
            }
        }
    }

    /// How many exemptions count for a while, end soon, and have ended.
    pub(super) fn exemptions(&self, active: usize, ending: usize, ended: usize) {
        for (state, count) in [("active", active), ("ending", ending), ("ended", ended)] {
            let gauge = self.exemptions.get_or_create_owned(&State { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn refused(&self, reason: Refused) {
        self.refused.get_or_create_owned(&reason.labels()).inc();
    }
}

impl Reloaded {
    /// Notes that a file was read, and whether it is in force now.
    pub(super) fn note(&self, loaded: bool) {
        let result = if loaded { "loaded" } else { "failed" };
        self.family.get_or_create_owned(&Loaded { result }).inc();
        self.valid.set(loaded.into());
    }
}

impl Refused {
    fn labels(self) -> Reason {
        Reason {
            reason: self.word(),
        }
    }
}
