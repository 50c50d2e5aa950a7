//! The text of manifests: every object as JSON that parses, or an error where it stands.

#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_core::{
    manifest::{Expected, read},
    yaml::{BadYaml, Source},
};

fuzz_target!(|text: &str| {
    let Ok(source) = Source::new("f.yaml", text.to_owned()) else {
        return;
    };
    let read = read(&source, Expected::Objects, |_, object| {
        let json = object.node.to_json().expect("a node is JSON");
        let _: serde_json::Value = serde_json::from_str(json.get()).expect("the JSON is whole");
        Ok::<(), BadYaml>(())
    });
    if let Err(bad) = read {
        assert!(bad.position.is_none_or(|at| at.line > 0 && at.column > 0), "{bad}");
    }
});
