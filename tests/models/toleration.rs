//! Which grants cover a toleration: the names beside the sets of taints that they stand for, every case.

use usher_core::reference::Toleration;

/// Keys, values and effects of the taints that there are. Of each there is one that nobody names, so that "every key"
/// is more than all the keys that are named.
const KEYS: [&str; 4] = ["gpu", "a.example/b", "gpu.", "unnamed"];
const VALUES: [&str; 5] = ["", "1", "5", "a", "unnamed"];
const EFFECTS: [&str; 4] = ["NoSchedule", "PreferNoSchedule", "NoExecute", "Unnamed"];

/// A set of taints: one bit for each combination.
type Taints = u128;

fn taints(mut is_in: impl FnMut(&str, &str, &str) -> bool) -> Taints {
    let mut set = 0;
    let mut bit = 1;
    for key in KEYS {
        for value in VALUES {
            for effect in EFFECTS {
                if is_in(key, value, effect) {
                    set |= bit;
                }
                bit <<= 1;
            }
        }
    }
    set
}

/// `k8s.io/api/core/v1/toleration.go`, `ToleratesTaint`, with the comparison operators turned on.
fn tolerated(t: &Toleration<'_>) -> Taints {
    taints(|key, value, effect| {
        let compared = |less: bool| match (value.parse::<i64>(), t.value.parse::<i64>()) {
            (Ok(taint), Ok(limit)) => {
                if less {
                    taint < limit
                } else {
                    taint > limit
                }
            }
            _ => false,
        };
        (t.effect.is_empty() || *t.effect == *effect)
            && (t.key.is_empty() || *t.key == *key)
            && match &*t.operator {
                "" | "Equal" => *t.value == *value,
                "Exists" => true,
                "Lt" => compared(true),
                "Gt" => compared(false),
                _ => false,
            }
    })
}

/// A grant's name and what it stands for.
fn grants() -> Vec<(String, Taints)> {
    let keys = &KEYS[..2];
    let values = &VALUES[..4];
    let mut grants = vec![("*".to_owned(), taints(|_, _, _| true))];
    for effect in &EFFECTS[..3] {
        grants.push((format!("*:{effect}"), taints(|_, _, e| e == *effect)));
    }
    for key in keys {
        grants.push(((*key).to_owned(), taints(|k, _, _| k == *key)));
        for effect in &EFFECTS[..3] {
            grants.push((
                format!("{key}:{effect}"),
                taints(|k, _, e| k == *key && e == *effect),
            ));
        }
        for value in values {
            grants.push((
                format!("{key}={value}"),
                taints(|k, v, _| k == *key && v == *value),
            ));
            for effect in &EFFECTS[..3] {
                let set = taints(|k, v, e| k == *key && v == *value && e == *effect);
                grants.push((format!("{key}={value}:{effect}"), set));
            }
        }
    }
    grants
}

#[test]
fn a_grant_covers_a_toleration_exactly_if_its_taints_do() {
    let grants = grants();
    let mut compared = 0;
    for key in ["", "gpu", "a.example/b"] {
        for operator in ["", "Equal", "Exists", "Lt", "Gt", "In"] {
            for value in &VALUES[..4] {
                for effect in ["", "NoSchedule", "PreferNoSchedule", "NoExecute"] {
                    let toleration = Toleration {
                        key: key.into(),
                        operator: operator.into(),
                        value: (*value).into(),
                        effect: effect.into(),
                        seconds: None,
                    };
                    let names = toleration.names().unwrap();
                    let requested = tolerated(&toleration);
                    // What a comparison means depends on a feature gate, and an unknown operator on a future version:
                    // for these a wider grant is asked for than their taints of today would need.
                    let wider = !matches!(operator, "" | "Equal" | "Exists");
                    for (name, granted) in &grants {
                        let covers = granted & requested == requested;
                        let holds = names.iter().any(|n| n == name);
                        assert!(
                            holds == covers || (wider && !holds),
                            "{toleration:?}: grant \"{name}\" is {holds} by name, {covers} by its taints"
                        );
                        compared += 1;
                    }
                    if wider {
                        let every = Toleration {
                            operator: "Exists".into(),
                            ..toleration.clone()
                        };
                        let widest = ["*"];
                        if operator == "In" && !key.is_empty() {
                            assert_eq!(names, widest, "{toleration:?}");
                        } else {
                            assert_eq!(names, every.names().unwrap(), "{toleration:?}");
                        }
                    }
                    assert!(
                        names
                            .iter()
                            .all(|name| grants.iter().any(|(grant, _)| grant == name)),
                        "{names:?}"
                    );
                }
            }
        }
    }
    assert_eq!(compared, 3 * 6 * 4 * 4 * grants.len());
}

#[test]
fn the_narrowest_name_comes_first() {
    let grants = grants();
    let size = |name: &str| {
        let found = grants.iter().find(|(grant, _)| grant == name);
        found.map(|(_, set)| set.count_ones()).unwrap()
    };
    for key in ["", "gpu"] {
        for operator in ["", "Exists"] {
            for effect in ["", "NoExecute"] {
                let toleration = Toleration {
                    key: key.into(),
                    operator: operator.into(),
                    value: if operator.is_empty() { "a" } else { "" }.into(),
                    effect: effect.into(),
                    seconds: None,
                };
                let names = toleration.names().unwrap();
                let narrowest = names.iter().map(|name| size(name)).min().unwrap();
                assert_eq!(size(&names[0]), narrowest, "{names:?}");
                assert_eq!(names.last().unwrap(), "*");
            }
        }
    }
}
