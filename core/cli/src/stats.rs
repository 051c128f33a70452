//! `folkmoot stats`: how much of everything there is.

use std::collections::BTreeMap;
use std::io::Write;

use folkmoot::events::{HubStats, HubStatus, Stats, StatusOf};

use folkmoot::past::At;
use serde_json::Value;

use crate::arguments::StatsArgs;
use crate::failure::Failure;
use crate::hub;
use crate::output::{Paint, bytes, one_line, thousands};

/// Runs the command.
pub fn run(args: &StatsArgs) -> Result<(), Failure> {
    let mut hub = hub::open_to_read(&args.path, &args.config)?;
    if let Some(point) = &args.at {
        let point = point.parse().map_or_else(|_| Value::from(point.as_str()), |seq: u64| Value::from(seq));
        hub = hub.at(At::read(&point)?)?;
    }
    let (status, stats) = (hub.run(HubStatus {})?, hub.run(HubStats {})?);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "status": status, "stats": stats }))?;
    } else {
        out.write_all(in_words(&status, &stats).as_bytes())?;
    }
    Ok(out.flush()?)
}

fn in_words(status: &StatusOf, stats: &Stats) -> String {
    let paint = Paint::stdout();
    let size = bytes(status.file_bytes);
    let mut text = format!("{} ({size}, format {})\n\n", paint.bold(&one_line(&status.path)), status.format);
    let durable: u64 = stats.events.values().sum();
    let last = stats.last_event_at.map_or("never".to_owned(), |at| at.to_string());
    let taken = match status.base_seq {
        0 => "nothing".to_owned(),
        base => format!("events up to {}", thousands(base)),
    };
    for (name, value) in [
        ("agents", by_status(&stats.agents)),
        ("tasks", by_status(&stats.tasks)),
        ("messages", thousands(stats.messages)),
        ("memory keys", thousands(stats.memory_keys)),
        ("newest seq", thousands(status.seq)),
        ("last event", last),
        ("retention took", taken),
        ("durable events", thousands(durable)),
    ] {
        text.push_str(&format!("{name:<16}{value}\n"));
    }
    let mut kinds: Vec<_> = stats.events.iter().collect();
    kinds.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (kind, count) in kinds {
        text.push_str(&paint.dim(&format!("  {:<22}{:>10}", one_line(kind), thousands(*count))));
        text.push('\n');
    }
    text
}

/// `5 (3 idle, 2 offline)`
fn by_status(counts: &BTreeMap<String, u64>) -> String {
    let sum: u64 = counts.values().sum();
    if sum == 0 {
        return "0".to_owned();
    }
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(status, count)| format!("{} {}", thousands(*count), status.replace('_', " ")))
        .collect();
    format!("{} ({})", thousands(sum), parts.join(", "))
}
