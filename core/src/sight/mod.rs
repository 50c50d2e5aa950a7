//! What a custom resource names: the walk over the fields that its catalogue entry lists, through accounts, patches and
//! objects that stand in it.
//!
//! [`sightings`] takes the fields of a [`Kind`](crate::catalogue::Kind) and an object, and gives what the [`engine`](crate::engine) asks about.

mod account;
mod container;
mod look;
mod manifest;
mod object;
mod patch;
#[cfg(test)]
mod tests;
mod unnamed;

use serde_json::value::RawValue;

use crate::{
    catalogue::{Catalogue, Field, Identity},
    object::{PodCertificateSource, PodSpec, TokenSource},
    reference::{Check, Path, Reference, Text},
};

pub use unnamed::unnamed;

/// Something that a custom resource holds.
#[derive(Debug)]
pub enum Sighting<'o> {
    /// A config map that names an account.
    ConfigMap {
        /// Where its name stands.
        path: Path<'o>,
        /// Its namespace, which is that of the account.
        namespace: Text<'o>,
        /// Its name.
        name: Text<'o>,
        /// The key of the account.
        key: String,
        /// What is asked about if it names none.
        otherwise: Option<Reference<'o>>,
    },
    /// A part that cannot be read; the text says why. It may name anything.
    Lost(Path<'o>, String),
    /// An account that a controller makes for an object, and the uid of that.
    Made(Reference<'o>, Text<'o>),
    /// A value that is none of those that the field can have.
    Malformed(Reference<'o>, String),
    /// What a patch projects into a volume of pods whose account nobody knows: a token, a certificate, or both.
    Credential {
        /// Where the patch stands.
        path: Path<'o>,
        /// The namespace of the pods.
        namespace: Text<'o>,
        /// The token.
        token: Option<TokenSource<'o>>,
        /// The certificate.
        certificate: Option<PodCertificateSource<'o>>,
    },
    /// Something that is not read; the text says what it is.
    Opaque(Path<'o>, String),
    /// A pod spec, and whether it names its account; the namespace is that of the pods.
    PodSpec {
        /// Where it stands.
        base: String,
        /// The pod spec.
        spec: Box<PodSpec<'o>>,
        /// Whether the account is one of its fields.
        account: bool,
        /// The namespace of the pods.
        namespace: Text<'o>,
    },
    /// A reference.
    Reference(Reference<'o>),
}

/// What has to be known beside an object to see what it names.
#[derive(Clone, Copy)]
pub struct Around<'c> {
    /// Which kinds are known.
    pub catalogue: &'c Catalogue,
    /// Who a controller is.
    pub controller: &'c dyn Fn(&str) -> Option<&'c Identity>,
    /// Whether a check could ask about anything: of patches nothing else is read.
    pub asks: &'c dyn Fn(Check) -> bool,
    /// Whether a profile reads this annotation of a service account.
    pub steers: &'c dyn Fn(&str) -> bool,
    /// Whether a binding names this user.
    pub is_bound: &'c dyn Fn(&str) -> bool,
}

/// Everything that the fields of a custom resource name. `namespace` is that of the object, empty for one of the whole
/// cluster.
pub fn sightings<'o>(
    around: Around<'_>,
    fields: &[Field],
    object: &'o RawValue,
    namespace: Text<'o>,
) -> Vec<Sighting<'o>> {
    let mut looker = look::Looker::new(around, namespace);
    looker.look(fields, object, "", look::DEPTH);
    looker.containers();
    looker.found
}
