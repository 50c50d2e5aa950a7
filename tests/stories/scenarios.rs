//! The stories of `tests/stories/scenarios`: a world, requests, and what Usher says to each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::{
    catalogue::{Catalogue, Content},
    config,
    engine::{FactError, Policy},
    reference::Requester,
};

use crate::support::stage::{Answer, Seen, Stage, over_core};

/// A file: one world, and requests that do not change it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Scenario {
    /// The name of the file.
    #[serde(skip)]
    pub(crate) name: String,
    /// What the file shows, in a sentence.
    about: String,
    /// The configuration, as in its own file; left out, the default.
    #[serde(default)]
    config: Option<Value>,
    /// Manifests of RBAC.
    #[serde(default)]
    rbac: Vec<Value>,
    /// Manifests of what else the cluster holds.
    #[serde(default)]
    objects: Vec<Value>,
    /// Objects that the API server would not give out: `ReplicaSet team-a/web`.
    #[serde(default)]
    unreadable: Vec<String>,
    /// What access reviews of the API server grant beyond this RBAC, by user.
    #[serde(default)]
    access_reviews: BTreeMap<String, Vec<String>>,
    /// Why no access review is answered, if none is.
    #[serde(default)]
    no_access_reviews: Option<NoAnswer>,
    /// The day (UTC).
    #[serde(default = "today")]
    today: Date,
    requests: Vec<Asked>,
}

/// Why the API server does not answer.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum NoAnswer {
    Late,
    TooMany,
}

/// A request and the answer to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    /// What happens here, in a sentence.
    story: String,
    who: Who,
    #[serde(default = "create")]
    operation: String,
    #[serde(default)]
    subresource: String,
    /// Left out, that of the object.
    #[serde(default)]
    namespace: Option<String>,
    /// Left out, that of the object: `apps/v1 Deployment`.
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    object: Option<Value>,
    #[serde(default)]
    old_object: Option<Value>,
    #[serde(default)]
    dry_run: bool,
    verdict: Expected,
    /// Why there was nothing to ask.
    #[serde(default)]
    passed: Option<String>,
    /// Why it could not be judged: a part of the text.
    #[serde(default)]
    broken: Option<String>,
    /// Every finding that is not allowed.
    #[serde(default)]
    findings: Vec<ExpectedFinding>,
    /// What allowed the others: path of the field, and the grant in words.
    #[serde(default)]
    grants: BTreeMap<String, String>,
    /// The whole message.
    #[serde(default)]
    message: Option<String>,
    /// Parts of the message.
    #[serde(default)]
    says: Vec<String>,
    /// Warnings, all of them.
    #[serde(default)]
    warnings: Vec<String>,
    /// Parts of audit annotations, by key.
    #[serde(default)]
    audit: BTreeMap<String, String>,
}

/// A user by name, who has the groups that the API server gives to everybody of that name; or exactly what is said.
#[derive(Deserialize)]
#[serde(untagged)]
enum Who {
    Exactly(Exactly),
    User(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exactly {
    user: String,
    groups: Vec<String>,
}

#[derive(Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allowed,
    Refused,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct ExpectedFinding {
    check: String,
    path: String,
    #[serde(default)]
    target: Option<String>,
    #[serde(default = "denied")]
    outcome: String,
    #[serde(default)]
    missing: Option<String>,
    #[serde(default)]
    exemption: Option<String>,
    /// A part of the line.
    #[serde(default)]
    says: Option<String>,
}

fn create() -> String {
    "CREATE".to_owned()
}

fn denied() -> String {
    "denied".to_owned()
}

fn today() -> Date {
    Date::constant(2026, 11, 21)
}

/// Every file.
pub(crate) fn told() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/scenarios");
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let yaml = fs::read_to_string(file).unwrap();
        let scenario: Scenario =
            serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
        Scenario { name, ..scenario }
    };
    files.iter().map(read).collect()
}

#[test]
fn every_story_ends_as_it_is_written() {
    let files = told();
    let (mut requests, mut wrong) = (0, Vec::new());
    for scenario in &files {
        let name = &scenario.name;
        assert!(
            !scenario.about.is_empty() && !scenario.requests.is_empty(),
            "{name} tells nothing"
        );
        let stage = scenario.stage();
        for asked in &scenario.requests {
            requests += 1;
            let answer = stage.answer(&asked.review());
            let differences = asked.differences(&answer);
            if !differences.is_empty() {
                wrong.push(format!(
                    "{name}: {}\n  {}",
                    asked.story,
                    differences.join("\n  ")
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {requests} stories end otherwise\n\n{}\n",
        wrong.len(),
        wrong.join("\n\n")
    );
    println!("{requests} requests in {} files", files.len());
    assert!(requests > 200, "{requests}");
}

#[test]
fn every_kind_has_a_story_of_each_end() {
    let mut ends_of: BTreeMap<(String, String), BTreeSet<Expected>> = BTreeMap::new();
    for scenario in told() {
        for asked in scenario.requests {
            let object = asked.object.unwrap_or_default();
            let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            let ends = ends_of.entry((group.to_owned(), kind)).or_default();
            ends.insert(asked.verdict);
        }
    }
    let mut catalogue = Catalogue::embedded().unwrap();
    catalogue.enable("all").unwrap();
    let mut lacking = Vec::new();
    for kind in catalogue.kinds() {
        let asks = match &kind.content {
            Content::Fields(fields) => fields
                .iter()
                .any(|field| !field.to_string().starts_with("not looked into")),
            _ => true,
        };
        let ends = ends_of.get(&(kind.group.to_string(), kind.kind.to_string()));
        if asks && ends.is_none_or(|ends| ends.len() < 2) {
            lacking.push(format!("{}/{}: {ends:?}", kind.group, kind.kind));
        }
    }
    lacking.sort();
    lacking.dedup();
    assert!(lacking.is_empty(), "{lacking:#?}");
}

impl Scenario {
    /// Each request in a sentence, and its review.
    pub(crate) fn reviews(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        let requests = self.requests.iter();
        requests.map(|asked| (&*asked.story, asked.review()))
    }

    /// The world.
    pub(crate) fn stage(&self) -> Stage {
        self.stage_with("{about: no further kinds, kinds: []}")
    }

    /// The world, where further kinds are known.
    pub(crate) fn stage_with(&self, kinds: &str) -> Stage {
        let mut settings = match &self.config {
            None => over_core(Policy::default()),
            Some(config) => config::parse(&config.to_string())
                .unwrap_or_else(|error| panic!("{}: {error}", self.name)),
        };
        settings.catalogue.add("further.yaml", kinds).unwrap();
        let mut stage = Stage::new(settings, &self.rbac, &self.objects, self.today);
        stage.unreadable = self.unreadable.iter().cloned().collect();
        stage.no_reviews = self.no_access_reviews.map(|why| match why {
            NoAnswer::Late => FactError::Deadline,
            NoAnswer::TooMany => FactError::TooMany(2),
        });
        for (user, questions) in &self.access_reviews {
            stage.reviews.extend(
                questions
                    .iter()
                    .map(|question| (user.clone(), question.clone())),
            );
        }
        stage
    }
}

impl Asked {
    /// The review that the API server would send.
    fn review(&self) -> Vec<u8> {
        let object = self.object.as_ref().or(self.old_object.as_ref());
        let text = |pointer| {
            object
                .and_then(|o| o.pointer(pointer))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let kind = self
            .kind
            .clone()
            .unwrap_or_else(|| format!("{} {}", text("/apiVersion"), text("/kind")));
        let (api_version, kind) = kind.split_once(' ').unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let namespace = self
            .namespace
            .as_deref()
            .unwrap_or_else(|| text("/metadata/namespace"));
        let user = match &self.who {
            Who::Exactly(Exactly { user, groups }) => json!({"username": user, "groups": groups}),
            Who::User(name) => {
                let groups = Requester::named(name, []).groups;
                json!({"username": name, "groups": groups.iter().map(|g| &**g).collect::<Vec<_>>()})
            }
        };
        let review = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "kind": {"group": group, "version": version, "kind": kind},
                "subResource": self.subresource,
                "name": text("/metadata/name"),
                "namespace": namespace,
                "operation": self.operation,
                "userInfo": user,
                "object": self.object,
                "oldObject": self.old_object,
                "dryRun": self.dry_run,
            }
        });
        serde_json::to_vec(&review).unwrap()
    }

    /// What is not as it should be.
    #[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
    fn differences(&self, answer: &Answer) -> Vec<String> {
        let mut found = Vec::new();
        let mut same = |what: &str, expected: &str, actual: &str| {
            if expected != actual {
                found.push(format!("{what} should be {expected:?}, but is {actual:?}"));
            }
        };
        let verdict = if answer.allowed {
            Expected::Allowed
        } else {
            Expected::Refused
        };
        same(
            "verdict",
            &format!("{:?}", self.verdict),
            &format!("{verdict:?}"),
        );
        same(
            "passed",
            self.passed.as_deref().unwrap_or("-"),
            answer.passed.as_deref().unwrap_or("-"),
        );
        if let Some(message) = &self.message {
            same("message", message.trim_end(), &answer.message);
        }
        same(
            "warnings",
            &self.warnings.join("\n"),
            &answer.warnings.join("\n"),
        );
        match (&self.broken, &answer.broken) {
            (Some(part), Some(why)) if why.contains(part) => {}
            (None, None) => {}
            (expected, actual) => same("broken", &format!("{expected:?}"), &format!("{actual:?}")),
        }
        let refused: Vec<&Seen> = answer
            .findings
            .iter()
            .filter(|seen| seen.grant.is_none())
            .collect();
        for (index, seen) in refused.iter().enumerate() {
            let differences = self
                .findings
                .get(index)
                .map(|expected| expected.differences(seen));
            match differences {
                None => found.push(format!("this finding was not expected: {seen:#?}")),
                Some(differences) if !differences.is_empty() => {
                    found.push(format!(
                        "finding {index}: {}\n  {seen:#?}",
                        differences.join(", ")
                    ));
                }
                Some(_) => {}
            }
        }
        for expected in self.findings.iter().skip(refused.len()) {
            found.push(format!("this finding is missing: {expected:?}"));
        }
        for (path, grant) in &self.grants {
            let by = |seen: &&Seen| seen.path == *path && seen.grant.is_some();
            let actual: Vec<_> = answer
                .findings
                .iter()
                .filter(by)
                .filter_map(|seen| seen.grant.as_deref())
                .collect();
            if !actual.contains(&&**grant) {
                found.push(format!(
                    "{path} should be granted by {grant:?}, but is by {actual:?}"
                ));
            }
        }
        for part in &self.says {
            if !answer.message.contains(part) {
                found.push(format!(
                    "the message should say {part:?}: {}",
                    answer.message
                ));
            }
        }
        for key in answer
            .audit
            .keys()
            .filter(|key| !self.audit.contains_key(*key))
        {
            // What is refused is in the message already.
            if key != "refused" {
                found.push(format!(
                    "this audit annotation was not expected: {key}={:?}",
                    answer.audit[key]
                ));
            }
        }
        for (key, part) in &self.audit {
            if !answer
                .audit
                .get(key)
                .is_some_and(|text| text.contains(part))
            {
                found.push(format!(
                    "audit annotation {key} should say {part:?}: {:?}",
                    answer.audit
                ));
            }
        }
        found
    }
}

impl ExpectedFinding {
    fn differences(&self, seen: &Seen) -> Vec<String> {
        let optional = |expected: &Option<String>, actual: Option<&str>| {
            expected.is_none() || expected.as_deref() == actual
        };
        let mut wrong = Vec::new();
        let mut compare = |what: &str, right: bool| {
            if !right {
                wrong.push(format!("{what} differs from {self:?}"));
            }
        };
        compare("check", self.check == seen.check);
        compare("path", self.path == seen.path);
        compare("outcome", self.outcome == seen.outcome);
        compare("target", optional(&self.target, Some(&seen.target)));
        compare("missing", optional(&self.missing, seen.missing.as_deref()));
        compare("exemption", self.exemption == seen.exemption);
        compare(
            "line",
            self.says
                .as_ref()
                .is_none_or(|part| seen.line.contains(part)),
        );
        wrong
    }
}
