//! The `folkmoot` command, as a library, so that the Python wheel and the Node package carry the same one.
//!
//! It is a face without rules: each command parses its arguments, opens a hub, asks it by the public API and prints the
//! answer. What programs read goes to standard output, what people are told about it to standard error.
//!
//! | exit code | means |
//! | --- | --- |
//! | 0 | done |
//! | 1 | the hub refused, or what was looked at is not as it should be |
//! | 2 | the command was called in a way that makes no sense (arguments, filters, configuration) |
//! | 130 | ended by Ctrl-C |

mod arguments;
mod backup;
mod check;
mod demo;
mod describe;
mod export;
mod failure;
mod hub;
mod interrupt;
mod output;
mod replay;
mod stats;
mod watch;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use arguments::{Arguments, Command};
use failure::Failure;

/// Runs the command line and answers its exit code.
///
/// `args` is the whole command line, the program's own name first. `relaunch` is the command line that starts this
/// program again (`["/usr/bin/folkmoot"]`, `["python3", "-m", "folkmoot"]`): the demo's agents are processes of their own.
///
/// ```
/// let code = folkmoot_cli::main_with(vec!["folkmoot".into(), "--version".into()], vec![]);
/// assert_eq!(code, 0);
/// ```
pub fn main_with(args: Vec<OsString>, relaunch: Vec<OsString>) -> i32 {
    let command = Arguments::command().bin_name("folkmoot");
    let parsed = command.try_get_matches_from(args).and_then(|found| Arguments::from_arg_matches(&found));
    match parsed {
        Ok(arguments) => failure::report(run(&arguments.command, &relaunch), arguments.command.wants_json()),
        // clap's own answers: help and version end with 0, a usage error with 2.
        Err(answer) => {
            let _ = answer.print();
            answer.exit_code()
        }
    }
}

fn run(command: &Command, relaunch: &[OsString]) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args, relaunch),
        Command::Watch(args) => watch::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Export(args) => export::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Check(args) => check::run(args),
        Command::Backup(args) => backup::run(args),
        Command::DemoRole(args) => demo::play(args),
    }
}
