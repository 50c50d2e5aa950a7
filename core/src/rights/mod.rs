//! Answers questions: may this requester `use` that target, or read it where that is as good? By RBAC, or by what the configuration adds to it.
//! A yes always names the grant that gives it.
//!
//! A Role or a binding goes into [`Rbac`], object by object. [`Rbac::compile`] gives [`Rights`], the index, which shares with the one before what
//! did not change. A [`World`](crate::engine::World) holds it, and [`Rights::find`] answers the questions of [`judge`](crate::engine::judge()).

mod binding;
mod grant;
mod index;
mod rbac;
mod rule;

pub use grant::{Grant, Source, Via};
pub use index::Rights;
pub use rbac::{Ignored, Rbac};
