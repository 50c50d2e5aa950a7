//! What a request is judged by.

use jiff::civil::Date;

use super::policy::Policy;
use crate::{
    catalogue::{Catalogue, Identity},
    inject::Profile,
    rights::Rights,
};

/// What a request is judged by: one snapshot, the same for the whole request.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Which fields are references.
    pub catalogue: &'a Catalogue,
    /// The configuration.
    pub policy: &'a Policy,
    /// Who may use what.
    pub rights: &'a Rights,
    /// The day (UTC) by which exemptions expire.
    pub today: Date,
}

impl<'a> World<'a> {
    /// Who a controller is: as the configuration says, or as its project installs it.
    pub(super) fn identity(&self, controller: &str) -> Option<&'a Identity> {
        let configured = self.policy.controllers.get(controller);
        configured.or_else(|| self.catalogue.identity(controller))
    }

    /// Whether this is the one user that all controllers of Kubernetes share, as the configuration says.
    pub(super) fn is_shared(&self, user: &str) -> bool {
        self.policy.controller_manager.as_deref() == Some(user)
    }

    /// Whether a profile reads this annotation of a service account.
    pub(super) fn steers(&self, annotation: &str) -> bool {
        let profiles = self.policy.profiles.iter();
        let mut read = profiles.flat_map(Profile::account_annotations);
        read.any(|read| *read == *annotation)
    }
}
