//! A worker dies in the middle of a task, and nothing is lost: its lease lapses, another worker takes the task over, and
//! whoever would still come back with the old token changes nothing.
//!
//! The worker is a process of its own: this program, started again.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use folkmoot::{Code, Durability, Filter, Hub, HubConfig, Item, agents, tasks};
use serde_json::json;

/// Short leases, so that the death is noticed within seconds. `normal` survives a killed process; `full`, the default,
/// waits for the disk and survives the loss of power too.
fn config() -> HubConfig {
    HubConfig {
        lease_seconds: 1.0,
        presence_ttl_seconds: 1.0,
        durability: Durability::Normal,
        ..HubConfig::default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1) {
        Some(path) => doomed_worker(Path::new(path)),
        None => survive(),
    }
}

/// Claims a task, reports some progress, and is never heard of again.
fn doomed_worker(path: &Path) -> Result<(), Box<dyn Error>> {
    let hub = Hub::open(path, config())?;
    hub.run(agents::Register::new("doomed"))?;
    hub.hold_agent("doomed")?;
    let task = hub.run(tasks::Claim::new("doomed"))?.ok_or("there is nothing to do")?;
    hub.run(tasks::Progress {
        task_id: task.task_id,
        agent_id: "doomed".into(),
        token: task.token,
        progress: Some(40.0),
        phase: Some("reading".into()),
        log: None,
        idempotency_key: None,
    })?;
    // Killed long before this is over.
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

fn survive() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("folkmoot-example-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("team.db");
    let hub = Hub::open(&path, config())?;
    hub.run(agents::Register::new("boss"))?;
    hub.run(agents::Register::new("heir"))?;
    hub.hold_agent("heir")?;
    let task = hub.run(tasks::Create::new("boss", "Index the archive"))?;

    // Kill the worker once it has reported progress.
    let mut progress = hub.subscribe(Filter::kinds(["task.progressed"]), Some(0))?;
    let mut worker = Command::new(std::env::current_exe()?).arg(&path).stdin(Stdio::null()).spawn()?;
    while !matches!(progress.next(Duration::from_secs(10))?, Some(Item::Event(_))) {}
    worker.kill()?;
    worker.wait()?;
    let held = hub.run(tasks::Get { task_id: task.task_id.clone() })?;
    println!("killed {:?} at {} %", held.agent_id.as_deref().unwrap_or("nobody"), held.progress);

    // The claim waits until the lease has lapsed and the task is ready again.
    let claim = tasks::Claim { wait_seconds: Some(30.0), ..tasks::Claim::new("heir") };
    let taken = hub.run(claim)?.ok_or("the task never became ready")?;
    println!("heir took it over: attempt {}, token {} after {}", taken.attempts, taken.token, held.token);

    // What the dead worker could still send would be refused: its token is older.
    let complete = |agent: &str, token| tasks::Complete {
        task_id: task.task_id.clone(),
        agent_id: Some(agent.into()),
        token: Some(token),
        result: Some(json!({ "by": agent }).into()),
        ..Default::default()
    };
    match hub.run(complete("doomed", held.token)) {
        Err(error) if error.code() == Code::LeaseLost => {
            println!("the old token is refused: {}", error.message())
        }
        other => return Err(format!("the old token should have been refused, got {other:?}").into()),
    }
    let done = hub.run(complete("heir", taken.token))?;
    println!("{} by {}", done.status.as_str(), done.agent_id.as_deref().unwrap_or("nobody"));
    for step in done.history {
        println!("  {} {}", step.what, step.agent_id.unwrap_or_default());
    }
    hub.close();
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
