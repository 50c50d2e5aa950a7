//! What the benches work on: reviews as an API server sends them, and RBAC of any size. All made in code, all
//! different from one another, so that no cache can make a figure better than it is.

pub(crate) mod cluster;
pub(crate) mod judging;
pub(crate) mod kustomization;
pub(crate) mod review;
