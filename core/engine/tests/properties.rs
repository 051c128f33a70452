//! The life-cycles of a key and of a presence, against models of a few lines each, under any course of events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Hub, HubConfig};
use proptest::prelude::*;
use serde_json::{Value, json};

fn hub(clock: &std::sync::Arc<ManualClock>, background: bool) -> Hub {
    let config = HubConfig { durability: Durability::Normal, retain_versions: 1_000, ..HubConfig::default() };
    Hub::open_with(":memory:", config, Seams { clock: clock.clone(), background, ..Seams::default() })
        .unwrap()
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, Code> {
    let answer = hub.call(name, input.to_string().as_bytes()).map_err(|error| error.code())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// What may happen to a key.
#[derive(Debug, Clone)]
enum Deed {
    Set { value: i64, expected: Option<u64>, ttl: bool },
    Delete { expected: Option<u64> },
    Increment(i64),
    Patch(i64),
    Wait,
    Tend,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let expected = || proptest::option::of(0..6u64);
    let deed = prop_oneof![
        4 => (-3..9i64, expected(), proptest::bool::weighted(0.3)).prop_map(|(value, expected, ttl)| Deed::Set { value, expected, ttl }),
        2 => expected().prop_map(|expected| Deed::Delete { expected }),
        2 => (-3..9i64).prop_map(Deed::Increment),
        1 => (-3..9i64).prop_map(Deed::Patch),
        1 => Just(Deed::Wait),
        1 => Just(Deed::Tend),
    ];
    proptest::collection::vec(deed, 1..40)
}

/// A key as the model knows it: all of its versions, and when the newest ends.
#[derive(Default)]
struct Key {
    versions: Vec<Option<Value>>,
    ends: Option<i64>,
}

impl Key {
    fn live(&self, now: i64) -> Option<&Value> {
        self.versions.last()?.as_ref().filter(|_| self.ends.is_none_or(|at| at > now))
    }

    fn current(&self, now: i64) -> u64 {
        if self.live(now).is_some() { self.versions.len() as u64 } else { 0 }
    }

    /// What a deed must answer: the new version, or a refusal.
    fn expect(&mut self, deed: &Deed, now: i64) -> Result<Option<u64>, Code> {
        let (value, ends) = match deed {
            Deed::Set { expected, .. } | Deed::Delete { expected }
                if expected.is_some_and(|e| e != self.current(now)) =>
            {
                return Err(Code::Conflict);
            }
            Deed::Set { value, ttl, .. } => (Some(json!(value)), ttl.then_some(now + 1_000)),
            Deed::Delete { .. } | Deed::Patch(_) if self.live(now).is_none() => return Err(Code::NotFound),
            Deed::Delete { .. } => (None, None),
            Deed::Increment(by) => match self.live(now).map_or(Some(0), Value::as_i64) {
                Some(number) => (Some(json!(number + by)), self.ends.filter(|_| self.live(now).is_some())),
                None => return Err(Code::Conflict),
            },
            Deed::Patch(value) => (Some(json!({ "patched": value })), self.ends),
            Deed::Wait => return Ok(None),
            Deed::Tend if self.current(now) == 0 && self.versions.last().is_some_and(Option::is_some) => {
                (None, None)
            }
            Deed::Tend => return Ok(None),
        };
        self.versions.push(value);
        self.ends = ends;
        Ok(Some(self.versions.len() as u64))
    }
}

fn perform(hub: &Hub, clock: &ManualClock, deed: &Deed) -> Result<Option<u64>, Code> {
    let answer = match deed {
        Deed::Set { value, expected, ttl } => {
            let ttl = ttl.then_some(1.0);
            call(
                hub,
                "memory.set",
                json!({"key": "k", "value": value, "expected_version": expected, "ttl_seconds": ttl}),
            )?
        }
        Deed::Delete { expected } => {
            call(hub, "memory.delete", json!({"key": "k", "expected_version": expected}))?
        }
        Deed::Increment(by) => call(hub, "memory.increment", json!({"key": "k", "by": by}))?,
        Deed::Patch(value) => call(hub, "memory.patch", json!({"key": "k", "patch": {"patched": value}}))?,
        Deed::Wait => {
            clock.advance(Duration::from_millis(600));
            return Ok(None);
        }
        Deed::Tend => {
            let before = call(hub, "memory.history", json!({"key": "k"}))
                .map_or(0, |page| page["versions"].as_array().unwrap().len());
            hub.tend().unwrap();
            let after = call(hub, "memory.history", json!({"key": "k"}))
                .map_or(0, |page| page["versions"].as_array().unwrap().len());
            return Ok((after > before).then_some(after as u64));
        }
    };
    Ok(answer["version"].as_u64())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_key_lives_as_its_model_says(deeds in deeds()) {
        let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
        let hub = hub(&clock, false);
        let (mut key, mut now) = (Key::default(), 0);
        for deed in &deeds {
            let expected = key.expect(deed, now);
            prop_assert_eq!(perform(&hub, &clock, deed), expected, "{:?}", deed);
            now += if matches!(deed, Deed::Wait) { 600 } else { 0 };
            let found = call(&hub, "memory.get", json!({"key": "k"})).ok().map(|entry| entry["value"].clone());
            prop_assert_eq!(found.as_ref(), key.live(now), "after {:?}", deed);
        }
        for (i, version) in key.versions.iter().enumerate() {
            let entry = call(&hub, "memory.get", json!({"key": "k", "version": i + 1})).unwrap();
            prop_assert_eq!(&entry["value"], version.as_ref().unwrap_or(&Value::Null));
            prop_assert_eq!(entry["deleted"] == true, version.is_none());
        }
        hub.check().unwrap();
    }

    /// With the flush at work beside it, what is read is always exactly what was said.
    #[test]
    fn a_presence_counts_what_it_was_told(deeds in proptest::collection::vec((0..8u8, 0..50u64), 1..80), background: bool) {
        let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
        let hub = hub(&clock, background);
        call(&hub, "agent.register", json!({"name": "ana"})).unwrap();
        let (mut status, mut session, mut tools, mut tokens, mut lifetime) = ("idle", Value::Null, 0, 0, (0, 0));
        for (what, amount) in deeds {
            match what {
                0..=4 => {
                    let new = if what == 4 { json!(format!("s{}", amount % 3)) } else { Value::Null };
                    if !new.is_null() && new != session {
                        (session, tools, tokens) = (new.clone(), 0, 0);
                    }
                    let input = json!({"agent_id": "ana", "tool_name": "bash", "tokens": amount, "session_id": new});
                    call(&hub, "presence.update", input).unwrap();
                    (status, tools, tokens) = ("active", tools + 1, tokens + amount);
                    lifetime = (lifetime.0 + 1, lifetime.1 + amount);
                }
                5 => {
                    hub.flush().unwrap();
                    call(&hub, "agent.set_status", json!({"agent_id": "ana", "status": "error"})).unwrap();
                    status = "error";
                }
                6 => {
                    hub.flush().unwrap();
                    call(&hub, "agent.leave", json!({"agent_id": "ana"})).unwrap();
                    status = "offline";
                }
                _ => {
                    call(&hub, "agent.heartbeat", json!({"agent_id": "ana"})).unwrap();
                    hub.flush().unwrap();
                    let there = call(&hub, "presence.get", json!({"agent_id": "ana"})).unwrap();
                    status = if status == "offline" { "idle" } else { status };
                    prop_assert_eq!(&there["status"], status);
                }
            }
            let there = call(&hub, "presence.get", json!({"agent_id": "ana"})).unwrap();
            prop_assert_eq!(&there["status"], status);
            prop_assert_eq!(&there["session_id"], &session);
            prop_assert_eq!(&there["total_tools_executed"], tools);
            prop_assert_eq!(&there["total_cost_tokens"], tokens);
            prop_assert_eq!(&there["lifetime_tools_executed"], lifetime.0);
            prop_assert_eq!(&there["lifetime_cost_tokens"], lifetime.1);
        }
        hub.flush().unwrap();
        hub.check().unwrap();
        hub.close();
    }
}
