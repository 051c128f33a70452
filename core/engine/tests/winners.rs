//! S5 and S6: one winner, and no stale worker.
//!
//! Processes that are killed claim the same tasks, reserve and move them, and compare-and-set the same keys and the same
//! shared state of a session; what each was told, with the times between which it was told, must be a history that could
//! have happened one after another. Workers that are stopped past their lease come back and change nothing. Clocks that
//! jump by ten years change nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "winners/linear.rs"]
mod linear;
mod players;
#[path = "winners/reservations.rs"]
mod reservations;

use std::path::Path;
use std::time::{Duration, Instant};

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Hub, HubConfig};
use linear::{Op, judge};
use players::{Player, say, setting};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reservations::Given;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

fn config() -> HubConfig {
    HubConfig {
        durability: Durability::Normal,
        presence_ttl_seconds: 0.3,
        lease_seconds: 0.3,
        reservation_seconds: 0.2,
        max_participants: 1_000,
        status_interval_seconds: 0.0,
        ..HubConfig::default()
    }
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, folkmoot_engine::Error> {
    let answer = hub.call(name, input.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

fn register(hub: &Hub, agent: &str) {
    call(hub, "agent.register", json!({"name": agent, "max_load": 4})).unwrap();
}

#[test]
fn child() {
    let Some((part, file)) = players::part() else { return };
    let hub = Hub::open(&file, config()).unwrap();
    let name = std::env::var("FOLKMOOT_TEST_NAME").unwrap();
    register(&hub, &name);
    match part.as_str() {
        "racer" => std::thread::scope(|scope| {
            call(&hub, "session.join", json!({"session_id": "all", "agent_id": name})).unwrap();
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
        race_for_state(hub, name);
        reservations::race(hub, name, &mut dice);
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

/// Compare-and-set on the shared state of a session.
fn race_for_state(hub: &Hub, name: &str) {
    let began = now();
    let seen =
        call(hub, "session.get_state", json!({"session_id": "all"})).unwrap()["version"].as_u64().unwrap();
    report("state", false, seen, began, name);
    let began = now();
    let patch = json!({"session_id": "all", "agent_id": name, "patch": {"by": format!("{name} {began}")},
        "expected_version": seen});
    match call(hub, "session.patch_state", patch) {
        Ok(state) => report("state", true, state["version"].as_u64().unwrap(), began, name),
        Err(error) => {
            assert_eq!(error.code(), Code::Conflict, "{error}");
            report("state", false, error.details()["current_version"].as_u64().unwrap(), began, name);
        }
    }
}

#[test]
fn one_wins_each_version_each_attempt_and_each_reservation_while_processes_are_killed() {
    let kills = setting("FOLKMOOT_TEST_KILLS", 1_000) / 20;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file, config()).unwrap();
    register(&hub, "parent");
    call(&hub, "session.start", json!({"session_id": "all", "participants": ["parent"]})).unwrap();
    let mut dice = StdRng::seed_from_u64(setting("FOLKMOOT_TEST_SEED", 11));
    let mut players: Vec<(Player, std::thread::JoinHandle<Vec<String>>)> = Vec::new();
    let (mut said, mut made) = (Vec::new(), 0);
    for life in 0..kills + 4 {
        if players.len() == 4 {
            let (mut player, reader) = players.swap_remove(dice.random_range(0..4));
            player.kill();
            said.extend(reader.join().unwrap());
        }
        let settings = [
            ("FOLKMOOT_TEST_NAME", format!("racer-{life}")),
            ("FOLKMOOT_TEST_SEED", dice.random::<u32>().to_string()),
        ];
        let mut player = Player::start("racer", &file, &settings);
        let lines = player.lines();
        players.push((player, std::thread::spawn(move || lines.collect())));
        for _ in 0..8 {
            made += 1;
            let task = json!({"task_id": format!("task-{made}"), "title": "t", "creator_id": "parent", "max_attempts": 1_000});
            call(&hub, "task.create", task).unwrap();
        }
        std::thread::sleep(Duration::from_millis(dice.random_range(20..120)));
    }
    for (mut player, reader) in players {
        player.kill();
        said.extend(reader.join().unwrap());
    }
    let ops: Vec<Op> = said.iter().filter_map(|line| Op::parse(line)).collect();
    let given: Vec<Given> = said.iter().filter_map(|line| Given::parse(line)).collect();
    let histories = judge(&ops).unwrap_or_else(|why| panic!("{why}"));
    let given = reservations::judge(&hub, &given).unwrap_or_else(|why| panic!("{why}"));
    hub.check().unwrap();
    let won = ops.iter().filter(|op| op.makes).count();
    assert!(won > 50 && histories > 10, "hardly anything was won: {won} in {histories} histories");
    assert!(given > 20, "hardly anything was reserved: {given}");
    println!(
        "{kills} kills, {histories} histories of {} operations, {won} winners, {given} reservations, 0 violations",
        ops.len()
    );
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
