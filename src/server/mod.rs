//! Serves the webhook: HTTPS for the API server, a second plain port for health and metrics.
//!
//! The accept loop is our own, because no ready one has all that a webhook needs: a limit of connections at which
//! idle ones give way, a time limit for the handshake and for half-sent requests, a certificate that is swapped
//! without a restart, and a drain that loses no request.
//!
//! A review: [`router`] takes the body, [`review::read`](usher_core::review::read) borrows a request from it,
//! [`facts::decide`](crate::facts::decide) or [`facts::change`](crate::facts::change) answers it, and
//! [`review::respond`](usher_core::review::respond) writes what goes back. Settings and certificates are swapped while it serves
//! ([`follow_configuration`], [`Certificates`]); what it counts is in [`Metrics`].

mod app;
mod body;
mod connections;
mod deadline;
mod ended;
mod exemptions;
mod expiry;
mod follow;
mod handlers;
mod health;
mod hook;
mod listener;
mod metrics;
mod refusals;
mod reload;
mod tls;

pub use app::App;
pub use connections::Limits;
pub use deadline::duration;
pub use exemptions::follow_exemptions;
pub use handlers::router;
pub use health::router as health_router;
pub use hook::Hook;
pub use listener::Listener;
pub use metrics::Metrics;
pub use reload::follow_configuration;
pub use tls::{BadCertificate, Certificates};
