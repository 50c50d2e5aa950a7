//! What the watches count.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::sort::Sort;
use usher_core::engine::FactError;

/// What the live side counts.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveMetrics {
    reviews: Family<Answered, Counter>,
    objects: Family<Answered, Counter>,
    events: Family<Answered, Counter>,
    watching: Family<Watched, Gauge>,
    failures: Family<Watched, Counter>,
    pub(super) bindings: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Answered {
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Watched {
    resource: &'static str,
}

/// Adds what the live side counts, as it is before anything was counted.
pub fn describe_metrics(registry: &mut Registry) {
    LiveMetrics::default().register(registry);
}

impl LiveMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        for result in ["allowed", "denied", "error", "shared"] {
            self.reviews.get_or_create_owned(&Answered { result });
        }
        for result in ["absent", "error", "found"] {
            self.objects.get_or_create_owned(&Answered { result });
        }
        for result in ["dropped", "error", "written"] {
            self.events.get_or_create_owned(&Answered { result });
        }
        for sort in Sort::ALL {
            self.watch(sort, false);
            self.failures.get_or_create_owned(&Watched {
                resource: sort.name(),
            });
        }
        registry.register(
            "access_reviews",
            "Access reviews that the API server was asked for; shared: one more request took the same answer",
            self.reviews.clone(),
        );
        registry.register(
            "objects_read",
            "Objects read from the API server for a request",
            self.objects.clone(),
        );
        registry.register(
            "events",
            "Events about profiles that a pod did not get; dropped: too many at once",
            self.events.clone(),
        );
        registry.register(
            "watch_running",
            "Whether the watch runs; if not, what it last saw stays in use",
            self.watching.clone(),
        );
        registry.register(
            "watch_failures",
            "Times that a list or a watch failed",
            self.failures.clone(),
        );
        registry.register(
            "rights_bindings",
            "Bindings known to the index of rights",
            self.bindings.clone(),
        );
    }

    pub(super) fn reviewed(&self, answer: &Result<Option<String>, FactError>) {
        let result = match answer {
            Ok(Some(_)) => "allowed",
            Ok(None) => "denied",
            Err(_) => "error",
        };
        self.reviews.get_or_create_owned(&Answered { result }).inc();
    }

    pub(super) fn shared(&self) {
        let result = "shared";
        self.reviews.get_or_create_owned(&Answered { result }).inc();
    }

    pub(super) fn read<T>(&self, found: &Result<Option<T>, FactError>) {
        let result = match found {
            Ok(Some(_)) => "found",
            Ok(None) => "absent",
            Err(_) => "error",
        };
        self.objects.get_or_create_owned(&Answered { result }).inc();
    }

    pub(super) fn event(&self, result: &'static str) {
        self.events.get_or_create_owned(&Answered { result }).inc();
    }

    pub(super) fn watch(&self, sort: Sort, running: bool) {
        let labels = Watched {
            resource: sort.name(),
        };
        self.watching
            .get_or_create_owned(&labels)
            .set(running.into());
    }

    pub(super) fn failed(&self, sort: Sort) {
        let labels = Watched {
            resource: sort.name(),
        };
        self.failures.get_or_create_owned(&labels).inc();
    }
}
