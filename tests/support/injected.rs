//! A world in memory in which pods are created: from the bytes of a review to the pod that is stored.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use serde_json::{Value, json, value::RawValue};
use usher::facts::FactSource;
use usher_core::{
    catalogue::Catalogue,
    engine::{FactError, Facts, Need, Policy, mutate},
    reference::Requester,
    review::{read, refuse, respond_mutation},
};

use super::{
    contract,
    rounds::{changed, gathered},
};

/// Profiles, and the service accounts that there are.
pub(crate) struct Cluster {
    catalogue: Catalogue,
    policy: Policy,
    /// By namespace and name.
    accounts: HashMap<(String, String), Box<RawValue>>,
    /// Accounts that the API server would not give out, as `namespace/name`.
    pub(crate) unreadable: HashSet<String>,
}

/// What became of a pod.
#[derive(Debug)]
pub(crate) struct Injected {
    pub(crate) allowed: bool,
    /// The pod with the patch applied; as it was if there is none.
    pub(crate) pod: Value,
    /// The operations of the patch.
    pub(crate) patch: Vec<Value>,
    /// Why it is refused.
    pub(crate) message: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) audit: HashMap<String, String>,
}

impl Cluster {
    pub(crate) fn new<'a>(policy: Policy, accounts: impl IntoIterator<Item = &'a Value>) -> Self {
        let text = |account: &Value, at: &str| account["metadata"][at].as_str().unwrap().to_owned();
        let accounts = accounts.into_iter().map(|account| {
            let key = (text(account, "namespace"), text(account, "name"));
            (key, serde_json::value::to_raw_value(account).unwrap())
        });
        Self {
            catalogue: Catalogue::embedded().unwrap(),
            policy,
            accounts: accounts.collect(),
            unreadable: HashSet::new(),
        }
    }

    /// What becomes of a pod that is created in a namespace. `uid` is that of the request.
    pub(crate) fn create(&self, pod: &Value, namespace: &str, uid: &str) -> Injected {
        self.answer(review(pod, namespace, uid).to_string().as_bytes())
    }

    /// What becomes of the pod in the bytes of a review. The answer keeps the contract of the API server, and the same
    /// pod sent again, with what it got, gets nothing more.
    pub(crate) fn answer(&self, body: &[u8]) -> Injected {
        let injected = self.round(body);
        if injected.allowed {
            let mut again: Value = serde_json::from_slice(body).unwrap();
            again["request"]["object"] = injected.pod.clone();
            again["request"]["uid"] = "c0ffee00-0000-4000-8000-000000000000".into();
            let second = self.round(again.to_string().as_bytes());
            assert!(
                second.allowed && second.patch.is_empty(),
                "what was applied is not left as it is: {second:#?}\nafter {injected:#?}"
            );
        }
        injected
    }

    fn round(&self, body: &[u8]) -> Injected {
        let request = match read(body) {
            Ok(request) => request,
            Err(bad) => {
                let uid = bad.uid.unwrap_or_default();
                let answer = refuse(&uid, &bad.why, 400);
                contract::check_mutation(&answer, &uid, false).unwrap();
                return seen(Value::Null, &answer);
            }
        };
        let pod = request.object.map(RawValue::get);
        let mut pod: Value = serde_json::from_str(pod.unwrap_or("null")).unwrap();
        let work = |facts: &Facts| mutate(&request, &self.catalogue, &self.policy, facts);
        let mutation = changed(&request, work, self);
        assert!(
            mutation.allowed() || mutation.patch.0.is_empty(),
            "what is refused is changed: {mutation:#?}"
        );
        let answer = respond_mutation(&mutation);
        contract::check_mutation(&answer, &request.uid, mutation.allowed()).unwrap();
        if let Some(patch) = contract::patch(&answer) {
            json_patch::patch(&mut pod, &patch).unwrap();
        }
        seen(pod, &answer)
    }

    fn recall(&self, need: Need, facts: &mut Facts) {
        let Need::Object(at) = need else {
            panic!("no profile asks {need:?}");
        };
        assert_eq!((&*at.api_version, &*at.kind), ("v1", "ServiceAccount"));
        let key = (at.namespace.clone().unwrap(), at.name.clone());
        let unreadable = self.unreadable.contains(&format!("{}/{}", key.0, key.1));
        let found = if unreadable {
            Err(FactError::Failed("connection refused".to_owned()))
        } else {
            Ok(self.accounts.get(&key).cloned())
        };
        facts.object(at, found);
    }
}

impl FactSource for Cluster {
    async fn gather(&self, _: &Requester<'_>, needs: Vec<Need>, facts: &mut Facts, _: Instant) {
        gathered(needs, facts, |need, facts| self.recall(need, facts));
        assert!(facts.count() < 5, "no end of questions");
    }
}

/// The review of a pod that is created in a namespace.
pub(crate) fn review(pod: &Value, namespace: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
            "object": pod,
        },
    })
}

/// A service account with these annotations.
pub(crate) fn account(namespace: &str, name: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"namespace": namespace, "name": name, "annotations": annotations},
    })
}

fn seen(pod: Value, answer: &[u8]) -> Injected {
    let patch = contract::patch(answer);
    let review: Value = serde_json::from_slice(answer).unwrap();
    let response = &review["response"];
    let from = |field: &str| response.get(field).cloned();
    Injected {
        allowed: response["allowed"].as_bool().unwrap(),
        pod,
        patch: serde_json::from_value(json!(patch.map(|p| p.0).unwrap_or_default())).unwrap(),
        message: response["status"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        warnings: serde_json::from_value(from("warnings").unwrap_or(json!([]))).unwrap(),
        audit: serde_json::from_value(from("auditAnnotations").unwrap_or(json!({}))).unwrap(),
    }
}
