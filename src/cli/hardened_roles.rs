//! `usher generate hardened-roles`: what edit, admin and view are put together of, without the rights that lead round any
//! webhook.

use std::fmt::Write as _;

use clap::ValueEnum;
use k8s_openapi::api::rbac::v1::ClusterRole;
use similar::TextDiff;
use usher_core::reference::shown;

use super::{Failure, holdings::From, say::say, yaml};
use crate::scan::{Hardened, Way, hardened};

/// What is said at the head of the file.
const ABOUT: &str = "\
The built-in roles edit and admin let their holders act as every service account of the namespace, whatever a webhook says.
They are put together of the roles below, which here lack that.

apply: kubectl apply --server-side --force-conflicts -f -
rbac.authorization.kubernetes.io/autoupdate: Without \"false\" the API server writes the rules back at its next start. With it,
  rights that a later Kubernetes adds do not come by themselves: run this again after an upgrade.
back: kubectl annotate clusterrole NAME rbac.authorization.kubernetes.io/autoupdate=true --overwrite, and restart the API server.
";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher generate hardened-roles --diff
  usher generate hardened-roles | kubectl apply --server-side --force-conflicts -f -")]
pub(super) struct HardenedRoles {
    /// What else is taken out; may be given several times. secrets: nobody reads Secrets by edit or admin any more, which
    /// tools such as Helm miss.
    #[arg(long, value_enum, value_name = "RIGHT")]
    without: Vec<Without>,
    /// Show what changes, line by line, in place of the roles.
    #[arg(long)]
    diff: bool,
    #[command(flatten)]
    from: From,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Without {
    Secrets,
}

pub(super) fn print(args: &HardenedRoles) -> Result<String, Failure> {
    let more = args.without.iter().map(|Without::Secrets| "secrets");
    let names = ["impersonate", "token-requests"].into_iter().chain(more);
    let ways: Vec<&Way> = names.filter_map(Way::named).collect();
    let cluster = args.from.read()?;
    let mut roles: Vec<(&ClusterRole, Hardened)> = Vec::new();
    for role in &cluster.cluster_roles {
        roles.extend(hardened(role, &ways).map(|hardened| (role, hardened)));
    }
    if roles.is_empty() {
        say("there is nothing to take out: edit, admin and view give none of these rights");
        return Ok(String::new());
    }
    let mut text = if args.diff {
        String::new()
    } else {
        yaml::comment(ABOUT)
    };
    for (index, (role, hardened)) in roles.iter().enumerate() {
        let name = &*shown(role.metadata.name.as_deref().unwrap_or_default());
        for way in &hardened.wide {
            say(&format!(
                "{name}: {} stays in it: a rule with * gives it. Write the rule out, then run this again",
                way.name
            ));
        }
        if hardened.without.is_empty() {
            continue;
        }
        let (before, after) = (document(role)?, document(&hardened.role)?);
        if args.diff {
            let diff = TextDiff::from_lines(&before, &after);
            let shown = diff.unified_diff().header(name, name).to_string();
            text.push_str(&shown);
        } else {
            let ways: Vec<&str> = hardened.without.iter().map(|way| way.name).collect();
            let line = if index == 0 { "" } else { "---\n" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{line}# {name} without {}\n{after}", ways.join(", "));
        }
    }
    Ok(text)
}

/// The role without what the API server writes itself.
fn document(role: &ClusterRole) -> Result<String, Failure> {
    let mut role = role.clone();
    let metadata = &mut role.metadata;
    metadata.creation_timestamp = None;
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.uid = None;
    yaml::document(&role)
}
