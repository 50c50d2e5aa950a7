//! The findings as JSON, for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::{Judged, Report, Style, Tally};
use usher_core::{
    engine::{Ending, Finding, Outcome},
    reference::{Mode, Question, Resource, Target, escaped},
    yaml::{BadYaml, Place, Position},
};

/// What stands before the objects.
const START: &[u8] = b"{\"objects\":[";

/// One JSON document with everything.
struct Json<'w> {
    to: Box<dyn Write + 'w>,
    objects: usize,
    errors: Vec<InputError>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'j> {
    file: &'j str,
    line: usize,
    column: usize,
    api_version: &'j str,
    kind: &'j str,
    namespace: &'j str,
    name: &'j str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Broken>,
    findings: Vec<Found<'j>>,
}

#[derive(Serialize)]
struct Broken {
    message: String,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Found<'j> {
    check: &'static str,
    path: String,
    target: String,
    outcome: &'static str,
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Missing<'j>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exemption: Option<&'j str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Missing<'j> {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    name: &'j str,
    namespace: &'j str,
}

/// An exemption that has ended, or soon will.
#[derive(Serialize)]
struct Ended<'j> {
    name: &'j str,
    owner: &'j str,
    expires: String,
    days: i64,
}

impl<'j> From<&Ending<'j>> for Ended<'j> {
    fn from(ending: &Ending<'j>) -> Self {
        Self {
            name: &ending.exemption.name,
            owner: &ending.exemption.owner,
            expires: ending.exemption.expires.to_string(),
            days: ending.days,
        }
    }
}

#[derive(Serialize)]
struct InputError {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: String,
}

/// Starts the document.
pub(super) fn open<'w>(to: Box<dyn Write + 'w>, _: Style) -> Box<dyn Report + 'w> {
    Box::new(Json {
        to,
        objects: 0,
        errors: Vec::new(),
    })
}

impl Report for Json<'_> {
    fn object(&mut self, judged: &Judged<'_>) -> io::Result<()> {
        let Position { line, column } = judged.object.node.place.position();
        let broken = judged.broken().map(|(message, place)| {
            let Position { line, column } = place.position();
            Broken {
                message,
                line,
                column,
            }
        });
        let found = |finding| found(finding, judged.place(finding).0);
        let object = Object {
            file: &judged.source.name,
            line,
            column,
            api_version: judged.object.api_version,
            kind: judged.object.kind,
            namespace: judged.namespace,
            name: judged.object.name,
            allowed: judged.verdict.allowed(),
            broken,
            findings: judged.verdict.findings.iter().map(found).collect(),
        };
        let before = if self.objects == 0 { START } else { b"," };
        self.to.write_all(before)?;
        self.to.write_all(b"\n")?;
        self.objects += 1;
        self.write(&object)
    }

    fn error(&mut self, bad: &BadYaml) -> io::Result<()> {
        self.errors.push(InputError {
            file: bad.file.clone(),
            line: bad.position.map(|position| position.line),
            column: bad.position.map(|position| position.column),
            message: bad.what.clone(),
        });
        Ok(())
    }

    fn finish(mut self: Box<Self>, tally: &Tally, endings: &[Ending<'_>]) -> io::Result<()> {
        if self.objects == 0 {
            self.to.write_all(START)?;
        }
        self.to.write_all(b"\n],\"errors\":")?;
        let errors = std::mem::take(&mut self.errors);
        self.write(&errors)?;
        if !endings.is_empty() {
            let endings: Vec<Ended<'_>> = endings.iter().map(Ended::from).collect();
            self.to.write_all(b",\"endingExemptions\":")?;
            self.write(&endings)?;
        }
        self.to.write_all(b",\"summary\":")?;
        self.write(tally)?;
        self.to.write_all(b"}\n")?;
        self.to.flush()
    }
}

impl Json<'_> {
    fn write(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value)?;
        self.to.write_all(escaped(&json).as_bytes())
    }
}

fn found<'j>(finding: &'j Finding<'_>, place: Place) -> Found<'j> {
    let Position { line, column } = place.position();
    let resource = match &finding.reference.target {
        Target::Object { resource, .. } => *resource,
        Target::Taints(_) => Resource::TOLERATIONS,
    };
    let (grant, message) = match &finding.outcome {
        Outcome::Allowed(grant) => (Some(grant.to_string()), None),
        _ => (None, Some(finding.to_string())),
    };
    let missing = |question: &'j Question<'static>| Missing {
        verb: "use",
        group: question.resource.group,
        resource: question.resource.name,
        name: &question.name,
        namespace: &question.namespace,
    };
    Found {
        check: finding.reference.check.name(),
        path: finding.reference.path.to_string(),
        target: match finding.outcome {
            Outcome::Malformed(_) => resource.to_string(),
            // A token without an audience is one for the API server.
            _ if finding.target().is_empty() => resource.to_string(),
            _ => format!("{resource}/{}", finding.target()),
        },
        outcome: finding.outcome.word(),
        mode: finding.mode,
        grant,
        missing: finding.missing().map(missing),
        exemption: finding.exemption.map(|exemption| &*exemption.name),
        message,
        line,
        column,
    }
}
