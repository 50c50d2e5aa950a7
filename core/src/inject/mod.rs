//! Profiles: what a pod gets that asks for nothing by hand. Volumes with tokens, and what belongs to them, as the
//! smallest JSON Patch.
//!
//! [`plan`] is a pure function of the pod, its service account and the profiles. It compares by content, never by name,
//! adds and never takes away, and says for every profile why it did what it did.
//!
//! [`mutate`](crate::engine::mutate()) calls it; what it gives, the [`engine`](crate::engine) takes as seen when it judges the pod a moment later.

mod account;
mod bad;
mod complete;
mod content;
mod decide;
mod draft;
mod effect;
mod entry;
mod make;
mod misplaced;
mod nested;
mod place;
mod plan;
mod pod;
mod presets;
mod profile;
mod select;
mod subject;
mod survey;
mod values;
mod why;

pub use account::Account;
pub use bad::{BadProfile, ProfileMistake};
pub use effect::{Effect, Given, GivenGroup, GivenToken, Skipped, Step, Touched};
pub use entry::ProfileEntry;
pub(crate) use plan::GivenVolume;
pub use plan::{NoPlan, Plan, plan};
pub use profile::{Profile, profiles};
pub use subject::Subject;
pub use why::{Declined, Hindrance, Missed, NoAccount, Passed, Refusal, Refused, Whose};
