//! Accounts that an object leaves to a controller.

use serde_json::value::RawValue;

use crate::{
    catalogue::Field,
    object::{Lost, Memo, is_something},
};

/// The fields of a custom resource that could name an account, name none, and so leave it to a controller.
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
