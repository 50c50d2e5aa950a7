//! The text of a patch in a Kustomization: looked into, whatever it is.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{json, value::to_raw_value};
use usher_core::{
    catalogue::{Catalogue, Content},
    sight::{Around, sightings},
};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = Catalogue::embedded().unwrap();
    catalogue.enable("flux").unwrap();
    catalogue
});

fuzz_target!(|text: &str| {
    let object = json!({"spec": {"serviceAccountName": "a", "patches": [{"patch": text}]}});
    let object = to_raw_value(&object).unwrap();
    let kind = CATALOGUE
        .find("kustomize.toolkit.fluxcd.io", "Kustomization")
        .unwrap();
    let Content::Fields(fields) = &kind.content else {
        panic!("a Kustomization has fields");
    };
    let around = Around {
        catalogue: &CATALOGUE,
        controller: &|name| CATALOGUE.identity(name),
        asks: &|_| true,
        steers: &|_| true,
        is_bound: &|_| true,
    };
    let _ = sightings(around, fields, &object, "team-a".into());
});
