//! Usher beside the real controllers of Flux and KEDA: `cargo test --test controllers [STORY]`.
//!
//! One control plane and one run. The stories are told side by side, each in a namespace of its own. At the end Usher must have
//! refused nothing but what they provoked.

#[cfg(test)]
mod controllers;
#[path = "../real/controlplane/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other tests, the example and the benches, which use other parts"
)]
mod controlplane;
#[cfg(test)]
mod flux;
#[cfg(test)]
mod keda;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tenant;
#[cfg(test)]
#[path = "../support/tier.rs"]
mod tier;
#[cfg(test)]
mod web;

use std::{error::Error, process::ExitCode, time::Instant};

use controllers::CONTROLLERS;
use controlplane::{ControlPlane, Options, binaries::say};
use stage::Stage;
use tier::{chosen, tell, took, words};

/// What happens on the stage.
type Story = fn(&Stage<'_>);

/// What is told, and the namespace in which it plays.
const STORIES: [(&str, Story); 10] = [
    ("flux-account", flux::an_account_takes_the_right_to_use_it),
    (
        "flux-applies",
        flux::what_is_applied_is_judged_as_the_account,
    ),
    ("flux-no-account", flux::no_account_is_the_controllers_own),
    ("flux-flag", flux::no_account_is_that_of_the_flag),
    (
        "flux-default",
        flux::an_account_is_written_where_none_is_named,
    ),
    ("flux-source", flux::a_source_elsewhere_takes_a_right_there),
    ("keda-jobs", keda::jobs_of_a_scaled_job_come_up),
    (
        "keda-unnamed",
        keda::an_operator_that_is_not_named_is_judged_itself,
    ),
    ("keda-scales", keda::what_is_scaled_takes_a_right),
    ("keda-token", keda::a_token_takes_two_rights),
];

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            say(&format!("{failed} failed"));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Tells the stories that the command line chooses. Gives how many failed.
fn run() -> Result<usize, Box<dyn Error>> {
    let stories = chosen(&STORIES, &words())?;
    web::needs_git()?;
    let controllers = CONTROLLERS.find()?;
    let start = Instant::now();
    let plane = ControlPlane::start(Options::default())?;
    let mut stage = Stage::set(&plane, &controllers)?;
    say(&format!("all controllers run after {}", took(start)));
    let failed = tell(&stories, &stage)?;
    if failed > 0 {
        stage.show_logs();
        return Ok(failed);
    }
    let counts = stage.nothing_else_was_refused()?;
    say(&format!("{counts}; all told in {}", took(start)));
    Ok(0)
}
