//! What leaves the feed: exports are whole, and nobody gets what they may not read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod feeds;

use std::collections::BTreeMap;
use std::time::Duration;

use feeds::{config, exported, feed, fill, ids, record, still};
use folkmoot_engine::activity::{self, ActivityFilter, Complete, Feed, FollowItem, Format, Record, Stats};
use folkmoot_engine::{Hub, Principal, agents, memory};
use serde_json::{Value, json};

/// What an agent gets to see, by every way in.
fn seen(hub: &Hub, by: &Principal) -> BTreeMap<&'static str, bool> {
    let shows = |text: &str| text.contains("walrus");
    let search = Feed { query: Some("walrus".into()), ..Feed::default() };
    let json = |value: Value| value.to_string();
    let mut csv = Vec::new();
    hub.export_activities_as(by, ActivityFilter::default(), Format::Csv, &mut csv, &mut || Ok(())).unwrap();
    let mut follow = hub.follow_activity_as(by, ActivityFilter::default(), Some(0)).unwrap();
    let followed = std::iter::from_fn(|| follow.try_next().unwrap()).any(|item| match item {
        FollowItem::Activity(activity) => shows(activity.metadata.text()),
        _ => false,
    });
    let replay = activity::Replay { speed: Some(activity::replay::Speed::MAX), ..Default::default() };
    let mut played = hub.replay_as(by, replay.clone()).unwrap();
    let memory = |item: folkmoot_engine::Result<_>| match item.unwrap() {
        folkmoot_engine::Item::Event(event) => event.kind.starts_with("memory.") && shows(&event.wire()),
        _ => false,
    };
    let stats = hub.run_as(by, Stats { activity_type: Some("memory_write".into()), ..Stats::default() });
    BTreeMap::from([
        ("feed", shows(&json(json!(hub.run_as(by, Feed::default()).unwrap())))),
        ("search", !hub.run_as(by, search).unwrap().activities.is_empty()),
        ("export", shows(&String::from_utf8(csv).unwrap())),
        ("stats", stats.unwrap().total > 0),
        ("follow", followed),
        ("playback", played.any(memory)),
        ("replay", shows(&json(json!(hub.run_as(by, replay).unwrap().events)))),
    ])
}

#[test]
fn access_rules_hold_on_every_way_to_the_feed_from_the_moment_they_are_made() {
    let hub = Hub::open(":memory:", config()).unwrap();
    let (ana, bob) = (Principal::agent("ana"), Principal::agent("bob"));
    hub.run(memory::Set::new("walrus/plan", json!(1))).unwrap();
    assert!(seen(&hub, &ana).values().all(|seen| *seen), "{:?}", seen(&hub, &ana));
    let rule = |read: &[&str]| memory::SetAccess {
        prefix: "walrus/".into(),
        read: Some(read.iter().map(|name| (*name).to_owned()).collect()),
        write: None,
        idempotency_key: None,
    };
    hub.run(rule(&["bob"])).unwrap();
    for (way, shown) in seen(&hub, &ana) {
        // The rule itself names its prefix to everyone, as its event always did.
        assert!(!shown || way == "replay", "{way} shows what ana may not read");
    }
    assert!(seen(&hub, &bob).values().all(|seen| *seen), "{:?}", seen(&hub, &bob));
    hub.run(rule(&["*"])).unwrap();
    assert!(seen(&hub, &ana).values().all(|seen| *seen));
}

#[test]
fn what_is_said_and_decided_in_a_session_shows_to_those_who_are_in_it() {
    let hub = Hub::open(":memory:", config()).unwrap();
    for name in ["ana", "bob", "eve"] {
        hub.run(agents::Register::new(name)).unwrap();
    }
    let call = |name: &str, input: Value| {
        hub.call(name, input.to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error:?}"))
    };
    call("session.start", json!({"session_id": "s", "participants": ["ana", "bob"], "name": "caches"}));
    let decision =
        json!({"session_id": "s", "agent_id": "ana", "decision": "no caches", "rationale": "slow"});
    call("session.record_decision", decision);
    call("message.send", json!({"sender_id": "ana", "session_id": "s", "content": "so be it"}));
    call("session.end", json!({"session_id": "s"}));
    let types = |by: &str| -> Vec<String> {
        let in_session = Feed { session_id: Some("s".into()), ..Feed::default() };
        let page = hub.run_as(&Principal::agent(by), in_session).unwrap();
        page.activities.into_iter().map(|entry| entry.activity_type).collect()
    };
    let all = ["collaboration_ended", "message_sent", "council_decision", "collaboration_started"];
    assert_eq!(types("ana"), all);
    assert_eq!(types("bob"), all);
    assert_eq!(types("eve"), Vec::<String>::new());
    let found = Feed { query: Some("caches".into()), ..Feed::default() };
    assert_eq!(hub.run_as(&Principal::agent("eve"), found.clone()).unwrap().activities.len(), 0);
    let ended = &hub.run(found).unwrap().activities[0];
    assert_eq!(ended.activity_type, "collaboration_ended");
    assert!(ended.duration_seconds.is_some(), "from its start to its end");
}

#[test]
fn an_agent_with_little_in_sight_reads_on_until_it_has_seen_all() {
    let hub = Hub::open(":memory:", config()).unwrap();
    let first = record(&hub, "ana", "x").activity_id;
    let access = memory::Access { read: Some(vec!["bob".into()]), write: None };
    hub.run(memory::Set { access_control: Some(access), ..memory::Set::new("k", json!(0)) }).unwrap();
    let entry = |n: i32| memory::SetEntry {
        key: "k".into(),
        value: json!(n).into(),
        delete: false,
        expected_version: None,
        ttl_seconds: None,
    };
    for n in 0..2_500 {
        hub.run(memory::SetMany { entries: vec![entry(n)], agent_id: None, idempotency_key: None }).unwrap();
    }
    let page = hub.run_as(&Principal::agent("ana"), Feed::default()).unwrap();
    assert_eq!(ids(&page.activities), [first.as_str()]);
    assert_eq!(page.next_cursor, None);
}

#[test]
fn an_export_is_whole_in_every_format_and_safe_to_open_in_a_spreadsheet() {
    let (hub, clock) = still(config());
    fill(&hub, &clock);
    let metadata = Some(json!({"note": "a, \"b\"\nc"}).into());
    let department = Some("@SUM(A1)".to_owned());
    hub.run(Record { metadata, department, ..Record::new("-ana", "=cmd|' /C calc'!A0") }).unwrap();
    let wanted: Vec<Value> = feed(&hub, ActivityFilter::default())
        .iter()
        .rev()
        .map(|activity| serde_json::to_value(activity).unwrap())
        .collect();
    let json: Vec<Value> =
        serde_json::from_str(&exported(&hub, ActivityFilter::default(), Format::Json)).unwrap();
    assert_eq!(json, wanted);
    let lines = exported(&hub, ActivityFilter::default(), Format::Jsonl);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, wanted);
    let table = exported(&hub, ActivityFilter::default(), Format::Csv);
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    let columns = csv.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), wanted.len());
    for (row, activity) in rows.iter().zip(&wanted) {
        for (column, cell) in columns.iter().zip(row) {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{column}: {cell}");
            match &activity[column] {
                Value::Null => assert_eq!(cell, ""),
                Value::String(text) => assert_eq!(cell.trim_start_matches('\''), text),
                other => assert_eq!(&serde_json::from_str::<Value>(cell).unwrap(), other, "{column}"),
            }
        }
    }
    let last = rows.last().unwrap();
    assert_eq!((&last[3], &last[4], &last[5]), ("'-ana", "'@SUM(A1)", "'=cmd|' /C calc'!A0"));
}

#[test]
fn the_parts_of_an_export_put_together_are_the_whole() {
    let (hub, clock) = still(config());
    fill(&hub, &clock);
    for format in [Format::Csv, Format::Json, Format::Jsonl] {
        let whole = exported(&hub, ActivityFilter::default(), format);
        let mut together = String::new();
        let mut part = activity::Export { format, limit: Some(9), ..activity::Export::default() };
        loop {
            let got = hub.run(part.clone()).unwrap();
            together.push_str(&got.content);
            part.cursor = got.next_cursor;
            if part.cursor.is_none() {
                break;
            }
            // The export ends at what was the end when it began.
            record(&hub, "eve", "interruption");
        }
        assert_eq!(together, whole, "{format:?}");
        hub.run(Feed::default()).unwrap();
        let eve = ActivityFilter { agent_id: Some("eve".into()), ..ActivityFilter::default() };
        for activity in feed(&hub, eve) {
            let _ = hub.run(Complete::new(&activity.activity_id));
        }
        clock.advance(Duration::from_secs(1));
    }
}
