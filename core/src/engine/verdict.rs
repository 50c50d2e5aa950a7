//! What a request comes to: its findings, after modes and exemptions.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    fmt::{self, Write as _},
};

use super::{
    broken::Broken, policy::Exemption, reason::Reason, request::Request, unknown::Unknown,
    world::World,
};
use crate::reference::{Mode, Question, Reference, Shown, Target, Text};

/// How many missing grants a message lists.
const LISTED: usize = 5;

/// All that there is to say about a request.
#[derive(Debug)]
pub struct Verdict<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// Why there was nothing to ask.
    pub passed: Option<Passed>,
    /// Why the request cannot be judged at all: it is refused.
    pub broken: Option<Broken>,
    /// One for each reference that was asked about.
    pub findings: Vec<Finding<'a>>,
}

/// Why there was nothing to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The controller manager of Kubernetes asks for a token for one of its controllers.
    ControllerManager,
    /// The revision is none that a controller of Kubernetes keeps.
    ForeignRevision,
    /// A controller keeps its revisions.
    Keeper,
    /// The catalogue has no entry for the kind.
    Kind,
    /// A kubelet asks for a token for one of its pods.
    Kubelet,
    /// The namespace is excluded by the configuration.
    Namespace,
    /// Nothing of the service account that steers its identity was written.
    NoIdentity,
    /// The object has no pod spec.
    NoPodSpec,
    /// The Secret is none that Kubernetes fills with a token.
    NoToken,
    /// The operation uses nothing.
    Operation,
    /// The subresource does not touch what an entry governs.
    Subresource,
    /// The update does not touch what decides.
    Unchanged,
}

/// One reference with its answer.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The user name of the requester.
    pub requester: &'a str,
    /// The namespace that was asked about; empty for the whole cluster.
    pub namespace: Text<'a>,
    /// The reference.
    pub reference: Reference<'a>,
    /// The answer.
    pub outcome: Outcome,
    /// The mode of the check in this namespace.
    pub mode: Mode,
    /// The exemption that waives the finding.
    pub exemption: Option<&'a Exemption>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Yes, for this reason.
    Allowed(Reason),
    /// No.
    Denied {
        /// The narrowest grant that would allow it.
        missing: Question<'static>,
        /// What else the person who reads it should know.
        note: Option<String>,
    },
    /// No, whoever asks: the configuration says so. The text is the whole sentence.
    Forbidden(String),
    /// The reference is none that Kubernetes could follow.
    Malformed(String),
    /// It could not be found out. For a guard that is a no.
    Unknown(Unknown),
}

crate::words! {
    /// An answer without what belongs to it.
    #[derive(Clone, Copy)]
    enum Answer,
    fn word {
        Allowed = "allowed",
        Denied = "denied",
        Forbidden = "forbidden",
        Malformed = "malformed",
        Unknown = "unknown",
    }
}

impl<'a> Verdict<'a> {
    pub(super) fn passed(request: &'a Request<'a>, why: Passed) -> Self {
        Self {
            request,
            passed: Some(why),
            broken: None,
            findings: Vec::new(),
        }
    }

    /// A refusal of a request that cannot be judged, with the reason.
    pub fn broken(request: &'a Request<'a>, why: Broken) -> Self {
        Self {
            request,
            passed: None,
            broken: Some(why),
            findings: Vec::new(),
        }
    }

    /// Whether the request may go on.
    pub fn allowed(&self) -> bool {
        self.broken.is_none() && self.at(Mode::Enforce).next().is_none()
    }

    /// The findings that are not allowed and not waived, of one mode.
    pub fn at(&self, mode: Mode) -> impl Iterator<Item = &Finding<'a>> {
        self.findings
            .iter()
            .filter(move |finding| finding.mode == mode && finding.counts())
    }

    /// The findings that an exemption waives.
    pub fn waived(&self) -> impl Iterator<Item = (&Finding<'a>, &'a Exemption)> {
        self.findings
            .iter()
            .filter_map(|finding| Some((finding, finding.exemption?)))
    }

    /// What a refused requester reads: a line for each finding, then what to grant. Empty if the request may go on.
    pub fn message(&self) -> String {
        if let Some(why) = &self.broken {
            let mut message = String::new();
            // Writing to a String cannot fail.
            let _ = write!(
                Shown(&mut message),
                "usher cannot judge this request: {why}"
            );
            return message;
        }
        let mut lines = Vec::new();
        let mut known = HashSet::new();
        let mut missing = BTreeSet::new();
        for finding in self.at(Mode::Enforce) {
            let line = finding.to_string();
            if known.insert(line.clone()) && lines.len() < LISTED {
                lines.push(line);
            }
            missing.extend(finding.missing());
        }
        let more = known.len() - lines.len();
        let mut message = lines.join("\n");
        if more > 0 {
            // Writing to a String cannot fail.
            let _ = write!(message, "\nand {more} more");
        }
        for (index, question) in missing.iter().take(LISTED).enumerate() {
            let head = if index == 0 { "\nneeds: " } else { "\n       " };
            let _ = write!(message, "{head}{question}");
        }
        message
    }
}

impl<'a> Finding<'a> {
    pub(super) fn new(
        request: &'a Request<'a>,
        world: &World<'a>,
        reference: Reference<'a>,
        outcome: Outcome,
        mode: Mode,
    ) -> Self {
        let waiver = || {
            let name = target_name(&reference.target);
            world.policy.exemptions.iter().find(|exemption| {
                let (requester, namespace) = (&request.requester, &request.namespace);
                exemption.waives(requester, namespace, reference.check, &name, world.today)
            })
        };
        // Nothing to waive, nothing to do: the name of a toleration is not for free.
        let exemption = match outcome {
            Outcome::Allowed(_) => None,
            _ => waiver(),
        };
        Self {
            requester: &request.requester.username,
            namespace: reference
                .namespace
                .as_ref()
                .unwrap_or(&request.namespace)
                .clone(),
            reference,
            outcome,
            mode,
            exemption,
        }
    }

    /// Whether it is neither allowed nor waived.
    fn counts(&self) -> bool {
        !self.outcome.is_allowed() && self.exemption.is_none()
    }

    /// Whether the request is refused for it.
    pub(super) fn refuses(&self) -> bool {
        self.mode == Mode::Enforce && self.counts()
    }

    /// The grant that would allow it, if one would.
    pub fn missing(&self) -> Option<&Question<'static>> {
        match &self.outcome {
            Outcome::Denied { missing, .. } => Some(missing),
            _ => None,
        }
    }

    /// The name of the target, as a question gives it.
    pub fn target(&self) -> Cow<'_, str> {
        target_name(&self.reference.target)
    }
}

impl Outcome {
    /// Whether the answer is yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The words of all answers.
    pub fn words() -> impl Iterator<Item = &'static str> + Clone {
        Answer::ALL.into_iter().map(Answer::word)
    }

    /// One word for it, as reports and metrics use it.
    pub fn word(&self) -> &'static str {
        let answer = match self {
            Self::Allowed(_) => Answer::Allowed,
            Self::Denied { .. } => Answer::Denied,
            Self::Forbidden(_) => Answer::Forbidden,
            Self::Malformed(_) => Answer::Malformed,
            Self::Unknown(_) => Answer::Unknown,
        };
        answer.word()
    }
}

/// The narrowest name of a target; of a malformed one what is written there.
fn target_name<'t>(target: &'t Target<'_>) -> Cow<'t, str> {
    match target {
        Target::Object { name, .. } => Cow::Borrowed(name),
        Target::Taints(toleration) => toleration
            .names()
            .ok()
            .and_then(|names| names.into_iter().next())
            .unwrap_or_else(|| Cow::Owned(toleration.to_string())),
    }
}

/// In words.
impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControllerManager => {
                "the controller manager of Kubernetes asks for a token for one of its controllers"
            }
            Self::ForeignRevision => "the revision is none of a StatefulSet or DaemonSet",
            Self::Keeper => "a controller keeps its revisions",
            Self::Kind => "the kind names nothing that is asked about",
            Self::Kubelet => "a kubelet asks for a token for one of its pods",
            Self::Namespace => "the namespace is excluded",
            Self::NoIdentity => "nothing is written that steers the identity of the account",
            Self::NoPodSpec => "there is no pod spec",
            Self::NoToken => "the Secret holds no token of an account",
            Self::Operation => "the operation uses nothing",
            Self::Subresource => "the subresource cannot change the pod spec",
            Self::Unchanged => "nothing that decides has changed",
        })
    }
}

/// One line: who, what, where; the alternate form leaves the path of the field out where the sentence can do without.
impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requester,
            namespace,
            reference,
            outcome,
            ..
        } = self;
        let path = &reference.path;
        let at = if f.alternate() {
            String::new()
        } else {
            format!(" ({path})")
        };
        let f = &mut Shown(f);
        let may = match outcome {
            Outcome::Allowed(_) => "may",
            Outcome::Denied { .. } => "may not",
            Outcome::Forbidden(why) | Outcome::Malformed(why) => {
                return write!(f, "{why}{at}");
            }
            Outcome::Unknown(why) => {
                return write!(
                    f,
                    "cannot tell whether {requester} may use what {path} names: {why}"
                );
            }
        };
        match &reference.target {
            Target::Object { resource, name } => {
                write!(f, "{requester} {may} use {} \"{name}\"", resource.singular)?;
            }
            Target::Taints(toleration) => write!(f, "{requester} {may} tolerate {toleration}")?,
        }
        if namespace.is_empty() {
            write!(f, " in the whole cluster{at}")?;
        } else {
            write!(f, " in namespace {namespace}{at}")?;
        }
        match outcome {
            Outcome::Denied {
                note: Some(note), ..
            } => write!(f, "; {note}"),
            _ => Ok(()),
        }
    }
}
