//! Where a patch writes.

use json_patch::jsonptr::PointerBuf;

/// The JSON Pointer (RFC 6901) to what stands below a path of keys, with whatever is in a key escaped.
pub(crate) fn pointer(base: &[Box<str>], below: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(base.iter().map(|key| &**key).chain(below.iter().copied()))
}
