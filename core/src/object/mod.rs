//! Strict, borrowed views of Kubernetes' JSON: what an object is, and which of its parts name something.
//!
//! Nothing is read before somebody asks about it, and whatever two readers would take differently is an error. The fields of a
//! pod spec that name something stand in one table.
//!
//! The [`engine`](crate::engine) reads them of a request, and [`sight`](crate::sight) of what stands inside of custom resources.

mod account;
mod field_path;
mod listed;
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
pub use field_path::{BadPath, FieldPath, Lost, Memo, Place, Step};
pub use listed::{
    Listed, Named, OF_ANY_CONTAINER, PATHS, PodPath, Says, VOLUMES, decides, is_listed,
};
pub use meta::{Metadata, Owner, Texts};
pub use namespace::{NAMESPACE_TOLERATIONS, NamespaceAnnotation, namespace_tolerations};
pub(crate) use pod::account;
pub use pod::{FIELDS, PodField, PodSpec, TOLERATIONS, is_containers};
pub(crate) use pointer::{lifetime, pointer};
pub use projection::{
    CREDENTIALS, Credential, PodCertificateSource, Projected, Source, TokenSource, Volume,
    credentials,
};
pub use revision::revised;
pub use secret::TokenSecret;
pub use seek::{BadObject, at, fields, parse};
pub use signing_request::{BadSigningRequest, is_approved, user_names};
pub(crate) use strict::Strict;
pub use token_request::TokenRequest;
pub(crate) use value::{is_something, key, text};
