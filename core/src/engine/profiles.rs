//! What pods get by profile, with what the facts say about their accounts.

use serde_json::value::RawValue;

use super::{
    facts::{Facts, Looked, Need, ObjectRef},
    request::Request,
};
use crate::{
    inject::{self, Account, NoPlan, Plan, Profile, Subject},
    object::BadObject,
};

/// Why there is no plan.
pub(super) enum Unplanned {
    /// The pod cannot be read.
    Bad(BadObject),
    /// A fact is missing.
    Needs(Need),
}

/// The pod of a request, as injection takes it.
pub(super) fn subject<'a>(request: &'a Request<'a>, pod: &'a RawValue) -> Subject<'a> {
    Subject {
        pod,
        base: &[],
        namespace: &request.namespace,
        // Of the pods of one workload only the uid of the request differs.
        seed: if request.uid.is_empty() {
            &request.name
        } else {
            &request.uid
        },
    }
}

/// The plan for a pod.
pub(super) fn plan<'a>(
    profiles: &'a [Profile],
    subject: &Subject<'a>,
    facts: &Facts,
) -> Result<Plan<'a>, Unplanned> {
    let at = |name: &str| ObjectRef::account(subject.namespace, name);
    let account = |name: &str| {
        Some(match facts.of_object(&at(name))? {
            Looked::There(object) => Account::Known(object),
            Looked::Absent => Account::Missing,
            Looked::Failed(error) => Account::Failed(error.to_string()),
        })
    };
    inject::plan(profiles, subject, account).map_err(|no| match no {
        NoPlan::Bad(bad) => Unplanned::Bad(bad),
        NoPlan::NeedsAccount(name) => Unplanned::Needs(Need::Object(at(&name))),
    })
}
