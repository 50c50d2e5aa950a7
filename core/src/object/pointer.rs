//! JSON Pointers (RFC 6901), which the operations of a patch are written with.

use json_patch::jsonptr::PointerBuf;

/// The pointer to what stands at these keys, and at those below them. Whatever a key holds is escaped.
pub(crate) fn pointer(base: &[Box<str>], below: &[&str]) -> PointerBuf {
    let base = base.iter().map(|key| &**key);
    PointerBuf::from_tokens(base.chain(below.iter().copied()))
}

/// The pointer to the lifetime of a token that a pod spec projects: into which volume, and which of its sources it is. The pod
/// spec is what stands at these keys.
pub(crate) fn lifetime(
    base: &[Box<str>],
    below: &[&str],
    volume: usize,
    source: usize,
) -> PointerBuf {
    let (volume, source) = (volume.to_string(), source.to_string());
    let projected = ["volumes", &volume, "projected", "sources", &source];
    let token = ["serviceAccountToken", "expirationSeconds"];
    pointer(base, &[below, &projected, &token].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped() {
        let base: [Box<str>; 2] = ["a/b".into(), "~".into()];
        assert_eq!(pointer(&base, &["0", "c"]).as_str(), "/a~1b/~0/0/c");
    }
}
