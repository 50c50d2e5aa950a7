//! What all requests share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;

use super::{body::Room, metrics::Metrics, refusals::Refusals};
use crate::facts::Backend;
use usher_core::config::Settings;

/// What all requests share.
#[derive(Debug)]
pub struct App<B> {
    pub(super) backend: B,
    pub(super) refusals: Refusals,
    pub(super) room: Room,
    settings: ArcSwap<Settings>,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
}

impl<B> App<B> {
    /// Puts together what a request is judged by.
    pub fn new(settings: Settings, backend: B, metrics: Arc<Metrics>) -> Self {
        show_profiles(&metrics, &settings);
        Self {
            backend,
            refusals: Refusals::default(),
            room: Room::default(),
            settings: ArcSwap::from_pointee(settings),
            metrics,
            draining: AtomicBool::default(),
        }
    }

    /// The configuration in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Puts another configuration in force, for every request from now on.
    pub fn set_settings(&self, settings: Settings) {
        show_profiles(&self.metrics, &settings);
        self.settings.store(Arc::new(settings));
    }

    /// Where rights and facts come from.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Begins the end: not ready from now on, and every answer asks the client to use another connection next time.
    /// Requests are answered as before.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl<B: Backend> App<B> {
    /// Whether requests can be judged, or why not.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("draining".to_owned());
        }
        self.backend.rights().map(drop).map_err(|not| not.0)
    }
}

/// A count that is not there yet cannot be seen to grow.
fn show_profiles(metrics: &Metrics, settings: &Settings) {
    for profile in &settings.policy.profiles {
        metrics.profile(&profile.name);
    }
}
