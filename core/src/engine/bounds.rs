//! How much of one request is looked at. Nobody writes so many of anything; more would be work without bound, and what
//! lies beyond a bound is refused as unknown.

pub(super) use crate::object::TOLERATIONS;

/// How many projected tokens and certificates of a pod, or audiences of a TokenRequest, are looked at.
pub(super) const TOKENS: usize = 200;

/// How many groups a requester may be in; every question asks about each of them.
pub(super) const GROUPS: usize = 5000;
