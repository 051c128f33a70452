//! Events a second, alone, by the size of the batch that shares a transaction.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::event::{Checkpoint, Writer, create};
use crate::line::{percentile_us, print, rounded};

/// Every batch size at both levels of safety, with and without checkpoints in the commits.
pub fn measure(folder: &Path, time: Duration) -> Outcome<()> {
    for batch in [1, 10, 100, 1_000] {
        for synchronous in ["NORMAL", "FULL"] {
            for checkpoint in [Checkpoint::InCommit, Checkpoint::Elsewhere] {
                one(folder, time, batch, synchronous, checkpoint)?;
            }
        }
    }
    Ok(())
}

fn one(folder: &Path, time: Duration, batch: u64, synchronous: &str, checkpoint: Checkpoint) -> Outcome<()> {
    let connection = create(folder, synchronous, checkpoint)?;
    let mut writer = Writer::new(&connection)?;
    let (mut written, mut commits) = (0, Vec::new());
    let start = Instant::now();
    while start.elapsed() < time {
        let commit = Instant::now();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..batch {
            written += 1;
            writer.write(written)?;
        }
        connection.execute_batch("COMMIT")?;
        commits.push(commit.elapsed());
    }
    let rate = written as f64 / start.elapsed().as_secs_f64();
    let metric = match checkpoint {
        Checkpoint::InCommit => format!("event+state batch={batch}"),
        Checkpoint::Elsewhere => format!("event+state batch={batch} checkpoint elsewhere"),
    };
    let more = json!({
        "durability": synchronous,
        "commit_p50_us": rounded(percentile_us(&mut commits, 0.5)),
        "commit_p99_us": rounded(percentile_us(&mut commits, 0.99)),
    });
    print("rusqlite", &metric, rate, "events/s", more);
    Ok(())
}
