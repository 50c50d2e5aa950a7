//! A world in memory, in which reviews are judged as the server would: the whole way from bytes to bytes.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use jiff::civil::Date;
use serde_json::{Value, json, value::RawValue};
use usher::facts::FactSource;
use usher_core::{
    catalogue::Catalogue,
    config::Settings,
    engine::{FactError, Facts, Need, ObjectRef, Policy, Verdict, World},
    reference::Requester,
    review::{BadReview, read, refuse, respond},
    rights::{Rbac, Rights},
};

use super::{
    contract,
    rounds::{gathered, judged},
};

/// What reviews are judged by, and what the cluster would say.
pub(crate) struct Stage {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) policy: Policy,
    rights: Rights,
    today: Date,
    objects: HashMap<ObjectRef, Box<RawValue>>,
    /// Objects that cannot be read, as [`ObjectRef`] is displayed.
    pub(crate) unreadable: HashSet<String>,
    /// What access reviews grant beyond RBAC: user, and question as it is displayed.
    pub(crate) reviews: HashSet<(String, String)>,
    /// Why no access review is answered, if none is.
    pub(crate) no_reviews: Option<FactError>,
    /// How many facts the last answer took.
    facts: AtomicUsize,
}

/// All that there is to see of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) allowed: bool,
    /// Why there was nothing to ask, in words.
    pub(crate) passed: Option<String>,
    /// Why it could not be judged.
    pub(crate) broken: Option<String>,
    pub(crate) findings: Vec<Seen>,
    pub(crate) message: String,
    pub(crate) warnings: Vec<String>,
    /// The audit annotations.
    pub(crate) audit: HashMap<String, String>,
    /// How many different facts it took.
    pub(crate) facts: usize,
}

/// One finding.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) check: &'static str,
    pub(crate) path: String,
    pub(crate) target: String,
    pub(crate) outcome: &'static str,
    pub(crate) missing: Option<String>,
    pub(crate) grant: Option<String>,
    pub(crate) exemption: Option<String>,
    pub(crate) line: String,
}

impl Stage {
    /// A stage on which `objects` (any manifests) are what the cluster holds.
    pub(crate) fn new(
        Settings { policy, catalogue }: Settings,
        rbac: &[Value],
        objects: &[Value],
        today: Date,
    ) -> Self {
        Self::over(Arc::new(catalogue), policy, rbac, objects, today)
    }

    /// The same with a catalogue that others share.
    pub(crate) fn over(
        catalogue: Arc<Catalogue>,
        policy: Policy,
        rbac: &[Value],
        objects: &[Value],
        today: Date,
    ) -> Self {
        let mut held = Rbac::default();
        held.set_reads(policy.asks_reads());
        for object in rbac {
            take(&mut held, object);
        }
        let mut stage = Self {
            catalogue,
            policy,
            rights: held.compile(),
            today,
            objects: HashMap::new(),
            unreadable: HashSet::new(),
            reviews: HashSet::new(),
            no_reviews: None,
            facts: AtomicUsize::new(0),
        };
        for object in objects {
            let raw = serde_json::value::to_raw_value(object).unwrap();
            stage.objects.insert(stage.object_ref(object), raw);
        }
        stage
    }

    /// Judges a review and checks the answer against the API server's contract. A body that is no review is refused
    /// as the server refuses it.
    pub(crate) fn answer(&self, body: &[u8]) -> Answer {
        let request = match read(body) {
            Ok(request) => request,
            Err(BadReview { uid, why }) => return unread(uid.as_deref().unwrap_or_default(), why),
        };
        let world = World {
            catalogue: &self.catalogue,
            policy: &self.policy,
            rights: &self.rights,
            today: self.today,
        };
        self.facts.store(0, Ordering::Relaxed);
        let verdict = judged(&request, &world, self);
        seen(&verdict, self.facts.load(Ordering::Relaxed))
    }

    fn recall(&self, user: &str, need: Need, facts: &mut Facts) {
        let error = match &need {
            Need::Object(at) => {
                assert!(
                    !at.name.is_empty(),
                    "nobody looks at {at}, which has no name"
                );
                let failed = || FactError::Failed("connection refused".to_owned());
                self.unreadable.contains(&at.to_string()).then(failed)
            }
            Need::Review(_) => self.no_reviews.clone(),
        };
        match (need, error) {
            (need, Some(error)) => facts.failed(need, error),
            (Need::Object(at), None) => {
                let found = self.objects.get(&at).cloned();
                facts.object(at, Ok(found));
            }
            (Need::Review(question), None) => {
                let granted = self
                    .reviews
                    .contains(&(user.to_owned(), question.to_string()));
                let reason = granted.then(|| "another authorizer".to_owned());
                facts.review(question, Ok(reason));
            }
        }
    }

    /// Where the engine looks for an object like this.
    fn object_ref(&self, object: &Value) -> ObjectRef {
        let text = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let resource = match &*kind {
            "ConfigMap" => "configmaps",
            "PriorityClass" => "priorityclasses",
            "RuntimeClass" => "runtimeclasses",
            "ServiceAccount" => "serviceaccounts",
            kind => &self.catalogue.find(group, kind).unwrap().resource,
        };
        ObjectRef {
            resource: resource.to_owned(),
            namespace: Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty()),
            name: text("/metadata/name"),
            api_version,
            kind,
        }
    }
}

impl FactSource for Stage {
    async fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        _: Instant,
    ) {
        gathered(needs, facts, |need, facts| {
            self.recall(&requester.username, need, facts);
        });
        self.facts.store(facts.count(), Ordering::Relaxed);
    }
}

fn take(rbac: &mut Rbac, object: &Value) {
    let read = |object: &Value| object.clone();
    let taken = match object["kind"].as_str().unwrap() {
        "ClusterRole" => rbac.apply_cluster_role(&serde_json::from_value(read(object)).unwrap()),
        "ClusterRoleBinding" => {
            rbac.apply_cluster_role_binding(&serde_json::from_value(read(object)).unwrap())
        }
        "Role" => rbac.apply_role(&serde_json::from_value(read(object)).unwrap()),
        "RoleBinding" => rbac.apply_role_binding(&serde_json::from_value(read(object)).unwrap()),
        kind => panic!("{kind} is no kind of RBAC"),
    };
    taken.unwrap();
}

fn unread(uid: &str, why: String) -> Answer {
    contract::check(&refuse(uid, &why, 400), uid, false).unwrap();
    Answer {
        allowed: false,
        passed: None,
        message: why.clone(),
        broken: Some(why),
        findings: Vec::new(),
        warnings: Vec::new(),
        audit: HashMap::new(),
        facts: 0,
    }
}

fn seen(verdict: &Verdict<'_>, facts: usize) -> Answer {
    let allowed = verdict.allowed();
    let bytes = respond(verdict);
    contract::check(&bytes, &verdict.request.uid, allowed).unwrap();
    let response: Value = serde_json::from_slice(&bytes).unwrap();
    let response = &response["response"];
    let findings = verdict.findings.iter().map(|finding| Seen {
        check: finding.reference.check.name(),
        path: finding.reference.path.to_string(),
        target: finding.target().into_owned(),
        outcome: finding.outcome.word(),
        missing: finding.missing().map(ToString::to_string),
        grant: match &finding.outcome {
            usher_core::engine::Outcome::Allowed(grant) => Some(grant.to_string()),
            _ => None,
        },
        exemption: finding.exemption.map(|exemption| exemption.name.clone()),
        line: finding.to_string(),
    });
    let from = |field: &str| response.get(field).cloned();
    Answer {
        allowed,
        passed: verdict.passed.as_ref().map(ToString::to_string),
        broken: verdict.broken.as_ref().map(ToString::to_string),
        findings: findings.collect(),
        message: response["status"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        warnings: serde_json::from_value(from("warnings").unwrap_or(json!([]))).unwrap(),
        audit: serde_json::from_value(from("auditAnnotations").unwrap_or(json!({}))).unwrap(),
        facts,
    }
}

/// A policy over the kinds of Kubernetes itself.
pub(crate) fn over_core(policy: Policy) -> Settings {
    Settings {
        policy,
        ..Settings::default_for(Catalogue::embedded().unwrap())
    }
}
