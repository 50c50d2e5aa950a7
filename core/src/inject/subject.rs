//! A pod that may get something.

use serde_json::value::RawValue;

/// A pod that may get something.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The pod, or the template of one: what holds `metadata` and `spec`.
    pub pod: &'a RawValue,
    /// Where it stands in its object; empty for a pod.
    pub base: &'a [Box<str>],
    /// Its namespace.
    pub namespace: &'a str,
    /// What the lifetime of a token is varied by: something that differs from pod to pod.
    pub seed: &'a str,
}
