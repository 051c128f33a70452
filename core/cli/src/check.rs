//! `folkmoot check`: is the file sound, is the chain of its log whole, are the tables what the log says?

use std::io::Write;
use std::time::Instant;

use folkmoot::check::Report;
use serde_json::json;

use crate::arguments::CheckArgs;
use crate::failure::Failure;
use crate::hub;
use crate::output::{plural, thousands};

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let hub = hub::open_to_read(&args.path, &args.config)?;
    let start = Instant::now();
    let outcome = hub.check();
    let seconds = start.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    match (outcome, args.json) {
        (Ok(report), true) => writeln!(out, "{}", json!({"ok": true, "seconds": seconds, "report": report}))?,
        (Ok(report), false) => writeln!(out, "{}", in_words(&report, seconds))?,
        (Err(error), true) => {
            writeln!(out, "{}", json!({"ok": false, "seconds": seconds, "error": error.to_json()}))?;
            out.flush()?;
            return Err(Failure::Told);
        }
        (Err(error), false) => return Err(error.into()),
    }
    Ok(out.flush()?)
}

fn in_words(report: &Report, seconds: f64) -> String {
    let events = plural(report.events, "event");
    let rows = plural(report.rows_equal, "row");
    let mut text =
        format!("sound: the chain of {events} is whole, {rows} of the tables are what the log says");
    if report.rows_older_than_log > 0 {
        let older = thousands(report.rows_older_than_log);
        text.push_str(&format!("\n{older} more are older than the log and cannot be compared"));
    }
    if report.base_seq > 0 {
        text.push_str(&format!("\nretention took the events up to {}", thousands(report.base_seq)));
    }
    text.push_str(&format!("\nnewest seq {}; checked in {seconds:.2} s", thousands(report.head_seq)));
    text
}
