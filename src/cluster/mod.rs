//! A running cluster: the watches that keep the index of rights, single objects, access reviews, events.
//!
//! A RoleBinding: the [`Watches`] list and follow the four kinds of RBAC objects, take each into an [`Rbac`](usher_core::rights::Rbac), and
//! publish what it compiles to, [`Rights`](usher_core::rights::Rights). [`Live`] holds them: it is the source of rights and of facts for
//! [`facts::decide`](crate::facts::decide).

mod call;
mod connect;
mod event;
mod index;
mod live;
mod metrics;
mod object;
mod review;
mod sort;
mod stored;
mod watch;

pub(crate) use call::describe;
pub use connect::{ConnectError, client, connect, connect_as_person};
pub use live::{Live, Watches};
pub use metrics::describe_metrics;
pub(crate) use review::{Who, ask_once};
