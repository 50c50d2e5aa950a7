//! The bytes of a review: judged over every project, answered with JSON that carries the uid.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usher_core::{
    catalogue::Catalogue,
    config::{self, Settings},
    engine::{FactError, Facts, Judgement, World, judge},
    review::{read, respond},
    rights::Rights,
};

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    let mut settings = config::parse(
        "tokens: [{namespaces: ['*'], audiences: [vault], maxSeconds: 3600}]\nchecks: {schedulers: enforce, secrets: enforce}",
    )
    .unwrap();
    settings.catalogue = Catalogue::embedded().unwrap();
    settings.catalogue.enable("all").unwrap();
    settings
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = read(bytes) else { return };
    let rights = Rights::default();
    let world = World {
        catalogue: &SETTINGS.catalogue,
        policy: &SETTINGS.policy,
        rights: &rights,
        today: jiff::civil::date(2026, 11, 26),
    };
    let mut facts = Facts::default();
    for _ in 0..8 {
        match judge(&request, &world, &facts) {
            Judgement::Verdict(verdict) => {
                let answer: Value = serde_json::from_slice(&respond(&verdict)).unwrap();
                assert_eq!(answer["response"]["uid"], *request.uid);
                assert_eq!(answer["response"]["allowed"], verdict.allowed());
                return;
            }
            Judgement::Needs(needs) => {
                for need in needs {
                    facts.failed(need, FactError::Deadline);
                }
            }
        }
    }
    panic!("it leads to ever more facts");
});
