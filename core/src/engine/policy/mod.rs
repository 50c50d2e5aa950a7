//! What the configuration says, ready to judge by.

mod baseline;
mod default_account;
mod exemption;
mod grants;
mod legal;
mod limit;
mod modes;

use std::collections::BTreeMap;

pub use baseline::{Baseline, BoundedToleration};
pub use default_account::DefaultAccount;
pub use exemption::{Ending, Exemption, ExemptionMatch};
pub use grants::{GrantEntry, GrantSubject, GrantedNames};
pub(super) use limit::Fault;
pub(crate) use limit::legal as legal_limits;
pub use limit::{Access, ExtendedApiToken, Kubelets, TokenLimit, TooLong};
pub use modes::{Authorizer, Modes, NamespaceModes};

use jiff::civil::Date;

use crate::{
    catalogue::Identity,
    inject::Profile,
    reference::{Check, Pattern, Requester, Resource},
};

/// What the configuration says, ready to judge by.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who answers questions.
    pub authorizer: Authorizer,
    /// Modes per check and namespace.
    pub modes: Modes,
    /// Namespaces whose objects are not judged.
    pub excluded_namespaces: Vec<Pattern>,
    /// What everybody may use.
    pub baseline: Baseline,
    /// Grants added to RBAC.
    pub grants: Vec<GrantEntry>,
    /// Limits on tokens, the first that matches counts.
    pub tokens: Vec<TokenLimit>,
    /// The audiences for which the API server itself accepts tokens.
    pub api_audiences: Vec<Pattern>,
    /// Waivers.
    pub exemptions: Vec<Exemption>,
    /// The one user that all controllers of Kubernetes share, where they do; otherwise each has its own account.
    pub controller_manager: Option<String>,
    /// What pods get.
    pub profiles: Vec<Profile>,
    /// Controllers that act for custom resources, by name, where they are not as their projects install them.
    pub controllers: BTreeMap<String, Identity>,
    /// Accounts that are written into custom resources which name none; the first that matches counts.
    pub default_accounts: Vec<DefaultAccount>,
}

impl Default for Policy {
    /// What holds without a configuration file.
    fn default() -> Self {
        Self {
            authorizer: Authorizer::default(),
            modes: Modes::default(),
            excluded_namespaces: ["kube-system", "usher-system"]
                .into_iter()
                .filter_map(|name| Pattern::parse(name).ok())
                .collect(),
            baseline: Baseline::default(),
            grants: Vec::new(),
            tokens: Vec::new(),
            // What most clusters accept; the second is also the usual issuer.
            api_audiences: [
                "https://kubernetes.default.svc",
                "https://kubernetes.default.svc.cluster.local",
            ]
            .into_iter()
            .filter_map(|name| Pattern::parse(name).ok())
            .collect(),
            exemptions: Vec::new(),
            controller_manager: None,
            profiles: Vec::new(),
            controllers: BTreeMap::new(),
            default_accounts: Vec::new(),
        }
    }
}

impl Policy {
    /// The exemptions that have ended on this day or will within a month, for those who load a configuration.
    pub fn endings(&self, today: Date) -> impl Iterator<Item = Ending<'_>> {
        self.exemptions
            .iter()
            .filter_map(move |exemption| exemption.ending(today))
    }

    /// The entry of `tokens` that limits the tokens of this account, and its place.
    pub(super) fn limit(&self, namespace: &str, account: &str) -> Option<(usize, &TokenLimit)> {
        let mut limits = self.tokens.iter().enumerate();
        limits.find(|(_, limit)| {
            Pattern::any(&limit.namespaces, namespace)
                && Pattern::any(&limit.service_accounts, account)
        })
    }

    /// The entries of `tokens` of which one limits some token, each with its place, where it is not known whose token that is, or
    /// where. What nobody would ask in an entry that is never the first is left out.
    pub(super) fn possible_limits<'p>(
        &'p self,
        namespace: Option<&str>,
        account: Option<&str>,
    ) -> Vec<(usize, &'p TokenLimit)> {
        let mut possible = Vec::new();
        for (index, limit) in self.tokens.iter().enumerate() {
            let parts = [
                (&limit.namespaces, namespace),
                (&limit.service_accounts, account),
            ];
            let fits = |(patterns, name): &(&Vec<Pattern>, Option<&str>)| {
                name.is_none_or(|name| Pattern::any(patterns, name))
            };
            if parts.iter().all(fits) {
                possible.push((index, limit));
                let surely = |(patterns, name): &(&Vec<Pattern>, Option<&str>)| {
                    name.is_some() || patterns.iter().any(Pattern::is_everything)
                };
                if parts.iter().all(surely) {
                    break;
                }
            }
        }
        possible
    }

    /// Whether the tokens of any account of this namespace are limited.
    pub(super) fn limits_tokens_in(&self, namespace: &str) -> bool {
        let mut limits = self.tokens.iter();
        limits.any(|limit| Pattern::any(&limit.namespaces, namespace))
    }

    /// Whether the API server itself accepts tokens for this audience.
    pub(super) fn is_for_the_api(&self, audience: &str) -> bool {
        audience.is_empty() || Pattern::any(&self.api_audiences, audience)
    }

    /// Whether anything is asked about anywhere that may be read instead.
    pub fn asks_reads(&self) -> bool {
        Check::of_reads().any(|check| !self.modes.is_off_everywhere(check))
    }

    /// Whether objects of this namespace are not judged.
    pub fn excludes(&self, namespace: &str) -> bool {
        Pattern::any(&self.excluded_namespaces, namespace)
    }

    /// The first entry of `grants` that lets the requester use one of these names.
    pub(super) fn granted<N: AsRef<str>>(
        &self,
        requester: &Requester<'_>,
        namespace: &str,
        resource: Resource,
        names: &[N],
    ) -> Option<usize> {
        self.grants
            .iter()
            .position(|grant| grant.gives(requester, namespace, resource, names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Mode;

    #[test]
    fn rights_to_read_count_where_something_is_asked_about_that_may_be_read() {
        let of = |everywhere: Mode, somewhere: Mode| {
            let mut policy = Policy::default();
            let default = &mut policy.modes.default;
            default.insert(Check::ConfigMaps, Mode::Off);
            default.insert(Check::Secrets, everywhere);
            policy.modes.namespaces.push(NamespaceModes {
                matches: Vec::new(),
                checks: [(Check::ConfigMaps, somewhere)].into(),
            });
            policy.asks_reads()
        };
        assert!(!of(Mode::Off, Mode::Off));
        assert!(of(Mode::Off, Mode::Audit));
        assert!(of(Mode::Warn, Mode::Off));
    }
}
