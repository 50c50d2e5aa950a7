//! The text of a catalogue file: taken in, or refused with its name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_core::catalogue::Catalogue;

fuzz_target!(|text: &str| {
    let mut catalogue = Catalogue::embedded().unwrap();
    if let Err(bad) = catalogue.add("own.yaml", text) {
        assert!(bad.to_string().contains("own.yaml"), "{bad}");
    }
});
