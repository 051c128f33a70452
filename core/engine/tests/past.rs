//! Time travel: the hub as it was, whatever happened since.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::activity::{ActivityFilter, Replay};
use folkmoot_engine::clock::{Clock, ManualClock, Time};
use folkmoot_engine::events::filter::Filter;
use folkmoot_engine::hooks::Hook;
use folkmoot_engine::past::At;
use folkmoot_engine::pipeline::command::Class;
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Hub, HubConfig, memory, operations};
use proptest::prelude::*;
use serde_json::{Value, json};

fn start() -> Time {
    Time::from_millis(1_800_000_000_000)
}

/// A hub that nothing tends but the test, with a clock of its own.
fn hub(path: &std::path::Path, config: HubConfig) -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(start());
    let config = HubConfig { durability: Durability::Normal, ..config };
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    (Hub::open_with(path, config, seams).unwrap(), clock)
}

fn brief() -> HubConfig {
    HubConfig { retain_events: 5, retain_versions: 3, ..HubConfig::default() }
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, folkmoot_engine::Error> {
    let answer = hub.call(name, input.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

fn head(hub: &Hub) -> u64 {
    call(hub, "hub.status", json!({})).unwrap()["seq"].as_u64().unwrap()
}

fn set(hub: &Hub, key: &str, value: i64) -> u64 {
    hub.run(memory::Set::new(key, json!(value))).unwrap();
    head(hub)
}

fn value(hub: &Hub, key: &str) -> Option<Value> {
    call(hub, "memory.get", json!({ "key": key })).ok().map(|entry| entry["value"].clone())
}

/// What may happen; much of it is refused, and then changes nothing.
fn deed() -> impl Strategy<Value = (&'static str, Value)> {
    let agent = || prop_oneof![Just("ana"), Just("bob"), Just("cy")];
    let id = || prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        agent().prop_map(|a| ("agent.register", json!({"agent_id": a, "name": a, "capabilities": ["rust"]}))),
        agent().prop_map(|a| ("agent.leave", json!({"agent_id": a}))),
        (agent(), 0..50).prop_map(|(a, n)| ("presence.update", json!({"agent_id": a, "tool_name": "bash", "tokens": n}))),
        (id(), 0..9).prop_map(|(k, n)| ("memory.set", json!({"key": k, "value": {"n": n, "word": format!("w{n}")}}))),
        (id(), 0..9).prop_map(|(k, n)| ("memory.set", json!({"key": k, "value": n, "ttl_seconds": 3}))),
        id().prop_map(|k| ("memory.delete", json!({"key": k}))),
        (id(), agent()).prop_map(|(t, a)| ("task.create", json!({"task_id": t, "title": t, "creator_id": a}))),
        (id(), id(), agent()).prop_map(|(t, on, a)| {
            let task_id = format!("{t}-after-{on}");
            ("task.create", json!({"task_id": task_id, "title": t, "creator_id": a, "depends_on": [on], "requires": ["rust"]}))
        }),
        agent().prop_map(|a| ("task.claim", json!({"agent_id": a}))),
        (id(), agent(), 0..3).prop_map(|(t, a, token)| ("task.progress", json!({"task_id": t, "agent_id": a, "token": token, "progress": 50, "log": "half"}))),
        (id(), agent(), 0..3).prop_map(|(t, a, token)| ("task.complete", json!({"task_id": t, "agent_id": a, "token": token, "result": 1}))),
        (id(), agent()).prop_map(|(t, a)| ("task.cancel", json!({"task_id": t, "agent_id": a}))),
        (agent(), id()).prop_map(|(a, m)| ("message.send", json!({"message_id": m, "sender_id": a, "content": format!("hello from {a}")}))),
        (agent(), agent(), id()).prop_map(|(a, b, m)| ("message.send", json!({"sender_id": a, "recipients": [b], "content": "word", "thread_id": m}))),
        (id(), agent()).prop_map(|(m, a)| ("message.react", json!({"message_id": m, "agent_id": a, "reaction": "ok"}))),
        (id(), agent()).prop_map(|(m, a)| ("message.edit", json!({"message_id": m, "agent_id": a, "content": "edited"}))),
        (id(), agent()).prop_map(|(s, a)| ("session.start", json!({"session_id": s, "participants": [{"agent_id": a}]}))),
        (id(), agent()).prop_map(|(s, a)| ("session.join", json!({"session_id": s, "agent_id": a}))),
        (id(), agent()).prop_map(|(s, a)| ("session.leave", json!({"session_id": s, "agent_id": a}))),
        (id(), agent(), 0..9).prop_map(|(s, a, n)| ("session.patch_state", json!({"session_id": s, "agent_id": a, "patch": {"n": n}}))),
        (id(), agent()).prop_map(|(s, a)| ("session.record_decision", json!({"session_id": s, "agent_id": a, "decision": "ship"}))),
        (id(), agent()).prop_map(|(s, a)| ("channel.post", json!({"session_id": s, "channel": "general", "agent_id": a, "message_type": "text", "content": "in here"}))),
        id().prop_map(|s| ("session.end", json!({"session_id": s}))),
        (agent(), id()).prop_map(|(a, i)| ("activity.record", json!({"agent_id": a, "activity_id": i, "activity_type": "debate", "metadata": {"about": "hello"}}))),
        id().prop_map(|i| ("activity.complete", json!({"activity_id": i}))),
        Just(("event.publish", json!({"event_type": "built", "source_agent": "ana", "payload": {"ok": true}}))),
        Just(("tend", json!({}))),
        Just(("tend", json!({}))),
    ]
}

/// All that can be asked of the whole hub, at one moment.
fn everything(hub: &Hub) -> Vec<(String, Value)> {
    let mut asked: Vec<(&str, Value)> = vec![
        ("agent.list", json!({})),
        ("presence.list", json!({})),
        ("memory.list", json!({})),
        ("memory.search", json!({"query": "w1 OR w*"})),
        ("task.list", json!({})),
        ("task.board", json!({})),
        ("message.list", json!({})),
        ("message.search", json!({"query": "hello"})),
        ("message.stats", json!({})),
        ("session.list", json!({})),
        ("activity.feed", json!({})),
        ("activity.feed", json!({"query": "hello"})),
        ("activity.feed", json!({"related_agent": "bob"})),
        ("activity.feed", json!({"open": true})),
        ("activity.status", json!({})),
        ("activity.stats", json!({})),
    ];
    for id in ["a", "b", "c"] {
        asked.extend([
            ("memory.get", json!({"key": id})),
            ("task.get", json!({"task_id": id})),
            ("message.get", json!({"message_id": id})),
            ("thread.get", json!({"thread_id": id})),
            ("session.get", json!({"session_id": id})),
            ("session.get_state", json!({"session_id": id})),
            ("channel.list", json!({"session_id": id})),
            ("channel.history", json!({"session_id": id, "channel": "general"})),
        ]);
    }
    asked
        .into_iter()
        .map(|(name, input)| {
            let mut answer = call(hub, name, input.clone()).unwrap_or_else(|error| json!(error.message()));
            if name == "message.search" || name == "memory.search" {
                // Equally good ones come in no order.
                answer["hits"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
            }
            (format!("{name} {input}"), answer)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, and wherever retention cuts, each past is answered as the present was.
    #[test]
    fn every_past_is_what_the_present_was(deeds in proptest::collection::vec(deed(), 1..50), retain in prop_oneof![Just(5u64), Just(20), Just(1_000)]) {
        let folder = tempfile::tempdir().unwrap();
        let (hub, clock) = hub(&folder.path().join("team.db"), HubConfig { retain_events: retain, ..HubConfig::default() });
        let mut seen = Vec::new();
        for (name, input) in &deeds {
            clock.advance(Duration::from_millis(400));
            match *name {
                "tend" => hub.tend().unwrap(),
                name => drop(call(&hub, name, input.clone())),
            }
            hub.flush().unwrap();
            seen.push((head(&hub), clock.wall(), everything(&hub)));
        }
        let mut reached = 0;
        for (seq, time, then) in &seen {
            let view = match hub.at(At::Time(*time)) {
                Ok(view) => view,
                Err(error) => {
                    prop_assert_eq!(error.code(), Code::NotFound, "at {}: {}", seq, error);
                    prop_assert_eq!(reached, 0, "a point after one that is kept is kept: {}", error);
                    continue;
                }
            };
            reached += 1;
            prop_assert_eq!(view.past().unwrap(), (*seq, *time));
            for (now, then) in everything(&view).iter().zip(then) {
                prop_assert_eq!(now, then, "at {} of {}", seq, head(&hub));
            }
        }
        prop_assert!(reached > 0);
        if retain == 1_000 {
            prop_assert_eq!(reached, seen.len());
        }
        hub.check().unwrap();
        hub.close();
    }
}

#[test]
fn the_past_answers_by_seq_and_by_time() {
    let (hub, clock) = hub(":memory:".as_ref(), HubConfig::default());
    let first = set(&hub, "goal", 1);
    clock.advance(Duration::from_secs(60));
    let second = set(&hub, "goal", 2);
    clock.advance(Duration::from_secs(60));
    let at = |at| value(&hub.at(at).unwrap(), "goal");
    assert_eq!(
        [at(At::Seq(0)), at(At::Seq(first)), at(At::Seq(second))],
        [None, Some(json!(1)), Some(json!(2))]
    );
    let after = |seconds| At::Time(start().plus_seconds(seconds));
    assert_eq!([at(after(-1.0)), at(after(0.0)), at(after(59.9))], [None, Some(json!(1)), Some(json!(1))]);
    assert_eq!([at(after(60.0)), at(after(120.0))], [Some(json!(2)), Some(json!(2))]);

    let ahead = hub.at(At::Seq(second + 1)).unwrap_err();
    assert_eq!(ahead.code(), Code::InvalidInput);
    assert!(ahead.message().contains(&format!("must be at most the newest seq, {second}")), "{ahead}");
    let ahead = hub.at(after(121.0)).unwrap_err();
    assert_eq!(ahead.code(), Code::InvalidInput);
    assert!(ahead.message().contains("must not lie in the future"), "{ahead}");
}

#[test]
fn a_key_that_lives_for_a_while_lived_then_and_its_versions_are_those_of_then() {
    let (hub, clock) = hub(":memory:".as_ref(), HubConfig::default());
    call(&hub, "memory.set", json!({"key": "goal", "value": 1, "ttl_seconds": 5})).unwrap();
    let then = hub.at(At::Seq(head(&hub))).unwrap();
    clock.advance(Duration::from_secs(6));
    set(&hub, "goal", 2);
    assert_eq!(value(&then, "goal"), Some(json!(1)));
    let versions = |hub: &Hub| {
        call(hub, "memory.history", json!({"key": "goal"})).unwrap()["versions"].as_array().unwrap().len()
    };
    assert_eq!(versions(&then), 1);
    assert!(versions(&hub) > 1);
    let later = call(&then, "memory.get", json!({"key": "goal", "version": 2})).unwrap_err();
    assert_eq!(later.code(), Code::NotFound);
    let read = call(&then, "event.read", json!({})).unwrap();
    assert_eq!(read["events"].as_array().unwrap().len(), 1, "the log ends there");
}

#[test]
fn the_past_cannot_be_changed_and_says_so() {
    let (hub, _clock) = hub(":memory:".as_ref(), HubConfig::default());
    let seq = set(&hub, "goal", 1);
    let then = hub.at(At::Seq(seq)).unwrap();
    let refused = |error: folkmoot_engine::Error| {
        assert_eq!(error.code(), Code::NotAllowed, "{error}");
        assert!(error.message().contains(&format!("the hub as it was at seq {seq}")), "{error}");
        assert_eq!(error.details()["reason"], "past");
        assert_eq!(error.hint_text(), Some("use the hub itself"));
    };
    for operation in operations::OPERATIONS.iter().filter(|operation| operation.class != Class::Read) {
        let error = then.call(operation.name, b"{}").unwrap_err();
        assert!(error.message().starts_with(operation.name), "{error}");
        refused(error);
    }
    refused(then.run(memory::Set::new("goal", json!(2))).unwrap_err());
    refused(then.subscribe(Filter::default(), None).map(drop).unwrap_err());
    refused(then.after(Hook::after("ear", "*"), |_| Ok(())).unwrap_err());
    refused(then.replay(Replay::default()).map(drop).unwrap_err());
    refused(then.follow_activity(ActivityFilter::default(), None).map(drop).unwrap_err());
    refused(then.hold_agent("ana").unwrap_err());
    refused(then.backup("elsewhere.db").unwrap_err());
    refused(then.check().map(drop).unwrap_err());
    refused(then.tend().unwrap_err());
    refused(then.at(At::Seq(0)).map(drop).unwrap_err());
    let inbox = call(&then, "message.inbox", json!({"agent_id": "ana"})).unwrap_err();
    refused(inbox);
    assert_eq!((head(&hub), value(&hub, "goal")), (seq, Some(json!(1))));
    hub.check().unwrap();
}

#[test]
fn what_retention_took_can_be_visited_from_the_image_on() {
    let (hub, clock) = hub(":memory:".as_ref(), brief());
    let mut points = Vec::new();
    for n in 0..40 {
        clock.advance(Duration::from_secs(1));
        points.push((set(&hub, "goal", n), n));
        if n % 10 == 9 {
            hub.tend().unwrap();
        }
    }
    let gone = hub.at(At::Seq(points[0].0)).unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let oldest = gone.details()["oldest_seq"].as_u64().unwrap();
    assert!(gone.message().contains("no longer kept"), "{gone}");
    assert!(gone.hint_text().unwrap().contains(&format!("the oldest point is seq {oldest}")), "{gone}");
    let base = call(&hub, "hub.status", json!({})).unwrap()["base_seq"].as_u64().unwrap();
    assert_eq!(oldest, base, "the past reaches back to where the log begins");
    for (seq, n) in points {
        match hub.at(At::Seq(seq)) {
            Ok(then) => assert_eq!((seq >= oldest, value(&then, "goal")), (true, Some(json!(n)))),
            Err(_) => assert!(seq < oldest),
        }
    }
}

#[test]
fn a_view_stays_as_it_is_while_the_hub_goes_on_and_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, _clock) = hub(&folder.path().join("team.db"), brief());
    call(&hub, "task.create", json!({"task_id": "t", "title": "then", "creator_id": "ana"})).unwrap();
    let seq = set(&hub, "goal", 1);
    let then = hub.at(At::Seq(seq)).unwrap();
    for round in 0..3 {
        for n in 0..20 {
            set(&hub, "goal", n);
        }
        call(&hub, "task.update", json!({"task_id": "t", "title": format!("round {round}")})).unwrap();
        hub.tend().unwrap();
        assert_eq!(value(&then, "goal"), Some(json!(1)));
        assert_eq!(call(&then, "task.get", json!({"task_id": "t"})).unwrap()["title"], "then");
        assert!(hub.at(At::Seq(seq)).is_ok_and(|same| value(&same, "goal") == Some(json!(1))));
    }
    hub.check().unwrap();
    then.close();
    hub.close();
}

#[test]
fn a_view_outlives_the_handle_it_came_from_only_until_the_hub_closes() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, _clock) = hub(&folder.path().join("team.db"), HubConfig::default());
    let seq = set(&hub, "goal", 1);
    let then = hub.at(At::Seq(seq)).unwrap();
    let same = hub.at(At::Seq(seq)).unwrap();
    then.close();
    assert_eq!(value(&same, "goal"), Some(json!(1)), "another handle on the same view goes on");
    assert_eq!(then.call("memory.list", b"{}").unwrap_err().code(), Code::Unavailable);
    hub.close();
    assert_eq!(value(&same, "goal"), Some(json!(1)), "a view is a hub of its own");
}

#[test]
fn without_an_image_the_past_ends_where_the_log_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let (hub, _clock) = hub(&path, HubConfig { retain_past: false, ..brief() });
    for n in 0..20 {
        set(&hub, "goal", n);
    }
    hub.tend().unwrap();
    assert!(!path.with_extension("db-past").exists());
    let gone = hub.at(At::Seq(head(&hub) - 1)).unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert!(gone.hint_text().unwrap().contains("retain_past"), "{gone}");
    assert_eq!(value(&hub, "goal"), Some(json!(19)));
}

#[test]
fn an_image_that_is_lost_damaged_or_of_another_hub_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let image = folder.path().join("team.db-past");
    let (hub, _clock) = hub(&path, brief());
    let other = folder.path().join("other.db");
    let (stranger, _) = self::hub(&other, brief());
    let forget = |hub: &Hub| {
        for n in 0..20 {
            set(hub, "noise", n);
        }
        hub.tend().unwrap();
    };
    call(&hub, "task.create", json!({"task_id": "t", "title": "kept", "creator_id": "ana"})).unwrap();
    set(&hub, "goal", 7);
    forget(&hub);
    forget(&stranger);
    let spoil: [&dyn Fn(); 4] = [
        &|| std::fs::remove_file(&image).unwrap(),
        &|| std::fs::write(&image, "no database at all, but some text of the length of one").unwrap(),
        &|| {
            std::fs::copy(folder.path().join("other.db-past"), &image).unwrap();
        },
        &|| {
            std::fs::remove_file(&image).unwrap();
            std::fs::create_dir(&image).unwrap();
        },
    ];
    for spoil in spoil {
        let before = head(&hub);
        spoil();
        assert!(hub.at(At::Seq(before - 1)).is_err(), "what stands in the wrong image is never shown");
        // The first round may only throw it away; the log is cut in any case.
        forget(&hub);
        if image.is_dir() {
            std::fs::remove_dir(&image).unwrap();
        }
        forget(&hub);
        let kept = head(&hub);
        forget(&hub);
        let base = call(&hub, "hub.status", json!({})).unwrap()["base_seq"].as_u64().unwrap();
        assert!(base > before, "retention goes on");
        let then = hub.at(At::Seq(base.max(kept))).unwrap();
        assert_eq!(value(&then, "goal"), Some(json!(7)));
        assert_eq!(call(&then, "task.get", json!({"task_id": "t"})).unwrap()["title"], "kept");
    }
    hub.check().unwrap();
}

#[test]
fn a_presence_whose_moves_are_gone_says_since_when_it_is_uncertain() {
    let (hub, clock) = hub(":memory:".as_ref(), HubConfig::default());
    let update = |tokens: u64| {
        call(&hub, "presence.update", json!({"agent_id": "ana", "tokens": tokens})).unwrap();
        hub.flush().unwrap();
        head(&hub)
    };
    call(&hub, "agent.register", json!({"name": "ana"})).unwrap();
    call(&hub, "agent.register", json!({"name": "bob"})).unwrap();
    let registered = head(&hub);
    clock.advance(Duration::from_secs(1));
    update(1);
    let moved = update(2);
    let quiet = set(&hub, "goal", 1);
    // Relaxed events are kept for ten minutes.
    clock.advance(Duration::from_secs(3_600));
    let last = update(4);
    hub.tend().unwrap();
    let presence = |seq, agent: &str| {
        call(&hub.at(At::Seq(seq)).unwrap(), "presence.get", json!({"agent_id": agent})).unwrap()
    };
    for seq in [registered, last] {
        assert_eq!(presence(seq, "ana").get("uncertain_since"), None, "at {seq}");
    }
    assert_eq!(presence(last, "ana")["total_cost_tokens"], 7);
    for seq in [moved, quiet] {
        assert_eq!(presence(seq, "ana")["uncertain_since"], start().to_string(), "at {seq}");
        assert_eq!(presence(seq, "bob").get("uncertain_since"), None, "bob has not moved since");
    }
}

#[test]
fn a_read_only_hub_travels_too_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team's #1.db");
    let (hub, _clock) = hub(&path, HubConfig::default());
    let seq = set(&hub, "goal", 1);
    set(&hub, "goal", 2);
    hub.close();
    let config = HubConfig { read_only: true, create: false, ..HubConfig::default() };
    let reader = Hub::open(&path, config).unwrap();
    let then = reader.at(At::Seq(seq)).unwrap();
    assert_eq!(value(&then, "goal"), Some(json!(1)));
    assert_eq!(then.path(), reader.path());
    let events = call(&then, "event.read", json!({})).unwrap();
    assert_eq!(events["events"].as_array().unwrap().len(), 1);
    then.close();
    reader.close();
}
