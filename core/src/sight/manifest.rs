//! Objects that stand in an object, each judged as what it is.

use serde_json::value::RawValue;

use super::{Around, Sighting, look::Looker};
use crate::{
    catalogue::Content,
    object::{
        BadObject, BadSigningRequest, NamespaceAnnotation, PodSpec, ServiceAccount, TokenSecret,
        at, key, namespace_tolerations, parse, revised, user_names,
    },
    reference::{Account, Check, Path, Pattern, Reference, Resource, Target, Text},
};

/// An object that stands in another cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadManifest {
    /// It is not what the API says it is.
    #[error(transparent)]
    Object(#[from] BadObject),
    /// Nobody knows in whose name it asks for a certificate.
    #[error(transparent)]
    SigningRequest(#[from] BadSigningRequest),
}

impl<'o> Looker<'_, 'o> {
    /// An object that stands in another, or a list of them.
    pub(super) fn manifest(&mut self, value: &'o RawValue, path: &str, depth: usize) {
        let lost = |why: &str| Sighting::Lost(Path::new(path.to_owned(), ""), why.to_owned());
        if depth == 0 {
            return self.push(lost("objects stand too deep in objects"));
        }
        if value.get().starts_with('[') {
            let Ok(items) = parse::<Vec<&RawValue>>(value) else {
                return self.push(lost("it is no list of objects"));
            };
            for (index, item) in items.into_iter().enumerate() {
                if self.is_full() {
                    return;
                }
                self.manifest(item, &format!("{path}[{index}]"), depth - 1);
            }
            return;
        }
        if !value.get().starts_with('{') {
            return self.opaque(path, "an object that is written as text");
        }
        let (api_version, kind) = (key(value, "apiVersion"), key(value, "kind"));
        let (Ok(Some(api_version)), Ok(Some(kind))) = (api_version, kind) else {
            return self.push(lost("it has no apiVersion or no kind"));
        };
        // Several objects in one, as kubectl prints them.
        if (&*api_version, &*kind) == ("v1", "List") {
            return match at::<&RawValue>(value, &["items".into()]) {
                Ok(Some(items)) if items.get().starts_with('[') => {
                    self.manifest(items, &format!("{path}.items"), depth - 1);
                }
                Ok(None) => {}
                _ => self.push(lost("its items are no list")),
            };
        }
        let namespace = at::<Text<'o>>(value, &["metadata".into(), "namespace".into()]);
        let Ok(namespace) = namespace else {
            return self.push(lost("its namespace cannot be read"));
        };
        let own = namespace
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| self.own.clone());
        // Whoever writes an object of the whole cluster is at home in no namespace.
        if own != self.root && !self.root.is_empty() {
            let path = Path::new(format!("{path}.metadata.namespace"), "");
            let resource = Resource::NAMESPACES;
            let (name, within) = (Some(own.clone()), Some(own.clone()));
            self.named(Check::CrossNamespace, resource, name, path, within);
        }
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
        if self.around.catalogue.find(group, &kind).is_none() {
            return;
        }
        let Some(entry) = self.around.catalogue.version(group, &kind, version) else {
            return self.push(lost("its version is not known"));
        };
        let read = match &entry.content {
            Content::Fields(fields) => {
                let outer = std::mem::replace(&mut self.own, own);
                self.look(fields, value, path, depth - 1);
                self.own = outer;
                Ok(())
            }
            Content::NamespaceTolerations => self.namespace_tolerations(value, path),
            content => self.of_kubernetes(content, value, path, own),
        };
        if let Err(bad) = read {
            self.push(lost(&bad.to_string()));
        }
    }

    /// What an object names whose kind is one of Kubernetes.
    fn of_kubernetes(
        &mut self,
        content: &Content,
        value: &'o RawValue,
        path: &str,
        own: Text<'o>,
    ) -> Result<(), BadManifest> {
        let below = |part: &str| Path::new(format!("{path}.{part}"), "");
        match content {
            Content::PodSpec(route) | Content::Revision(route) => {
                let spec = match content {
                    Content::Revision(_) => Some(revised(value, &route.keys)?),
                    _ => at::<PodSpec<'o>>(value, &route.keys)?,
                };
                if let Some(spec) = spec {
                    self.push(Sighting::PodSpec {
                        base: format!("{path}.{}", route.dotted),
                        spec: Box::new(spec),
                        account: true,
                        namespace: own,
                    });
                }
            }
            Content::Binding(route) => {
                let node = at(value, &route.keys)?;
                let path = below(&route.dotted);
                self.named(Check::Nodes, Resource::NODES, node, path, Some(own));
            }
            Content::Account(steering) => {
                let account = ServiceAccount::of(value)?;
                let name = at::<Text<'o>>(value, &["metadata".into(), "name".into()])?;
                let Around {
                    steers, is_bound, ..
                } = self.around;
                let user = Account {
                    namespace: &own,
                    name: name.as_deref().unwrap_or_default(),
                };
                let identity = account.identity(
                    None,
                    |key| Pattern::any(steering, key) || steers(key),
                    || is_bound(&user.to_string()),
                );
                if let Some(place) = identity {
                    let (path, resource) = (below(&place), Resource::SERVICE_ACCOUNTS);
                    self.named(Check::Accounts, resource, name, path, Some(own.clone()));
                }
                for (place, secret) in account.pull_secrets(None)? {
                    let (path, resource) = (below(&place), Resource::SECRETS);
                    self.named(Check::Secrets, resource, Some(secret), path, Some(own.clone()));
                }
            }
            Content::TokenSecret => {
                if let Some(secret) = TokenSecret::of(value)? {
                    let (path, account) = (below(TokenSecret::PATH), Some(secret.account));
                    let resource = Resource::SERVICE_ACCOUNTS;
                    self.named(Check::TokenSecrets, resource, account, path, Some(own));
                }
            }
            Content::SigningRequest => {
                for user in user_names(value)? {
                    let Some(account) = Account::of_user(&user) else {
                        continue;
                    };
                    let (namespace, name) = (account.namespace.to_owned(), account.name.to_owned());
                    let (path, resource) = (below("spec.request"), Resource::SERVICE_ACCOUNTS);
                    let (name, within) = (Some(name.into()), Some(namespace.into()));
                    self.named(Check::Accounts, resource, name, path, within);
                }
            }
            // These are asked for and not kept: nobody applies one.
            Content::Connection(_)
            | Content::Named(_)
            | Content::TokenRequest(_)
            // These are no kinds of which one object names one thing.
            | Content::Fields(_)
            | Content::NamespaceTolerations => {}
        }
        Ok(())
    }

    /// What the annotations of a namespace give to every pod in it.
    fn namespace_tolerations(
        &mut self,
        value: &'o RawValue,
        path: &str,
    ) -> Result<(), BadManifest> {
        let name = at::<Text<'o>>(value, &["metadata".into(), "name".into()]);
        for NamespaceAnnotation { key, tolerations } in namespace_tolerations(value, None)? {
            let path = format!("{path}.metadata.annotations[\"{key}\"]");
            let (Ok(said), Ok(name)) = (tolerations, &name) else {
                let why = "it cannot be read".to_owned();
                self.push(Sighting::Lost(Path::new(path, ""), why));
                continue;
            };
            for (index, toleration) in said.into_iter().enumerate() {
                self.push(Sighting::Reference(Reference {
                    check: Check::Tolerations,
                    path: Path::new(format!("{path}[{index}]"), ""),
                    target: Target::Taints(toleration),
                    namespace: name.clone(),
                }));
            }
        }
        Ok(())
    }
}
