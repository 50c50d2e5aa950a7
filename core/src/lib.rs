//! The part of Usher that decides: may this requester `use` what this object names?
//!
//! An AdmissionReview goes in, an answer comes out. Nothing here waits, reads files, tells the time or knows the network: what a
//! verdict needs beyond the review is given by the caller, as [`World`](engine::World) and [`Facts`](engine::Facts).
//!
//! ```
//! use usher_core::{catalogue::Catalogue, engine::*, review, rights::Rights};
//!
//! let bytes = br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
//!     "uid": "1", "operation": "CREATE", "namespace": "team-a", "userInfo": {"username": "jane"},
//!     "kind": {"group": "", "version": "v1", "kind": "Pod"}, "object": {"spec": {"serviceAccountName": "deployer"}}}}"#;
//! let policy = Policy { authorizer: Authorizer::Rbac, ..Policy::default() };
//! let (catalogue, rights) = (Catalogue::embedded()?, Rights::default());
//! let world = World { catalogue: &catalogue, policy: &policy, rights: &rights, today: jiff::civil::date(2026, 11, 26) };
//! let request = review::read(bytes)?;
//! let answer = match judge(&request, &world, &Facts::default()) {
//!     Judgement::Verdict(verdict) => review::respond(&verdict),
//!     Judgement::Needs(_) => unreachable!("only where an owner, a class or an access review has to be looked up"),
//! };
//! assert!(String::from_utf8(answer)?.contains("jane may not use serviceaccount \\\"deployer\\\" in namespace team-a"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Follow a request through the rooms: [`review`] reads it, [`engine`] judges it by what [`catalogue`], [`object`] and [`sight`] find
//! in the object and what [`rights`] say, and [`review`] writes the answer. A manifest comes in through [`yaml`] and [`manifest`].
//! [`config`] makes policy and catalogue of a text, [`inject`] works out what pods get, and [`reference`](mod@reference) has the nouns.

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
