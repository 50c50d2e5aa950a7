//! What Kubernetes says about the lifetimes of tokens and the files that hold them. Used as `token::EXTENDED`.

use std::ops::RangeInclusive;

/// Seconds that a token may live (`pkg/apis/authentication/validation`, `pkg/apis/core/validation`).
pub(crate) const LIFETIMES: RangeInclusive<i64> = 600..=1 << 32;

/// Seconds that a token lives if nobody says how long (`pkg/apis/core/v1/defaults.go`).
pub(crate) const LIFETIME: i64 = 3600;

/// The lifetime, in seconds, that the API server itself gives to the tokens that it mounts. It makes a token of exactly
/// this lifetime last a year, if it is for the API server and bound to a pod (`pkg/serviceaccount/claims.go`,
/// `WarnOnlyBoundTokenExpirationPeriod`).
pub(crate) const EXTENDED: i64 = 3607;

/// The mode of a projected file if nobody says otherwise (`pkg/apis/core/v1/defaults.go`).
pub(crate) const FILE_MODE: i64 = 0o644;
