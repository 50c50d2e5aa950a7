//! What can be used, as the command line names it.

use std::str::FromStr;

use usher_core::{
    reference::{
        Check, Known, Malformed, Names, Resource, Toleration, is_node_label, is_object_name,
    },
    yaml::nearest,
};

/// Something that can be used, as the command line names it: `TYPE[.GROUP]/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) check: Check,
    pub(super) resource: Resource,
    pub(super) name: String,
}

/// The text names nothing that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadName {
    /// A name that no object has.
    #[error(
        "no {0} can be called \"{1}\"; names are lower case letters, digits, \"-\" and \".\", and RBAC knows no \
         patterns in them"
    )]
    Name(&'static str, String),
    /// An audience that nobody means.
    #[error(
        "no {0} can be called \"{1}\": an audience is any text, but without control characters, and without \"*\", \
         since RBAC knows no patterns in names"
    )]
    Audience(&'static str, String),
    /// A text that is no label.
    #[error("no {0} can be called \"{1}\"; write key=value, or key for whatever is asked of it")]
    Label(&'static str, String),
    /// A name that no signer has.
    #[error("no {0} can be called \"{1}\"; write DOMAIN/NAME, as example.org/mesh")]
    Signer(&'static str, String),
    /// Only a type, or only a name.
    #[error("write TYPE/NAME, as serviceaccounts/deployer")]
    Slash,
    /// The name of a toleration is none.
    #[error(transparent)]
    Toleration(#[from] Malformed),
    /// Nothing that a question can be about.
    #[error("nothing asks about \"{0}\"; {instead}", instead = instead(.0))]
    Type(String),
}

/// Every type of which one can be named.
fn granted() -> impl Iterator<Item = Known> {
    let known = Known::ALL.into_iter();
    known.filter(|known| known.names() != Names::None)
}

/// What to write for a text that is no type.
fn instead(written: &str) -> String {
    // All that is virtual is of one group, which would make it alike.
    let bare = written.split('.').next().unwrap_or_default();
    let near = nearest(bare, granted().map(|known| known.resource().name));
    let is_near = |known: &Known| near == Some(known.resource().name);
    match granted().find(is_near) {
        Some(known) => format!("\"{}\" is probably meant", known.resource()),
        None => format!("the types are {}", types()),
    }
}

/// All of them in words, with their short names.
fn types() -> String {
    let named = granted().map(|known| match known.short() {
        Some(short) => format!("{} ({short})", known.resource()),
        None => known.resource().to_string(),
    });
    let named: Vec<String> = named.collect();
    format!(
        "{}, and RESOURCE.GROUP of what custom resources name",
        named.join(", ")
    )
}

/// A help text with the types in place of `{TYPES}`.
pub(super) fn with_types(help: &str) -> String {
    help.replace("{TYPES}", &format!("Types: {}.", types()))
}

impl FromStr for Named {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        // A name may hold slashes, a type never does.
        let (written, name) = text.split_once('/').ok_or(BadName::Slash)?;
        let kind = written.to_ascii_lowercase();
        let (bare, group) = kind.split_once('.').unwrap_or((&kind, ""));
        let is_meant = |known: &Known| {
            let resource = known.resource();
            (bare == resource.name || bare == resource.singular || known.short() == Some(bare))
                && (group.is_empty() || group == resource.group)
        };
        let known = Known::ALL.into_iter().find(is_meant);
        let (check, resource, names) = match known {
            Some(known) => (known.check(), known.resource(), known.names()),
            // Custom resources name others by their group; what is virtual stands in the table.
            None if !matches!(group, "" | "usher.dev") && is_object_name(&kind) => {
                (Check::ScaleTargets, Resource::named(&kind), Names::Object)
            }
            None => return Err(BadName::Type(written.to_owned())),
        };
        let bad =
            |why: fn(&'static str, String) -> BadName| Err(why(resource.singular, name.to_owned()));
        match names {
            Names::None => return Err(BadName::Type(written.to_owned())),
            Names::Labels if !is_node_label(name) => return bad(BadName::Label),
            Names::Object if !is_object_name(name) => return bad(BadName::Name),
            Names::Signer if !is_signer(name) => return bad(BadName::Signer),
            Names::Taints => drop(Toleration::named(name)?),
            Names::Text if !is_audience(name) => return bad(BadName::Audience),
            Names::Labels | Names::Object | Names::Signer | Names::Text => {}
        }
        Ok(Self {
            check,
            resource,
            name: name.to_owned(),
        })
    }
}

/// The API server takes any text for an audience. One with a star is meant as a pattern, and would be none.
fn is_audience(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_control() || c == '*')
}

/// `pkg/apis/certificates/validation`, `ValidateSignerName`.
fn is_signer(name: &str) -> bool {
    name.split_once('/').is_some_and(|(domain, path)| {
        domain.contains('.') && is_object_name(domain) && is_object_name(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_kubectl_reads_them() {
        for (text, resource, name) in [
            ("serviceaccounts/a", Resource::SERVICE_ACCOUNTS, "a"),
            ("serviceaccount/a.b", Resource::SERVICE_ACCOUNTS, "a.b"),
            ("sa/a", Resource::SERVICE_ACCOUNTS, "a"),
            ("ServiceAccounts/a", Resource::SERVICE_ACCOUNTS, "a"),
            ("tolerations.usher.dev/*", Resource::TOLERATIONS, "*"),
            (
                "tolerations/nvidia.com/gpu=a:NoSchedule",
                Resource::TOLERATIONS,
                "nvidia.com/gpu=a:NoSchedule",
            ),
            (
                "toleration/*:NoExecute",
                Resource::TOLERATIONS,
                "*:NoExecute",
            ),
            ("no/n1", Resource::NODES, "n1"),
            ("node/n1", Resource::NODES, "n1"),
            ("nodes/n1", Resource::NODES, "n1"),
            ("pc/high", Resource::PRIORITY_CLASSES, "high"),
            (
                "priorityclasses.scheduling.k8s.io/high",
                Resource::PRIORITY_CLASSES,
                "high",
            ),
            (
                "runtimeclass.node.k8s.io/gvisor",
                Resource::RUNTIME_CLASSES,
                "gvisor",
            ),
            ("runtimeclasses/gvisor", Resource::RUNTIME_CLASSES, "gvisor"),
            ("secrets/a", Resource::named("secrets"), "a"),
            (
                "ovens.bakery.example/a",
                Resource::named("ovens.bakery.example"),
                "a",
            ),
            (
                "tokenaudiences.usher.dev/https://sts.example.org/a b",
                Resource::TOKEN_AUDIENCES,
                "https://sts.example.org/a b",
            ),
            ("tokenaudience/vault", Resource::TOKEN_AUDIENCES, "vault"),
            (
                "signers.certificates.k8s.io/example.org/mesh",
                Resource::SIGNERS,
                "example.org/mesh",
            ),
            (
                "signer/example.org/a.b",
                Resource::SIGNERS,
                "example.org/a.b",
            ),
        ] {
            let named: Named = text.parse().unwrap();
            assert_eq!((named.resource, &*named.name), (resource, name), "{text}");
        }
    }

    #[test]
    fn what_nobody_can_use_is_an_error() {
        for (text, error) in [
            ("deployer", "write TYPE/NAME"),
            (
                "widgets/a",
                "nothing asks about \"widgets\"; the types are serviceaccounts (sa), ",
            ),
            (
                "serviceacounts/a",
                "nothing asks about \"serviceacounts\"; \"serviceaccounts\" is probably meant",
            ),
            (
                "nodelabelz.usher.dev/pool=a",
                "\"nodelabels.usher.dev\" is probably meant",
            ),
            (
                "kinds.usher.dev/a",
                "nothing asks about \"kinds.usher.dev\"; the types are",
            ),
            (
                "ovens.usher.dev/a",
                "nothing asks about \"ovens.usher.dev\"; the types are",
            ),
            ("sa/", "can be called \"\""),
            ("sa/*", "can be called \"*\""),
            ("sa/team-a/deployer", "can be called \"team-a/deployer\""),
            ("no/N1", "can be called"),
            ("tolerations/", "names no set of taints"),
            ("tolerations/k:Never", "effect"),
            ("tokenaudiences/", "an audience is any text"),
            ("tokenaudiences/team-*", "RBAC knows no patterns"),
            ("tokenaudiences/a\nb", "without control characters"),
            ("signers/mesh", "write DOMAIN/NAME"),
            ("signers/mesh/a", "write DOMAIN/NAME"),
            ("signers/example.org/a/b", "write DOMAIN/NAME"),
            ("signers/example.org/*", "write DOMAIN/NAME"),
        ] {
            let bad = Named::from_str(text).unwrap_err().to_string();
            assert!(bad.contains(error), "{text}: {bad}");
        }
    }
}
