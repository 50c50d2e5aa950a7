//! `usher`: see [`usher::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    usher::cli::run()
}
