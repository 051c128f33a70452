//! The part that writes until it is killed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use folkmoot_engine::seams::{Point, Seams};
use folkmoot_engine::{Code, Durability, Hub, HubConfig, agents, events, memory};
use serde_json::{Value, json};

use crate::players::{say, setting};
use crate::sessions;

/// Threads of one writer.
const THREADS: u64 = 2;

/// The configuration of every process of this test: nothing is trimmed, so that all can be judged.
pub fn config(durability: Durability) -> HubConfig {
    HubConfig {
        durability,
        retain_versions: 1_000_000_000,
        retain_pulse_minutes: 1e6,
        subscription_queue: 64,
        presence_ttl_seconds: 2.0,
        reservation_seconds: 1.0,
        max_participants: 10_000,
        ..HubConfig::default()
    }
}

pub fn write(file: &Path) {
    let life = std::env::var("FOLKMOOT_TEST_LIFE").unwrap();
    let seams = Seams { fault: Some(death(setting("FOLKMOOT_TEST_NTH", 0))), ..Seams::default() };
    let durability = if life.ends_with('7') { Durability::Full } else { Durability::Normal };
    let hub = Hub::open_with(file, config(durability), seams).unwrap();
    let agent = format!("agent-{life}");
    hub.run(agents::Register { max_load: Some(20), ..agents::Register::new(&agent) }).unwrap();
    hub.hold_agent(&agent).unwrap();
    sessions::enter(&hub, &agent);
    say("ready");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (hub, agent) = (&hub, &agent);
            let me = format!("{life}.{thread}");
            scope.spawn(move || {
                // One begins with the second half, since few live long.
                let mut n = thread * 7;
                loop {
                    one_write(hub, agent, &me, n);
                    n += 1;
                }
            });
        }
    });
}

/// Kills this process when a point is reached for the n-th time.
fn death(nth: u64) -> Arc<dyn Fn(Point) -> folkmoot_engine::Result<()> + Send + Sync> {
    let point = std::env::var("FOLKMOOT_TEST_POINT").ok().and_then(|name| Point::parse(&name));
    let reached = AtomicU64::new(0);
    Arc::new(move |at| {
        if Some(at) == point && reached.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            std::process::abort();
        }
        Ok(())
    })
}

/// One durable write; what was answered is reported after the answer.
fn one_write(hub: &Hub, agent: &str, me: &str, n: u64) {
    let by = format!("{me}.{n}");
    match n % 13 {
        0 | 1 => publish(hub, agent, me, n / 13 * 2 + n % 13),
        2 => {
            // A large one now and then brings the log to its checkpoint.
            let pad = if n % 4 == 2 { "x".repeat(60_000) } else { String::new() };
            let key = format!("own/{me}/{}", n % 5);
            let set = memory::Set::new(&key, json!({"by": by, "pad": pad}));
            let entry = hub.run(set).unwrap();
            say(&format!("version {} {} {by}", entry.key, entry.version));
        }
        3 => compare_and_set(hub, &by),
        4 => {
            let sum = memory::Increment {
                key: "shared/sum".into(),
                by: None,
                agent_id: None,
                idempotency_key: Some(by.clone()),
            };
            let entry = hub.run(sum).unwrap();
            say(&format!("sum {} {} {by}", entry.version, entry.value.text()));
        }
        5 => {
            let entry = |side: &str| json!({"key": format!("pair/{me}/{side}"), "value": {"by": by}});
            let input = json!({"entries": [entry("left"), entry("right")]});
            let entries = call(hub, "memory.set_many", input).unwrap();
            for entry in entries.as_array().unwrap() {
                say(&format!("version {} {} {by}", entry["key"].as_str().unwrap(), entry["version"]));
            }
        }
        6 => work(hub, agent, None, &by),
        7 => {
            let input = json!({"message_id": by, "sender_id": agent, "content": format!("by {by}")});
            call(hub, "message.send", input).unwrap();
            say(&format!("message {by}"));
        }
        8 => sessions::live(hub, agent, &by),
        9 => {
            let own = n.is_multiple_of(2);
            sessions::change_state(hub, agent, own.then_some(me), &by);
        }
        10 => work(hub, agent, Some(if n.is_multiple_of(2) { "auto" } else { agent }), &by),
        11 => rebalance(hub),
        _ => {
            // Relaxed: not promised to survive, but its events share the count of `seq`.
            call(hub, "presence.update", json!({"agent_id": agent, "tool_name": "bash", "tokens": 1}))
                .unwrap();
        }
    }
}

/// Calls an operation as a face does.
pub fn call(hub: &Hub, name: &str, input: Value) -> folkmoot_engine::Result<Value> {
    let answer = hub.call(name, input.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// Adds a task to what all of them share, perhaps for someone, and takes and completes whichever is next.
fn work(hub: &Hub, agent: &str, assign_to: Option<&str>, by: &str) {
    let call = |name: &str, input: Value| call(hub, name, input);
    let task = json!({"task_id": by, "title": by, "creator_id": agent, "max_attempts": 1_000,
        "assign_to": assign_to});
    let task = call("task.create", task).unwrap();
    say(&format!("task {by}"));
    if let Some(agent_id) = task["agent_id"].as_str() {
        say(&format!("reserved {by} {agent_id}"));
    }
    let claimed = call("task.claim", json!({"agent_id": agent})).unwrap();
    let Some(task) = claimed["task_id"].as_str() else { return };
    say(&format!("claim {task} {} {agent}", claimed["token"]));
    let done = json!({"task_id": task, "agent_id": agent, "token": claimed["token"], "result": by});
    match call("task.complete", done) {
        Ok(_) => say(&format!("done {task} {} {by}", claimed["token"])),
        Err(error) => assert_eq!(error.code(), Code::LeaseLost, "{error}"),
    }
}

/// Moves what is reserved for those who were killed, or have too much.
fn rebalance(hub: &Hub) {
    let done = call(hub, "task.rebalance", json!({"limit": 20})).unwrap();
    for step in done["moved"].as_array().unwrap() {
        say(&format!("reserved {} {}", step["task_id"].as_str().unwrap(), step["to"].as_str().unwrap()));
    }
}

fn publish(hub: &Hub, agent: &str, me: &str, n: u64) {
    let event = hub
        .run(events::Publish {
            event_type: "crash".into(),
            source_agent: agent.into(),
            target_agents: None,
            payload: Some(json!({"me": me, "n": n}).into()),
            correlation_id: None,
            idempotency_key: None,
        })
        .unwrap();
    say(&format!("event {} {me} {n}", event.seq));
}

fn compare_and_set(hub: &Hub, by: &str) {
    let key = "shared/cas";
    let version = hub.run(memory::Get::new(key)).map_or(0, |entry| entry.version);
    let set = memory::Set { expected_version: Some(version), ..memory::Set::new(key, json!({"by": by})) };
    match hub.run(set) {
        Ok(entry) => {
            assert_eq!(entry.version, version + 1);
            say(&format!("version {key} {} {by}", entry.version));
        }
        Err(error) => assert_eq!(error.code(), Code::Conflict, "{error}"),
    }
}
