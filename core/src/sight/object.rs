//! Objects that are named: which resource, in which namespace, and under which check.

use serde_json::value::RawValue;

use super::{Sighting, look::Looker};
use crate::{
    catalogue::{ObjectField, Of},
    object::{Place, key, text},
    reference::{Check, Known, Path, Reference, Resource, Text},
};

impl<'o> Looker<'_, 'o> {
    /// An object that the field names.
    pub(super) fn object(
        &mut self,
        target: &ObjectField,
        object: &'o RawValue,
        place: &Place<'o>,
        value: &'o RawValue,
    ) {
        let path = Path::new(place.path.clone(), "");
        let resource = match &target.of {
            Of::One(name) => Some(name.0),
            Of::ByKind(kinds) => {
                let kind = target.kind.as_ref().map(|field| key(value, field));
                let kind = kind.transpose().map(Option::flatten);
                kind.ok().and_then(|kind| kinds.get(kind.as_deref()))
            }
        };
        let Some(resource) = resource else {
            let reference = Reference::to(
                target.check.unwrap_or(Check::CrossNamespace),
                path,
                Resource::KINDS,
                Text::default(),
            );
            let why = "the kind is none that is known here".to_owned();
            return self.push(Sighting::Malformed(reference, why));
        };
        let mut name = match target.name.as_deref() {
            Some(".") => Ok(text(value)),
            field => key(value, field.unwrap_or("name")),
        };
        let beside = match (&target.name, &target.namespace) {
            (Some(name), _) if **name == *"." => Ok(None),
            (_, Some(none)) if **none == *"none" => Ok(None),
            (_, field) => key(value, field.as_deref().unwrap_or("namespace")),
        };
        let within = self.within(target.within.as_ref(), object, Some(value));
        let of_resource = resource.known().map(Known::check);
        let check = target.check.or(of_resource);
        let check = check.unwrap_or(Check::CrossNamespace);
        let (Ok(within), Ok(beside)) = (within, beside) else {
            return self.named(check, resource, None, path, None);
        };
        let mut namespace = within.or(beside);
        if let (Some(form), Ok(Some(written))) = (target.form, &name)
            && let Some((within, bare)) = form.split(written)
        {
            namespace = Some(within);
            name = Ok(Some(bare));
        }
        let namespace = namespace.filter(|namespace| !target.cluster && *namespace != self.own);
        // Its own namespace is what the requester may write into anyway.
        if check != Check::CrossNamespace || target.cluster || namespace.is_some() {
            let name = match name {
                // A selection by labels names everything.
                Ok(None) if check == Check::CrossNamespace => Some("*".into()),
                name => name.ok().flatten(),
            };
            self.named(check, resource, name, path, namespace);
        }
    }
}
