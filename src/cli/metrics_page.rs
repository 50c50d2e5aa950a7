//! The page of the documentation about metrics, made of what is registered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{cluster::describe_metrics, server::Metrics};

const HEAD: &str = "# Metrics

This page is made from the code: `cargo run -- generate metrics-page > docs/metrics.md`.

`/metrics` on the health port has these, in the text format of OpenMetrics. A histogram has `_bucket`, `_sum` and `_count` behind its
name. What can be counted stands there from the start, with 0.

| metric | type | what it is | labels |
| --- | --- | --- | --- |
";

/// Stands for the profiles of the configuration.
const PROFILE: &str = "PROFILE";

/// What the text says of one metric.
#[derive(Default)]
struct Shown<'t> {
    name: &'t str,
    sort: &'t str,
    help: &'t str,
    labels: BTreeMap<&'t str, BTreeSet<&'t str>>,
}

/// The page, in Markdown.
pub(super) fn page() -> String {
    let metrics = Metrics::default();
    metrics.profile(PROFILE);
    metrics.register(describe_metrics);
    let text = metrics.text();
    let mut page = HEAD.to_owned();
    for metric in shown(&text) {
        let total = if metric.sort == "counter" {
            "_total"
        } else {
            ""
        };
        let labels = metric.labels.iter().map(|(label, values)| {
            let values: Vec<&str> = values.iter().copied().collect();
            match *values {
                [PROFILE] => format!("`{label}`: its name"),
                _ => format!("`{label}`: {}", values.join(", ")),
            }
        });
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}{total}` | {} | {} | {} |",
            metric.name,
            metric.sort,
            metric.help,
            labels.collect::<Vec<_>>().join("; ")
        );
    }
    page
}

/// The metrics of a text in the format of OpenMetrics: `# HELP name text`, `# TYPE name type`, and samples, whose labels are
/// `name{label="value",…} number`.
fn shown(text: &str) -> Vec<Shown<'_>> {
    let mut all: Vec<Shown<'_>> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = of(line, "# HELP ") {
            let help = help.trim_end_matches('.');
            all.push(Shown {
                name,
                help,
                ..Shown::default()
            });
        } else if let Some(last) = all.last_mut() {
            if let Some((_, sort)) = of(line, "# TYPE ") {
                last.sort = sort;
            } else if let Some((_, labels)) = line.split_once('{') {
                let labels = labels.split_once('}').map_or("", |(labels, _)| labels);
                let labels = labels.split(',').filter_map(|pair| pair.split_once('='));
                for (label, value) in labels.filter(|(label, _)| *label != "le") {
                    let values = last.labels.entry(label).or_default();
                    values.insert(value.trim_matches('"'));
                }
            }
        }
    }
    all
}

fn of<'t>(line: &'t str, what: &str) -> Option<(&'t str, &'t str)> {
    line.strip_prefix(what)?.split_once(' ')
}
