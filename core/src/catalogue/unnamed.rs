use serde_json::value::RawValue;

use super::{
    Content, Kind,
    field::{Absent, AccountField, Field, Sort, is_something},
    path::{Lost, Memo},
};

/// The fields of a custom resource that could name an account, name none, and so leave it to a controller
/// ([`Field::left_to`]).
pub fn unnamed<'f>(fields: &'f [Field], object: &RawValue) -> Result<Vec<&'f Field>, Lost> {
    let memo = Memo::default();
    let mut found = Vec::new();
    for field in fields {
        if field.left_to().is_none() {
            continue;
        }
        // One place: it is a path of keys.
        for place in field.path.find(object, &memo)? {
            if !place.value.is_some_and(is_something)
                && field.applies_in(object, &memo)?
                && field.applies_at(object, &place, &memo)?
            {
                found.push(field);
            }
        }
    }
    Ok(found)
}

impl Field {
    /// The controller that an account is left to where the field, a path of keys alone, names none.
    pub fn left_to(&self) -> Option<&str> {
        match &self.sort {
            Sort::Account(AccountField {
                absent: Some(Absent::Controller(controller)),
                name: None,
                within: None,
                config_map: None,
                ..
            }) if self.path.head().len() == self.path.steps().len() => Some(controller),
            _ => None,
        }
    }
}

impl Kind {
    /// Whether some field of it leaves its account to this controller, as [`Field::left_to`] says.
    pub fn leaves_accounts_to(&self, controller: &str) -> bool {
        match &self.content {
            Content::Fields(fields) => fields
                .iter()
                .any(|field| field.left_to() == Some(controller)),
            Content::PodSpec(_) | Content::TokenRequest(_) => false,
        }
    }
}
