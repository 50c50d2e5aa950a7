//! The wire: an AdmissionReview in, an AdmissionReview out (`k8s.io/api/admission/v1`).

mod request;
mod response;

pub use request::{BadReview, read};
pub use response::{refuse, respond, respond_mutation};

/// The only version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
