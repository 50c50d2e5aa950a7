//! The configuration file: one YAML document, read into a [`Policy`]. Every key may be left out; a key that is not
//! known, or a value that is not legal, is refused with its line and column.

mod document;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
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
    reference::{Check, Mode, Pattern},
};

/// Largest configuration that is read, in bytes. A ConfigMap cannot hold more than 1 MiB.
const LARGEST: u64 = 4 << 20;

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
    #[serde(deserialize_with = "inject::entries")]
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

/// A configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is no configuration. `line` and `column` count from 1; 0 where the place is not known.
    #[error("{}{why}", place(*line, *column))]
    Bad {
        /// Line of the mistake.
        line: u64,
        /// Column of the mistake.
        column: u64,
        /// What is wrong.
        why: String,
    },
    /// The same, with the file.
    #[error("{file}:{}{source}", gap(source))]
    File {
        /// The file.
        file: String,
        /// What is wrong in it.
        source: Box<ConfigError>,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why not.
        source: io::Error,
    },
}

/// A place in front of a message; nothing where it is not known.
fn place(line: u64, column: u64) -> String {
    if line == 0 {
        return String::new();
    }
    format!("{line}:{column}: ")
}

/// What stands between the colon behind the name of a file and the mistake in it.
fn gap(mistake: &ConfigError) -> &'static str {
    match mistake {
        ConfigError::Bad { line: 1.., .. } => "",
        _ => " ",
    }
}

/// Reads a configuration file.
pub fn load(path: &Path) -> Result<Policy, ConfigError> {
    let file = path.display().to_string();
    let text = read(path).map_err(|source| ConfigError::Read {
        file: file.clone(),
        source,
    })?;
    parse_in(folder(path), &text).map_err(|source| ConfigError::File {
        file,
        source: Box::new(source),
    })
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    fs::read_to_string(path)
}

/// Where a configuration file stands: files that it names are looked for there.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Reads the text of a configuration. Nothing but comments is the default configuration. Files that it names are looked
/// for in the working directory.
pub fn parse(text: &str) -> Result<Policy, ConfigError> {
    parse_in(Path::new(""), text)
}

fn parse_in(folder: &Path, text: &str) -> Result<Policy, ConfigError> {
    // As kubectl reads numbers: the mode 0644 of a file is octal.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let read = serde_saphyr::from_str_with_options(text, options);
    let configuration: Option<Configuration> = read.map_err(|error| {
        let place = error.location();
        ConfigError::Bad {
            line: place.map_or(0, |place| place.line()),
            column: place.map_or(0, |place| place.column()),
            why: document::plain(&error),
        }
    })?;
    let mut configuration = configuration.unwrap_or_default();
    for file in &mut configuration.catalogue.files {
        *file = folder.join(&*file);
    }
    let policy = configuration.try_into();
    policy.map_err(|why: String| ConfigError::Bad {
        line: 0,
        column: 0,
        why,
    })
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

/// The catalogue, where the configuration asks for more than the kinds of Kubernetes itself.
fn catalogue(entry: &CatalogueEntry) -> Result<Option<Catalogue>, String> {
    if entry.enable.is_empty() && entry.files.is_empty() {
        return Ok(None);
    }
    let mut catalogue = Catalogue::embedded().map_err(|bad| bad.to_string())?;
    for project in &entry.enable {
        catalogue.enable(project).map_err(|bad| bad.to_string())?;
    }
    for file in catalogue_files(&entry.files)? {
        let name = file.display().to_string();
        let text = read(&file).map_err(|error| format!("catalogue: {name}: {error}"))?;
        catalogue.add(&name, &text).map_err(|bad| bad.to_string())?;
    }
    Ok(Some(catalogue))
}

/// The files of the catalogue that a configuration file with this text names, also one with mistakes: whoever waits for
/// changes has to look at them.
pub fn named_files(path: &Path, text: &str) -> Vec<PathBuf> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        catalogue: Files,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Files {
        files: Vec<PathBuf>,
    }
    let named: Named = serde_saphyr::from_str(text).unwrap_or_default();
    let files = named.catalogue.files.iter();
    let files: Vec<PathBuf> = files.map(|file| folder(path).join(file)).collect();
    catalogue_files(&files).unwrap_or_default()
}

/// The files of the catalogue that these paths lead to: files, and those in folders, in the order of their names.
fn catalogue_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let name = path.display();
        let entries = fs::read_dir(path).map_err(|error| format!("catalogue: {name}: {error}"))?;
        let is_yaml = |path: &PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("yaml" | "yml"))
        };
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(is_yaml)
            .collect();
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

impl TryFrom<Configuration> for Policy {
    type Error = String;

    fn try_from(configuration: Configuration) -> Result<Self, String> {
        let mut modes = Modes::default();
        for (check, mode) in &mut modes.default {
            *mode = configuration.checks.get(check).copied().unwrap_or(*mode);
        }
        modes.namespaces = configuration
            .namespaces
            .into_iter()
            .map(|entry| NamespaceModes {
                matches: entry.matches,
                checks: entry.checks.into_iter().collect(),
            })
            .collect();
        let catalogue = catalogue(&configuration.catalogue)?;
        let mut shared = String::new();
        let mut controllers = BTreeMap::new();
        for (name, entry) in configuration.controllers {
            if name == MANAGER {
                shared = entry.user.unwrap_or_default();
                continue;
            }
            let known = catalogue.as_ref().and_then(|known| known.identity(&name));
            let Some(installed) = known.filter(|_| entry.user.is_none()) else {
                return Err(format!(
                    "controllers: \"{name}\" is no controller of an enabled project, or it has a user: only {MANAGER} has"
                ));
            };
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
            controllers.insert(name, identity);
        }
        for entry in &configuration.default_service_accounts {
            for controller in &entry.controllers {
                let mut kinds = catalogue.iter().flat_map(Catalogue::kinds);
                if !kinds.any(|kind| kind.leaves_accounts_to(controller)) {
                    return Err(format!(
                        "defaultServiceAccounts: no kind of an enabled project leaves its account to \"{controller}\""
                    ));
                }
            }
        }
        Ok(Self {
            authorizer: configuration.authorizer,
            modes,
            excluded_namespaces: configuration.excluded_namespaces,
            baseline: configuration.baseline,
            grants: configuration.grants,
            tokens: configuration.tokens,
            api_audiences: configuration.api_audiences,
            exemptions: configuration.exemptions,
            controller_manager: Some(shared).filter(|user| !user.is_empty()),
            profiles: inject::profiles(&configuration.profiles).map_err(|bad| bad.to_string())?,
            controllers,
            default_accounts: configuration.default_service_accounts,
            catalogue: catalogue.map(Arc::new),
        })
    }
}
