//! What is to be changed in an object: what its pod gets by profile, lifetimes, accounts that it left open.

mod accounts;
mod shorten;

use json_patch::{AddOperation, Patch, PatchError, PatchOperation};
use serde_json::{Value, value::RawValue};

use super::{
    broken::Broken,
    facts::{Facts, Need},
    policy::Policy,
    profiles::{Unplanned, plan, subject},
    request::{Operation, Request},
};
use crate::{
    catalogue::{Catalogue, Kind},
    inject::{Effect, Missed, Plan, Profile, Refusal, Step, Subject},
    object::{Metadata, PodSpec, at},
    reference::{Text, shown},
};
use shorten::{Shortened, shortened};

/// What [`mutate`] came to.
#[derive(Debug)]
pub enum Mutating<'a> {
    /// All is said.
    Done(Mutation<'a>),
    /// Facts are missing. Gather them and ask again; one that cannot be had is an error among the facts.
    Needs(Vec<Need>),
}

/// What is to be changed in the object of a request.
#[derive(Debug)]
pub struct Mutation<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// Why the request cannot be read: it is refused.
    pub broken: Option<Broken>,
    /// What the pod asks for and cannot have: it is refused.
    pub refusals: Vec<Refusal<'a>>,
    /// What each profile comes to.
    pub steps: Vec<Step<'a>>,
    /// What the requester should know.
    pub warnings: Vec<String>,
    /// The changes; empty if there are none, or if the request is refused.
    pub patch: Patch,
}

/// Changes do not fit an object.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It is no JSON.
    #[error(transparent)]
    Object(#[from] serde_json::Error),
    /// It has not what is to be changed.
    #[error(transparent)]
    Patch(#[from] PatchError),
}

/// Works out what is to be added to the object of a request. Pure, as [`judge`](super::judge()).
///
/// Never fails: what cannot be read is a refusal with its reason.
pub fn mutate<'a>(
    request: &'a Request<'a>,
    catalogue: &'a Catalogue,
    policy: &'a Policy,
    facts: &Facts,
) -> Mutating<'a> {
    let kind = catalogue.find(&request.kind.group, &request.kind.kind);
    let mut mutation = if kind.is_some_and(Kind::is_pod) {
        match preview(request, catalogue, policy, facts) {
            Mutating::Done(mutation) => mutation,
            needs @ Mutating::Needs(_) => return needs,
        }
    } else {
        Mutation::nothing(request)
    };
    if mutation.allowed() {
        let given = mutation.steps.iter().filter_map(|step| match &step.effect {
            Effect::Given(given) => Some(given.volume.clone()),
            _ => None,
        });
        match shortened(request, catalogue, policy, &given.collect::<Vec<String>>()) {
            Ok(shortened) => mutation.shorten(shortened),
            Err(bad) => mutation = Mutation::broken(request, bad.into()),
        }
    }
    match accounts::unnamed_accounts(request, catalogue, policy) {
        Ok(written) => {
            mutation.patch.0.extend(written.operations);
            mutation.warnings.extend(written.warnings);
        }
        Err(lost) => mutation = Mutation::broken(request, lost.into()),
    }
    Mutating::Done(mutation)
}

/// As [`mutate`], but for the pod template of a workload also: what a pod made of it would get.
pub fn preview<'a>(
    request: &'a Request<'a>,
    catalogue: &'a Catalogue,
    policy: &'a Policy,
    facts: &Facts,
) -> Mutating<'a> {
    let broken = |why: Broken| Mutating::Done(Mutation::broken(request, why));
    let asked = &request.kind;
    if catalogue.find(&asked.group, &asked.kind).is_none() {
        return Mutating::Done(Mutation::nothing(request));
    }
    if request.operation != Operation::Create
        || !request.subresource.is_empty()
        || policy.excludes(&request.namespace)
    {
        return Mutating::Done(Mutation::nothing(request));
    }
    let Some(kind) = catalogue.version(&asked.group, &asked.kind, &asked.version) else {
        return broken(Broken::version(asked, catalogue));
    };
    let Some(object) = request.object else {
        return broken(Broken::Lacks("object"));
    };
    if policy.profiles.is_empty() {
        return Mutating::Done(Mutation::nothing(request));
    }
    // A pod is what holds the pod spec, and the metadata beside it.
    let Some((_, base)) = kind.pod_spec().and_then(|route| route.keys.split_last()) else {
        return Mutating::Done(Mutation::nothing(request));
    };
    let pod = if base.is_empty() {
        object
    } else {
        match at(object, base) {
            Ok(Some(pod)) => pod,
            Ok(None) => return Mutating::Done(Mutation::nothing(request)),
            Err(bad) => return broken(bad.into()),
        }
    };
    let subject = Subject {
        base,
        ..subject(request, pod)
    };
    match plan(&policy.profiles, &subject, facts) {
        Ok(plan) => Mutating::Done(Mutation::of(request, plan)),
        Err(Unplanned::Bad(bad)) => broken(bad.into()),
        Err(Unplanned::Needs(need)) => Mutating::Needs(vec![need]),
    }
}

impl<'a> Mutation<'a> {
    fn nothing(request: &'a Request<'a>) -> Self {
        Self {
            request,
            broken: None,
            refusals: Vec::new(),
            steps: Vec::new(),
            warnings: Vec::new(),
            patch: Patch(Vec::new()),
        }
    }

    /// The refusal of a request that could not be worked out.
    pub fn broken(request: &'a Request<'a>, why: Broken) -> Self {
        Self {
            broken: Some(why),
            ..Self::nothing(request)
        }
    }

    fn of(request: &'a Request<'a>, plan: Plan<'a>) -> Self {
        let mut warnings = Vec::new();
        let mut refusals = plan.refusals;
        for Step { profile, effect } in &plan.steps {
            match effect {
                Effect::Given(given) => warnings.extend(given.warnings.iter().cloned()),
                Effect::Missed(why) => {
                    warnings.push(format!(
                        "profile \"{}\" is not injected: {why}",
                        profile.name
                    ));
                }
                Effect::Refused(refused) => refusals.push(Refusal::Profile(refused.clone())),
                Effect::Declined(_) | Effect::Passed(_) => {}
            }
        }
        Self {
            request,
            broken: None,
            refusals,
            steps: plan.steps,
            warnings,
            patch: plan.patch,
        }
    }

    /// Writes lifetimes that are not written already.
    fn shorten(&mut self, shortened: Vec<Shortened>) {
        for Shortened { path, seconds, why } in shortened {
            let written = |operation: &PatchOperation| *operation.path() == *path;
            if !self.patch.0.iter().any(written) {
                // Adding a field that is there replaces it (RFC 6902, 4.1).
                let value = seconds.into();
                self.patch
                    .0
                    .push(PatchOperation::Add(AddOperation { path, value }));
                self.warnings.push(why);
            }
        }
    }

    /// Whether the request may go on.
    pub fn allowed(&self) -> bool {
        self.broken.is_none() && self.refusals.is_empty()
    }

    /// The object of the request with the changes. An error if it is none that they fit, which nothing that
    /// [`mutate`] was given can be.
    pub fn applied(&self, object: &RawValue) -> Result<Value, Unfit> {
        let mut changed: Value = serde_json::from_str(object.get())?;
        json_patch::patch(&mut changed, &self.patch)?;
        Ok(changed)
    }

    /// The profiles that the pod should get and does not, with why.
    pub fn missed(&self) -> impl Iterator<Item = (&'a Profile, &Missed<'a>)> {
        self.steps.iter().filter_map(|step| match &step.effect {
            Effect::Missed(why) => Some((step.profile, why)),
            _ => None,
        })
    }

    /// The object that a message about this pod is best shown at: what made it, the pod itself, or, while it has no
    /// name, its account.
    pub fn concerned(&self) -> Concerned<'_> {
        let metadata = self.request.object.map(Metadata::of);
        let metadata = metadata.and_then(Result::ok).unwrap_or_default();
        let owners = metadata.controllers().unwrap_or_default();
        if let Some(owner) = owners.into_iter().next() {
            return Concerned {
                api_version: owner.api_version,
                kind: owner.kind,
                name: owner.name,
                uid: owner.uid,
            };
        }
        let (kind, name) = if metadata.name.is_empty() {
            let spec = self.request.object.map(|pod| at(pod, &["spec".into()]));
            let spec: Option<PodSpec<'_>> = spec.and_then(Result::ok).flatten();
            ("ServiceAccount", spec.unwrap_or_default().account())
        } else {
            ("Pod", metadata.name)
        };
        Concerned {
            api_version: "v1".into(),
            kind: kind.into(),
            name,
            uid: Text::default(),
        }
    }

    /// What a refused requester reads; empty if the request may go on.
    pub fn message(&self) -> String {
        if let Some(why) = &self.broken {
            let kind = self.request.kind.kind.to_lowercase();
            return shown(&format!("usher cannot read this {kind}: {why}")).into_owned();
        }
        let refusals: Vec<String> = self.refusals.iter().map(ToString::to_string).collect();
        refusals.join("\n")
    }
}

/// An object, as an event names it.
#[derive(Clone, Debug)]
pub struct Concerned<'a> {
    /// Its group and version.
    pub api_version: Text<'a>,
    /// Its kind.
    pub kind: Text<'a>,
    /// Its name.
    pub name: Text<'a>,
    /// Its uid; empty where it has none yet.
    pub uid: Text<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::request::KindRef, reference::Requester};

    #[test]
    fn every_version_that_some_entry_is_about_is_known() {
        let mut catalogue = Catalogue::embedded().unwrap();
        catalogue.enable("all").unwrap();
        let mut several = 0;
        for kind in catalogue.kinds() {
            let known = catalogue.versions(&kind.group, &kind.kind);
            several += usize::from(known.len() > kind.versions.len());
            let broken = |version: &str| {
                let request = Request {
                    uid: Text::default(),
                    kind: KindRef {
                        group: (&*kind.group).into(),
                        version: version.to_owned().into(),
                        kind: (&*kind.kind).into(),
                    },
                    operation: Operation::Create,
                    subresource: Text::default(),
                    namespace: Text::default(),
                    name: Text::default(),
                    requester: Requester::default(),
                    object: None,
                    old: None,
                    dry_run: false,
                };
                match preview(&request, &catalogue, &Policy::default(), &Facts::default()) {
                    Mutating::Done(mutation) => mutation.broken.map(|why| why.to_string()),
                    Mutating::Needs(needs) => panic!("{needs:?}"),
                }
            };
            for version in &known {
                let why = broken(version).unwrap();
                assert!(why.contains("no object"), "{version} {}: {why}", kind.kind);
            }
            let why = broken("v9").unwrap();
            assert!(why.ends_with(&known.join(", ")), "{why}");
        }
        assert!(several > 20, "{several}");
    }
}
