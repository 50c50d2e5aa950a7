//! The examples of `docs/injection.md`: the pod that one writes becomes what one would have written by hand.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use usher_core::config;

use crate::support::injected::Cluster;

/// The blocks of the page, as what stands behind the three ticks, and the text.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap())
}

#[test]
fn pods_on_the_page_become_what_stands_there() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/injection.md");
    let page = fs::read_to_string(page).unwrap();
    let (mut policy, mut accounts, mut pod) = (None, Vec::new(), Value::Null);
    let (mut shown, mut presets) = (0, Vec::new());
    for (sort, text) in blocks(&page) {
        let yaml =
            || serde_saphyr::from_str::<Value>(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let create = |pod: &Value| {
            let namespace = pod["metadata"]["namespace"].as_str().unwrap();
            let policy = config::parse(policy.unwrap()).unwrap().policy;
            let mut known = accounts.clone();
            known.push(crate::support::injected::account(
                namespace,
                "default",
                &serde_json::json!({}),
            ));
            known.push(crate::support::injected::account(
                namespace,
                "spire-agent",
                &serde_json::json!({}),
            ));
            Cluster::new(policy, &known).create(pod, namespace, "u")
        };
        match sort {
            "yaml" => {
                policy = Some(text);
                accounts.clear();
                presets.extend(text.split("preset: ").skip(1).map(|preset| {
                    preset
                        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                        .next()
                        .unwrap()
                }));
            }
            "yaml account" => accounts.push(yaml()),
            "yaml pod" => pod = yaml(),
            "yaml by-hand" => {
                let (stored, by_hand) = (create(&pod), yaml());
                assert!(stored.allowed && stored.warnings.is_empty(), "{stored:#?}");
                assert_eq!(stored.pod["spec"], by_hand["spec"], "{text}");
                // It is a pod that needs nothing any more.
                let again = create(&by_hand);
                assert!(again.patch.is_empty(), "{again:#?}");
                shown += 1;
            }
            "text refused" => {
                assert_eq!(create(&pod).message, text.trim_end());
                shown += 1;
            }
            "text warning" => {
                assert_eq!(create(&pod).warnings, [text.trim_end()]);
                shown += 1;
            }
            other => panic!("the page has a block of {other:?}, which nobody tries"),
        }
    }
    assert!(shown >= 10, "{shown}");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src/inject/presets.yaml");
    let shipped: Vec<Value> =
        serde_saphyr::from_str(&fs::read_to_string(shipped).unwrap()).unwrap();
    let shipped: BTreeSet<&str> = shipped
        .iter()
        .map(|preset| preset["name"].as_str().unwrap())
        .collect();
    let (_, part) = page.split_once("\n## Presets\n").unwrap();
    let part = part.split("\n## ").next().unwrap();
    let told: BTreeSet<&str> = part
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    assert_eq!(
        told, shipped,
        "a preset is a row of data and a part of the page"
    );
    for preset in shipped {
        assert!(presets.contains(&preset), "{preset} is not shown");
    }
}
