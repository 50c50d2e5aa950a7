//! Answers questions: may this requester `use` that target, or read it where that is as good? By RBAC, or by what the configuration adds to it.
//! A yes always names the grant that gives it.

mod binding;
mod grant;
mod index;
mod rbac;
mod rule;

pub use grant::{Grant, Source, Via};
pub use index::Rights;
pub use rbac::{Ignored, Rbac};
