//! The `folkmoot` binary: the library, with this very program as what a demo starts again.

use std::ffi::OsString;

fn main() {
    let relaunch: Vec<OsString> = std::env::current_exe().map(|exe| vec![exe.into()]).unwrap_or_default();
    std::process::exit(folkmoot_cli::main_with(std::env::args_os().collect(), relaunch));
}
