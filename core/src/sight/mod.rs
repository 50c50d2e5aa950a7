//! What a custom resource names: the walk over the fields that its catalogue entry lists, through accounts, patches and
//! objects that stand in it.

mod look;
mod patch;
mod unnamed;

pub use look::{Sighting, sightings};
pub use unnamed::unnamed;
