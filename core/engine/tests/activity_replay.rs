//! What a replay promises: the log as it happened, at any speed, and a wait that can be ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot_engine::activity::replay::Speed;
use folkmoot_engine::activity::{Playback, Record, Replay};
use folkmoot_engine::clock::{Clock, ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Error, Filter, Hub, HubConfig, Item, memory};
use serde_json::json;

fn still(config: HubConfig) -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:50:30Z").unwrap());
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let config = HubConfig { durability: Durability::Normal, ..config };
    (Hub::open_with(":memory:", config, seams).unwrap(), clock)
}

fn at(speed: f64) -> Replay {
    Replay { speed: Some(Speed::times(speed)), ..Replay::default() }
}

/// Five activities of two sessions, ten seconds apart.
fn fill(hub: &Hub, clock: &ManualClock) {
    for n in 0..5 {
        let session_id = Some(format!("s-{}", n % 2));
        hub.run(Record { session_id, activity_id: Some(n.to_string()), ..Record::new("ana", "x") }).unwrap();
        clock.advance(Duration::from_secs(10));
    }
}

/// What is played now, by id, and the seconds until the next; none at the end.
fn now(playback: &mut Playback) -> (Vec<String>, Option<f64>) {
    let (items, left) = playback.ready(100, &mut || Ok(())).unwrap();
    let id = |item: &Item| match item {
        Item::Event(event) => event.data.to_value()["activity_id"].as_str().unwrap().to_owned(),
        other => format!("{other:?}"),
    };
    (items.iter().map(id).collect(), left.map(|left| left.as_secs_f64()))
}

#[test]
fn events_are_played_at_the_pace_at_which_they_happened_or_another() {
    let (hub, clock) = still(HubConfig::default());
    fill(&hub, &clock);
    for (speed, gap) in [(1.0, 10.0), (4.0, 2.5), (0.5, 20.0)] {
        let mut playback = hub.replay(at(speed)).unwrap();
        for n in 0..5 {
            let (played, left) = now(&mut playback);
            assert_eq!(played, [n.to_string()], "×{speed}");
            assert_eq!(left, (n < 4).then_some(gap), "×{speed}");
            clock.advance(Duration::from_secs_f64(left.unwrap_or(0.0) / 2.0));
            assert_eq!(now(&mut playback).0.len(), 0, "too early");
            clock.advance(Duration::from_secs_f64(left.unwrap_or(0.0) / 2.0));
        }
        assert_eq!(now(&mut playback), (vec![], None));
    }
    let mut at_once = hub.replay(at(0.0)).unwrap();
    assert_eq!(now(&mut at_once), (["0", "1", "2", "3", "4"].map(str::to_owned).to_vec(), None));
    assert_eq!(hub.replay(Replay { speed: Some(Speed::MAX), ..Replay::default() }).unwrap().count(), 5);
}

#[test]
fn a_session_or_a_span_is_played_alone_and_ends_where_the_log_ended() {
    let (hub, clock) = still(HubConfig::default());
    fill(&hub, &clock);
    let ids = |replay: Replay| now(&mut hub.replay(replay).unwrap()).0;
    assert_eq!(ids(Replay { session_id: Some("s-1".into()), ..at(0.0) }), ["1", "3"]);
    let (since, until) = (Time::parse("2026-01-14T14:50:40Z"), Time::parse("2026-01-14T14:51:00Z"));
    assert_eq!(ids(Replay { since, until, ..at(0.0) }), ["1", "2"]);
    assert_eq!(ids(Replay { since: until, ..at(0.0) }), ["3", "4"]);
    let filter = Some(Filter::kinds(["memory.*"]));
    assert_eq!(ids(Replay { filter, ..at(0.0) }).len(), 0);
    let playback = hub.replay(at(0.0)).unwrap();
    hub.run(Record::new("ana", "later")).unwrap();
    assert_eq!(playback.count(), 5, "what came after it began is not played");
}

#[test]
fn a_clock_that_was_set_back_turns_no_order_around() {
    let (hub, clock) = still(HubConfig::default());
    fill(&hub, &clock);
    clock.jump_wall(-3_600.0);
    fill_more(&hub);
    let page = hub.run(at(1.0)).unwrap();
    let times: Vec<f64> = page.events.iter().map(|played| played.after_seconds).collect();
    assert_eq!(times, [0.0, 10.0, 20.0, 30.0, 40.0, 40.0]);
}

fn fill_more(hub: &Hub) {
    hub.run(memory::Set::new("k", json!(1))).unwrap();
}

#[test]
fn pages_say_the_same_turns_as_the_whole() {
    let (hub, clock) = still(HubConfig::default());
    fill(&hub, &clock);
    let whole = hub.run(at(2.0)).unwrap().events;
    let mut paged = Vec::new();
    let mut page = Replay { limit: Some(2), ..at(2.0) };
    loop {
        let found = hub.run(page.clone()).unwrap();
        paged.extend(found.events);
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert_eq!(paged[4].after_seconds, 20.0);
}

#[test]
fn what_retention_took_of_a_span_is_a_gap() {
    let (hub, clock) = still(HubConfig { retain_events: 3, ..HubConfig::default() });
    fill(&hub, &clock);
    hub.tend().unwrap();
    let first = hub.replay(at(0.0)).unwrap().next().unwrap().unwrap();
    assert!(matches!(first, Item::Gap { from: 1, to: 2 }), "{first:?}");
    assert_eq!(hub.run(at(0.0)).unwrap().gap.unwrap().to, 2);
    let since = Time::parse("2026-01-14T14:51:05Z");
    assert_eq!(hub.run(Replay { since, ..at(0.0) }).unwrap().gap, None, "the span is whole");
}

#[test]
fn a_speed_that_makes_no_sense_is_refused() {
    let (hub, _) = still(HubConfig::default());
    for speed in [-1.0, f64::NAN, f64::INFINITY, 0.000_9, 1_000_001.0] {
        let error = hub.replay(at(speed)).err().unwrap();
        assert_eq!(
            (error.code(), &error.details()["field"]),
            (Code::InvalidInput, &json!("speed")),
            "{speed}"
        );
    }
    for speed in [0.0, 0.001, 1_000_000.0] {
        assert!(hub.replay(at(speed)).is_ok(), "{speed}");
    }
    assert_eq!("max".parse::<Speed>().unwrap(), Speed::MAX);
    assert_eq!("2.5".parse::<Speed>().unwrap(), Speed::times(2.5));
    for text in ["fast", "", "-2", "NaN"] {
        assert_eq!(text.parse::<Speed>().unwrap_err().details()["field"], "speed", "{text:?}");
    }
}

#[test]
fn a_wait_of_hours_is_ended_by_who_asked_or_by_closing_the_hub() {
    let (hub, clock) = still(HubConfig::default());
    fill(&hub, &clock);
    let mut playback = hub.replay(at(0.001)).unwrap();
    assert!(playback.next().is_some(), "the first has its turn at once");
    let asked = AtomicBool::new(false);
    let mut stop = || match asked.swap(true, Ordering::SeqCst) {
        false => Ok(()),
        true => Err(Error::unavailable("enough")),
    };
    assert_eq!(playback.next_until(&mut stop).unwrap_err().message(), "enough");
    let waiting = std::thread::spawn(move || playback.next());
    hub.close();
    assert_eq!(waiting.join().unwrap().unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(clock.boot() < Duration::from_secs(60), "nobody moved the clock");
}
