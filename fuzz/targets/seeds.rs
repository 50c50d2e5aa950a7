//! Seeds for the targets that take a part of a file: the patches and the roles and bindings of our own scenarios.

use std::{error::Error, fs, path::Path};

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = |target: &str| root.join("corpus").join(target);
    for target in ["patch", "rbac"] {
        fs::create_dir_all(corpus(target))?;
    }
    let (mut patches, mut rights) = (0, 0);
    for file in fs::read_dir(root.join("../tests/stories/scenarios"))? {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let story: Value = serde_saphyr::from_str(&fs::read_to_string(&path)?)?;
        let objects = story["rbac"].as_array();
        let lines: Vec<String> = objects.into_iter().flatten().map(Value::to_string).collect();
        if !lines.is_empty() {
            fs::write(corpus("rbac").join(&*name), lines.join("\n"))?;
            rights += 1;
        }
        let mut found = Vec::new();
        find(&story, &mut found);
        found.sort();
        found.dedup();
        for (index, patch) in found.iter().enumerate() {
            fs::write(corpus("patch").join(format!("{name}-{index}")), patch)?;
            patches += 1;
        }
    }
    println!("{patches} patches, and rights of {rights} scenarios");
    if patches.min(rights) < 20 {
        return Err("the scenarios are not where they were".into());
    }
    Ok(())
}

/// Everything that stands under a key `patch`.
fn find(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "patch" => found.push(text.clone()),
                    Value::Object(_) | Value::Array(_) if key == "patch" => {
                        found.push(value.to_string());
                    }
                    _ => {}
                }
                find(value, found);
            }
        }
        _ => {}
    }
}
