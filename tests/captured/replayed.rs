//! Reviews that a real API server sent (`tests/captured`), answered as `/mutate` does, whole and damaged.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use usher::facts::FactSource;
use usher_core::{
    catalogue::Catalogue,
    config,
    engine::{FactError, Facts, Need, Policy, mutate},
    reference::Requester,
    review::{read, refuse, respond_mutation},
};

use super::judged::{body, damage, names};
use crate::support::{
    contract,
    random::{Dice, nth_seed},
    rounds::{changed, gathered},
};

const CONFIGURATION: &str = r#"
apiVersion: usher.dev/v1alpha1
kind: Configuration
excludedNamespaces: []
profiles:
  - {preset: rotating-api-token}
  - name: role
    volume: {name: role-token, mountPath: /role}
    tokens: [{audience: role, path: token}]
    env: [{name: ROLE, fromServiceAccountAnnotation: example.org/role}, {name: TOKEN, tokenFile: token}]
    labels: {example.org/role: "yes"}
    fsGroup: {when: always, value: 7}
"#;

/// What there is to see of an answer.
struct Said {
    allowed: bool,
    /// The object with the patch, if there is one.
    patched: Option<Value>,
    warnings: usize,
}

fn policy() -> Policy {
    config::parse(CONFIGURATION).unwrap().policy
}

/// Answers a review, with what is found where the account is looked for, and checks the answer as the API server does.
fn answer(
    bytes: &[u8],
    policy: &Policy,
    account: &Result<Option<Box<RawValue>>, FactError>,
) -> Said {
    let request = match read(bytes) {
        Ok(request) => request,
        Err(bad) => {
            let uid = bad.uid.unwrap_or_default();
            contract::check_mutation(&refuse(&uid, &bad.why, 400), &uid, false).unwrap();
            return Said {
                allowed: false,
                patched: None,
                warnings: 0,
            };
        }
    };
    let catalogue = Catalogue::embedded().unwrap();
    let work = |facts: &Facts| mutate(&request, &catalogue, policy, facts);
    let mutation = changed(&request, work, &Account(account.clone()));
    let allowed = mutation.allowed();
    let answer = respond_mutation(&mutation);
    contract::check_mutation(&answer, &request.uid, allowed).unwrap();
    // What a message would be shown at is found, whatever the object.
    mutation.concerned();
    // A number or a text that no value holds, in a part that nobody looks at: this reader cannot tell.
    let object = request.object.map(RawValue::get);
    let object: Option<Value> = object.and_then(|text| serde_json::from_str(text).ok());
    let patched = contract::patch(&answer)
        .zip(object)
        .map(|(patch, mut object)| {
            json_patch::patch(&mut object, &patch).unwrap();
            object
        });
    Said {
        allowed,
        patched,
        warnings: mutation.warnings.len(),
    }
}

/// What is found where an account is looked for.
struct Account(Result<Option<Box<RawValue>>, FactError>);

impl FactSource for Account {
    async fn gather(&self, _: &Requester<'_>, needs: Vec<Need>, facts: &mut Facts, _: Instant) {
        assert_eq!(facts.count(), 0, "it is asked in one round");
        gathered(needs, facts, |need, facts| {
            let Need::Object(at) = need else {
                panic!("{need:?}")
            };
            assert_eq!((&*at.api_version, &*at.resource), ("v1", "serviceaccounts"));
            facts.object(at, self.0.clone());
        });
    }
}

fn account() -> Box<RawValue> {
    to_raw_value(&json!({"metadata": {"annotations": {"example.org/role": "r"}}})).unwrap()
}

/// The one place in which something of the pod is written anew.
const SHORTENED: &str = "/spec/volumes/0/projected/sources/0/serviceAccountToken/expirationSeconds";

/// Whether all that was there is there, in its order.
fn holds(after: &Value, before: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => before
            .iter()
            .all(|(key, value)| after.get(key).is_some_and(|after| holds(after, value))),
        (Value::Array(before), Value::Array(after)) => {
            before.len() <= after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(before, after)| holds(after, before))
        }
        // What is not there may be written as null, and a list or map comes in its place.
        (Value::Null, _) => true,
        (Value::Number(seconds), Value::Number(_)) if seconds.as_i64() == Some(3607) => true,
        _ => before == after,
    }
}

#[test]
fn what_a_real_api_server_sent_is_changed_as_it_must_be() {
    let mut changed = Vec::new();
    for name in names() {
        let said = answer(&body(&name), &policy(), &Ok(Some(account())));
        // A token request, a status, an update: nothing of it is a new pod.
        assert!(said.allowed && said.warnings == 0, "{name}");
        if let Some(patched) = said.patched {
            let mut review: Value = serde_json::from_slice(&body(&name)).unwrap();
            assert!(holds(&patched, &review["request"]["object"]), "{name}");
            assert_eq!(review["request"]["kind"]["kind"], "Pod", "{name}");
            assert_eq!(review["request"]["operation"], "CREATE", "{name}");
            let again = {
                review["request"]["object"] = patched;
                answer(
                    review.to_string().as_bytes(),
                    &policy(),
                    &Ok(Some(account())),
                )
            };
            assert!(again.allowed && again.patched.is_none(), "{name}");
            changed.push(name);
        }
    }
    // Every new pod but the mirror pod, also those that came to the validating side.
    let created = names()
        .into_iter()
        .filter(|name| name.starts_with("pod-create-") && !name.contains("mirror"));
    assert_eq!(changed, created.collect::<Vec<_>>());
}

#[test]
fn what_came_to_the_mutating_side_is_changed_to_the_byte() {
    for (name, labels) in [
        ("pod-create-by-replicaset-controller.mutating", true),
        ("pod-create-by-user.mutating", true),
        ("pod-create-generate-name.mutating", true),
    ] {
        let review: Value = serde_json::from_slice(&body(name)).unwrap();
        let mut expected = review["request"]["object"].clone();
        assert_eq!(
            expected["metadata"].get("labels").is_some(),
            labels,
            "{name}"
        );
        assert_eq!(*expected.pointer(SHORTENED).unwrap(), json!(3607), "{name}");
        *expected.pointer_mut(SHORTENED).unwrap() = json!(3600);
        expected["metadata"]["labels"]["example.org/role"] = json!("yes");
        expected["spec"]["securityContext"] = json!({"fsGroup": 7});
        let source = json!({"serviceAccountToken": {"audience": "role", "expirationSeconds": 3600, "path": "token"}});
        let volume = json!({"name": "role-token", "projected": {"sources": [source]}});
        expected["spec"]["volumes"]
            .as_array_mut()
            .unwrap()
            .push(volume);
        for container in expected["spec"]["containers"].as_array_mut().unwrap() {
            let mount = json!({"name": "role-token", "mountPath": "/role", "readOnly": true});
            container["volumeMounts"]
                .as_array_mut()
                .unwrap()
                .push(mount);
            container["env"] =
                json!([{"name": "ROLE", "value": "r"}, {"name": "TOKEN", "value": "/role/token"}]);
        }
        let said = answer(&body(name), &policy(), &Ok(Some(account())));
        assert_eq!(said.patched.unwrap(), expected, "{name}");
    }
}

#[test]
fn damaged_reviews_never_panic_and_are_never_changed_wrongly() {
    let policy = policy();
    let (mut tried, mut refused, mut changed) = (0, 0, 0);
    let accounts = [Ok(Some(account())), Ok(None), Err(FactError::Deadline)];
    let created: Vec<String> = names()
        .into_iter()
        .filter(|name| name.starts_with("pod-create-"))
        .collect();
    for (index, name) in created.iter().enumerate() {
        let whole = body(name);
        let rounds = if name.ends_with(".mutating") { 400 } else { 60 };
        for round in 0..rounds {
            let seed = nth_seed(index * 1000 + round);
            let mut dice = Dice::new(seed);
            let bytes = damage(&mut dice, whole.clone());
            let account = &accounts[dice.below(accounts.len())];
            let said = catch_unwind(AssertUnwindSafe(|| answer(&bytes, &policy, account)));
            let shown = || {
                let text = String::from_utf8_lossy(&bytes);
                format!("{name}, USHER_SEED={seed}: {text}")
            };
            let Ok(said) = said else {
                panic!("{}", shown())
            };
            tried += 1;
            refused += usize::from(!said.allowed);
            let Some(patched) = said.patched else {
                continue;
            };
            changed += 1;
            assert!(said.allowed, "{}", shown());
            let Ok(mut review) = serde_json::from_slice::<Value>(&bytes) else {
                continue;
            };
            let before = review["request"]["object"].take();
            assert!(holds(&patched, &before), "{patched}\n{}", shown());
            // The second call finds nothing to do.
            review["request"]["object"] = patched;
            let again = answer(review.to_string().as_bytes(), &policy, account);
            assert!(again.allowed && again.patched.is_none(), "{}", shown());
        }
    }
    println!("{tried} damaged reviews: {refused} refused, {changed} changed");
    assert!(tried > 2000 && refused > tried / 4 && changed > tried / 20);
}
