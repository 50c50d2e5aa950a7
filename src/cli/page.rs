//! The page of the documentation about the catalogue, made of the catalogue.

use std::fmt::Write as _;

use super::Failure;
use usher_core::catalogue::{Catalogue, Content, Kind};

const HEAD: &str = "# Catalogue

This page is made from the data: `cargo run -- generate catalogue-page > docs/catalogue.md`.

Whoever may write a custom resource often borrows something through the controller that carries it out: an account, a
Secret, an object of another namespace. The catalogue says which field of which kind names what. Kinds of Kubernetes itself
are always looked into. Projects are turned on by name, and then registered:

```yaml
catalogue: {enable: [flux, keda]}
```

`usher generate webhook-config --config usher.yaml` writes the registration for exactly these kinds. `usher catalogue show KIND`
prints what stands here. `[]` is every item of a list, `.*` every value of a map. A version that is not named here is refused.

Kinds of your own are described in the same way: [own-kinds.md](own-kinds.md).

An update asks again if the spec has changed: another address, image or command is another use of what is named. Where a kind says that it asks
again only when a field changes, that is the part with the field: up to the first list or map on the way, and the whole template of a pod. What is free to change asks nothing, whoever
writes it. Members without content (`{}`, `[]`, `\"\"`, `null`) may come and go, and quantities
(under `requests`, `limits` and the like) and durations (`interval`, `timeout`, …) be written differently, if they mean the same.

A controller that makes objects for an owner is believed once the configuration names it under `controllers`. Everything that
the owner names was asked of its author: what the controller then makes, or updates, may name the same and nothing else. Usher reads
the owner, and so needs `get` on its kind (`usher generate owner-role`).

";

/// The page, in Markdown.
pub(super) fn catalogue() -> Result<String, Failure> {
    let mut page = HEAD.to_owned();
    let core = (
        "core",
        "Kubernetes itself, always on".to_owned(),
        Catalogue::embedded()?,
    );
    let mut projects = vec![core];
    for name in Catalogue::projects() {
        let (about, catalogue) = Catalogue::project(name)?;
        projects.push((name, about, catalogue));
    }
    for (name, about, catalogue) in projects {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "## {name}\n\n{about}\n");
        for (controller, identity) in catalogue.identities() {
            let _ = writeln!(
                page,
                "Controller `{controller}`: `{}/{}`, unless the configuration says otherwise.\n",
                identity.namespace, identity.service_account
            );
        }
        let mut kinds: Vec<&Kind> = catalogue.kinds().collect();
        kinds.sort_by_key(|kind| (&kind.kind, &kind.group, &kind.versions));
        for kind in kinds {
            let _ = writeln!(page, "### {}\n\n`{}`\n", kind.kind, versions(kind));
            if matches!(&kind.content, Content::Fields(fields) if fields.is_empty()) {
                page.push_str("No field of it names anything.\n\n");
                continue;
            }
            let _ = writeln!(page, "| field | what is asked |\n| --- | --- |");
            for (path, asked) in kind.content.asked() {
                let _ = writeln!(page, "| `{path}` | {asked} |");
            }
            page.push('\n');
            if let Some(why) = kind.narrow() {
                let _ = writeln!(page, "Asked again only when one of these changes: {why}.\n");
            }
            let free: Vec<String> = kind.free_paths().map(|path| format!("`{path}`")).collect();
            if !free.is_empty() {
                let _ = writeln!(page, "Free to change: {}.\n", free.join(", "));
            }
            for row in catalogue.makers(kind) {
                let _ = writeln!(page, "Made for {} by `{}`.\n", row.of.kind, row.by());
            }
        }
        let elsewhere = catalogue.rows().filter(|row| {
            let made = &row.makes;
            catalogue.find(&made.group, &made.kind).is_none()
        });
        for row in elsewhere {
            let (made, of) = (&row.makes.kind, &row.of.kind);
            let _ = writeln!(page, "`{}` makes {made} for {of}.\n", row.by());
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    Ok(page)
}

fn versions(kind: &Kind) -> String {
    let group = if kind.group.is_empty() {
        String::new()
    } else {
        format!("{}/", kind.group)
    };
    format!("{group}{}", kind.versions.join(", "))
}
