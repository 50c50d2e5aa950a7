//! The test data of other projects: `peers/<project>/…`, `crds/<project>/…`, `samples/<project>/…`. It is no part of this
//! repository; `USHER_FIXTURES` names the folder that holds it.
//!
//! The tests over it are rows of their own, and each says `#[ignore = "needs USHER_FIXTURES, …"]`. Rust's harness knows
//! only what was compiled, so it cannot look for the folder when it runs: plain `cargo test` shows these rows as ignored,
//! with the reason, everywhere; `.ci/run` asks for them with `--include-ignored` where the folder is there. Who asks for
//! them without it sees them fail. A test that ends early would count as passed; a harness of our own would list every test
//! by hand, and a build script would build the program anew, for what one argument says.

use std::path::PathBuf;

/// The folder. Panics where none is named: a test that is asked for is not skipped.
pub(crate) fn fixtures() -> PathBuf {
    let folder = std::env::var_os("USHER_FIXTURES").map(PathBuf::from);
    let folder = folder.expect("USHER_FIXTURES names the folder of other projects' test data");
    assert!(folder.is_dir(), "USHER_FIXTURES: {folder:?} is no folder");
    folder
}
