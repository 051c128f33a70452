//! What the tests of the feed share: hubs whose time stands still, and something of everything in them.
#![allow(dead_code, reason = "not every test binary needs all of them")]

use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::activity::{Activity, ActivityFilter, Complete, Feed, Format, Record};
use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Durability, Hub, HubConfig, agents, memory, messages, tasks};
use serde_json::json;

/// Long enough for any machine: only a hang meets it.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, status_interval_seconds: 0.0, ..HubConfig::default() }
}

/// A hub whose time stands still until it is moved, and which does nothing by itself.
pub fn still(config: HubConfig) -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:50:30Z").unwrap());
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    (Hub::open_with(":memory:", config, seams).unwrap(), clock)
}

pub fn record(hub: &Hub, agent: &str, kind: &str) -> Activity {
    hub.run(Record::new(agent, kind)).unwrap()
}

pub fn feed(hub: &Hub, filter: ActivityFilter) -> Vec<Activity> {
    let mut all = Vec::new();
    let mut page = Feed { limit: Some(1_000), ..of(filter) };
    loop {
        let found = hub.run(page.clone()).unwrap();
        all.extend(found.activities);
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return all;
        }
    }
}

/// A feed of a filter.
pub fn of(filter: ActivityFilter) -> Feed {
    serde_json::from_value(serde_json::to_value(filter).unwrap()).unwrap()
}

pub fn ids(activities: &[Activity]) -> Vec<&str> {
    activities.iter().map(|activity| activity.activity_id.as_str()).collect()
}

pub fn exported(hub: &Hub, filter: ActivityFilter, format: Format) -> String {
    let mut out = Vec::new();
    hub.export_activities(filter, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Something of everything, by two agents.
pub fn fill(hub: &Hub, clock: &ManualClock) {
    hub.run(agents::Register { department: Some("research".into()), ..agents::Register::new("ana") })
        .unwrap();
    hub.run(agents::Register::new("bob")).unwrap();
    for n in 0..300 {
        clock.advance(Duration::from_millis(700));
        match n % 5 {
            0 => drop(hub.run(memory::Set::new(&format!("k/{n}"), json!(n))).unwrap()),
            1 => drop(hub.run(messages::Send::new("ana", "hello").to(["bob"])).unwrap()),
            2 => drop(hub.run(tasks::Create::new("ana", &format!("walrus {n}"))).unwrap()),
            3 => {
                let metadata = Some(json!({"note": format!("walrus {n}")}).into());
                let session_id = (n % 2 == 0).then(|| "s-1".to_owned());
                let record = Record { metadata, session_id, ..Record::new("ana", "reading") };
                let begun = hub.run(record).unwrap();
                clock.advance(Duration::from_millis(n));
                if n % 4 == 0 {
                    hub.run(Complete::new(&begun.activity_id)).unwrap();
                }
            }
            _ => drop(record(hub, "bob", "writing")),
        }
    }
}
