//! Several processes that write to one file, with SQLite's own busy handler between them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::event::{Checkpoint, Writer, create, open};
use crate::line::{percentile_us, print, rounded};

/// One writer, then four: the total rate, and the longest that any of them had to wait.
pub fn measure(folder: &Path, time: Duration) -> Outcome<()> {
    for count in [1, 4] {
        drop(create(folder, "NORMAL", Checkpoint::InCommit)?);
        let children = (0..count).map(|_| start(folder, time)).collect::<Outcome<Vec<Child>>>()?;
        let reports = run_together(children)?;
        let all =
            |field: &str| reports.iter().filter_map(|report| report[field].as_f64()).collect::<Vec<_>>();
        let rate = all("written").iter().sum::<f64>() / time.as_secs_f64();
        let worst = |field: &str| all(field).into_iter().fold(0.0, f64::max);
        let metric = format!("writing processes={count}");
        let more = json!({ "durability": "NORMAL", "worst_p99_us": rounded(worst("p99_us")) });
        print("rusqlite", &metric, rate, "events/s", more);
        let stall = worst("longest_us") / 1e3;
        print(
            "rusqlite",
            &format!("{metric}, longest stall"),
            stall,
            "ms",
            json!({ "durability": "NORMAL" }),
        );
    }
    Ok(())
}

fn start(folder: &Path, time: Duration) -> Outcome<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("writer").arg(folder).arg(time.as_secs_f64().to_string());
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?)
}

/// Waits until all are ready, lets them go at once, and gathers what they say at the end.
fn run_together(mut children: Vec<Child>) -> Outcome<Vec<Value>> {
    let mut outputs = Vec::new();
    for child in &mut children {
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        lines.next().ok_or("a writer ended before it was ready")??;
        outputs.push(lines);
    }
    for child in &mut children {
        child.stdin.as_mut().ok_or("no input")?.write_all(b"go\n")?;
    }
    let mut reports = Vec::new();
    for mut lines in outputs {
        reports.push(serde_json::from_str(&lines.next().ok_or("a writer ended without a report")??)?);
    }
    for child in &mut children {
        child.wait()?;
    }
    Ok(reports)
}

/// What each child does: one event a transaction until the time is up.
pub fn write_as_child(folder: &Path, time: Duration) -> Outcome<()> {
    let connection = open(folder, "NORMAL")?;
    let mut writer = Writer::new(&connection)?;
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    let (start, mut commits) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        let commit = Instant::now();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        writer.write(commits.len() as u64)?;
        connection.execute_batch("COMMIT")?;
        commits.push(commit.elapsed());
    }
    let report = json!({
        "written": commits.len(),
        "p99_us": percentile_us(&mut commits, 0.99),
        "longest_us": percentile_us(&mut commits, 1.0),
    });
    println!("{report}");
    Ok(())
}
