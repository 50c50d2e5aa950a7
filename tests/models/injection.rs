//! Injection beside what every injected pod must be, on random profiles and pods: whatever the pod was, and whatever other
//! webhooks do to it between two calls.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json, value::RawValue};
use usher_core::{
    config,
    inject::{Account, Effect, GivenToken, Plan, Profile, Subject, plan},
};

use crate::support::random::{Dice, seeds};

/// Pods that one run looks at.
const PODS: u64 = 2_000;
const API: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PATHS: [&str; 3] = ["/var/run/a", "/var/run/b", API];

/// A profile as the configuration has it, and as it was read.
struct Known {
    written: Vec<Value>,
    read: Vec<Profile>,
}

impl Known {
    fn random(dice: &mut Dice) -> Self {
        let written: Vec<Value> = (0..=dice.below(3)).map(|n| profile(dice, n)).collect();
        let text = json!({ "profiles": written }).to_string();
        let settings = config::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self {
            written,
            read: settings.policy.profiles,
        }
    }

    /// Whether two profiles want one place: a container that comes later may then have to be refused.
    fn share_a_path(&self) -> bool {
        let paths = self
            .written
            .iter()
            .map(|profile| &profile["volume"]["mountPath"]);
        let different: HashSet<String> = paths.map(ToString::to_string).collect();
        different.len() < self.written.len()
    }

    fn of(&self, profile: &Profile) -> &Value {
        let mut known = self.written.iter();
        known.find(|known| known["name"] == *profile.name).unwrap()
    }
}

fn profile(dice: &mut Dice, number: usize) -> Value {
    let api = dice.one_in(3);
    let mut tokens = vec![json!({
        "audience": if api { "" } else { dice.pick(&["vault", "sts"]) }, "path": "token",
        "expirationSeconds": 3600, "jitterSeconds": dice.pick(&[&0, &1200])
    })];
    if dice.one_in(3) {
        tokens
            .push(json!({"audience": "second", "path": "deep/second", "expirationSeconds": 7200}));
    }
    let mut profile = json!({
        "name": format!("p{number}"),
        "select": {"onRequest": dice.one_in(4)},
        "containers": {"skip": ["skipped*"], "skipAnnotation": "example.org/skip"},
        "volume": {"name": dice.pick(&["token", "token", "own"]), "mountPath": dice.pick(&PATHS)},
        "tokens": tokens,
        "rootCertificate": api,
        "namespaceFile": api,
        "env": [
            {"name": format!("FILE_{number}"), "tokenFile": "token"},
            {"name": "SHARED", "value": "value"},
            {"name": "ROLE", "fromServiceAccountAnnotation": "example.org/role", "unlessSet": ["OTHER_ROLE"]},
        ],
        "fsGroup": {"when": dice.pick(&["never", "ifNonRoot", "always"]), "value": 1000 + number},
        "labels": {"example.org/injected": "yes"},
        "bounds": {"expirationSeconds": [600, 86400], "outOfRange": dice.pick(&["refuse", "clamp"]), "audiences": ["*"]},
        "onClash": dice.pick(&["refuse", "nextName"]),
    });
    if dice.one_in(2) {
        profile["volume"]["defaultMode"] = json!(*dice.pick(&[&420, &256]));
    }
    profile
}

/// A volume that holds what the profile wants, perhaps, in another order, under another name.
fn volume(dice: &mut Dice, known: &Known) -> Value {
    let name = *dice.pick(&[&"token", &"own", &"mine", &"kube-api-access-x"]);
    let wanted = &known.written[dice.below(known.written.len())];
    let seconds = *dice.pick(&[&600, &3600, &3607, &7200, &599]);
    match dice.below(5) {
        0 => json!({"name": name, "emptyDir": {}, "unknown": {"deep": [1, {"x": null}]}}),
        1 => json!({"name": name, "hostPath": {"path": "/"}}),
        _ => json!({"name": name, "projected": content(wanted, seconds, dice.one_in(2))}),
    }
}

/// The content of a profile's volume, written here a second time: without a look at how it is written there.
fn content(profile: &Value, seconds: i64, reversed: bool) -> Value {
    let mut sources = Vec::new();
    for token in profile["tokens"].as_array().unwrap() {
        let mut source = json!({"path": token["path"], "expirationSeconds": seconds});
        if token["audience"] != "" {
            source["audience"] = token["audience"].clone();
        }
        sources.push(json!({ "serviceAccountToken": source }));
    }
    if profile["rootCertificate"] == true {
        let items = json!([{"key": "ca.crt", "path": "ca.crt"}]);
        sources.push(json!({"configMap": {"name": "kube-root-ca.crt", "items": items}}));
    }
    if profile["namespaceFile"] == true {
        let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
        sources.push(json!({"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}}));
    }
    if reversed {
        sources.reverse();
    }
    let mut projected = json!({ "sources": sources });
    if let Some(mode) = profile["volume"].get("defaultMode") {
        projected["defaultMode"] = mode.clone();
    }
    projected
}

fn container(dice: &mut Dice, name: &str, volumes: &[Value]) -> Value {
    let mut container = json!({"name": name, "image": "i", "unknown": {"grpc": {"port": 1}}});
    if !volumes.is_empty() && dice.one_in(3) {
        let volume = &volumes[dice.below(volumes.len())]["name"];
        let path = *dice.pick(&[&"/data", &"/var/run/a", &"/var/run/a/", &API]);
        container["volumeMounts"] = json!([{"name": volume, "mountPath": path}]);
        if dice.one_in(5) {
            container["volumeMounts"][0]["subPath"] = json!("part");
        }
    }
    if dice.one_in(2) {
        let name = *dice.pick(&[&"SHARED", &"OTHER_ROLE", &"FILE_0", &"X"]);
        container["env"] =
            json!([{"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    }
    security(dice, &mut container);
    container
}

fn security(dice: &mut Dice, of: &mut Value) {
    match dice.below(6) {
        0 => of["securityContext"] = json!({"runAsUser": *dice.pick(&[&0, &7])}),
        1 => of["securityContext"] = json!({"runAsNonRoot": dice.one_in(2)}),
        2 => of["securityContext"] = Value::Null,
        _ => {}
    }
}

fn pod(dice: &mut Dice, known: &Known) -> Value {
    let mut volumes: Vec<Value> = Vec::new();
    for _ in 0..dice.below(4) {
        let volume = volume(dice, known);
        if volumes.iter().all(|held| held["name"] != volume["name"]) {
            volumes.push(volume);
        }
    }
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"unknown": {"a": [1.5, "ü"]}}
    });
    for (list, most) in [("initContainers", 2), ("containers", 3)] {
        if list == "containers" || dice.one_in(2) {
            let names = ["a", "b", "skipped", "a"];
            let count = 1 + dice.below(most);
            let held: Vec<Value> = (0..count)
                .map(|n| container(dice, names[n], &volumes))
                .collect();
            pod["spec"][list] = json!(held);
        }
    }
    match dice.below(4) {
        0 => {}
        1 if volumes.is_empty() => pod["spec"]["volumes"] = Value::Null,
        _ => pod["spec"]["volumes"] = json!(volumes),
    }
    security(dice, &mut pod["spec"]);
    if dice.one_in(6) {
        pod["spec"]["securityContext"] = json!({"fsGroup": 5});
    }
    if dice.one_in(6) {
        pod["spec"]["os"] = json!({"name": "windows"});
    }
    pod["metadata"]["annotations"] = match dice.below(8) {
        0 => json!({"usher.dev/inject": "p0"}),
        1 => json!({"usher.dev/inject": "-p0", "example.org/skip": "a; b"}),
        2 => json!({"usher.dev/skip-containers": "b,x"}),
        3 => {
            let seconds = *dice.pick(&[&"900", &"3607", &"599", &"x"]);
            json!({ "p0.usher.dev/expiration-seconds": seconds })
        }
        4 => json!({"p0.usher.dev/audience": "asked"}),
        5 => json!({"usher.dev/inject": "false"}),
        _ => json!({}),
    };
    if dice.one_in(3) {
        pod["metadata"]["labels"] = json!({"example.org/injected": "no"});
    }
    pod
}

/// What happens to a pod between two calls.
fn meddle(dice: &mut Dice, pod: &mut Value, before: &Value) {
    pod["metadata"]["name"] = json!("renamed");
    // The API server fills in what nobody wrote.
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
        if let Some(projected) = volume.get_mut("projected").and_then(Value::as_object_mut) {
            projected.entry("defaultMode").or_insert(json!(420));
        }
    }
    if dice.one_in(2) {
        let own: HashSet<&str> = names(&before["spec"]["volumes"]).collect();
        let added: Vec<String> = names(&pod["spec"]["volumes"])
            .filter(|name| !own.contains(name))
            .map(str::to_owned)
            .collect();
        for name in added {
            rename(pod, &name, &format!("renamed-{name}"));
        }
    }
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    if dice.one_in(2) {
        containers.reverse();
    }
    if dice.one_in(2) {
        containers.insert(
            0,
            json!({"name": "sidecar", "image": "s", "securityContext": {"runAsUser": 0}}),
        );
    }
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|held| held["name"].as_str())
}

fn rename(pod: &mut Value, from: &str, to: &str) {
    let volumes = pod["spec"]["volumes"].as_array_mut().into_iter().flatten();
    for volume in volumes.filter(|volume| volume["name"] == from) {
        volume["name"] = json!(to);
    }
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            for mount in container["volumeMounts"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                if mount["name"] == from {
                    mount["name"] = json!(to);
                }
            }
        }
    }
}

/// A pod that was not refused.
struct Injected {
    pod: Value,
    changed: bool,
    /// Whether it declines a profile, which a container that comes later may then be the first to get.
    declined: bool,
}

/// Plans, applies, and checks the result. `None` if the pod is refused.
fn inject(known: &Known, pod: &Value, seed: &str) -> Option<Injected> {
    let raw = serde_json::value::to_raw_value(pod).unwrap();
    let account: Box<RawValue> = RawValue::from_string(
        r#"{"metadata":{"annotations":{"example.org/role":"reader"}}}"#.to_owned(),
    )
    .unwrap();
    let subject = Subject {
        pod: &raw,
        base: &[],
        namespace: "team-a",
        seed,
    };
    let plan = plan(&known.read, &subject, |_| Some(Account::Known(&account))).unwrap();
    let refused = |effect: &Effect<'_>| matches!(effect, Effect::Refused(_));
    if !plan.refusals.is_empty() || plan.steps.iter().any(|step| refused(&step.effect)) {
        assert!(plan.patch.0.is_empty(), "a refused pod is changed");
        return None;
    }
    let mut after = pod.clone();
    json_patch::patch(&mut after, &plan.patch).unwrap();
    extends(pod, &after, "");
    holds(known, &plan, pod, &after);
    let changed = plan
        .steps
        .iter()
        .any(|step| matches!(&step.effect, Effect::Given(given) if given.changed));
    assert_eq!(
        changed,
        !plan.patch.0.is_empty(),
        "what is said is what is done"
    );
    let declined = |effect: &Effect<'_>| matches!(effect, Effect::Declined(_));
    Some(Injected {
        pod: after,
        changed,
        declined: plan.steps.iter().any(|step| declined(&step.effect)),
    })
}

/// Whether everything that was there is there still, and at its place: only lifetimes of a year become shorter.
fn extends(before: &Value, after: &Value, at: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                extends(value, &after[key], &format!("{at}/{key}"));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert!(before.len() <= after.len(), "{at} became shorter");
            for (index, value) in before.iter().enumerate() {
                extends(value, &after[index], &format!("{at}/{index}"));
            }
        }
        (Value::Null, _) if at == "/spec/volumes" || at.ends_with("securityContext") => {}
        (Value::Number(year), Value::Number(_)) if at.ends_with("/expirationSeconds") => {
            assert!(
                before == after || year.as_i64() == Some(3607),
                "{at} is changed"
            );
        }
        _ => assert_eq!(before, after, "{at} is changed"),
    }
}

/// What must be true of a pod that got these profiles.
fn holds(known: &Known, plan: &Plan<'_>, before: &Value, after: &Value) {
    let volumes: HashMap<&str, &Value> = after["spec"]["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|volume| (volume["name"].as_str().unwrap(), volume))
        .collect();
    assert_eq!(
        volumes.len(),
        names(&after["spec"]["volumes"]).count(),
        "a name is there twice"
    );
    let windows = after["spec"]["os"]["name"] == "windows";
    let mut group_wanted = false;
    for step in &plan.steps {
        let Effect::Given(given) = &step.effect else {
            continue;
        };
        let profile = known.of(step.profile);
        let path = profile["volume"]["mountPath"].as_str().unwrap();
        let mut got = given.containers.iter();
        for list in ["initContainers", "containers"] {
            for container in after["spec"][list].as_array().into_iter().flatten() {
                let touched = got.next().unwrap();
                assert_eq!(*container["name"].as_str().unwrap(), *touched.name);
                let mounts: Vec<&Value> = container["volumeMounts"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .collect();
                let at = |mount: &&&Value| {
                    mount["mountPath"].as_str().unwrap().trim_end_matches('/') == path
                };
                let here: Vec<&&Value> = mounts.iter().filter(at).collect();
                if touched.skipped.is_some() {
                    continue;
                }
                assert_eq!(here.len(), 1, "{path} is mounted {} times", here.len());
                assert!(here[0].get("subPath").is_none());
                let volume = volumes[here[0]["name"].as_str().unwrap()];
                is_content(profile, &given.tokens, &volume["projected"]);
                for variable in [
                    "SHARED",
                    "ROLE",
                    profile["env"][0]["name"].as_str().unwrap(),
                ] {
                    let other = names(&container["env"]).any(|name| name == "OTHER_ROLE");
                    let there = names(&container["env"])
                        .filter(|name| *name == variable)
                        .count();
                    assert_eq!(
                        there,
                        usize::from(variable != "ROLE" || !other),
                        "{variable}"
                    );
                }
                group_wanted |= match profile["fsGroup"]["when"].as_str().unwrap() {
                    "always" => true,
                    "ifNonRoot" => {
                        let of = |key: &str| {
                            let own = &container["securityContext"][key];
                            if own.is_null() {
                                after["spec"]["securityContext"][key].clone()
                            } else {
                                own.clone()
                            }
                        };
                        of("runAsNonRoot") == true
                            || of("runAsUser").as_i64().is_some_and(|user| user != 0)
                    }
                    _ => false,
                };
            }
        }
    }
    let group = |pod: &Value| pod["spec"]["securityContext"]["fsGroup"].as_i64();
    match group(before) {
        Some(own) => assert_eq!(group(after), Some(own)),
        None => assert_eq!(group(after).is_some(), group_wanted && !windows, "fsGroup"),
    }
}

/// Whether a volume is what the profile wants: the same as its sources, taken one from the other.
fn is_content(profile: &Value, tokens: &[GivenToken], projected: &Value) {
    let mode = |of: &Value| of.get("defaultMode").and_then(Value::as_i64).unwrap_or(420);
    assert_eq!(mode(projected), mode(&profile["volume"]), "mode");
    let plain = |sources: &Value| -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for source in sources.as_array().unwrap() {
            let mut source = source.clone();
            if let Some(token) = source.get_mut("serviceAccountToken") {
                let seconds = token["expirationSeconds"].as_i64().unwrap();
                assert!((600..=86400).contains(&seconds), "{seconds} s");
                assert!(
                    token.get("audience").is_some() || seconds != 3607,
                    "a token of a year"
                );
                token["expirationSeconds"] = json!(0);
            }
            texts.push(sorted(&source).to_string());
        }
        texts.sort();
        texts
    };
    let mut wanted = profile.clone();
    for (token, given) in wanted["tokens"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(tokens)
    {
        token["audience"] = json!(given.audience);
    }
    assert_eq!(
        plain(&projected["sources"]),
        plain(&content(&wanted, 600, false)["sources"])
    );
}

/// With the keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(held) => {
            let mut keys: Vec<&String> = held.keys().collect();
            keys.sort();
            keys.into_iter()
                .map(|key| (key.clone(), sorted(&held[key])))
                .collect()
        }
        Value::Array(held) => held.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[test]
fn injection_adds_what_it_must_once_whatever_happens_in_between() {
    let (mut changed, mut refused, mut quiet) = (0, 0, 0);
    for seed in seeds().take(usize::try_from(PODS).unwrap()) {
        let mut dice = Dice::new(seed);
        let known = Known::random(&mut dice);
        let before = pod(&mut dice, &known);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let once = inject(&known, &before, "uid-1")?;
            let twice = inject(&known, &once.pod, "uid-2").expect("refused the second time");
            assert!(
                !twice.changed,
                "the second time changes something: {}",
                twice.pod
            );
            let mut meddled = once.pod.clone();
            meddle(&mut dice, &mut meddled, &before);
            let Some(third) = inject(&known, &meddled, "uid-3") else {
                assert!(
                    once.declined || known.share_a_path(),
                    "refused after another webhook"
                );
                return None;
            };
            let fourth = inject(&known, &third.pod, "uid-4").expect("refused the fourth time");
            assert!(
                !fourth.changed,
                "the fourth time changes something: {}",
                fourth.pod
            );
            Some(once.changed)
        }));
        match told {
            Ok(Some(true)) => changed += 1,
            Ok(Some(false)) => quiet += 1,
            Ok(None) => refused += 1,
            Err(told) => {
                eprintln!(
                    "USHER_SEED={seed}: {before}\nprofiles {}",
                    json!(known.written)
                );
                std::panic::resume_unwind(told);
            }
        }
    }
    println!("{PODS} pods: {changed} changed, {refused} refused, {quiet} left as they were");
    let tenth = PODS / 10;
    assert!(
        changed > tenth && refused > tenth && quiet > tenth,
        "the pods are too dull"
    );
}
