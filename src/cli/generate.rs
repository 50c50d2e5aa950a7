//! `usher generate`: files that are made from the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use k8s_openapi::{
    api::{core::v1::ServiceAccount, rbac::v1::PolicyRule},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Exit, Failure,
    grant::is_namespace,
    hardened_roles::{self, HardenedRoles},
    metrics_page, page, registration,
    roles::{self, USHER, role_and_binding},
    say::say,
    served::Served,
    yaml,
};
use crate::files;
use usher_core::{
    catalogue::{self, Catalogue, Content, Making},
    config::{self, Settings},
    reference::{Resource, is_object_name},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher generate config > usher.yaml
  usher generate config-schema > usher.schema.json
  usher generate catalogue-schema > usher-catalogue.schema.json
  usher generate webhook-config --config usher.yaml --served | kubectl apply -f -
  usher generate webhook-config --config usher.yaml --mutating | kubectl apply -f -
  usher generate owner-role --config usher.yaml | kubectl apply -f -
  usher generate keda-token-role -n team-a queue-reader | kubectl apply -f -")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The page of the documentation that says what is asked of every kind.
    CataloguePage,
    /// The JSON Schema of a file of the catalogue, for editors.
    CatalogueSchema,
    /// The default configuration, every key explained.
    Config,
    /// The JSON Schema of the configuration, for editors.
    ConfigSchema,
    /// The ClusterRoles of which edit and admin are put together, without the rights that lead round any webhook.
    HardenedRoles(HardenedRoles),
    /// The Role and RoleBinding that let KEDA request tokens of single service accounts, and of no other.
    KedaTokenRole(KedaTokenRole),
    /// The page of the documentation that says what Usher counts.
    MetricsPage,
    /// The ClusterRole and binding that let Usher read the custom resources whose templates named controllers carry out.
    OwnerRole(OwnerRole),
    /// The service account of Usher, and what it may do in the cluster.
    Rights(Rights),
    /// The ValidatingWebhookConfiguration or the MutatingWebhookConfiguration, with rules for exactly the kinds that the
    /// configuration turns on.
    WebhookConfig(WebhookConfig),
}

#[derive(Debug, clap::Args)]
struct KedaTokenRole {
    /// The service accounts that TriggerAuthentications of the namespace may name.
    #[arg(required = true, value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// The namespace of the accounts.
    #[arg(short, long, value_name = "NS")]
    namespace: String,
    /// The configuration that says which account the operator of KEDA has (controllers: keda-operator). Without one:
    /// keda/keda-operator, as its project installs it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct OwnerRole {
    /// The configuration that names the controllers.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Rights {
    /// The configuration that says which checks are on: a check that is off needs no rights. Without one, the default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct WebhookConfig {
    /// The configuration that says which kinds are looked into. Without one, those of Kubernetes.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A project of the catalogue that is looked into too, or all; may be given several times.
    #[arg(long, value_name = "PROJECT")]
    enable: Vec<String>,
    /// The MutatingWebhookConfiguration instead.
    #[arg(long)]
    mutating: bool,
    /// Ask the cluster what it serves, and leave out the rest. What is installed later is not judged until this is run
    /// again.
    #[arg(long)]
    served: bool,
    /// Which cluster to ask. Without it: KUBECONFIG, ~/.kube/config, or the pod's own.
    #[arg(long, value_name = "FILE", requires = "served")]
    kubeconfig: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let text = match &args.what {
        What::CataloguePage => page::catalogue()?,
        What::CatalogueSchema => serde_json::to_string_pretty(&catalogue::schema())? + "\n",
        What::Config => config::commented(),
        What::ConfigSchema => serde_json::to_string_pretty(&config::schema())? + "\n",
        What::HardenedRoles(args) => hardened_roles::print(args)?,
        What::KedaTokenRole(args) => keda_token_role(args)?,
        What::MetricsPage => metrics_page::page(),
        What::OwnerRole(args) => owner_role(args)?,
        What::Rights(args) => rights(args)?,
        What::WebhookConfig(args) => webhook_config(args)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Allowed)
}

fn settings(config: Option<&Path>) -> Result<Settings, Failure> {
    Ok(match config {
        Some(file) => files::load(file)?,
        None => Settings::default_for(Catalogue::embedded()?),
    })
}

fn webhook_config(args: &WebhookConfig) -> Result<String, Failure> {
    let Settings {
        policy,
        mut catalogue,
    } = settings(args.config.as_deref())?;
    for project in &args.enable {
        catalogue.enable(project)?;
    }
    let served = if args.served {
        let kinds = catalogue.kinds();
        let groups: BTreeSet<&str> = kinds.map(|kind| &*kind.group).collect();
        Some(Served::ask(args.kubeconfig.as_deref(), &groups)?)
    } else {
        None
    };
    let made = if args.mutating {
        registration::mutating(&policy, &catalogue, served.as_ref())?
    } else {
        registration::validating(&policy, &catalogue, served.as_ref())?
    };
    for note in made.notes {
        say(&format!("note: {note}"));
    }
    Ok(made.text)
}

/// KEDA asks the API server for tokens (pkg/scaling/resolver of KEDA), and Usher asks whoever requests a token for
/// `use` on the account: two rules.
fn keda_token_role(args: &KedaTokenRole) -> Result<String, Failure> {
    let Settings { policy, .. } = settings(args.config.as_deref())?;
    let (_, keda) = Catalogue::project("keda")?;
    let operator = "keda-operator";
    let configured = policy.controllers.get(operator);
    let identity = configured.or_else(|| keda.identity(operator));
    let identity = identity.ok_or("the catalogue does not know the operator of KEDA")?;
    is_namespace(&args.namespace)?;
    for account in &args.accounts {
        if !is_object_name(account) {
            return Err(format!("no service account can be called \"{account}\"").into());
        }
    }
    let names: Vec<&str> = args.accounts.iter().map(String::as_str).collect();
    role_and_binding(
        ObjectMeta {
            name: Some("keda-token".to_owned()),
            namespace: Some(args.namespace.clone()),
            ..ObjectMeta::default()
        },
        vec![
            roles::rule("", &["serviceaccounts/token"], &names, &["create"]),
            roles::rule("", &["serviceaccounts"], &names, &["use"]),
        ],
        vec![roles::account(
            &identity.namespace,
            &identity.service_account,
        )],
    )
}

/// Why Usher has the rights that it has.
const RIGHTS: &str = "\
What Usher may do in the cluster: read what an answer depends on, and ask the API server. It writes events, nothing else.

roles and bindings: The index: who may use what.
runtimeclasses, priorityclasses: A runtime class brings tolerations of its own; a priority class may be the cluster's default.
subjectaccessreviews: A refusal counts only after a live access review. A review is an answer; nothing is stored.
namespaces: One may give its pods tolerations, by an annotation. Read where the pod of a controller has one that nobody else allows.
serviceaccounts: Values of a profile may come from annotations of the pod's service account, and pull secrets from the account.
  Read one by one, for pods that a profile selects, and for those with a pull secret while the check secrets is on.
pods: The account of a pod that somebody connects to, and what it reads. Read one by one, while the checks connections or proxies are
  on, or secrets or configMaps.
events: A pod that should get a profile and does not (its account is missing, or lacks an annotation) is told of where its
  owner looks: a warning is seen by nobody if a controller made the pod.
controllerrevisions: What a StatefulSet said before, of which its controller still makes pods. Read where it now says something else.
all others: The owner of an object that a controller made: does it live, and what does its template say?
";

/// Usher's service account, its role and its binding.
fn rights(args: &Rights) -> Result<String, Failure> {
    let Settings { policy, catalogue } = settings(args.config.as_deref())?;
    let label = ("app.kubernetes.io/name".to_owned(), USHER.name.to_owned());
    let metadata = ObjectMeta {
        name: Some(USHER.name.to_owned()),
        labels: Some(BTreeMap::from([label])),
        ..ObjectMeta::default()
    };
    let account = ServiceAccount {
        metadata: ObjectMeta {
            namespace: Some(USHER.namespace.to_owned()),
            ..metadata.clone()
        },
        ..ServiceAccount::default()
    };
    let roles = [
        "roles",
        "clusterroles",
        "rolebindings",
        "clusterrolebindings",
    ];
    let read = |Resource { group, name, .. }| roles::rule(group, &[name], &[], &["get"]);
    let create = |group, resource| roles::rule(group, &[resource], &[], &["create"]);
    let mut rules = vec![
        roles::rule(roles::RBAC, &roles, &[], &["list", "watch"]),
        read(Resource::RUNTIME_CLASSES),
        read(Resource::PRIORITY_CLASSES),
        read(Resource::NAMESPACES),
        create("authorization.k8s.io", "subjectaccessreviews"),
        read(Resource::SERVICE_ACCOUNTS),
        create("", "events"),
    ];
    let connected = catalogue.kinds().filter(|kind| {
        matches!(kind.content, Content::Connection(_))
            && registration::is_asked(&kind.content, &policy)
    });
    let connected: BTreeSet<(&str, &str)> = connected
        .map(|kind| (&*kind.resource_group, &*kind.resource))
        .collect();
    let get = |(group, resource)| roles::rule(group, &[resource], &[], &["get"]);
    rules.extend(connected.into_iter().map(get));
    rules.extend(owners(&Catalogue::embedded()?, |_| true));
    let role = role_and_binding(
        metadata,
        rules,
        vec![roles::account(USHER.namespace, USHER.name)],
    )?;
    let account = yaml::document(&account)?;
    Ok(format!("{}{account}---\n{role}", yaml::comment(RIGHTS)))
}

/// The right to read every kind that is an owner in one of these rows: whether it lives, and what its template says, is
/// asked when a controller makes something of it.
fn owners(catalogue: &Catalogue, is_meant: impl Fn(&Making) -> bool) -> Vec<PolicyRule> {
    let rows = catalogue.rows().filter(|row| is_meant(row));
    let mut by_group: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for owner in rows.filter_map(|row| catalogue.find(&row.of.group, &row.of.kind)) {
        let resources = by_group.entry(&owner.group).or_default();
        resources.insert(&owner.resource);
    }
    // What an owner said before.
    let has_revisions = catalogue
        .rows()
        .any(|row| is_meant(row) && row.revision.is_some());
    let revision = catalogue.find("apps", "ControllerRevision");
    if let Some(revision) = revision.filter(|_| has_revisions) {
        let resources = by_group.entry(&revision.group).or_default();
        resources.insert(&revision.resource);
    }
    let rule = |(group, resources): (&str, BTreeSet<&str>)| {
        let resources: Vec<&str> = resources.into_iter().collect();
        roles::rule(group, &resources, &[], &["get"])
    };
    by_group.into_iter().map(rule).collect()
}

/// What Usher must read beside the kinds of Kubernetes, which stand in deploy/rbac.yaml.
fn owner_role(args: &OwnerRole) -> Result<String, Failure> {
    let Settings { policy, catalogue } = files::load(&args.config)?;
    let is_named = |row: &Making| {
        let name = row.controller.as_deref();
        name.is_some_and(|name| policy.controllers.contains_key(name))
    };
    let rules = owners(&catalogue, is_named);
    if rules.is_empty() {
        let name = args.config.display();
        let why = "names no controller that carries out templates of custom resources: nothing is missing";
        return Err(format!("\"{name}\" {why}").into());
    }
    let metadata = ObjectMeta {
        name: Some("usher-owners".to_owned()),
        ..ObjectMeta::default()
    };
    role_and_binding(
        metadata,
        rules,
        vec![roles::account(USHER.namespace, USHER.name)],
    )
}
