//! The integration tests: one program, so that one real control plane serves them all. A folder for each thing that they
//! prove.

#[cfg(test)]
mod captured;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod models;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod real;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod support;
