//! The wall clock jumps by years: nothing ends before its time, nothing is taken, and nothing lives for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Hub, HubConfig};
use serde_json::{Value, json};

const YEARS: f64 = 10.0 * 365.0 * 86_400.0;

/// A hub whose keeper works when it is told to, and its clock.
fn open() -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let config = HubConfig { durability: Durability::Memory, retry_seconds: 60.0, ..HubConfig::default() };
    (Hub::open_with(":memory:", config, seams).unwrap(), clock)
}

fn call(hub: &Hub, name: &str, input: Value) -> Value {
    let answer = hub.call(name, input.to_string().as_bytes());
    serde_json::from_slice(&answer.unwrap_or_else(|error| panic!("{name} {input}: {error:?}"))).unwrap()
}

fn is_there(hub: &Hub, key: &str) -> bool {
    match hub.call("memory.get", json!({"key": key}).to_string().as_bytes()) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code(), Code::NotFound, "{error:?}");
            false
        }
    }
}

fn advance(clock: &ManualClock, seconds: u64) {
    clock.advance(Duration::from_secs(seconds));
}

#[test]
fn a_jump_of_the_wall_clock_takes_nothing_from_the_log() {
    let (hub, clock) = open();
    for i in 0..5 {
        call(&hub, "memory.set", json!({"key": format!("k{i}"), "value": i}));
    }
    for jump in [YEARS, -YEARS] {
        clock.jump_wall(jump);
        hub.tend().unwrap();
        advance(&clock, 60);
        hub.tend().unwrap();
        call(&hub, "memory.set", json!({"key": "meanwhile", "value": jump}));
        hub.tend().unwrap();
        assert_eq!(call(&hub, "hub.status", json!({}))["base_seq"], 0, "after a jump of {jump} seconds");
        clock.jump_wall(-jump);
        hub.tend().unwrap();
        assert_eq!(
            call(&hub, "hub.status", json!({}))["base_seq"],
            0,
            "after a jump of {jump} seconds and back"
        );
    }
    hub.check().unwrap();
}

#[test]
fn a_key_lives_as_long_as_was_said_whatever_the_wall_clock_does() {
    let (hub, clock) = open();
    for jump in [YEARS, -YEARS] {
        call(&hub, "memory.set", json!({"key": "before", "value": 1, "ttl_seconds": 100}));
        clock.jump_wall(jump);
        call(&hub, "memory.set", json!({"key": "meanwhile", "value": 1, "ttl_seconds": 200}));
        hub.tend().unwrap();
        assert!(is_there(&hub, "before") && is_there(&hub, "meanwhile"), "after a jump of {jump} seconds");
        assert_eq!(call(&hub, "memory.list", json!({}))["entries"].as_array().map(Vec::len), Some(2));
        advance(&clock, 99);
        hub.tend().unwrap();
        assert!(is_there(&hub, "before"));
        advance(&clock, 2);
        assert!(!is_there(&hub, "before"), "lives on after a jump of {jump} seconds");
        clock.jump_wall(-jump);
        hub.tend().unwrap();
        assert!(is_there(&hub, "meanwhile"), "after a jump of {jump} seconds and back");
        advance(&clock, 100);
        assert!(!is_there(&hub, "meanwhile"), "lives on after a jump of {jump} seconds and back");
    }
    hub.check().unwrap();
}

#[test]
fn a_jump_that_stands_for_an_hour_is_believed() {
    let (hub, clock) = open();
    call(&hub, "memory.set", json!({"key": "k", "value": 1, "ttl_seconds": 86_400}));
    clock.jump_wall(2.0 * 86_400.0);
    for _ in 0..60 {
        hub.tend().unwrap();
        assert!(is_there(&hub, "k"));
        advance(&clock, 60);
    }
    hub.tend().unwrap();
    assert!(!is_there(&hub, "k"));
}

#[test]
fn a_task_in_back_off_and_an_agent_at_work_do_not_notice_a_jump() {
    let (hub, clock) = open();
    call(&hub, "agent.register", json!({"name": "ana"}));
    call(&hub, "task.create", json!({"creator_id": "boss", "title": "t", "task_id": "t"}));
    let claim = || call(&hub, "task.claim", json!({"agent_id": "ana"}));
    for jump in [YEARS, -YEARS] {
        let token = claim()["token"].clone();
        call(
            &hub,
            "task.fail",
            json!({"task_id": "t", "agent_id": "ana", "token": token, "error": "not yet"}),
        );
        call(&hub, "agent.set_status", json!({"agent_id": "ana", "status": "active"}));
        clock.jump_wall(jump);
        hub.tend().unwrap();
        assert_eq!(claim(), Value::Null, "open too early after a jump of {jump} seconds");
        let presence = call(&hub, "presence.get", json!({"agent_id": "ana"}));
        assert_eq!(presence["status"], "active", "after a jump of {jump} seconds");
        clock.jump_wall(-jump);
        advance(&clock, 200);
        hub.tend().unwrap();
    }
    assert_eq!(claim()["attempts"], 3, "not open again after its back-off");
}

#[test]
fn an_idempotency_key_is_remembered_through_a_jump() {
    let (hub, clock) = open();
    let publish = || {
        call(
            &hub,
            "event.publish",
            json!({"event_type": "x", "source_agent": "ana", "idempotency_key": "once"}),
        )["seq"]
            .clone()
    };
    let first = publish();
    for jump in [YEARS, -YEARS] {
        clock.jump_wall(jump);
        hub.tend().unwrap();
        assert_eq!(publish(), first, "after a jump of {jump} seconds");
        clock.jump_wall(-jump);
        hub.tend().unwrap();
        assert_eq!(publish(), first, "after a jump of {jump} seconds and back");
    }
}
