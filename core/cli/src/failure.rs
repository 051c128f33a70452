//! How a command ends when it does not simply succeed, and what it says then.

use std::io::{IsTerminal, Write};

use folkmoot::Error;

use crate::output;

/// Why a command ended without doing all that was asked.
#[derive(Debug)]
pub enum Failure {
    /// The hub refused, or what was looked at is wrong: code 1.
    Refused(Error),
    /// The call makes no sense: code 2.
    Usage(Error),
    /// It has said on standard output what is wrong: code 1, nothing more to say.
    Told,
    /// Whoever read the output has gone: an end like any other.
    PipeClosed,
    /// Ctrl-C, or a request to end: code 130.
    Interrupted,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::PipeClosed,
            _ => Failure::Refused(error.into()),
        }
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Failure {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Failure::Refused(Error::internal(format!("a row could not be written: {other:?}"))),
        }
    }
}

/// Says on standard error what went wrong, as a sentence and a hint or as one line of JSON; answers the exit code.
pub fn report(outcome: Result<(), Failure>, json: bool) -> i32 {
    let (error, code) = match outcome {
        Ok(()) | Err(Failure::PipeClosed) => return 0,
        Err(Failure::Told) => return 1,
        Err(Failure::Interrupted) => return 130,
        Err(Failure::Refused(error)) => (error, 1),
        Err(Failure::Usage(error)) => (error, 2),
    };
    let stderr = std::io::stderr();
    let text = match json {
        true => serde_json::json!({ "error": error.to_json() }).to_string(),
        false => in_words(&error, output::wants_colour(stderr.is_terminal())),
    };
    let _ = writeln!(stderr.lock(), "{text}");
    code
}

/// The sentence, and on a line of its own what to do next.
fn in_words(error: &Error, colour: bool) -> String {
    let (red, dim, end) = if colour { ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let message = output::one_line(error.message());
    match error.hint_text() {
        Some(hint) => format!("{red}error:{end} {message}\n{dim} hint: {}{end}", output::one_line(hint)),
        None => format!("{red}error:{end} {message}"),
    }
}
