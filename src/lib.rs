//! Usher: a Kubernetes admission webhook that asks one question of every field that names something else:
//! may this requester `use` that target? The cluster's own RBAC answers.
//!
//! What decides is the crate [`usher_core`]; here is everything that touches the world.
//!
//! # Three journeys
//!
//! Each page says where the journey goes on.
//!
//! - A **review** comes in through [`server`], and its answer goes out there.
//! - A **manifest** is found by [`files`], for a command of [`cli`].
//! - A **RoleBinding** becomes a right in [`cluster`].
//!
//! In the crate that decides, the same journeys begin at [`review`](usher_core::review), [`manifest`](usher_core::manifest) and
//! [`rights`](usher_core::rights).

pub mod cli;
pub mod cluster;
pub mod facts;
pub mod files;
pub mod report;
pub mod scan;
pub mod server;
pub mod telemetry;
