use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write as _},
    str::FromStr,
};

use super::{Exit, Failure, named::Named};
use usher_core::{
    manifest::is_plain,
    reference::{Account, Resource, is_dns_label, is_object_name},
};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true)), after_help = "Examples:
  usher grant serviceaccounts/deployer -n team-a --to group:team-a | kubectl apply -f -
  usher grant tolerations.usher.dev/gpu:NoSchedule --cluster --to serviceaccount:team-a/ci

Types: serviceaccounts (sa), tolerations.usher.dev, nodes (no), priorityclasses (pc),
runtimeclasses, tokenaudiences.usher.dev and signers.
A toleration is named by its taints: key=value:Effect, key=value, key:Effect, key, *:Effect or *.
A grant of the same name replaces the holders of the one before: give them all, or a --name.
As a kubectl plugin: link usher as kubectl-usher into the PATH, then \"kubectl usher grant …\".")]
pub(super) struct Args {
    /// What to use.
    #[arg(required = true, value_name = "TYPE[.GROUP]/NAME")]
    targets: Vec<Named>,
    /// Who may use it: user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME.
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
pub(super) enum Holder {
    Group(String),
    ServiceAccount { namespace: String, name: String },
    User(String),
}

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
            "group" => Ok(Self::Group(name.to_owned())),
            "user" => Ok(Self::User(name.to_owned())),
            "serviceaccount" | "sa" => {
                let (namespace, name) = name.split_once('/').ok_or(BadHolder)?;
                let user = format!("system:serviceaccount:{namespace}:{name}");
                Account::of_user(&user).ok_or(BadHolder)?;
                Ok(Self::ServiceAccount {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                })
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
    let mut rules = Vec::new();
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
            rules.push(Rule {
                group: resource.group,
                resource: resource.name,
                names,
                verb: "use",
            });
        }
    }
    role_and_binding(&name, args.namespace.as_deref(), &rules, &args.to)
}

/// An error if no namespace can have this name.
pub(super) fn is_namespace(name: &str) -> Result<(), Failure> {
    if !is_dns_label(name) {
        return Err(format!("no namespace can be called \"{name}\"").into());
    }
    Ok(())
}

/// A verb on objects by name, or without a name on all of the resource.
pub(super) struct Rule<'a> {
    pub(super) group: &'a str,
    pub(super) resource: &'a str,
    pub(super) names: Vec<&'a str>,
    pub(super) verb: &'a str,
}

/// A Role and its binding as YAML; without a namespace, those of the whole cluster.
pub(super) fn role_and_binding(
    name: &str,
    namespace: Option<&str>,
    rules: &[Rule<'_>],
    holders: &[Holder],
) -> Result<String, Failure> {
    let prefix = if namespace.is_none() { "Cluster" } else { "" };
    let mut yaml = String::new();
    head(&mut yaml, &format!("{prefix}Role"), name, namespace)?;
    yaml += "rules:\n";
    for rule in rules {
        let names = rule.names.iter().map(|name| quoted(name));
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        writeln!(yaml, "- apiGroups: [{}]", quoted(rule.group)?)?;
        writeln!(yaml, "  resources: [{}]", rule.resource)?;
        if !rule.names.is_empty() {
            writeln!(yaml, "  resourceNames: [{}]", names.join(", "))?;
        }
        writeln!(yaml, "  verbs: [{}]", rule.verb)?;
    }
    yaml += "---\n";
    head(&mut yaml, &format!("{prefix}RoleBinding"), name, namespace)?;
    writeln!(
        yaml,
        "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {prefix}Role\n  name: {}",
        quoted(name)?
    )?;
    yaml += "subjects:\n";
    for holder in holders {
        match holder {
            Holder::Group(name) => subject(&mut yaml, "Group", name)?,
            Holder::User(name) => subject(&mut yaml, "User", name)?,
            Holder::ServiceAccount { namespace, name } => {
                let (name, namespace) = (quoted(name)?, quoted(namespace)?);
                writeln!(
                    yaml,
                    "- kind: ServiceAccount\n  name: {name}\n  namespace: {namespace}"
                )?;
            }
        }
    }
    Ok(yaml)
}

fn head(yaml: &mut String, kind: &str, name: &str, namespace: Option<&str>) -> Result<(), Failure> {
    writeln!(
        yaml,
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {}",
        quoted(name)?
    )?;
    if let Some(namespace) = namespace {
        writeln!(yaml, "  namespace: {}", quoted(namespace)?)?;
    }
    Ok(())
}

fn subject(yaml: &mut String, kind: &str, name: &str) -> Result<(), Failure> {
    let name = quoted(name)?;
    writeln!(
        yaml,
        "- apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}"
    )?;
    Ok(())
}

/// A text as YAML: bare where every reader takes it for text, as JSON otherwise.
fn quoted(text: &str) -> Result<String, serde_json::Error> {
    if is_plain(text) {
        Ok(text.to_owned())
    } else {
        serde_json::to_string(text)
    }
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
    let hash = fnv(all.join(" ").as_bytes());
    match parts.join("-") {
        empty if empty.is_empty() => format!("use-{hash:08x}"),
        told => format!("use-{told}-{hash:08x}"),
    }
}

/// FNV-1a, 32 bits: stable for ever, and short. Nothing rests on it but the name.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
