//! What a request for a token asks for.

use serde::Deserialize;

use crate::reference::{Text, token::LIFETIME};

/// What a request for a token asks for (`k8s.io/api/authentication/v1 TokenRequestSpec`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest<'a> {
    #[serde(borrow, default)]
    audiences: Option<Vec<Text<'a>>>,
    #[serde(default)]
    expiration_seconds: Option<i64>,
    #[serde(borrow, default)]
    bound_object_ref: Option<BoundObject<'a>>,
}

/// The object that a token dies with.
#[derive(Clone, Debug, Default, Deserialize)]
struct BoundObject<'a> {
    #[serde(borrow, default)]
    kind: Text<'a>,
}

impl<'a> TokenRequest<'a> {
    /// Who is to accept the token; nobody named: the API server. The API server fills its own in before it asks
    /// validating webhooks (`pkg/registry/core/serviceaccount/storage/token.go`).
    pub(crate) fn audiences(&self) -> &[Text<'a>] {
        self.audiences.as_deref().unwrap_or_default()
    }

    /// How long the token is to live, in seconds.
    pub(crate) fn seconds(&self) -> i64 {
        self.expiration_seconds.unwrap_or(LIFETIME)
    }

    /// The kind of the object that the token dies with, if there is one.
    pub(crate) fn bound_to(&self) -> Option<&str> {
        self.bound_object_ref.as_ref().map(|bound| &*bound.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_what_the_api_server_takes_it_for() {
        for (json, audiences, seconds, bound) in [
            ("{}", &[][..], 3600, None),
            (
                r#"{"audiences":null,"expirationSeconds":null,"boundObjectRef":null}"#,
                &[],
                3600,
                None,
            ),
            (
                r#"{"audiences":["a","b"],"expirationSeconds":600,"boundObjectRef":{"kind":"Pod","name":"p"}}"#,
                &["a", "b"],
                600,
                Some("Pod"),
            ),
            (r#"{"boundObjectRef":{}}"#, &[], 3600, Some("")),
        ] {
            let token: TokenRequest<'_> = serde_json::from_str(json).unwrap();
            let held: Vec<&str> = token.audiences().iter().map(|text| &**text).collect();
            assert_eq!(
                (&*held, token.seconds(), token.bound_to()),
                (audiences, seconds, bound),
                "{json}"
            );
        }
    }
}
