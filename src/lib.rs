//! Usher: a Kubernetes admission webhook that asks one question of every field that names something else:
//! may this requester `use` that target? The cluster's own RBAC answers.
//!
//! Data walks one way through the pure rooms: an object comes in, [`catalogue`] finds its references, [`rights`]
//! answers the questions, [`engine`] puts findings, modes and exemptions together.

pub mod catalogue;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod engine;
pub mod inject;
pub mod manifest;
pub mod reference;
pub mod report;
pub mod review;
pub mod rights;
pub mod server;
pub mod telemetry;
