//! A hash that stays the same for ever; the hasher of the standard library may change with every release of Rust.

/// FNV-1a, 32 bits: the same for the same bytes, in every release and on every machine. No protection against whoever looks
/// for two texts of one hash.
pub fn fnv(bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::fnv;

    /// From the draft that describes it (draft-eastlake-fnv, appendix C).
    #[test]
    fn known_texts_have_their_hash() {
        for (text, hash) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("foobar", 0xbf9c_f968),
        ] {
            assert_eq!(fnv(text.bytes()), hash, "{text}");
        }
    }
}
