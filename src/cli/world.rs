//! What the commands judge by, where there is no cluster to ask.

use std::{path::PathBuf, sync::Arc, time::Instant};

use futures_util::FutureExt as _;

use super::Failure;
use crate::{
    facts::{Given, Offline, RightsSource as _, change, decide, today},
    files,
};
use usher_core::{
    catalogue::Catalogue,
    config::Settings,
    engine::{
        self, Authorizer, Broken, Ending, Facts, Mutating, Mutation, Policy, Request, Verdict,
    },
    rights::Rights,
};

/// What is judged by, where there is no cluster to ask.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is judged by")]
pub(super) struct WorldArgs {
    /// Roles and bindings of the cluster: a file or folder of manifests; may be given several times. Other kinds in it are
    /// passed over.
    #[arg(long, value_name = "PATH")]
    pub(super) rbac: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) given: GivenArgs,
}

/// The same without rights.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is judged by")]
pub(super) struct GivenArgs {
    /// Configuration file. Without one the defaults hold (usher generate config).
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A file or folder of manifests that stand for what the cluster holds: owners, service accounts, config maps,
    /// runtime classes, priority classes; may be given several times. Other kinds in it are passed over.
    #[arg(long, value_name = "PATH")]
    pub(super) objects: Vec<PathBuf>,
}

/// All that a verdict rests on, but the request.
#[derive(Debug)]
pub(super) struct World {
    pub(super) catalogue: Catalogue,
    pub(super) policy: Policy,
    pub(super) offline: Offline,
    pub(super) rights: Arc<Rights>,
    today: jiff::civil::Date,
}

/// How a change is worked out.
type Work<'a> = fn(&'a Request<'a>, &'a Catalogue, &'a Policy, &Facts) -> Mutating<'a>;

impl WorldArgs {
    /// Reads everything.
    pub(super) fn load(&self) -> Result<World, Failure> {
        self.given.load(&self.rbac)
    }
}

impl GivenArgs {
    /// Reads everything, with the rights that are in these files and folders.
    pub(super) fn load(&self, rbac: &[PathBuf]) -> Result<World, Failure> {
        let Settings {
            mut policy,
            catalogue,
        } = match &self.config {
            Some(file) => files::load(file)?,
            None => Settings::default_for(Catalogue::embedded()?),
        };
        policy.authorizer = Authorizer::Rbac;
        let mut given = Given::default();
        for input in files::inputs(rbac)? {
            files::read(&input, |source, object| given.rbac(source, object))?;
        }
        for input in files::inputs(&self.objects)? {
            files::read(&input, |source, object| {
                given.object(source, object, &catalogue)
            })?;
        }
        let offline = given.offline();
        Ok(World {
            rights: offline.rights()?,
            catalogue,
            policy,
            offline,
            today: today(),
        })
    }
}

impl World {
    /// The verdict. Nothing is waited for: what was not given is not known.
    pub(super) fn decide<'a>(
        &'a self,
        request: &'a Request<'a>,
        view: &engine::World<'a>,
    ) -> Verdict<'a> {
        decide(request, view, &self.offline, Instant::now())
            .now_or_never()
            .unwrap_or_else(|| Verdict::broken(request, Broken::Waits))
    }

    /// What is to be changed: `work` is that of [`engine::mutate`] or [`engine::preview`]. Nothing is waited for.
    pub(super) fn change<'a>(&'a self, request: &'a Request<'a>, work: Work<'a>) -> Mutation<'a> {
        let work = |facts: &Facts| work(request, &self.catalogue, &self.policy, facts);
        change(request, work, &self.offline, Instant::now())
            .now_or_never()
            .unwrap_or_else(|| Mutation::broken(request, Broken::Waits))
    }

    /// The exemptions that have ended or soon will.
    pub(super) fn endings(&self) -> Vec<Ending<'_>> {
        self.policy.endings(self.today).collect()
    }

    /// As the engine takes it.
    pub(super) fn view(&self) -> engine::World<'_> {
        engine::World {
            catalogue: &self.catalogue,
            policy: &self.policy,
            rights: &self.rights,
            today: self.today,
        }
    }
}
