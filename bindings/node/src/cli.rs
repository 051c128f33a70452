//! The command line, which is the CLI crate's.

use napi_derive::napi;

use crate::guarded;

/// Runs the `folkmoot` command; `relaunch` is how this program is started again. Answers the exit code.
#[napi]
pub fn cli_main(arguments: Vec<String>, relaunch: Vec<String>) -> napi::Result<i32> {
    let given = |words: Vec<String>| words.into_iter().map(Into::into).collect();
    guarded(|| Ok(folkmoot_cli::main_with(given(arguments), given(relaunch))))
}
