//! Limits of a whole hub: how many there may be of something.

use folkmoot_engine::{Code, Error, Filter, agents};
use serde_json::{Value, json};

use super::case::Refused;
use super::stage::{call, furnish, names, open, seen};

/// The keys of the configuration that are met here.
pub const KEYS: [&str; 8] = [
    "max_agents",
    "max_subscriptions",
    "relaxed_queue",
    "subscription_queue",
    "max_sessions",
    "max_clients",
    "max_participants",
    "max_channels",
];

/// Meets the limits of a hub; answers how each was refused.
pub fn refusals() -> Vec<Refused> {
    let mut all =
        vec![agents_of_a_hub(), subscriptions_of_a_hub(), consumers_of_a_hub(), buckets_of_an_answer()];
    all.extend(of_sessions());
    all
}

fn refused(error: &Error, limit: u64) -> Refused {
    assert_eq!(error.code(), Code::LimitExceeded, "{error:?}");
    assert_eq!(error.details()["limit"], limit, "{error:?}");
    assert!(error.message().contains(&limit.to_string()), "{error:?}");
    let limit_name = error.details()["limit_name"].as_str().unwrap().to_owned();
    Refused { limit_name, message: error.message().to_owned() }
}

fn agents_of_a_hub() -> Refused {
    let hub = open(&[("max_agents", 3)]);
    furnish(&hub, false);
    call(&hub, "agent.register", &json!({"name": "third"})).unwrap();
    let before = seen(&hub);
    let error = call(&hub, "agent.register", &json!({"name": "fourth"})).unwrap_err();
    assert_eq!(error.details()["value"], 4, "{error:?}");
    assert_eq!(seen(&hub), before);
    // One that is known may still change.
    call(&hub, "agent.register", &json!({"name": "third", "role": "writer"})).unwrap();
    refused(&error, 3)
}

fn subscriptions_of_a_hub() -> Refused {
    let hub = open(&[("max_subscriptions", 2)]);
    let one = hub.subscribe(Filter::default(), None).unwrap();
    let _two = hub.subscribe(Filter::default(), None).unwrap();
    let Err(error) = hub.subscribe(Filter::default(), None) else { panic!("a third one was let in") };
    drop(one);
    hub.subscribe(Filter::default(), None).unwrap();
    refused(&error, 2)
}

fn consumers_of_a_hub() -> Refused {
    let hub = open(&[]);
    for name in names(10_000) {
        call(&hub, "consumer.open", &json!({"name": name})).unwrap();
    }
    let error = call(&hub, "consumer.open", &json!({"name": "more"})).unwrap_err();
    // One that is known is opened again.
    call(&hub, "consumer.open", &json!({"name": "n7"})).unwrap();
    refused(&error, 10_000)
}

/// How many there may be of what makes up sessions. Rates are met in the tests of channels.
fn of_sessions() -> Vec<Refused> {
    let start = |participants: Value| ("session.start", json!({"participants": participants}));
    let channel =
        |name: &str| ("channel.create", json!({"session_id": "x", "channel": name, "type": "broadcast"}));
    let connect = || ("session.connect", json!({"session_id": "x"}));
    [
        ("max_sessions", 2, start(json!(["x"])), start(json!(["x"]))),
        ("max_participants", 2, start(json!(["x", "y"])), start(json!(["x", "y", "z"]))),
        ("max_channels", 5, channel("fifth"), channel("sixth")),
        ("max_clients", 1, connect(), connect()),
    ]
    .into_iter()
    .map(|(key, limit, fits, past)| {
        let hub = open(&[(key, limit)]);
        call(&hub, "agent.register", &json!({"name": "z"})).unwrap();
        furnish(&hub, false);
        call(&hub, fits.0, &fits.1).unwrap();
        let before = seen(&hub);
        let error = call(&hub, past.0, &past.1).unwrap_err();
        assert_eq!(seen(&hub), before);
        refused(&error, limit)
    })
    .collect()
}

/// Messages of 10,001 different seconds cannot be sent in a test: a clock that is moved stands in for them.
fn buckets_of_an_answer() -> Refused {
    use folkmoot_engine::clock::{Clock, ManualClock, Time};
    use folkmoot_engine::seams::Seams;
    use folkmoot_engine::{Durability, Hub, HubConfig, messages};
    let clock = ManualClock::at(Time::from_millis(1_768_402_230_123));
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let config = HubConfig { durability: Durability::Memory, ..HubConfig::default() };
    let hub = Hub::open_with(":memory:", config, seams).unwrap();
    hub.run(agents::Register::new("x")).unwrap();
    let stats = || call(&hub, "message.stats", &json!({"bucket_seconds": 1}));
    let send = || drop(hub.run(messages::Send::new("x", "m")).unwrap());
    for _ in 0..10_000 {
        send();
        clock.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(stats().unwrap()["buckets"].as_array().map(Vec::len), Some(10_000), "at {}", clock.wall());
    send();
    refused(&stats().unwrap_err(), 10_000)
}

#[test]
fn a_full_queue_of_presence_loses_no_count_and_says_that_it_folded() {
    let hub = open(&[("relaxed_queue", 1), ("flush_milliseconds", 10)]);
    furnish(&hub, false);
    for _ in 0..2_000 {
        call(&hub, "presence.update", &json!({"agent_id": "x", "tool_name": "bash", "tokens": 2})).unwrap();
    }
    let presence = call(&hub, "presence.get", &json!({"agent_id": "x"})).unwrap();
    assert_eq!(
        (&presence["total_tools_executed"], &presence["total_cost_tokens"]),
        (&json!(2_000), &json!(4_000))
    );
    let status = call(&hub, "hub.status", &json!({})).unwrap();
    assert_ne!(status["coalesced"], json!(0), "a queue of one took 2,000 updates");
    hub.flush().unwrap();
    assert_eq!(call(&hub, "presence.get", &json!({"agent_id": "x"})).unwrap(), presence);
}

#[test]
fn a_queue_of_one_event_still_gives_a_subscriber_everything_once() {
    let hub = open(&[("subscription_queue", 1)]);
    let mut heard = hub.subscribe(Filter::kinds(["memory.*"]), None).unwrap();
    for i in 0..50 {
        call(&hub, "memory.set", &json!({"key": "k", "value": i})).unwrap();
    }
    let mut values = Vec::new();
    while values.len() < 50 {
        match heard.next(std::time::Duration::from_secs(20)).unwrap().expect("an event") {
            folkmoot_engine::Item::Event(event) => values.push(event.data.to_value()["value"].clone()),
            _ => continue,
        }
    }
    assert_eq!(values, (0..50).map(Value::from).collect::<Vec<_>>());
}
