//! The integration tests: one program, so that one real control plane serves them all.

#[cfg(test)]
mod cluster;
#[cfg(test)]
#[expect(
    dead_code,
    reason = "shared with the example and the benches, which use other parts"
)]
mod controlplane;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod rooms;
