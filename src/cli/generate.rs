use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Subcommand;

use super::{
    Exit, Failure,
    grant::{Holder, Rule, is_namespace, role_and_binding},
    page, registration,
    served::Served,
};
use usher_core::{
    catalogue::{self, Catalogue},
    config,
    engine::Policy,
    reference::{is_object_name, shown},
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
    /// The Role and RoleBinding that let KEDA request tokens of single service accounts, and of no other.
    KedaTokenRole(KedaTokenRole),
    /// The ClusterRole and binding that let Usher read the custom resources whose templates named controllers carry out.
    OwnerRole(OwnerRole),
    /// The ValidatingWebhookConfiguration, with rules for exactly the kinds that the configuration turns on.
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
        What::KedaTokenRole(args) => keda_token_role(args)?,
        What::OwnerRole(args) => owner_role(args)?,
        What::WebhookConfig(args) => webhook_config(args)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Allowed)
}

fn policy(config: Option<&Path>) -> Result<Policy, Failure> {
    Ok(match config {
        Some(file) => config::load(file)?,
        None => Policy::default(),
    })
}

fn webhook_config(args: &WebhookConfig) -> Result<String, Failure> {
    let mut policy = policy(args.config.as_deref())?;
    let mut catalogue = match policy.catalogue.take().and_then(Arc::into_inner) {
        Some(catalogue) => catalogue,
        None => Catalogue::embedded()?,
    };
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
        registration::mutating(&policy, &catalogue, served.as_ref())
    } else {
        registration::validating(&policy, &catalogue, served.as_ref())
    };
    for note in made.notes {
        eprintln!("note: {}", shown(&note));
    }
    Ok(made.text)
}

/// KEDA asks the API server for tokens (pkg/scaling/resolver of KEDA), and Usher asks whoever requests a token for
/// `use` on the account: two rules.
fn keda_token_role(args: &KedaTokenRole) -> Result<String, Failure> {
    let policy = policy(args.config.as_deref())?;
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
    let rule = |resource, verb| Rule {
        group: "",
        resource,
        names: names.clone(),
        verb,
    };
    role_and_binding(
        "keda-token",
        Some(&args.namespace),
        &[
            rule("serviceaccounts/token", "create"),
            rule("serviceaccounts", "use"),
        ],
        &[Holder::ServiceAccount {
            namespace: identity.namespace.to_string(),
            name: identity.service_account.to_string(),
        }],
    )
}

/// Whether an owner lives, and what its template says, is read when a controller makes something of it. The owners that
/// are kinds of Kubernetes stand in deploy/rbac.yaml.
fn owner_role(args: &OwnerRole) -> Result<String, Failure> {
    let policy = config::load(&args.config)?;
    let catalogue = policy.catalogue.as_deref();
    let makers = catalogue.into_iter().flat_map(Catalogue::rows);
    let is_named = |name: &str| policy.controllers.contains_key(name);
    let owners: BTreeSet<(&str, &str)> = makers
        .filter(|maker| maker.controller.as_deref().is_some_and(is_named))
        .filter_map(|maker| catalogue?.find(&maker.of.group, &maker.of.kind))
        .map(|owner| (&*owner.group, &*owner.resource))
        .collect();
    if owners.is_empty() {
        let name = args.config.display();
        let why = "names no controller that carries out templates of custom resources: nothing is missing";
        return Err(format!("\"{name}\" {why}").into());
    }
    let rules: Vec<Rule<'_>> = owners
        .into_iter()
        .map(|(group, resource)| Rule {
            group,
            resource,
            names: Vec::new(),
            verb: "get",
        })
        .collect();
    role_and_binding(
        "usher-owners",
        None,
        &rules,
        &[Holder::ServiceAccount {
            namespace: "usher-system".to_owned(),
            name: "usher".to_owned(),
        }],
    )
}
