//! Ways to the power of an account that no admission webhook sees: who holds them, and what to take out of the roles of
//! Kubernetes that give them away.
//!
//! [`WAYS`] is the table. [`holdings`] says who holds which of them in a [`Cluster`]; [`hardened`] takes some of them out of
//! a role.

mod cluster;
mod harden;
mod holding;
mod way;

pub use cluster::{Cluster, TokenSecret};
pub use harden::{Hardened, hardened};
pub use holding::{Holding, holdings};
pub use way::{WAYS, Way};
