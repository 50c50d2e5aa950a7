//! The text of a configuration: read, or refused with a place.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(bad) = usher_core::config::parse(text) {
        assert!(!bad.what.is_empty());
        assert!(bad.position.is_none_or(|at| at.line > 0 && at.column > 0), "{bad}");
    }
});
