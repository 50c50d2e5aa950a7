//! Proves nothing by itself: chance that can be repeated, random worlds, stages in memory, the contract of every answer.

pub(crate) mod catalogue_world;
pub(crate) mod contract;
pub(crate) mod fixtures;
pub(crate) mod injected;
pub(crate) mod random;
pub(crate) mod rbac_world;
pub(crate) mod rounds;
pub(crate) mod sources;
pub(crate) mod stage;
