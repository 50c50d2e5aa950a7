//! The part of Usher that decides: may this requester `use` what this object names?
//!
//! Data walks one way: an object comes in, [`catalogue`] finds its references, [`rights`] answers the questions,
//! [`engine`] puts findings, modes and exemptions together. Nothing here waits, reads files, tells the time or knows the
//! network.

pub mod catalogue;
pub mod config;
pub mod engine;
pub mod inject;
pub mod manifest;
pub mod object;
pub mod reference;
pub mod review;
pub mod rights;
pub mod sight;
pub mod yaml;
