//! The command line, which is the CLI crate's.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the `folkmoot` command; `relaunch` is how this program is started again. Answers the exit code.
#[pyfunction]
pub fn cli_main(py: Python<'_>, arguments: Vec<OsString>, relaunch: Vec<OsString>) -> i32 {
    py.detach(|| folkmoot_cli::main_with(arguments, relaunch))
}
