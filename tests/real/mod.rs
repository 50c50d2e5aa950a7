//! That it holds outside the program: a real control plane, a real cluster's installation, real sockets and processes.

mod cluster;
#[expect(
    dead_code,
    reason = "shared with the example and the benches, which use other parts"
)]
pub(crate) mod controlplane;
mod deploy;
mod sar;
mod server;
mod ways_round;
