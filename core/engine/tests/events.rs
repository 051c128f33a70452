//! What subscriptions and consumers promise: every event once, in order, or told that it is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod players;

use std::path::Path;
use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Filter, Hub, HubConfig, Item, Principal, Subscription};
use players::{Player, say};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

/// Long enough for any machine: only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, status_interval_seconds: 0.0, ..HubConfig::default() }
}

fn memory(config: HubConfig) -> Hub {
    Hub::open(":memory:", config).unwrap()
}

fn call(hub: &Hub, name: &str, input: Value) -> Value {
    let answer =
        hub.call(name, input.to_string().as_bytes()).unwrap_or_else(|e| panic!("{name} {input}: {e}"));
    serde_json::from_slice(&answer).unwrap()
}

fn publish(hub: &Hub, event_type: &str) -> u64 {
    call(hub, "event.publish", json!({"event_type": event_type, "source_agent": "ana"}))["seq"]
        .as_u64()
        .unwrap()
}

fn publish_many(hub: &Hub, event_type: &str, count: u64) {
    (0..count).for_each(|_| {
        publish(hub, event_type);
    });
}

fn next(subscription: &mut Subscription) -> Item {
    subscription.next(PATIENCE).unwrap().expect("nothing came")
}

fn next_seq(subscription: &mut Subscription) -> u64 {
    match next(subscription) {
        Item::Event(event) => event.seq,
        other => panic!("{other:?}"),
    }
}

/// All that comes without waiting.
fn drain(subscription: &mut Subscription) -> Vec<u64> {
    std::iter::from_fn(|| subscription.try_next().unwrap())
        .filter_map(|item| if let Item::Event(event) = item { Some(event.seq) } else { None })
        .collect()
}

#[test]
fn child() {
    let Some((part, file)) = players::part() else { return };
    let hub = Hub::open(&file, config()).unwrap();
    match part.as_str() {
        "echo" => {
            let filter = Filter { event_types: vec!["ping".into()], ..Filter::default() };
            let mut pings = hub.subscribe(filter, None).unwrap();
            say("listening");
            loop {
                let ping = next_seq(&mut pings);
                let input = json!({"event_type": "pong", "source_agent": "echo", "payload": ping});
                call(&hub, "event.publish", input);
            }
        }
        "writer" => {
            for _ in 0..400 {
                publish(&hub, "from outside");
            }
        }
        part => panic!("no part {part}"),
    }
}

#[test]
fn a_slow_subscriber_falls_behind_and_hears_everything_once_and_in_order() {
    const EVENTS: u64 = 600;
    for capacity in [1, 2, 7, 100] {
        let hub = memory(HubConfig { subscription_queue: capacity, ..config() });
        let subscriptions: Vec<_> = (0..6)
            .map(|i| hub.subscribe(Filter::kinds(["event.published"]), (i % 2 == 0).then_some(0)).unwrap())
            .collect();
        std::thread::scope(|scope| {
            for writer in 0..3 {
                let hub = &hub;
                scope.spawn(move || publish_many(hub, &format!("w{writer}"), EVENTS / 3));
            }
            for (seed, mut subscription) in subscriptions.into_iter().enumerate() {
                scope.spawn(move || {
                    let mut dice = StdRng::seed_from_u64(seed as u64);
                    let mut expected = 1;
                    while expected <= EVENTS {
                        match next(&mut subscription) {
                            Item::Event(event) => {
                                assert_eq!(event.seq, expected, "capacity {capacity}");
                                expected += 1;
                            }
                            // A position never runs ahead of what was given.
                            Item::Position { seq } => assert!(seq < expected, "{seq} before {expected}"),
                            Item::Gap { .. } => panic!("nothing was trimmed"),
                        }
                        assert_eq!(subscription.position(), expected - 1);
                        if dice.random_bool(0.05) {
                            std::thread::sleep(Duration::from_micros(dice.random_range(0..3_000)));
                        }
                    }
                    assert!(drain(&mut subscription).is_empty(), "something came twice");
                });
            }
        });
    }
}

#[test]
fn a_frame_in_a_queue_of_one_does_not_lead_back_to_the_start() {
    let quick = HubConfig { subscription_queue: 1, status_interval_seconds: 0.01, ..config() };
    let hub = memory(quick);
    publish_many(&hub, "before", 5);
    let mut live = hub.subscribe(Filter::default(), None).unwrap();
    // The summary takes the only place in the queue before anything else comes.
    std::thread::sleep(Duration::from_millis(100));
    let seq = publish(&hub, "after");
    loop {
        match next(&mut live) {
            Item::Event(event) if event.seq == 0 => {}
            Item::Event(event) => break assert_eq!(event.seq, seq),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_was_away_is_told_what_retention_took_and_hears_the_rest() {
    let hub = memory(HubConfig { retain_events: 10, ..config() });
    publish_many(&hub, "work", 50);
    let mut before = hub.subscribe(Filter::default(), Some(3)).unwrap();
    hub.tend().unwrap();
    let base = call(&hub, "hub.status", json!({}))["base_seq"].as_u64().unwrap();
    assert!(base >= 30, "only {base} were taken");
    let mut after = hub.subscribe(Filter::default(), Some(7)).unwrap();
    for (subscription, first) in [(&mut before, 4), (&mut after, 8)] {
        match next(subscription) {
            Item::Gap { from, to } => assert_eq!((from, to), (first, base)),
            other => panic!("{other:?}"),
        }
        assert_eq!(subscription.position(), base);
        assert_eq!(drain(subscription), (base + 1..=50).collect::<Vec<_>>());
    }
    let page = call(&hub, "event.read", json!({"after": 3}));
    assert_eq!(page["gap"], json!({"from": 4, "to": base}));
    hub.check().unwrap();
}

#[test]
fn relaxed_events_do_not_push_durable_ones_out_of_the_log() {
    let hub = memory(HubConfig { retain_events: 20, ..config() });
    call(&hub, "agent.register", json!({"name": "ana"}));
    for _ in 0..10 {
        publish(&hub, "durable");
        (0..20).for_each(|_| {
            drop(call(&hub, "presence.update", json!({"agent_id": "ana", "tool_name": "bash"})))
        });
        hub.flush().unwrap();
    }
    hub.tend().unwrap();
    assert_eq!(call(&hub, "hub.status", json!({}))["base_seq"], 0, "eleven durable events, twenty are kept");
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_costs_no_other_event() {
    const YEARS: f64 = 10.0 * 365.0 * 86_400.0;
    let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let hub = Hub::open_with(":memory:", config(), seams).unwrap();
    publish_many(&hub, "before", 5);
    for jump in [-YEARS, YEARS] {
        clock.jump_wall(jump);
        publish(&hub, "while the clock was wrong");
        clock.jump_wall(-jump);
        publish_many(&hub, "after", 5);
        hub.tend().unwrap();
        assert_eq!(call(&hub, "hub.status", json!({}))["base_seq"], 0, "after a jump of {jump} seconds");
    }
}

#[test]
fn a_subscriber_to_little_is_told_how_far_the_log_has_come() {
    let hub = memory(config());
    let mut quiet =
        hub.subscribe(Filter { task_id: Some("none".into()), ..Filter::default() }, None).unwrap();
    assert!(quiet.try_next().unwrap().is_none());
    publish_many(&hub, "for others", 1_100);
    match next(&mut quiet) {
        Item::Position { seq } => assert_eq!(seq, 1_100),
        other => panic!("{other:?}"),
    }
    assert_eq!(quiet.position(), 1_100);
}

#[test]
fn resuming_after_a_position_gives_the_rest_and_nothing_twice() {
    let hub = memory(HubConfig { subscription_queue: 5, ..config() });
    let mut dice = StdRng::seed_from_u64(3);
    let (mut heard, mut position) = (Vec::new(), 0);
    for round in 0..40 {
        publish_many(&hub, "x", dice.random_range(0..30));
        let mut subscription = hub.subscribe(Filter::default(), Some(position)).unwrap();
        for _ in 0..dice.random_range(0..25) {
            if let Some(Item::Event(event)) = subscription.try_next().unwrap() {
                heard.push(event.seq);
            }
            assert!(round == 0 || subscription.position() >= position);
        }
        position = subscription.position();
    }
    heard.extend(drain(&mut hub.subscribe(Filter::default(), Some(position)).unwrap()));
    let head = call(&hub, "hub.status", json!({}))["seq"].as_u64().unwrap();
    assert_eq!(heard, (1..=head).collect::<Vec<_>>());
    let error = hub.subscribe(Filter::default(), Some(head + 1)).err().unwrap();
    assert_eq!((error.code(), &error.details()["field"]), (Code::InvalidInput, &json!("after")));
}

#[test]
fn a_consumer_goes_on_where_it_acknowledged_also_after_the_hub_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let open = || Hub::open(&file, config()).unwrap();
    let hub = open();
    publish(&hub, "before it was there");
    call(&hub, "consumer.open", json!({"name": "c", "filter": {"event_types": ["mine"]}}));
    let mine: Vec<u64> =
        (0..6).flat_map(|_| [publish(&hub, "mine"), publish(&hub, "other")]).step_by(2).collect();
    let read = |hub: &Hub, limit: u64| -> Vec<u64> {
        let page = call(hub, "consumer.read", json!({"name": "c", "limit": limit}));
        page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(read(&hub, 2), mine[..2]);
    assert_eq!(read(&hub, 2), mine[..2], "what is not acknowledged comes again");
    call(&hub, "consumer.ack", json!({"name": "c", "seq": mine[1]}));
    assert_eq!(
        call(&hub, "consumer.ack", json!({"name": "c", "seq": 1}))["acked"],
        mine[1],
        "never backwards"
    );
    hub.close();
    let hub = open();
    assert_eq!(call(&hub, "consumer.open", json!({"name": "c"}))["acked"], mine[1]);
    assert_eq!(read(&hub, 100), mine[2..]);
    let waits = std::thread::scope(|scope| {
        call(&hub, "consumer.ack", json!({"name": "c", "seq": mine[5]}));
        let waits = scope.spawn(|| call(&hub, "consumer.read", json!({"name": "c", "wait_seconds": 60})));
        publish(&hub, "other");
        publish(&hub, "mine");
        waits.join().unwrap()
    });
    assert_eq!(waits["events"].as_array().unwrap().len(), 1);
}

#[test]
fn every_field_of_a_filter_lets_through_what_it_names_and_nothing_else() {
    let hub = memory(config());
    call(&hub, "agent.register", json!({"name": "ana"}));
    let filters = [
        json!({}),
        json!({"kinds": ["memory.*"]}),
        json!({"kinds": ["memory.deleted", "agent.joined"]}),
        json!({"kinds": ["*"]}),
        json!({"event_types": ["build"]}),
        json!({"agents": ["bob"]}),
        json!({"agents": ["ana", "bob", "eve"]}),
        json!({"session_id": "s1"}),
        json!({"task_id": "t1"}),
        json!({"key_prefix": "plans/ü"}),
        json!({"key_prefix": ""}),
        json!({"correlation_id": "c1"}),
        json!({"agents": ["bob"], "event_types": ["build"], "correlation_id": "c1"}),
    ]
    .map(|filter| serde_json::from_value::<Filter>(filter).unwrap());
    let mut live: Vec<_> =
        filters.iter().map(|filter| hub.subscribe(filter.clone(), None).unwrap()).collect();
    let start = call(&hub, "hub.status", json!({}))["seq"].as_u64().unwrap();
    for (event_type, source, targets, correlation) in [
        ("build", "ana", json!(["bob"]), json!("c1")),
        ("build", "bob", json!("*"), json!(null)),
        ("test", "eve", json!(["ana", "bob"]), json!("c1")),
        ("test", "ana", json!(null), json!(null)),
    ] {
        let input = json!({"event_type": event_type, "source_agent": source, "target_agents": targets, "correlation_id": correlation});
        call(&hub, "event.publish", input);
    }
    for key in ["plans/über", "plans/u", "build"] {
        call(&hub, "memory.set", json!({"key": key, "value": 1, "agent_id": "bob"}));
        call(&hub, "memory.delete", json!({"key": key}));
    }
    call(
        &hub,
        "presence.update",
        json!({"agent_id": "ana", "session_id": "s1", "task_id": "t1", "event": "build"}),
    );
    hub.flush().unwrap();
    call(&hub, "agent.leave", json!({"agent_id": "ana"}));
    let heard: Vec<Vec<u64>> = live.iter_mut().map(drain).collect();
    for (filter, heard) in filters.iter().zip(&heard) {
        // The same filter over the log, and over every event by itself, says the same.
        let mut past = hub.subscribe(filter.clone(), Some(start)).unwrap();
        assert_eq!(*heard, drain(&mut past), "{filter:?}");
        let page = call(&hub, "event.read", json!({"after": start, "filter": filter}));
        let read: Vec<u64> =
            page["events"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
        assert_eq!(*heard, read, "{filter:?}");
    }
    let counts: Vec<usize> = heard.iter().map(Vec::len).collect();
    assert_eq!(counts, [12, 6, 3, 12, 2, 6, 9, 2, 1, 2, 6, 2, 1]);
    let error = hub.subscribe(Filter::kinds(["Task.*"]), None).err().unwrap();
    assert_eq!((error.code(), &error.details()["field"]), (Code::InvalidInput, &json!("kinds[0]")));
}

#[test]
fn two_processes_hear_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file, config()).unwrap();
    let mut echo = Player::start("echo", &file, &[]);
    assert_eq!(echo.hear().as_deref(), Some("listening"));
    let filter = Filter { event_types: vec!["pong".into()], ..Filter::default() };
    let mut pongs = hub.subscribe(filter, None).unwrap();
    for _ in 0..100 {
        let ping = publish(&hub, "ping");
        match next(&mut pongs) {
            Item::Event(event) => assert_eq!(event.data.to_value()["payload"], ping),
            other => panic!("{other:?}"),
        }
    }
    echo.kill();
    several_writers_are_heard_in_one_order(&file, &hub);
}

fn several_writers_are_heard_in_one_order(file: &Path, hub: &Hub) {
    let mut all = hub.subscribe(Filter::default(), None).unwrap();
    let first = all.position() + 1;
    let players: Vec<_> = (0..2).map(|_| Player::start("writer", file, &[])).collect();
    publish_many(hub, "from inside", 400);
    for expected in first..first + 1_200 {
        assert_eq!(next_seq(&mut all), expected);
    }
    players.into_iter().for_each(Player::finish);
    hub.check().unwrap();
}

#[test]
fn ten_thousand_may_listen_and_one_more_is_told_the_limit() {
    let hub = memory(config());
    let mut idle: Vec<_> = (0..10_000)
        .map(|i| {
            let filter = Filter { agents: vec![format!("agent-{i}")], ..Filter::default() };
            hub.subscribe_as(&Principal::agent(&format!("agent-{i}")), filter, None).unwrap()
        })
        .collect();
    let error = hub.subscribe(Filter::default(), None).err().unwrap();
    assert_eq!(error.code(), Code::LimitExceeded, "{error}");
    assert_eq!((&error.details()["limit"], &error.details()["value"]), (&json!(10_000), &json!(10_001)));
    call(
        &hub,
        "event.publish",
        json!({"event_type": "x", "source_agent": "a", "target_agents": "agent-9999"}),
    );
    assert_eq!(drain(idle.last_mut().unwrap()), [1]);
    assert!(drain(&mut idle[0]).is_empty());
    idle.pop();
    let mut again = hub.subscribe(Filter::default(), Some(0)).unwrap();
    assert_eq!(next_seq(&mut again), 1);
    drop(idle);
    assert_eq!(call(&hub, "hub.status", json!({}))["subscriptions"], 1);
}
