//! What a request does not say and the engine has to know.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::reference::Question;

/// Something that [`judge`](super::judge()) has to know and that the request does not say.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Need {
    /// An object of the cluster.
    Object(ObjectRef),
    /// What the API server's own access review answers for the requester.
    Review(Question<'static>),
}

/// An object, by kind and name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectRef {
    /// Its group and version, as manifests write them.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its resource, in the plural.
    pub resource: String,
    /// Its namespace; none for a cluster-scoped object.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// A service account.
    pub(super) fn account(namespace: &str, name: &str) -> Self {
        Self {
            api_version: "v1".to_owned(),
            kind: "ServiceAccount".to_owned(),
            resource: "serviceaccounts".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }
}

/// What a look at an object came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Looked<'f> {
    /// The object.
    There(&'f RawValue),
    /// There is none.
    Absent,
    /// Nobody knows.
    Failed(&'f FactError),
}

/// What an access review came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reviewed<'f> {
    /// Yes, for this reason.
    Yes(&'f str),
    /// No.
    No,
    /// Nobody knows.
    Failed(&'f FactError),
}

/// What has been found out for one request.
#[derive(Debug, Default)]
pub struct Facts {
    objects: HashMap<ObjectRef, Result<Option<Box<RawValue>>, FactError>>,
    reviews: HashMap<Question<'static>, Result<Option<String>, FactError>>,
}

/// A fact could not be had.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FactError {
    /// There was no time left.
    #[error("no answer within the deadline of the request")]
    Deadline,
    /// The API server, or the way to it, failed.
    #[error("{0}")]
    Failed(String),
    /// The command line was not given the object.
    #[error("{0} is not among the given objects")]
    NotGiven(String),
    /// One request asked for more than is fetched for one request.
    #[error("the request needs more than {0} facts")]
    TooMany(usize),
}

impl Facts {
    /// Keeps what a look at an object gave: the object, nothing there, or an error.
    pub fn object(&mut self, at: ObjectRef, found: Result<Option<Box<RawValue>>, FactError>) {
        self.objects.insert(at, found);
    }

    /// Keeps what an access review answered: yes with its reason, no, or an error.
    pub fn review(
        &mut self,
        question: Question<'static>,
        answer: Result<Option<String>, FactError>,
    ) {
        self.reviews.insert(question, answer);
    }

    /// Keeps an error for whatever was needed.
    pub fn failed(&mut self, need: Need, error: FactError) {
        match need {
            Need::Object(at) => self.object(at, Err(error)),
            Need::Review(question) => self.review(question, Err(error)),
        }
    }

    /// What is known of an object; `None` if nobody has looked.
    pub(super) fn of_object(&self, at: &ObjectRef) -> Option<Looked<'_>> {
        Some(match self.objects.get(at)? {
            Ok(Some(object)) => Looked::There(object),
            Ok(None) => Looked::Absent,
            Err(error) => Looked::Failed(error),
        })
    }

    /// What the access review answered: yes with its reason, no, or an error; `None` if nobody has asked.
    pub(super) fn of_review(&self, question: &Question<'static>) -> Option<Reviewed<'_>> {
        Some(match self.reviews.get(question)? {
            Ok(Some(reason)) => Reviewed::Yes(reason),
            Ok(None) => Reviewed::No,
            Err(error) => Reviewed::Failed(error),
        })
    }

    /// How many facts are known.
    pub fn count(&self) -> usize {
        self.objects.len() + self.reviews.len()
    }
}

/// As a person names it: `ReplicaSet team-a/web`.
impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}
