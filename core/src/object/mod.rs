//! Strict, borrowed views of Kubernetes' JSON: what an object is, and which of its parts name something.
//!
//! Nothing is read before somebody asks about it, and whatever two readers would take differently is an error. The fields of a
//! pod spec that name something stand in one table.
//!
//! The [`engine`](crate::engine) reads them of a request, and [`sight`](crate::sight) of what stands inside of custom resources.

mod account;
mod field_path;
mod keys;
mod listed;
mod measure;
mod meta;
mod namespace;
mod pod;
mod pointer;
mod projection;
mod revision;
mod secret;
mod seek;
mod signing_request;
mod strict;
mod token_request;
mod value;

pub use account::ServiceAccount;
pub(crate) use field_path::Memo;
pub use field_path::{BadPath, FieldPath, Lost, Place, Step};
pub(crate) use keys::misspelled_anywhere;
pub use listed::{Listed, Named, PATHS, PodPath, Says, decides};
pub(crate) use listed::{OF_ANY_CONTAINER, VOLUMES, is_listed, placing};
pub(crate) use measure::Meant;
pub use meta::Metadata;
pub(crate) use meta::{Owner, Texts};
pub use namespace::NAMESPACE_TOLERATIONS;
pub(crate) use namespace::{NamespaceAnnotation, given_tolerations, namespace_tolerations};
pub(crate) use pod::account;
pub(crate) use pod::is_containers;
pub use pod::{FIELDS, PodField, PodSpec, TOLERATIONS};
pub(crate) use pointer::{lifetime, pointer};
pub(crate) use projection::CREDENTIALS;
pub use projection::{
    Credential, PodCertificateSource, Projected, Source, TokenSource, Volume, credentials,
};
pub(crate) use revision::revised;
pub use secret::TokenSecret;
pub use seek::{BadObject, at, fields, parse};
pub use signing_request::BadSigningRequest;
pub(crate) use signing_request::{is_approved, user_names};
pub(crate) use strict::Strict;
pub use token_request::TokenRequest;
pub(crate) use value::{is_something, is_surely_something, key, text};
