//! The configuration: one YAML document, read into [`Settings`]. Every key may be left out; a key that is not
//! known, or a value that is not legal, is refused with its line and column.

mod document;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use document::{commented, schema};

use crate::{
    catalogue::{Catalogue, Identity},
    engine::{
        Authorizer, Baseline, DefaultAccount, Exemption, GrantEntry, Modes, NamespaceModes, Policy,
        TokenLimit, legal_limits,
    },
    inject::{self, ProfileEntry},
    reference::{Check, Mode, Pattern, Step},
    yaml::{self, BadYaml, Source},
};

/// What Usher judges by.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Configuration {
    /// The version of this format.
    api_version: ApiVersion,
    /// The kind of this document.
    kind: Kind,
    /// Who answers questions. rbac: Usher's index of the cluster's RBAC alone. rbac+review: before a denial counts, an
    /// access review of the API server is asked; it sees a grant written a moment ago, and other authorizers.
    /// review: access reviews alone.
    authorizer: Authorizer,
    /// The mode of each check: enforce refuses, warn tells the requester, audit writes into the API server's audit log
    /// only, off does not look.
    checks: BTreeMap<Check, Mode>,
    /// Other modes for some namespaces. Of the entries that match, the first that names the check wins.
    #[schemars(extend("examples" = [[{"match": ["sandbox-*"], "checks": {"tolerations": "warn"}}]]))]
    namespaces: Vec<NamespaceEntry>,
    /// Namespaces whose objects are not judged. The webhook registration leaves out the same ones.
    excluded_namespaces: Vec<Pattern>,
    /// What everybody may use, without any grant.
    baseline: Baseline,
    /// Grants added to RBAC, where names follow a pattern: RBAC has none.
    #[schemars(extend("examples" = [[{
        "subjects": [{"group": "team-a"}], "namespaces": ["team-a-*"], "use": {"serviceAccounts": ["ci-*"]}
    }]]))]
    grants: Vec<GrantEntry>,
    /// Limits on the tokens of service accounts, in pods, in templates and in TokenRequests. Of the entries that match
    /// namespace and account, the first counts; where none matches, nothing is limited. The mode is that of the check
    /// tokens.
    #[schemars(extend("examples" = [[{
        "namespaces": ["team-*"], "audiences": ["vault", "sts.amazonaws.com"], "maxSeconds": 86400, "extendedApiToken": "refuse"
    }]]))]
    #[serde(deserialize_with = "legal_limits")]
    tokens: Vec<TokenLimit>,
    /// The audiences for which the API server itself accepts tokens: its --api-audiences or, without that flag, its
    /// --service-account-issuer. A token for one of them is a token of the API server, as one without an audience is.
    api_audiences: Vec<Pattern>,
    /// Waivers. Each names who answers for it, why it is there and when it ends.
    #[schemars(extend("examples" = [[{
        "name": "legacy-jenkins",
        "match": {"users": ["jenkins"], "namespaces": ["ci"], "checks": ["serviceAccounts"], "targets": ["builder"]},
        "owner": "platform@example.org", "reason": "moves to its own account with ticket 4711", "expires": "2027-01-31"
    }]]))]
    exemptions: Vec<Exemption>,
    /// Controllers that act for others: those of Kubernetes itself (kube-controller-manager), and those of the enabled
    /// projects, where they are not as their projects install them.
    controllers: BTreeMap<String, ControllerEntry>,
    /// Service accounts that the mutating webhook writes into custom resources which name none, before their controller would
    /// carry them out as itself: for controllers whose own flag (--default-service-account of Flux) cannot be set. Of
    /// the entries that match the namespace and name the controller, the first counts.
    #[schemars(extend("examples" = [[{
        "namespaces": ["team-*"], "controllers": ["kustomize-controller", "helm-controller"], "serviceAccount": "flux"
    }]]))]
    default_service_accounts: Vec<DefaultAccount>,
    /// Which kinds are looked into, beside those of Kubernetes itself.
    catalogue: CatalogueEntry,
    /// What pods get when they are created: volumes with tokens, and what belongs to them. A preset is a profile that
    /// ships with Usher, and every field of it can be given anew (docs/injection.md).
    #[schemars(extend("examples" = [[
        {"preset": "aws-irsa"},
        {
            "name": "vault",
            "select": {"namespaces": ["team-*"]},
            "volume": {"name": "vault-token", "mountPath": "/var/run/secrets/vault"},
            "tokens": [{"audience": "vault", "expirationSeconds": 3600, "path": "token"}],
            "env": [{"name": "VAULT_ADDR", "value": "https://vault.example.org"}],
            "fsGroup": {"when": "ifNonRoot", "value": 65534},
            "bounds": {"expirationSeconds": [600, 86400], "outOfRange": "refuse"}
        }
    ]]))]
    profiles: Vec<ProfileEntry>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
enum ApiVersion {
    #[default]
    #[serde(rename = "usher.dev/v1alpha1")]
    V1Alpha1,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
enum Kind {
    #[default]
    Configuration,
}

/// Other modes for some namespaces.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct NamespaceEntry {
    /// Which namespaces.
    #[serde(rename = "match")]
    matches: Vec<Pattern>,
    /// Which modes.
    checks: BTreeMap<Check, Mode>,
}

/// A controller: who it is, and as whom it acts.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ControllerEntry {
    /// Of kube-controller-manager only: the one user that all controllers of Kubernetes share, where the controller
    /// manager runs without --use-service-account-credentials: system:kube-controller-manager. Left empty, each has its
    /// own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The namespace that it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// Its own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
    /// The account, in the namespace of an object, that it is told to use where the object names none
    /// (--default-service-account of Flux).
    #[serde(skip_serializing_if = "Option::is_none")]
    default_service_account: Option<String>,
}

/// Which kinds are looked into, beside those of Kubernetes itself.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct CatalogueEntry {
    /// Projects that Usher knows, by name: flux, keda and others (usher catalogue list).
    enable: Vec<String>,
    /// Files of your own, in the same format, and folders with such files (.yaml, .yml). They are looked for
    /// from the folder of the configuration, and read anew when they change.
    files: Vec<PathBuf>,
}

/// What a configuration comes to: policy and catalogue, put in force together.
#[derive(Debug)]
pub struct Settings {
    /// What is judged by.
    pub policy: Policy,
    /// Which kinds are looked into.
    pub catalogue: Catalogue,
}

impl Settings {
    /// What holds without a configuration.
    pub fn default_for(catalogue: Catalogue) -> Self {
        Self {
            policy: Policy::default(),
            catalogue,
        }
    }
}

/// A file of the catalogue: its name, for messages, and its text.
pub type CatalogueFile = (String, String);

/// Reads a configuration. Nothing but comments is the default configuration. `files` gives the files of the catalogue that a
/// path of the configuration leads to, or says why not.
pub fn read(
    source: &Source,
    files: impl Fn(&Path) -> Result<Vec<CatalogueFile>, String>,
) -> Result<Settings, BadYaml> {
    let mut documents = source.documents();
    let Some(document) = documents.next().transpose()? else {
        return settings(Configuration::default(), files).map_err(|(_, what)| BadYaml {
            file: source.name.clone(),
            position: None,
            what,
        });
    };
    if let Some(second) = documents.next().transpose()? {
        let what = "a configuration is a single YAML document";
        return Err(source.error(second.place.position(), what));
    }
    let configuration: Option<Configuration> = document.typed(source)?;
    settings(configuration.unwrap_or_default(), files).map_err(|(steps, what)| {
        let (place, _) = document.find(steps.iter().map(At::step));
        source.error(place.position(), what)
    })
}

/// Reads the text of a configuration that names no files.
pub fn parse(text: &str) -> Result<Settings, BadYaml> {
    let source = Source::new("configuration", text.to_owned())?;
    read(&source, |_| Err("no files can be read here".to_owned()))
}

/// The paths under `catalogue.files` of a configuration, also of one with mistakes: whoever waits for changes has to look at
/// them.
pub fn named_files(text: &str) -> Vec<PathBuf> {
    let Ok(source) = Source::new("configuration", text.to_owned()) else {
        return Vec::new();
    };
    let Some(Ok(document)) = source.documents().next() else {
        return Vec::new();
    };
    let files = document.at("catalogue").and_then(|held| held.at("files"));
    let files = files.and_then(|files| files.typed::<Vec<PathBuf>>(&source).ok());
    files.unwrap_or_default()
}

/// A mistake in a configuration: the way to it, and what is wrong.
type Wrong = (Vec<At>, String);

/// A step on the way to a mistake.
#[derive(Debug)]
enum At {
    Key(String),
    Index(usize),
}

impl At {
    fn step(&self) -> Step<'_> {
        match self {
            Self::Key(key) => Step::Key(key),
            Self::Index(index) => Step::Index(*index),
        }
    }
}

impl From<Step<'_>> for At {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Key(key) => Self::Key(key.to_owned()),
            Step::Index(index) => Self::Index(index),
        }
    }
}

/// An entry of a list that stands below two keys.
fn entry(outer: &str, inner: &str, index: usize) -> Vec<At> {
    vec![
        At::Key(outer.into()),
        At::Key(inner.into()),
        At::Index(index),
    ]
}

impl Default for Configuration {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            api_version: ApiVersion::default(),
            kind: Kind::default(),
            authorizer: policy.authorizer,
            checks: policy.modes.default.into_iter().collect(),
            namespaces: Vec::new(),
            excluded_namespaces: policy.excluded_namespaces,
            baseline: policy.baseline,
            grants: policy.grants,
            tokens: policy.tokens,
            api_audiences: policy.api_audiences,
            exemptions: policy.exemptions,
            controllers: BTreeMap::from([(
                MANAGER.to_owned(),
                ControllerEntry {
                    user: Some(String::new()),
                    ..ControllerEntry::default()
                },
            )]),
            default_service_accounts: Vec::new(),
            catalogue: CatalogueEntry::default(),
            profiles: Vec::new(),
        }
    }
}

/// The controllers of Kubernetes itself, as the configuration calls them.
const MANAGER: &str = "kube-controller-manager";

/// The catalogue that a configuration asks for, beside the kinds of Kubernetes itself.
fn catalogue(
    entry_of: &CatalogueEntry,
    files: impl Fn(&Path) -> Result<Vec<CatalogueFile>, String>,
) -> Result<Catalogue, Wrong> {
    let embedded = Catalogue::embedded().map_err(|bad| (Vec::new(), bad.to_string()))?;
    let mut catalogue = embedded;
    for (index, project) in entry_of.enable.iter().enumerate() {
        let wrong = |what: String| (entry("catalogue", "enable", index), what);
        if project != "all" && !Catalogue::projects().any(|known| known == project) {
            return Err(wrong(no_project(project)));
        }
        catalogue
            .enable(project)
            .map_err(|bad| wrong(bad.to_string()))?;
    }
    for (index, path) in entry_of.files.iter().enumerate() {
        let wrong = |what: String| (entry("catalogue", "files", index), what);
        for (name, text) in files(path).map_err(wrong)? {
            catalogue
                .add(&name, &text)
                .map_err(|bad| wrong(bad.to_string()))?;
        }
    }
    Ok(catalogue)
}

fn no_project(name: &str) -> String {
    let known: Vec<&str> = Catalogue::projects().collect();
    format!(
        "there is no project \"{name}\"; {}",
        yaml::instead(name, &known)
    )
}

/// Who the controllers are that the configuration names: the user that those of Kubernetes share, and those of projects.
fn controllers(
    entries: BTreeMap<String, ControllerEntry>,
    catalogue: &Catalogue,
) -> Result<(Option<String>, BTreeMap<String, Identity>), Wrong> {
    let mut shared = String::new();
    let mut named = BTreeMap::new();
    for (name, entry) in entries {
        // What is wrong is a key, not what stands there: past the end, the way leads to the last key.
        let way = |keys: &[&str]| -> Vec<At> {
            let keys = ["controllers", &name]
                .into_iter()
                .chain(keys.iter().copied());
            let keys = keys.map(|key| At::Key(key.to_owned()));
            keys.chain([At::Index(0)]).collect()
        };
        let wrong = |key: &str, what: String| Err((way(&[key]), what));
        if name == MANAGER {
            let of_projects = [
                ("namespace", &entry.namespace),
                ("serviceAccount", &entry.service_account),
                ("defaultServiceAccount", &entry.default_service_account),
            ];
            if let Some((key, _)) = of_projects.iter().find(|(_, given)| given.is_some()) {
                let what = format!("{MANAGER} has a user at most, no {key}");
                return wrong(key, what);
            }
            shared = entry.user.unwrap_or_default();
            continue;
        }
        let Some(installed) = catalogue.identity(&name) else {
            return Err((way(&[]), no_controller(&name, catalogue)));
        };
        if entry.user.is_some() {
            let what = format!(
                "\"{name}\" has a service account, not a user: only {MANAGER} can have one"
            );
            return wrong("user", what);
        }
        let or = |given: Option<String>, installed: &str| -> Box<str> {
            let given = given.filter(|given| !given.is_empty());
            given.map_or_else(|| installed.into(), String::into_boxed_str)
        };
        let identity = Identity {
            namespace: or(entry.namespace, &installed.namespace),
            service_account: or(entry.service_account, &installed.service_account),
            default_service_account: or(
                entry.default_service_account,
                &installed.default_service_account,
            ),
        };
        named.insert(name, identity);
    }
    Ok((Some(shared).filter(|user| !user.is_empty()), named))
}

/// That no enabled project has a controller of this name, with the project to enable, or the name that is probably meant.
fn no_controller(name: &str, catalogue: &Catalogue) -> String {
    let mut projects = Catalogue::projects();
    let has = |project: &&'static str| {
        Catalogue::project(project).is_ok_and(|(_, held)| held.identity(name).is_some())
    };
    if let Some(project) = projects.find(has) {
        return format!(
            "controller \"{name}\" belongs to the project {project}, which is not enabled: add {project} to catalogue.enable"
        );
    }
    let known = catalogue.identities().map(|(known, _)| known);
    match yaml::nearest(name, known.chain([MANAGER])) {
        Some(near) => format!("there is no controller \"{name}\"; \"{near}\" is probably meant"),
        None => format!("there is no controller \"{name}\" in {MANAGER} or in any project"),
    }
}

fn settings(
    configuration: Configuration,
    files: impl Fn(&Path) -> Result<Vec<CatalogueFile>, String>,
) -> Result<Settings, Wrong> {
    let mut modes = Modes::default();
    for (check, mode) in &mut modes.default {
        *mode = configuration.checks.get(check).copied().unwrap_or(*mode);
    }
    modes.namespaces = configuration
        .namespaces
        .into_iter()
        .map(|entry| NamespaceModes {
            matches: entry.matches,
            checks: entry.checks,
        })
        .collect();
    let catalogue = catalogue(&configuration.catalogue, files)?;
    let (controller_manager, controllers) = controllers(configuration.controllers, &catalogue)?;
    for (index, entry_of) in configuration.default_service_accounts.iter().enumerate() {
        for (place, controller) in entry_of.controllers.iter().enumerate() {
            let mut kinds = catalogue.kinds();
            if !kinds.any(|kind| kind.leaves_accounts_to(controller)) {
                let mut way = vec![At::Key("defaultServiceAccounts".into()), At::Index(index)];
                way.extend([At::Key("controllers".into()), At::Index(place)]);
                let what = if catalogue.identity(controller).is_some() {
                    format!(
                        "no kind leaves its account to \"{controller}\", so that nothing would be written"
                    )
                } else {
                    no_controller(controller, &catalogue)
                };
                return Err((way, what));
            }
        }
    }
    let profiles = inject::profiles(&configuration.profiles);
    let profiles = profiles.map_err(|(way, bad)| {
        let way = way.into_iter().map(At::from);
        let way = std::iter::once(At::Key("profiles".into())).chain(way);
        (way.collect(), bad.to_string())
    })?;
    let policy = Policy {
        authorizer: configuration.authorizer,
        modes,
        excluded_namespaces: configuration.excluded_namespaces,
        baseline: configuration.baseline,
        grants: configuration.grants,
        tokens: configuration.tokens,
        api_audiences: configuration.api_audiences,
        exemptions: configuration.exemptions,
        controller_manager,
        profiles,
        controllers,
        default_accounts: configuration.default_service_accounts,
    };
    Ok(Settings { policy, catalogue })
}
