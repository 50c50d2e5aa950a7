//! Roles and bindings as JSON, one a line: compiled, and asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_core::{
    reference::{Question, Requester, Resource},
    rights::Rbac,
};

fuzz_target!(|text: &str| {
    let mut rbac = Rbac::default();
    for line in text.lines() {
        // What is no object of this kind is none of the others either, or is taken as one: both are fine.
        if let Ok(role) = serde_json::from_str(line) {
            let _ = rbac.apply_cluster_role(&role);
        }
        if let Ok(role) = serde_json::from_str(line) {
            let _ = rbac.apply_role(&role);
        }
        if let Ok(binding) = serde_json::from_str(line) {
            let _ = rbac.apply_cluster_role_binding(&binding);
        }
        if let Ok(binding) = serde_json::from_str(line) {
            let _ = rbac.apply_role_binding(&binding);
        }
    }
    let rights = rbac.compile();
    let requester = Requester::named("jane", ["team-a"]);
    for resource in Resource::ALL {
        let _ = rights.find(&requester, &Question::new(resource, "team-a", "builder"));
    }
});
