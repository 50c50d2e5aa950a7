//! A running cluster: the watches that keep the index of rights, single objects, access reviews, events.

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
