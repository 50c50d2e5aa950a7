//! The wire: an AdmissionReview in, an AdmissionReview out (`k8s.io/api/admission/v1`).
//!
//! [`read`] borrows a [`Request`](crate::engine::Request) from the bytes; the objects in it stay unread text. It goes to
//! [`judge`](crate::engine::judge()) or [`mutate`](crate::engine::mutate()), and what they come to is written by [`respond`] or
//! [`respond_mutation`].

mod request;
mod response;

pub use request::{BadReview, read};
pub use response::{refuse, respond, respond_mutation};

/// The only version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
