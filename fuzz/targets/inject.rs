//! The bytes of a review: whatever is changed can be applied, and nothing is left to change afterwards.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::value::to_raw_value;
use usher_core::{
    config::{self, Settings},
    engine::{Facts, Mutating, Need, Operation, Request, mutate},
    review::read,
};

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    config::parse(
        "profiles:
- {name: vault, volume: {name: v, mountPath: /var/run/secrets/vault}, tokens: [{audience: vault, path: token}], env: [{name: A, value: b}], fsGroup: {when: ifNonRoot}}
- preset: rotating-api-token
tokens: [{namespaces: ['*'], maxSeconds: 86400, tooLong: shorten, extendedApiToken: rewrite}]
",
    )
    .unwrap()
});

fn changed(request: &Request<'_>) -> Option<serde_json::Value> {
    let mut facts = Facts::default();
    for _ in 0..8 {
        match mutate(request, &SETTINGS.catalogue, &SETTINGS.policy, &facts) {
            Mutating::Done(mutation) => {
                if !mutation.allowed() || mutation.patch.0.is_empty() {
                    return None;
                }
                return Some(mutation.applied(request.object?).expect("the patch fits"));
            }
            Mutating::Needs(needs) => {
                for need in needs {
                    match need {
                        Need::Object(at) => facts.object(at, Ok(None)),
                        Need::Review(question) => facts.review(question, Ok(None)),
                    }
                }
            }
        }
    }
    panic!("it leads to ever more facts");
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = read(bytes) else { return };
    if request.operation != Operation::Create {
        return;
    }
    let Some(once) = changed(&request) else { return };
    let object = to_raw_value(&once).unwrap();
    let again = Request {
        object: Some(&object),
        ..request.clone()
    };
    assert_eq!(changed(&again), None, "a second pass finds something to change");
});
