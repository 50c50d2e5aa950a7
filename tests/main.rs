//! The integration tests: one program, so that one real control plane serves them all.

#[cfg(test)]
mod captured;
#[cfg(test)]
mod catalogue_damage;
#[cfg(test)]
mod catalogue_laws;
#[cfg(test)]
mod catalogue_model;
#[cfg(test)]
mod catalogue_world;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod contract;
#[cfg(test)]
#[expect(
    dead_code,
    reason = "shared with the example and the benches, which use other parts"
)]
mod controlplane;
#[cfg(test)]
mod default_accounts;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod injected;
#[cfg(test)]
mod injection_model;
#[cfg(test)]
mod injection_page;
#[cfg(test)]
mod injections;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod random;
#[cfg(test)]
mod rbac_model;
#[cfg(test)]
mod rbac_world;
#[cfg(test)]
mod reference_model;
#[cfg(test)]
mod replayed;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod sar;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod server;
#[cfg(test)]
mod shortened;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod toleration_model;
