//! Usher on a real node: `cargo test --test node [STORY]`.
//!
//! This machine becomes the only node of a cluster, in namespaces of its own, and one run tells all stories side by side. At
//! the end Usher must have refused nothing but what they provoked. `-- --lacks` says what is missing here, and does nothing.

#[cfg(test)]
mod apart;
#[cfg(test)]
mod connections;
#[path = "../real/controlplane/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other tests, the example and the benches, which use other parts"
)]
mod controlplane;
#[cfg(test)]
mod image;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod installed;
#[cfg(test)]
mod needs;
#[cfg(test)]
mod node;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tenants;
#[cfg(test)]
#[path = "../support/tier.rs"]
mod tier;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod work;

use std::{error::Error, process::ExitCode, time::Instant};

use apart::ADDRESS;
use controlplane::{
    ControlPlane, Options,
    binaries::{CONTROL_PLANE, say},
};
use node::PROGRAMS;
use stage::Stage;
use tier::{chosen, tell, took, words};

/// What happens on the stage.
type Story = fn(&Stage);

/// What is told, and the namespace that Usher guards in it.
const STORIES: [(&str, Story); 23] = [
    ("exec", connections::exec_reads_the_token_of_another_account),
    ("cp", connections::cp_takes_the_token_of_another_account),
    (
        "attach",
        connections::attach_types_into_the_shell_of_another_account,
    ),
    (
        "forward",
        connections::a_forwarded_port_leads_to_what_another_account_serves,
    ),
    (
        "proxy",
        connections::the_proxy_of_the_api_server_leads_there_too,
    ),
    (
        "kubelet",
        connections::a_kubelet_executes_for_whoever_may_reach_it,
    ),
    (
        "debug",
        connections::a_debugger_looks_into_the_container_of_another_account,
    ),
    (
        "replaced",
        connections::a_pod_that_was_replaced_is_asked_about_anew,
    ),
    ("mounted", tokens::a_token_secret_is_mounted_and_read),
    (
        "projected",
        tokens::a_projected_token_is_that_of_another_account,
    ),
    (
        "profile",
        injection::the_token_of_a_profile_is_there_for_a_user_that_is_not_root,
    ),
    (
        "mounts",
        injection::volumes_lie_beside_the_token_and_around_it,
    ),
    (
        "modes",
        injection::without_a_group_the_token_is_for_the_only_user_or_for_everybody,
    ),
    (
        "rotating",
        injection::the_token_for_the_api_server_lives_an_hour,
    ),
    ("deployments", work::deployments_roll_out_and_back),
    ("sets", work::stateful_and_daemon_sets_roll_out),
    ("daily", work::what_is_done_on_any_day_passes),
    ("jobs", work::jobs_complete),
    ("services", work::a_service_leads_to_its_pods),
    ("drained", work::the_node_is_drained_and_comes_back),
    ("static", work::a_pod_of_the_node_itself_has_a_mirror),
    ("deleted", work::a_namespace_goes_with_all_that_is_in_it),
    (LAST, installed::it_guards_from_two_pods_and_goes_again),
];

/// The story that is told when all others have been, for it concerns every namespace.
const LAST: &str = "installed";

fn main() -> ExitCode {
    let ended = if std::env::args().any(|arg| arg == "--lacks") {
        println!("{}", needs::lacks().join("; "));
        return ExitCode::SUCCESS;
    } else if apart::is_inside() {
        run()
    } else {
        prepare()
    };
    ended.unwrap_or_else(|error| {
        say(&error.to_string());
        ExitCode::FAILURE
    })
}

/// Looks whether everything is there, builds what can be built, and goes inside.
fn prepare() -> Result<ExitCode, Box<dyn Error>> {
    chosen(&STORIES, &words())?;
    let lacks = needs::lacks();
    if !lacks.is_empty() {
        return Err(format!("a real node needs {}", lacks.join("; and ")).into());
    }
    // Inside there is no network to build from.
    CONTROL_PLANE.find()?;
    PROGRAMS.find()?;
    Ok(apart::enter()?)
}

/// Tells the stories that the command line chooses, inside.
fn run() -> Result<ExitCode, Box<dyn Error>> {
    apart::settle()?;
    let start = Instant::now();
    let options = Options {
        address: Some(ADDRESS),
        ..Options::default()
    };
    // Neither is dropped: everything inside ends with this process at once, and cleaning up is done outside.
    let plane = Box::leak(Box::new(ControlPlane::start(options)?));
    let names = STORIES.iter().map(|(name, _)| (*name).to_owned());
    let guarded = names.filter(|name| name != LAST).collect();
    let stage = Stage::set(plane, &PROGRAMS.find()?, guarded)?;
    let stage = Box::leak(Box::new(stage));
    say(&format!("the node is ready after {}", took(start)));
    let stories = chosen(&STORIES, &words())?.into_iter();
    let (last, stories): (Vec<_>, Vec<_>) = stories.partition(|(name, _)| *name == LAST);
    let failed = tell(&stories, stage)? + tell(&last, stage)?;
    if failed > 0 {
        stage.show_logs();
        return Err(format!("{failed} failed").into());
    }
    let counts = stage.nothing_else_was_refused()?;
    say(&format!("{counts}; all told in {}", took(start)));
    Ok(ExitCode::SUCCESS)
}
