//! Who sent a request.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{KUBELET, Text};

/// Who sent the request, as the API server authenticated them (`authentication.k8s.io/v1 UserInfo`). Never the
/// account that a pod runs as.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Requester<'a> {
    /// The user name.
    #[serde(borrow, default)]
    pub username: Text<'a>,
    /// The uid; empty where the authenticator gives none, and under impersonation.
    #[serde(borrow, default)]
    pub uid: Text<'a>,
    /// The groups, as the API server lists them.
    #[serde(borrow, default, deserialize_with = "list")]
    pub groups: Vec<Text<'a>>,
    /// Further facts about the user, kept as they came: only an access review reads them.
    #[serde(borrow, default)]
    pub extra: Option<&'a RawValue>,
}

impl<'a> Requester<'a> {
    /// A requester known by name and groups only, as the command line names one. The groups that the API server
    /// gives to every signed-in user and service account are added (`authenticatorfactory`,
    /// `serviceaccount.MakeGroupNames`).
    pub fn named(username: &'a str, groups: impl IntoIterator<Item = &'a str>) -> Self {
        let mut groups: Vec<Text<'a>> = groups.into_iter().map(Text::from).collect();
        let mut add = |group: Text<'a>| {
            if !groups.contains(&group) {
                groups.push(group);
            }
        };
        if let Some(account) = Account::of_user(username) {
            add("system:serviceaccounts".into());
            add(format!("system:serviceaccounts:{}", account.namespace).into());
        }
        add(if username == "system:anonymous" {
            "system:unauthenticated".into()
        } else {
            "system:authenticated".into()
        });
        Self {
            username: username.into(),
            groups,
            ..Self::default()
        }
    }

    /// The service account that the requester is, by user name alone: impersonation may leave the groups out.
    pub(crate) fn account(&self) -> Option<Account<'_>> {
        Account::of_user(&self.username)
    }

    /// Who acts as a service account, as far as the API server says so: the pod whose token it is
    /// (`k8s.io/apiserver/pkg/authentication/serviceaccount`), or somebody else by a header. Tokens bring a uid and the id of the
    /// credential; impersonation leaves both out, and says no more (`pkg/endpoints/filters/impersonation`). For people to read:
    /// no answer may depend on it.
    pub fn behind(&self) -> Option<String> {
        #[derive(Default, Deserialize)]
        struct Extra<'a> {
            #[serde(borrow, default, rename = "authentication.kubernetes.io/pod-name")]
            pod: Vec<Text<'a>>,
            #[serde(borrow, default, rename = "authentication.kubernetes.io/credential-id")]
            credential: Vec<Text<'a>>,
        }

        self.account()?;
        let extra = self.extra.map(|extra| serde_json::from_str(extra.get()));
        // What cannot be read says nothing.
        let extra: Extra<'_> = extra.and_then(Result::ok).unwrap_or_default();
        match &*extra.pod {
            [pod] => Some(format!("of pod {pod}")),
            _ if self.uid.is_empty() && extra.credential.is_empty() => {
                Some("impersonated".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the API server lists this group.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|held| **held == *group)
    }

    /// The node whose kubelet this is: name and group must both say so.
    pub(crate) fn node(&self) -> Option<&str> {
        let (prefix, group) = KUBELET;
        self.username
            .strip_prefix(prefix)
            .filter(|name| !name.is_empty() && self.is_in(group))
    }
}

/// A service account, as a user name spells it: `system:serviceaccount:NAMESPACE:NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Account<'a> {
    /// Reads a user name (`k8s.io/apiserver/pkg/authentication/serviceaccount.SplitUsername`).
    pub fn of_user(username: &'a str) -> Option<Self> {
        let (namespace, name) = username
            .strip_prefix("system:serviceaccount:")?
            .split_once(':')?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains(':'))
            .then_some(Self { namespace, name })
    }
}

/// The user name (`k8s.io/apiserver/pkg/authentication/serviceaccount.MakeUsername`).
impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// A list that may be `null`.
fn list<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Text<'a>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_the_user_name_alone() {
        for (user, account) in [
            ("system:serviceaccount:team-a:ci", Some(("team-a", "ci"))),
            ("system:serviceaccount:team-a:", None),
            ("system:serviceaccount::ci", None),
            ("system:serviceaccount:team-a", None),
            ("system:serviceaccount:team-a:ci:x", None),
            ("team-a:ci", None),
        ] {
            let found = Account::of_user(user).map(|a| (a.namespace, a.name));
            assert_eq!(found, account, "{user}");
        }
    }

    #[test]
    fn who_acts_as_an_account_is_told_as_far_as_it_is_known() {
        let pod = r#"{"authentication.kubernetes.io/credential-id": ["JTI=a"], "authentication.kubernetes.io/pod-name": ["web-1"]}"#;
        let token = r#"{"authentication.kubernetes.io/credential-id": ["JTI=a"]}"#;
        let account = "system:serviceaccount:team-a:ci";
        for (user, uid, extra, behind) in [
            (account, "u", pod, Some("of pod web-1")),
            (account, "u", token, None),
            (account, "u", "{}", None),
            (account, "", token, None),
            (account, "", "{}", Some("impersonated")),
            (
                account,
                "",
                r#"{"a": 1, "authentication.kubernetes.io/pod-name": 5}"#,
                Some("impersonated"),
            ),
            ("jane", "", pod, None),
        ] {
            let extra: &RawValue = serde_json::from_str(extra).unwrap();
            let requester = Requester {
                username: user.into(),
                uid: uid.into(),
                extra: Some(extra),
                ..Requester::default()
            };
            assert_eq!(
                requester.behind().as_deref(),
                behind,
                "{user} {uid} {extra}"
            );
        }
    }

    #[test]
    fn a_node_needs_name_and_group() {
        assert_eq!(
            Requester::named("system:node:n1", ["system:nodes"]).node(),
            Some("n1")
        );
        assert_eq!(Requester::named("system:node:n1", []).node(), None);
        assert_eq!(
            Requester::named("system:node:", ["system:nodes"]).node(),
            None
        );
        assert_eq!(Requester::named("jane", ["system:nodes"]).node(), None);
    }
}
