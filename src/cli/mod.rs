//! The command line: one file per command. Results go to standard output, everything else to standard error.
//!
//! `usher serve` puts [`server`](crate::server) before [`cluster`](crate::cluster). The offline commands put [`files`](crate::files) before
//! [`facts`](crate::facts), and [`report`](crate::report) behind.

use std::{env, io, process::ExitCode};

use clap::{Parser, Subcommand};

mod can_i;
mod catalogue;
mod check;
mod created;
mod demo;
mod generate;
mod grant;
mod hardened_roles;
mod holdings;
mod inject;
mod metrics_page;
mod named;
mod page;
mod registration;
mod review;
mod roles;
mod say;
mod scan;
mod serve;
mod served;
mod world;
mod yaml;

use self::say::say;
use usher_core::reference::shown;

/// May this requester use what this object names? The cluster's own RBAC answers.
#[derive(Debug, Parser)]
#[command(
    name = "usher",
    version,
    about,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask whether somebody may use something.
    CanI(can_i::Args),
    /// See which kinds and fields are looked into.
    Catalogue(catalogue::Args),
    /// Judge manifests: what would the webhook say to them?
    Check(check::Args),
    /// See Usher at work, without a cluster.
    Demo(demo::Args),
    /// Write files that are made from the code: the default configuration, schemas, registrations, roles.
    Generate(generate::Args),
    /// Print the Role and RoleBinding that grant `use` on something.
    Grant(grant::Args),
    /// Show what would be injected into the pods of manifests.
    Inject(inject::Args),
    /// Answer AdmissionReviews from a file, as the webhook would.
    Review(review::Args),
    /// See who holds rights that lead round any webhook.
    Scan(scan::Args),
    /// Run the webhook.
    #[command(long_about = serve::ABOUT)]
    Serve(serve::Args),
}

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Everything is allowed: exit status 0.
    Allowed,
    /// Something is refused: exit status 1.
    Refused,
    /// Some input could not be read, which has been said: exit status 2.
    Unread,
}

impl Exit {
    fn of(allowed: bool) -> Self {
        if allowed {
            Self::Allowed
        } else {
            Self::Refused
        }
    }
}

/// Why a command could not do its work: one message for people. Exit status 2.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return unread(&error),
    };
    let done = match command {
        Command::CanI(args) => can_i::run(&args),
        Command::Catalogue(args) => catalogue::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Grant(args) => grant::run(&args),
        Command::Inject(args) => inject::run(&args),
        Command::Review(args) => review::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Serve(args) => serve::run(args),
    };
    match done {
        Ok(Exit::Allowed) => ExitCode::SUCCESS,
        Ok(Exit::Refused) => ExitCode::from(1),
        Ok(Exit::Unread) => ExitCode::from(2),
        // The reader has enough: `usher check … | head`.
        Err(failure) if is_broken_pipe(&*failure) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// What is said to words that are no command, and to those that ask for help.
fn unread(error: &clap::Error) -> ExitCode {
    // It quotes them as they are.
    let harmless = env::args_os().map(|word| shown(&word.to_string_lossy()).into_owned());
    match Cli::try_parse_from(harmless) {
        // In colour, where there is a terminal. What cannot be written, nobody reads.
        Err(error) => _ = error.print(),
        Ok(_) => say(&error.to_string()),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn is_broken_pipe(failure: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    failure
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
