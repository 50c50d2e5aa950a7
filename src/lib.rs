//! Usher: a Kubernetes admission webhook that asks one question of every field that names something else:
//! may this requester `use` that target? The cluster's own RBAC answers.
//!
//! What decides is the crate [`usher_core`]; here is everything that touches the world.

pub mod cli;
pub mod cluster;
pub mod facts;
pub mod files;
pub mod report;
pub mod scan;
pub mod server;
pub mod telemetry;
