//! `folkmoot backup`: a copy of one moment of a hub, while others write to it.

use std::io::Write;
use std::time::Instant;

use folkmoot::events::HubStatus;
use serde_json::json;

use crate::arguments::BackupArgs;
use crate::failure::Failure;
use crate::hub;
use crate::output::{bytes, one_line};

/// Runs the command.
pub fn run(args: &BackupArgs) -> Result<(), Failure> {
    let hub = hub::open_to_read(&args.path, &args.config)?;
    let start = Instant::now();
    hub.backup(&args.to)?;
    let seconds = start.elapsed().as_secs_f64();
    let size = std::fs::metadata(&args.to)?.len();
    let seq = hub.run(HubStatus {})?.seq;
    let to = args.to.display().to_string();
    let mut out = std::io::stdout().lock();
    match args.json {
        true => {
            writeln!(out, "{}", json!({"path": to, "bytes": size, "seconds": seconds, "seq_at_most": seq}))?
        }
        false => writeln!(out, "copied to {} ({}, {seconds:.2} s)", one_line(&to), bytes(size))?,
    }
    Ok(out.flush()?)
}
