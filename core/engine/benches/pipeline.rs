//! How many events a second go through the whole pipeline (decide, append, apply, publish), and what single calls cost.
//!
//! `cargo bench -p folkmoot-engine --bench pipeline -- --json` prints one JSON line a figure; compare with the raw
//! limits of `bench/limits` in the same run. `-- --json tasks` leaves out the batches. For a profiler,
//! `-- count cycle 2000` does one thing that often and nothing else (`set`, `cas`, `publish`, `many`, `cycle`, `hundred`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use folkmoot_engine::{Durability, Hub, HubConfig, agents, memory, tasks};
use serde_json::json;

/// As long as one figure is measured.
const SPAN: Duration = Duration::from_millis(1_500);

fn main() {
    let folder = std::env::var_os("FOLKMOOT_TEST_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "count") {
        return count(&open(&folder, Durability::Normal), &words[at + 1], words[at + 2].parse().unwrap());
    }
    let only_tasks = words.iter().any(|word| word == "tasks");
    for durability in [Durability::Normal, Durability::Full].into_iter().filter(|_| !only_tasks) {
        for batch in [1, 10, 100, 1_000] {
            let hub = open(&folder, durability);
            batches(&hub, batch, name(durability));
        }
    }
    let hub = open(&folder, Durability::Normal);
    hub.run(agents::Register::new("ana")).unwrap();
    if !only_tasks {
        single(&hub);
    }
    tasks(&hub);
}

fn name(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
        Durability::Memory => "OFF",
    }
}

fn open(folder: &std::path::Path, durability: Durability) -> Hub {
    let path = folder.join(format!("folkmoot-bench-{}.db", std::process::id()));
    for ending in ["", "-wal", "-shm", "-moot"] {
        let mut file = path.clone().into_os_string();
        file.push(ending);
        let _ = std::fs::remove_file(file);
    }
    Hub::open(path, HubConfig { durability, ..HubConfig::default() }).unwrap()
}

fn emit(metric: &str, value: f64, unit: &str, durability: &str) {
    println!(
        "{}",
        json!({"peer": "folkmoot", "metric": metric, "value": value, "unit": unit, "durability": durability})
    );
}

/// Does one thing so often.
fn count(hub: &Hub, what: &str, times: usize) {
    hub.run(agents::Register::new("ana")).unwrap();
    let value = || folkmoot_engine::Json::from(json!({"status": "active", "detail": "x".repeat(200)}));
    let start = Instant::now();
    for n in 0..times {
        match what {
            "set" => drop(hub.run(memory::Set::new(&format!("k/{}", n % 1_000), value())).unwrap()),
            "cas" => {
                let set = memory::Set { expected_version: Some(n as u64), ..memory::Set::new("k", value()) };
                hub.run(set).unwrap();
            }
            "publish" => {
                let publish = json!({"event_type": "bench", "source_agent": "ana", "payload": value()});
                hub.call("event.publish", publish.to_string().as_bytes()).unwrap();
            }
            "many" => drop(hub.run(set_many(n * 1_000, 1_000)).unwrap()),
            "cycle" => cycle(hub),
            "hundred" => hundred(hub),
            other => panic!("{other} is not known here"),
        }
    }
    println!("{what}: {:.2} us", start.elapsed().as_secs_f64() * 1e6 / times as f64);
}

/// One of the memory changes that fill a batch.
fn entry(n: usize) -> memory::SetEntry {
    memory::SetEntry {
        key: format!("presence/agent-{:04}", n % 1_000),
        value: json!({"status": "active", "tool": "Edit", "cost": 1234, "detail": "x".repeat(80)}).into(),
        delete: false,
        expected_version: None,
        ttl_seconds: None,
    }
}

fn set_many(first: usize, batch: usize) -> memory::SetMany {
    let entries = (0..batch).map(|i| entry(first + i)).collect();
    memory::SetMany { entries, agent_id: None, idempotency_key: None }
}

/// Writes batches of memory changes: one event row and one state row each, as the raw limit does.
fn batches(hub: &Hub, batch: usize, durability: &str) {
    let start = Instant::now();
    let mut events = 0;
    while start.elapsed() < SPAN {
        if batch == 1 {
            let change = entry(events);
            hub.run(memory::Set { key: change.key, value: change.value, ..memory::Set::default() }).unwrap();
        } else {
            hub.run(set_many(events, batch)).unwrap();
        }
        events += batch;
    }
    emit(
        &format!("pipeline batch={batch}"),
        events as f64 / start.elapsed().as_secs_f64(),
        "events/s",
        durability,
    );
}

/// What one call costs.
fn single(hub: &Hub) {
    hub.run(memory::Set::new("k", json!({"n": 1}))).unwrap();
    each("memory.get", || drop(hub.run(memory::Get::new("k")).unwrap()));
    let update = || agents::UpdatePresence {
        agent_id: "ana".into(),
        tool_name: Some("Edit".into()),
        tokens: Some(12),
        ..agents::UpdatePresence::default()
    };
    each("presence.update", || assert!(hub.run(update()).unwrap().accepted));
    hub.flush().unwrap();
}

/// What a task costs from its making to its end.
fn tasks(hub: &Hub) {
    each("task create+claim+complete", || cycle(hub));
    each("task cycle, 100 at once", || hundred(hub));
}

fn cycle(hub: &Hub) {
    hub.run(tasks::Create::new("boss", "work")).unwrap();
    let task = hub.run(tasks::Claim::new("ana")).unwrap().unwrap();
    let done = tasks::Complete {
        task_id: task.task_id,
        agent_id: task.agent_id,
        token: Some(task.token),
        ..tasks::Complete::default()
    };
    hub.run(done).unwrap();
}

fn hundred(hub: &Hub) {
    let new = |_| tasks::NewTask { title: "work".into(), ..tasks::NewTask::default() };
    let tasks = (0..100).map(new).collect();
    hub.run(tasks::CreateMany { creator_id: "boss".into(), tasks, idempotency_key: None }).unwrap();
    let claim = tasks::ClaimMany { agent_id: "ana".into(), count: 100, ..tasks::ClaimMany::default() };
    let claimed = hub.run(claim).unwrap().tasks;
    let tasks = claimed
        .into_iter()
        .map(|t| tasks::Completed { task_id: t.task_id, token: t.token, result: None })
        .collect();
    hub.run(tasks::CompleteMany { agent_id: "ana".into(), tasks, idempotency_key: None }).unwrap();
}

fn each(metric: &str, mut call: impl FnMut()) {
    let start = Instant::now();
    let mut calls = 0u32;
    while start.elapsed() < SPAN {
        call();
        calls += 1;
    }
    emit(metric, start.elapsed().as_secs_f64() * 1e6 / f64::from(calls), "us", "NORMAL");
}
