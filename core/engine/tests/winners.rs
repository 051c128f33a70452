//! S5 and S6: one winner, and no stale worker.
//!
//! Processes that are killed claim the same tasks and compare-and-set the same keys; what each was told, with the times
//! between which it was told, must be a history that could have happened one after another. Workers that are stopped
//! past their lease come back and change nothing. Clocks that jump by ten years change nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "winners/linear.rs"]
mod linear;
mod players;

use std::path::Path;
use std::time::{Duration, Instant};

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Hub, HubConfig};
use linear::{Op, judge};
use players::{Player, say, setting};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

fn config() -> HubConfig {
    HubConfig {
        durability: Durability::Normal,
        presence_ttl_seconds: 0.3,
        lease_seconds: 0.3,
        status_interval_seconds: 0.0,
        ..HubConfig::default()
    }
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, folkmoot_engine::Error> {
    let answer = hub.call(name, input.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

fn register(hub: &Hub, agent: &str) {
    call(hub, "agent.register", json!({"name": agent, "max_load": 10_000})).unwrap();
}

#[test]
fn child() {
    let Some((part, file)) = players::part() else { return };
    let hub = Hub::open(&file, config()).unwrap();
    let name = std::env::var("FOLKMOOT_TEST_NAME").unwrap();
    register(&hub, &name);
    match part.as_str() {
        "racer" => std::thread::scope(|scope| {
            for thread in 0..2 {
                let (hub, name) = (&hub, &name);
                scope.spawn(move || {
                    race(hub, name, StdRng::seed_from_u64(setting("FOLKMOOT_TEST_SEED", 0) + thread))
                });
            }
        }),
        "sleeper" => sleep_past_the_lease(&hub, &name, &file),
        part => panic!("no part {part}"),
    }
}

/// The same clock for every process of the machine.
fn now() -> u64 {
    folkmoot_sys::boot_time().as_nanos() as u64
}

/// Reports an operation by what it made or saw.
fn report(key: &str, makes: bool, version: u64, began: u64, who: &str) {
    let op = Op { key: key.into(), makes, version, began, ended: now(), who: who.into() };
    say(&op.to_line());
}

fn race(hub: &Hub, name: &str, mut dice: StdRng) {
    loop {
        let key = format!("key-{}", dice.random_range(0..3));
        let began = now();
        let seen = call(hub, "memory.get", json!({"key": key}))
            .map_or(0, |entry| entry["version"].as_u64().unwrap());
        report(&key, false, seen, began, name);
        let began = now();
        match call(hub, "memory.set", json!({"key": key, "value": name, "expected_version": seen})) {
            Ok(entry) => report(&key, true, entry["version"].as_u64().unwrap(), began, name),
            Err(error) => {
                assert_eq!(error.code(), Code::Conflict, "{error}");
                report(&key, false, error.details()["current_version"].as_u64().unwrap(), began, name);
            }
        }
        let began = now();
        let task = call(hub, "task.claim", json!({"agent_id": name, "lease_seconds": 0.2})).unwrap();
        let Some(id) = task["task_id"].as_str() else { continue };
        let token = task["token"].as_u64().unwrap();
        report(id, true, token, began, name);
        let began = now();
        let input = json!({"task_id": id, "agent_id": name, "token": token, "error": "again", "retry": true});
        let (operation, input) = match dice.random_range(0..4) {
            0 => ("task.progress", json!({"task_id": id, "agent_id": name, "token": token, "progress": 5})),
            1 => ("task.release", json!({"task_id": id, "agent_id": name, "token": token})),
            2 => ("task.fail", input),
            _ => ("task.complete", json!({"task_id": id, "agent_id": name, "token": token})),
        };
        match call(hub, operation, input) {
            // Whoever may act by a token still holds the task: nobody else can have been given it.
            Ok(_) => report(id, false, token, began, name),
            Err(error) => assert_eq!(error.code(), Code::LeaseLost, "{operation}: {error}"),
        }
    }
}

#[test]
fn one_wins_each_version_and_each_attempt_while_processes_are_killed() {
    let kills = setting("FOLKMOOT_TEST_KILLS", 1_000) / 20;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file, config()).unwrap();
    register(&hub, "parent");
    let mut dice = StdRng::seed_from_u64(setting("FOLKMOOT_TEST_SEED", 11));
    let mut players: Vec<(Player, std::thread::JoinHandle<Vec<Op>>)> = Vec::new();
    let (mut ops, mut made) = (Vec::new(), 0);
    for life in 0..kills + 4 {
        if players.len() == 4 {
            let (mut player, reader) = players.swap_remove(dice.random_range(0..4));
            player.kill();
            ops.extend(reader.join().unwrap());
        }
        let settings = [
            ("FOLKMOOT_TEST_NAME", format!("racer-{life}")),
            ("FOLKMOOT_TEST_SEED", dice.random::<u32>().to_string()),
        ];
        let mut player = Player::start("racer", &file, &settings);
        let lines = player.lines();
        players
            .push((player, std::thread::spawn(move || lines.filter_map(|line| Op::parse(&line)).collect())));
        for _ in 0..8 {
            made += 1;
            let task = json!({"task_id": format!("task-{made}"), "title": "t", "creator_id": "parent", "max_attempts": 1_000});
            call(&hub, "task.create", task).unwrap();
        }
        std::thread::sleep(Duration::from_millis(dice.random_range(20..120)));
    }
    for (mut player, reader) in players {
        player.kill();
        ops.extend(reader.join().unwrap());
    }
    let histories = judge(&ops).unwrap_or_else(|why| panic!("{why}"));
    hub.check().unwrap();
    let won = ops.iter().filter(|op| op.makes).count();
    assert!(won > 50 && histories > 10, "hardly anything was won: {won} in {histories} histories");
    println!("{kills} kills, {histories} histories of {} operations, {won} winners, 0 violations", ops.len());
}

/// Claims a task, is stopped past its lease, and then tries everything that its token once allowed.
fn sleep_past_the_lease(hub: &Hub, name: &str, file: &Path) {
    let task = call(hub, "task.claim", json!({"agent_id": name, "task_id": format!("of-{name}")})).unwrap();
    let token = task["token"].as_u64().unwrap();
    say("claimed");
    let go = file.with_file_name(format!("{name}-go"));
    while !go.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let by = json!({"task_id": task["task_id"], "agent_id": name, "token": token});
    for (operation, more) in [
        ("task.renew", json!({})),
        ("task.progress", json!({"progress": 50, "phase": "late"})),
        ("task.complete", json!({"result": "late"})),
        ("task.fail", json!({"error": "late"})),
        ("task.release", json!({})),
        ("task.complete_many", json!(null)),
    ] {
        let mut input = by.clone();
        match more {
            Value::Null => {
                input = json!({"agent_id": name, "tasks": [{"task_id": task["task_id"], "token": token}]})
            }
            more => input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone()),
        }
        let outcome = call(hub, operation, input).map_or_else(|error| error.code().as_str(), |_| "accepted");
        say(&format!("{operation} {outcome}"));
    }
    say("end");
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_worker_that_was_stopped_past_its_lease_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file, config()).unwrap();
    register(&hub, "parent");
    hub.hold_agent("parent").unwrap();
    let names: Vec<String> = (0..6).map(|i| format!("sleeper-{i}")).collect();
    let mut sleepers = Vec::new();
    for name in &names {
        let task =
            json!({"task_id": format!("of-{name}"), "title": "t", "creator_id": "parent", "max_attempts": 9});
        call(&hub, "task.create", task).unwrap();
        let mut sleeper = Player::start("sleeper", &file, &[("FOLKMOOT_TEST_NAME", name.clone())]);
        assert_eq!(sleeper.hear().as_deref(), Some("claimed"));
        sleeper.signal("STOP");
        sleepers.push(sleeper);
    }
    let mut late = 0;
    for (i, (name, mut sleeper)) in names.iter().zip(sleepers).enumerate() {
        let id = format!("of-{name}");
        let task = || call(&hub, "task.get", json!({"task_id": id})).unwrap();
        wait_until(|| task()["agent_id"].is_null());
        // Some tasks are given to another meanwhile, some wait, some are done.
        if i % 3 != 0 {
            let claim = json!({"agent_id": "parent", "task_id": id, "lease_seconds": 300});
            wait_until(|| call(&hub, "task.claim", claim.clone()).is_ok_and(|task| task["token"].is_u64()));
        }
        if i % 3 == 2 {
            let done =
                json!({"task_id": id, "agent_id": "parent", "token": task()["token"], "result": "in time"});
            call(&hub, "task.complete", done).unwrap();
        }
        let before = task();
        std::fs::write(file.with_file_name(format!("{name}-go")), "").unwrap();
        sleeper.signal("CONT");
        while let Some(line) = sleeper.hear().filter(|line| line != "end") {
            assert!(line.ends_with(" lease_lost"), "{name}, {}: {line}", before["status"]);
            late += 1;
        }
        let (mut after, mut before) = (task(), before);
        // A back-off that ends meanwhile is no deed of the sleeper's.
        for task in [&mut after, &mut before] {
            ["retry_at", "updated_at"].iter().for_each(|field| task[*field] = Value::Null);
        }
        assert_eq!(after, before);
    }
    hub.check().unwrap();
    println!("{late} late writes, 0 accepted");
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_wall_clock_that_jumps_ten_years_ends_no_lease_and_grants_none() {
    const YEARS: f64 = 10.0 * 365.25 * 86_400.0;
    let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let config = HubConfig { lease_seconds: 60.0, presence_ttl_seconds: 600.0, ..config() };
    let hub = Hub::open_with(":memory:", config, seams).unwrap();
    register(&hub, "ana");
    let status = |id: &str| call(&hub, "task.get", json!({"task_id": id})).unwrap()["status"].clone();
    for (i, jump) in [YEARS, -YEARS, -YEARS, YEARS].into_iter().enumerate() {
        let (kept, lost) = (format!("kept-{i}"), format!("lost-{i}"));
        let mut tokens = Vec::new();
        for id in [&kept, &lost] {
            call(&hub, "task.create", json!({"task_id": id, "title": "t", "creator_id": "ana"})).unwrap();
            tokens.push(
                call(&hub, "task.claim", json!({"agent_id": "ana", "task_id": id})).unwrap()["token"].clone(),
            );
        }
        hub.tend().unwrap();
        clock.advance(Duration::from_secs(40));
        clock.jump_wall(jump);
        hub.tend().unwrap();
        assert_eq!(call(&hub, "presence.get", json!({"agent_id": "ana"})).unwrap()["status"], "idle");
        for (id, token) in [(&kept, &tokens[0]), (&lost, &tokens[1])] {
            assert_eq!(status(id), "claimed", "after a jump of {jump}");
            let renew = json!({"task_id": id, "agent_id": "ana", "token": token});
            if id == &kept {
                call(&hub, "task.renew", renew).unwrap();
            }
        }
        clock.advance(Duration::from_secs(21));
        hub.tend().unwrap();
        let complete = |id: &str, token: &Value| {
            call(&hub, "task.complete", json!({"task_id": id, "agent_id": "ana", "token": token}))
        };
        assert_eq!(
            complete(&lost, &tokens[1]).unwrap_err().code(),
            Code::LeaseLost,
            "after a jump of {jump}"
        );
        complete(&kept, &tokens[0]).unwrap();
        call(&hub, "agent.heartbeat", json!({"agent_id": "ana"})).unwrap();
    }
    hub.check().unwrap();
}
