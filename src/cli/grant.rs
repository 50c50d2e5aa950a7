//! `usher grant`: the role and the binding that allow something.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    str::FromStr,
};

use k8s_openapi::{
    api::rbac::v1::{PolicyRule, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Exit, Failure,
    named::{Named, with_types},
    roles::{self, role_and_binding},
};
use usher_core::reference::{Account, Resource, fnv, is_dns_label, is_object_name};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true)), after_help = with_types("Examples:
  usher grant serviceaccounts/deployer -n team-a --to group:team-a | kubectl apply -f -
  usher grant tolerations.usher.dev/gpu:NoSchedule --cluster --to serviceaccount:team-a/ci

{TYPES}
A toleration is named by its taints: key=value:Effect, key=value, key:Effect, key, *:Effect or *.
A grant of the same name replaces the holders of the one before: give them all, or a --name.
As a kubectl plugin: link usher as kubectl-usher into the PATH, then \"kubectl usher grant …\"."))]
pub(super) struct Args {
    /// What to use.
    #[arg(required = true, value_name = "TYPE[.GROUP]/NAME")]
    targets: Vec<Named>,
    /// Who may use it: user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME; may be given several times.
    #[arg(long, required = true, value_name = "HOLDER")]
    to: Vec<Holder>,
    /// The namespace in which the grant holds.
    #[arg(short, long, value_name = "NS", group = "scope")]
    namespace: Option<String>,
    /// Grant it in every namespace, with a ClusterRole.
    #[arg(long, group = "scope")]
    cluster: bool,
    /// Name of role and binding. Without it: one made of what is granted.
    #[arg(long)]
    name: Option<String>,
}

/// Who gets the grant.
#[derive(Clone, Debug)]
pub(super) struct Holder(Subject);

/// The text names nobody.
#[derive(Debug, thiserror::Error)]
#[error("write user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME")]
pub(super) struct BadHolder;

impl FromStr for Holder {
    type Err = BadHolder;

    fn from_str(text: &str) -> Result<Self, BadHolder> {
        let (kind, name) = text.split_once(':').ok_or(BadHolder)?;
        if name.is_empty() {
            return Err(BadHolder);
        }
        match kind {
            "group" => Ok(Self(roles::person("Group", name))),
            "user" => Ok(Self(roles::person("User", name))),
            "serviceaccount" | "sa" => {
                let (namespace, name) = name.split_once('/').ok_or(BadHolder)?;
                let account = Account { namespace, name };
                Account::of_user(&account.to_string()).ok_or(BadHolder)?;
                Ok(Self(roles::account(namespace, name)))
            }
            _ => Err(BadHolder),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    io::stdout().write_all(manifests(args)?.as_bytes())?;
    Ok(Exit::Allowed)
}

/// Role and binding, as YAML.
fn manifests(args: &Args) -> Result<String, Failure> {
    let name = match &args.name {
        Some(name) if is_object_name(name) => name.clone(),
        Some(name) => return Err(format!("no object can be called \"{name}\"").into()),
        None => name_of(&args.targets),
    };
    if let Some(namespace) = &args.namespace {
        is_namespace(namespace)?;
    }
    let others = args.targets.iter().map(|target| target.resource);
    let others: BTreeSet<Resource> = others
        .filter(|resource| !Resource::ALL.contains(resource))
        .collect();
    let mut rules: Vec<PolicyRule> = Vec::new();
    for resource in Resource::ALL.into_iter().chain(others) {
        let targets = args.targets.iter();
        let targets = targets.filter(|target| target.resource == resource);
        let mut names: Vec<&str> = Vec::new();
        for target in targets {
            if !names.contains(&&*target.name) {
                names.push(&target.name);
            }
        }
        if !names.is_empty() {
            rules.push(roles::rule(
                resource.group,
                &[resource.name],
                &names,
                &["use"],
            ));
        }
    }
    let metadata = ObjectMeta {
        name: Some(name),
        namespace: args.namespace.clone(),
        ..ObjectMeta::default()
    };
    let holders = args.to.iter().map(|Holder(subject)| subject.clone());
    role_and_binding(metadata, rules, holders.collect())
}

/// An error if no namespace can have this name.
pub(super) fn is_namespace(name: &str) -> Result<(), Failure> {
    if !is_dns_label(name) {
        return Err(format!("no namespace can be called \"{name}\"").into());
    }
    Ok(())
}

/// A name that tells what is granted, and is another one for every other grant: where it cannot hold all, a hash
/// stands for the rest.
fn name_of(targets: &[Named]) -> String {
    let told = |target: &Named| match target.resource {
        Resource::SERVICE_ACCOUNTS => target.name.clone(),
        resource => format!("{}-{}", resource.singular, target.name),
    };
    let full = targets.iter().map(told).collect::<Vec<_>>().join("-");
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let mut short: String = full
        .to_ascii_lowercase()
        .chars()
        .map(|c| if legal(c) { c } else { '-' })
        .collect();
    // One service account can be called as an object of another type is told here.
    let exact = targets.len() == 1 && short == full && is_object_name(&short) && short.len() <= 50;
    let ambiguous = Resource::ALL.iter().any(|resource| {
        targets.iter().any(|target| {
            target.resource == Resource::SERVICE_ACCOUNTS
                && target.name.starts_with(&format!("{}-", resource.singular))
        })
    });
    if exact && !ambiguous {
        return format!("use-{short}");
    }
    short = short.chars().take(40).collect();
    let parts: Vec<&str> = short
        .split(['-', '.'])
        .filter(|part| !part.is_empty())
        .collect();
    let all: Vec<String> = targets
        .iter()
        .map(|target| format!("{}/{}", target.resource, target.name))
        .collect();
    let hash = fnv(all.join(" ").bytes());
    match parts.join("-") {
        empty if empty.is_empty() => format!("use-{hash:08x}"),
        told => format!("use-{told}-{hash:08x}"),
    }
}
