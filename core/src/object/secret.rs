//! Secrets that hold the token of a service account. Nothing else of a Secret is looked at, and no value is ever kept or shown.

use serde_json::value::RawValue;

use super::{
    meta::Metadata,
    seek::{BadObject, at, parse},
};
use crate::reference::Text;

/// The annotation of the uid (`ServiceAccountUIDKey`).
const UID: &str = "kubernetes.io/service-account.uid";

/// What decides of a Secret whose token it holds.
#[derive(Clone, Debug)]
pub struct TokenSecret<'a> {
    /// The account, in the namespace of the Secret; empty if none is named.
    pub account: Text<'a>,
    uid: Text<'a>,
    token: Option<&'a RawValue>,
}

impl<'a> TokenSecret<'a> {
    /// The type of a Secret that Kubernetes fills with a token (`k8s.io/api/core/v1`, `SecretTypeServiceAccountToken`).
    pub const TYPE: &'static str = "kubernetes.io/service-account-token";
    /// The annotation that names the account (`ServiceAccountNameKey`).
    pub const ACCOUNT: &'static str = "kubernetes.io/service-account.name";
    /// Where it stands.
    pub const PATH: &'static str = "metadata.annotations[\"kubernetes.io/service-account.name\"]";

    /// What a Secret says; none if it holds no token of an account.
    pub(crate) fn of(secret: &'a RawValue) -> Result<Option<Self>, BadObject> {
        let sort: Option<Text<'_>> = at(secret, &["type".into()])?;
        if sort.is_none_or(|sort| *sort != *Self::TYPE) {
            return Ok(None);
        }
        let metadata = Metadata::of(secret)?;
        let annotations = metadata.annotations()?.unwrap_or_default();
        let text = |key: &str| {
            annotations
                .get(key)
                .copied()
                .map_or_else(|| Ok(Text::default()), parse)
        };
        Ok(Some(Self {
            account: text(Self::ACCOUNT)?,
            uid: text(UID)?,
            token: at(secret, &["data".into(), "token".into()])?,
        }))
    }

    /// Whether it holds the same token of the same account. Without its token, or with another uid, Kubernetes fills in a
    /// new one (`pkg/controller/serviceaccount/tokens_controller.go`).
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        let text = |token: Option<&'a RawValue>| token.map(RawValue::get);
        self.account == before.account
            && self.uid == before.uid
            && text(self.token) == text(before.token)
    }
}

#[cfg(test)]
mod tests {
    use super::TokenSecret;

    #[test]
    fn the_path_is_that_of_the_annotation() {
        let path = format!("metadata.annotations[\"{}\"]", TokenSecret::ACCOUNT);
        assert_eq!(path, TokenSecret::PATH);
    }
}
