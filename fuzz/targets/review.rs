//! The bytes of a review: judged over every project, answered with JSON that carries the uid. What has to be looked up cannot be
//! had, or is the object of the review itself: a pod, an owner, a revision of any shape.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usher_core::{
    catalogue::Catalogue,
    config::{self, Settings},
    engine::{FactError, Facts, Judgement, Need, World, judge},
    review::{read, respond},
    rights::Rights,
};

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    let mut settings = config::parse(
        "tokens: [{namespaces: ['*'], audiences: [vault], maxSeconds: 3600}]\nchecks: {schedulers: enforce, secrets: enforce, configMaps: enforce, nodeLabels: enforce, proxies: enforce}",
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
    for found in [None, request.object] {
        let mut facts = Facts::default();
        let verdict = (0..8).find_map(|_| match judge(&request, &world, &facts) {
            Judgement::Verdict(verdict) => Some(verdict),
            Judgement::Needs(needs) => {
                for need in needs {
                    match (need, found) {
                        (Need::Object(at), Some(found)) => {
                            facts.object(at, Ok(Some(found.to_owned())));
                        }
                        (need, _) => facts.failed(need, FactError::Deadline),
                    }
                }
                None
            }
        });
        let verdict = verdict.expect("it leads to ever more facts");
        let answer: Value = serde_json::from_slice(&respond(&verdict)).unwrap();
        assert_eq!(answer["response"]["uid"], *request.uid);
        assert_eq!(answer["response"]["allowed"], verdict.allowed());
    }
});
