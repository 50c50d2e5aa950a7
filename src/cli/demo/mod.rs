//! The real server on loopback, and real AdmissionReviews over HTTPS.

mod client;
mod table;

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use self::{client::Client, table::Row};
use super::{Exit, Failure};
use crate::{
    facts::{Given, Offline, RightsSource as _, change, decide, today},
    server::{App, Certificates, Hook, Limits, Listener, Metrics, router},
};
use usher_core::{
    config::{self, Settings},
    engine::{self, Authorizer, Facts, Outcome, Reason, Request, Verdict, World},
    inject::Effect,
    manifest::{Content, Object, contents},
    review,
    rights::Grant,
    yaml::{BadYaml, Source},
};

const RBAC: &str = include_str!("../../../examples/demo/rbac.yaml");
const CONFIGURATION: &str = include_str!("../../../examples/demo/configuration.yaml");
const OBJECTS: &str = include_str!("../../../examples/demo/objects.yaml");
/// Reviews as a real API server sent them, one a line, each with what is wanted in words and the expected answer.
const STORY: &str = include_str!("../../../examples/demo/story.jsonl");

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts the real server on loopback, with a certificate made on the spot and the rights and \
configuration of examples/demo, and sends it AdmissionReviews as a real API server sent them.\n\n\
Exit status: 0 if every answer is the expected one, 1 if not."
)]
pub(super) struct Args {}

/// One review of the story.
#[derive(Deserialize)]
struct Scene<'a> {
    /// What is wanted, in words.
    wants: &'a str,
    /// What the answer has to be.
    answer: &'a str,
    /// Whether it goes to the mutating webhook.
    #[serde(default)]
    mutate: bool,
    #[serde(borrow)]
    review: &'a RawValue,
}

impl Scene<'_> {
    fn path(&self) -> &'static str {
        let hook = if self.mutate {
            Hook::Mutate
        } else {
            Hook::Validate
        };
        hook.path()
    }
}

/// What the server judges by. The reasons in the table are read off the same.
struct Stage {
    settings: Settings,
    offline: Offline,
}

pub(super) fn run(_: &Args) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(play())
}

async fn play() -> Result<Exit, Failure> {
    let scenes = STORY
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Scene<'_>>, _>>()?;
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = pair.cert.pem().into_bytes();
    let certificates =
        Certificates::of_pem(certificate, pair.signing_key.serialize_pem().into_bytes())?;
    let limits = Limits::default();
    let metrics = Arc::new(Metrics::default());
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener =
        Listener::bind(any, Some(Arc::new(certificates)), limits, metrics.clone()).await?;
    let address = listener.local_addr()?;

    let Stage { settings, offline } = Stage::set()?;
    let app = Arc::new(App::new(settings, offline, metrics));
    let stop = CancellationToken::new();
    let server = tokio::spawn(listener.serve(router(app, limits.body), stop.clone()));

    writeln!(
        io::stdout(),
        "Usher on https://{address}, certificate made just now, rights and configuration from examples/demo.\n\
         Sending {} admission reviews, as a real API server sent them.\n",
        scenes.len()
    )?;
    let stage = Stage::set()?;
    let mut client = Client::connect(address, pair.cert.der().clone()).await?;
    // The first exchange pays for memory and code that the others find warm.
    if let Some(scene) = scenes.first() {
        client.post(scene.path(), scene.review.get()).await?;
    }
    let mut rows = Vec::new();
    for scene in &scenes {
        let start = Instant::now();
        let answer = client.post(scene.path(), scene.review.get()).await?;
        let took = start.elapsed();
        rows.push(stage.row(scene, &answer, took)?);
    }
    drop(client);
    stop.cancel();
    server.await?;
    Ok(finish(&rows)?)
}

/// Prints the table and what it comes to.
fn finish(rows: &[Row]) -> io::Result<Exit> {
    let mut out = io::stdout().lock();
    write!(out, "{}", table::print(rows))?;
    let mut times: Vec<Duration> = rows.iter().map(|row| row.took).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let right = rows.iter().filter(|row| row.answer == row.expected).count();
    writeln!(
        out,
        "\n{right} of {} as expected, {} µs at the median over HTTPS.\n\
         Who may use what is RBAC: examples/demo/rbac.yaml. A missing right is one command away:\n  \
         usher grant serviceaccounts/deployer -n team-a --to user:jane | kubectl apply -f -\n\
         Next: `cargo cluster` gives you a real API server with Usher in front of it.",
        rows.len(),
        median.as_micros()
    )?;
    for row in rows.iter().filter(|row| row.answer != row.expected) {
        writeln!(
            out,
            "not as expected: {}, {}: {} instead of {}",
            row.who, row.wants, row.answer, row.expected
        )?;
    }
    Ok(Exit::of(right == rows.len()))
}

impl Stage {
    fn set() -> Result<Self, Failure> {
        let mut settings = config::parse(CONFIGURATION)?;
        settings.policy.authorizer = Authorizer::Rbac;
        let mut given = Given::default();
        objects("examples/demo/rbac.yaml", RBAC, |source, object| {
            given.rbac(source, object)
        })?;
        objects("examples/demo/objects.yaml", OBJECTS, |source, object| {
            given.object(source, object, &settings.catalogue)
        })?;
        Ok(Self {
            settings,
            offline: given.offline(),
        })
    }

    /// What the table says of one exchange: the answer that came over HTTPS, and why.
    fn row(
        &self,
        scene: &Scene<'_>,
        answer: &client::Answer,
        took: Duration,
    ) -> Result<Row, Failure> {
        let request = review::read(scene.review.get().as_bytes())?;
        let (why, needs) = if scene.mutate {
            (self.changed(&request)?, None)
        } else {
            self.judged(&request)?
        };
        let who = &*request.requester.username;
        Ok(Row {
            who: who.rsplit(':').next().unwrap_or(who).to_owned(),
            wants: scene.wants.to_owned(),
            answer: answer.word().to_owned(),
            expected: scene.answer.to_owned(),
            took,
            why,
            needs: answer.needs().map(str::to_owned).or(needs),
        })
    }

    /// What the pod gets, or why it is refused.
    fn changed(&self, request: &Request<'_>) -> Result<String, Failure> {
        let Settings { policy, catalogue } = &self.settings;
        let work = |facts: &Facts| engine::mutate(request, catalogue, policy, facts);
        let mutation = change(request, work, &self.offline, Instant::now())
            .now_or_never()
            .ok_or("the demo would have to wait for facts")?;
        let given = mutation.steps.iter().filter_map(|step| match &step.effect {
            Effect::Given(given) => Some(format!("{}: {given}", step.profile.name)),
            _ => None,
        });
        let given: Vec<String> = given.collect();
        Ok(if mutation.allowed() {
            given.join("; ")
        } else {
            mutation.message()
        })
    }

    /// By what it passes or does not, and what is missing.
    fn judged(&self, request: &Request<'_>) -> Result<(String, Option<String>), Failure> {
        let rights = self.offline.rights()?;
        let world = World {
            catalogue: &self.settings.catalogue,
            policy: &self.settings.policy,
            rights: &rights,
            today: today(),
        };
        let verdict = decide(request, &world, &self.offline, Instant::now())
            .now_or_never()
            .ok_or("the demo would have to wait for facts")?;
        Ok((why(&verdict), missing(&verdict)))
    }
}

/// By what the request passes: the grant that says most.
fn why(verdict: &Verdict<'_>) -> String {
    if let Some(passed) = verdict.passed {
        return passed.to_string();
    }
    let grants = verdict
        .findings
        .iter()
        .filter_map(|finding| match &finding.outcome {
            Outcome::Allowed(grant) => Some(grant),
            _ => None,
        });
    let refused = verdict
        .findings
        .iter()
        .find(|finding| !finding.outcome.is_allowed());
    match (
        refused,
        grants.max_by_key(|grant| !matches!(grant, Reason::Baseline)),
    ) {
        (Some(finding), _) => finding.reference.path.to_string(),
        (None, Some(Reason::Granted(Grant { source, .. }))) => {
            let binding = source.to_string();
            binding.split(',').next().unwrap_or_default().to_owned()
        }
        (None, Some(grant)) => grant.to_string(),
        (None, None) => String::new(),
    }
}

fn missing(verdict: &Verdict<'_>) -> Option<String> {
    let missing = verdict
        .findings
        .iter()
        .find_map(|finding| finding.missing())?;
    Some(missing.to_string())
}

/// Every object of a text.
fn objects(
    name: &str,
    text: &str,
    mut take: impl FnMut(&Source, &Object<'_, '_>) -> Result<(), BadYaml>,
) -> Result<(), BadYaml> {
    let source = Source::new(name, text.to_owned())?;
    for document in source.documents() {
        if let Content::Objects(objects) = contents(&document?, &source)? {
            for object in &objects {
                take(&source, object)?;
            }
        }
    }
    Ok(())
}
