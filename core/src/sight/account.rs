//! Accounts that a controller acts as: by name, by a config map, or by nothing at all.

use serde_json::value::RawValue;

use super::{Sighting, look::Looker};
use crate::{
    catalogue::{Absent, AccountField, ConfigMapKey},
    object::{Metadata, Place, is_something, key, parse},
    reference::{Check, Path, Resource, Text},
};

impl<'o> Looker<'_, 'o> {
    /// An account that the field names, or that no name means.
    pub(super) fn account(
        &mut self,
        account: &AccountField,
        object: &'o RawValue,
        place: &Place<'o>,
    ) {
        let value = place.value.filter(|value| is_something(value));
        let path = Path::new(place.path.clone(), "");
        let written = match (&account.name, value) {
            (Some(name), Some(value)) => key(value, name),
            // Of a config map something else is read.
            (None, Some(_)) if account.config_map.is_some() => Ok(None),
            (None, Some(value)) => parse(value).map(Some),
            (_, None) => Ok(None),
        };
        let namespace = self.within(account.within.as_ref(), object, value);
        let (check, resource) = (Check::ServiceAccounts, Resource::SERVICE_ACCOUNTS);
        let (Ok(written), Ok(mut namespace)) = (written, namespace) else {
            return self.named(check, resource, None, path, None);
        };
        if let Some(ConfigMapKey { key: named }) = &account.config_map {
            let Some(value) = value else { return };
            let Ok(Some(name)) = key(value, "name") else {
                return self.named(check, resource, None, path, None);
            };
            let otherwise = self
                .absent(account, None)
                .map(|(name, within)| self.reference(check, resource, name, path.clone(), within));
            return self.push(Sighting::ConfigMap {
                path,
                namespace: self.own.clone(),
                name,
                key: named.to_string(),
                otherwise,
            });
        }
        let Some(mut name) = written else {
            let namespace = namespace.filter(|namespace| *namespace != self.own);
            if let Some((name, within)) = self.absent(account, namespace) {
                self.named(check, resource, Some(name), path, within);
            }
            return;
        };
        if let Some(made) = &account.made {
            // Of an object that cannot be read it would be somebody else's.
            let metadata = Metadata::of(object).unwrap_or_default();
            let name = made.name(&*name).into();
            let made = self.reference(check, resource, name, path, namespace);
            return self.push(Sighting::Made(made, metadata.uid));
        }
        if let Some((within, bare)) = account.form.and_then(|form| form.split(&name)) {
            namespace = Some(within);
            name = bare;
        }
        let namespace = namespace.filter(|namespace| *namespace != self.own);
        self.named(check, resource, Some(name), path, namespace);
    }

    /// The account that no name means, and its namespace if that is another one.
    fn absent(
        &self,
        account: &AccountField,
        namespace: Option<Text<'o>>,
    ) -> Option<(Text<'o>, Option<Text<'o>>)> {
        Some(match account.absent.as_ref()? {
            Absent::Default => ("default".into(), namespace),
            Absent::Account(name) => (name.to_string().into(), namespace),
            Absent::Controller(name) => self.controller(name),
        })
    }

    /// The account that a controller uses where none is named, and its namespace if that is another one.
    pub(super) fn controller(&self, name: &str) -> (Text<'o>, Option<Text<'o>>) {
        let identity = (self.around.controller)(name).cloned().unwrap_or_default();
        if identity.default_service_account.is_empty() {
            let within = identity.namespace.to_string();
            (
                identity.service_account.to_string().into(),
                Some(within.into()),
            )
        } else {
            (identity.default_service_account.to_string().into(), None)
        }
    }
}
