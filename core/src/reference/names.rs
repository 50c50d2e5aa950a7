//! Which names Kubernetes accepts (`k8s.io/apimachinery/pkg/util/validation`), and those of labels.

use std::borrow::Cow;

/// Whether an object can have this name: `IsDNS1123Subdomain`, which the names of most kinds must pass.
pub fn is_object_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_part)
}

/// Whether a namespace, a volume or a container can have this name: `IsDNS1123Label`.
pub fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && is_dns_part(name)
}

/// Lower case letters, digits and hyphens, with no hyphen at either end; of any length but none.
fn is_dns_part(part: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
}

/// Whether this is a label of nodes as a grant names one: `key=value`, or `key` alone.
pub fn is_node_label(name: &str) -> bool {
    match name.split_once('=') {
        Some((key, value)) => is_label_key(key) && is_label_value(value),
        None => is_label_key(name),
    }
}

/// The names of all grants that cover a choice by this label, the narrowest first: `key=value`, `key`, `*`.
///
/// A choice by a label only narrows where a pod may land, so that no set of nodes can be compared, as of taints: what is
/// asked is the choosing. `key` covers whatever is asked of the key, also that a node lacks it or its value.
pub(crate) fn node_label_names(name: &str) -> Vec<Cow<'_, str>> {
    let mut names = vec![Cow::Borrowed(name)];
    names.extend(name.split_once('=').map(|(key, _)| Cow::Borrowed(key)));
    if name != "*" {
        names.push(Cow::Borrowed("*"));
    }
    names
}

/// Whether a label, a taint or an annotation can have this key: `IsQualifiedName`, an optional DNS prefix and a name.
pub(crate) fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_object_name)
}

/// Whether a label or a taint can have this value: `IsValidLabelValue`, at most 63 characters; it may be empty.
pub(crate) fn is_label_value(value: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && ends(value.chars().next())
        && ends(value.chars().next_back())
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_covered_by_its_key_and_by_every_label() {
        assert_eq!(node_label_names("a.b/k=v"), ["a.b/k=v", "a.b/k", "*"]);
        assert_eq!(node_label_names("k"), ["k", "*"]);
        assert_eq!(node_label_names("*"), ["*"]);
        for (name, is) in [
            ("k=", true),
            ("a.b/k", true),
            ("k=v=w", false),
            ("=v", false),
            ("", false),
        ] {
            assert_eq!(is_node_label(name), is, "{name}");
        }
    }

    #[test]
    fn names_are_those_of_kubernetes() {
        let (long, longer) = ("a".repeat(63), "a".repeat(64));
        let most = format!("{0}.{0}.{0}.{1}", long, "a".repeat(61));
        for (name, object, label, key, value) in [
            ("", false, false, false, true),
            ("a", true, true, true, true),
            ("a-1", true, true, true, true),
            ("a.b", true, false, true, true),
            ("A", false, false, true, true),
            ("a_b", false, false, true, true),
            ("-a", false, false, false, false),
            ("a-", false, false, false, false),
            ("a..b", false, false, true, true),
            (".a", false, false, false, false),
            ("a/b", false, false, true, false),
            ("a/", false, false, false, false),
            ("/a", false, false, false, false),
            ("a.b/C_d", false, false, true, false),
            ("A/b", false, false, false, false),
            ("a/b/c", false, false, false, false),
            ("a b", false, false, false, false),
            ("ä", false, false, false, false),
            (&long, true, true, true, true),
            (&longer, true, false, false, false),
            (&most, true, false, false, false),
            (&format!("{most}a"), false, false, false, false),
        ] {
            assert_eq!(
                (
                    is_object_name(name),
                    is_dns_label(name),
                    is_label_key(name),
                    is_label_value(name)
                ),
                (object, label, key, value),
                "{name}"
            );
        }
    }
}
