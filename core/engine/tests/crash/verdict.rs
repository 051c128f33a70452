//! What was reported against what the file holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use folkmoot_engine::{Durability, Event, Filter, Hub, Item, memory};

use crate::listener::{Heard, print_of};
use crate::sessions;
use crate::writer::{call, config};

/// What one writer had reported when it was killed.
#[derive(Debug, Default)]
pub struct Acknowledged {
    pub life: String,
    /// `seq`, thread, number.
    events: Vec<(u64, String, u64)>,
    /// Key, version, who.
    versions: Vec<(String, u64, String)>,
    /// Version and value of the sum.
    sums: Vec<(u64, u64)>,
    /// Tasks that were made.
    tasks: Vec<String>,
    /// Task, token, agent.
    claims: Vec<(String, u64, String)>,
    /// Task, token, result.
    done: Vec<(String, u64, String)>,
    /// Task, for whom it was reserved.
    reserved: Vec<(String, String)>,
    messages: Vec<String>,
    pub sessions: Vec<String>,
    pub decisions: Vec<String>,
    pub ended: Vec<String>,
    /// Version of the shared state, field, value.
    pub states: Vec<(u64, String, String)>,
}

impl Acknowledged {
    pub fn read(life: String, lines: &[String]) -> Acknowledged {
        let mut all = Acknowledged { life, ..Acknowledged::default() };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
            match words[..] {
                ["event", seq, me, n] => all.events.push((number(seq), me.to_owned(), number(n))),
                ["version", key, version, by] => {
                    all.versions.push((key.to_owned(), number(version), by.to_owned()));
                }
                ["sum", version, value, _] => all.sums.push((number(version), number(value))),
                ["task", id] => all.tasks.push(id.to_owned()),
                ["claim", id, token, agent] => {
                    all.claims.push((id.to_owned(), number(token), agent.to_owned()))
                }
                ["done", id, token, by] => all.done.push((id.to_owned(), number(token), by.to_owned())),
                ["reserved", id, agent] => all.reserved.push((id.to_owned(), agent.to_owned())),
                ["message", id] => all.messages.push(id.to_owned()),
                ["session", id] => all.sessions.push(id.to_owned()),
                ["decision", id] => all.decisions.push(id.to_owned()),
                ["ended", id] => all.ended.push(id.to_owned()),
                ["state", version, field, by] => {
                    all.states.push((number(version), field.to_owned(), by.to_owned()));
                }
                _ => panic!("writer {} said {line:?}", all.life),
            }
        }
        all
    }

    fn count(&self) -> u64 {
        let memory = self.events.len() + self.versions.len() + self.sums.len();
        let work = self.tasks.len() + self.claims.len() + self.done.len() + self.reserved.len();
        let together = self.sessions.len() + self.decisions.len() + self.ended.len() + self.states.len();
        (memory + work + together + self.messages.len()) as u64
    }
}

/// Compares reports with the file; answers how many acknowledged writes there were, or what was lost.
pub fn verify(file: &Path, reports: &[Acknowledged], heard: &[Heard]) -> Result<u64, String> {
    let hub = Hub::open(file, config(Durability::Normal)).map_err(|error| error.to_string())?;
    hub.check().map_err(|error| format!("the check does not pass: {error:?}"))?;
    let log = whole_log(&hub)?;
    let reserved = reservations(&log);
    for report in reports {
        events_are_there(report, &log)?;
        versions_are_there(report, &hub)?;
        work_is_there(report, &hub, &log)?;
        if let Some(lost) = report.reserved.iter().find(|reservation| !reserved.contains(*reservation)) {
            return Err(format!("LOST: of {}, {lost:?} was never reserved", report.life));
        }
    }
    sessions::are_there(&hub, reports, &log)?;
    pairs_are_whole(&hub)?;
    heard_once(&log, heard)?;
    hub.close();
    Ok(reports.iter().map(Acknowledged::count).sum())
}

/// All events by `seq`, which must run without a gap.
fn whole_log(hub: &Hub) -> Result<BTreeMap<u64, std::sync::Arc<Event>>, String> {
    let mut log = BTreeMap::new();
    let mut subscription = hub.subscribe(Filter::default(), Some(0)).map_err(|error| error.to_string())?;
    let head = hub.run(folkmoot_engine::events::HubStatus {}).map_err(|error| error.to_string())?.seq;
    while log.len() as u64 != head {
        match subscription.next(Duration::from_secs(60)).map_err(|error| error.to_string())? {
            Some(Item::Event(event)) if event.seq == 0 => {}
            Some(Item::Event(event)) if event.seq == log.len() as u64 + 1 => {
                log.insert(event.seq, event);
            }
            other => return Err(format!("after event {} of {head} comes {other:?}", log.len())),
        }
    }
    Ok(log)
}

/// Each thread's events are there as acknowledged, in its order, and at most one more that was under way.
fn events_are_there(report: &Acknowledged, log: &BTreeMap<u64, std::sync::Arc<Event>>) -> Result<(), String> {
    let mut last: HashMap<&str, (u64, u64)> = HashMap::new();
    for (seq, me, n) in &report.events {
        let event = log.get(seq).ok_or_else(|| format!("LOST: event {seq} of {me}, number {n}"))?;
        let payload = &event.data.to_value()["payload"];
        if payload["me"] != me.as_str() || payload["n"] != *n {
            return Err(format!("event {seq} was acknowledged to {me} as {n}, and is {payload}"));
        }
        if let Some((before, number)) = last.insert(me, (*seq, *n))
            && (before >= *seq || number + 1 != *n)
        {
            return Err(format!("{me} was acknowledged {number} at {before}, then {n} at {seq}"));
        }
    }
    for (me, (seq, n)) in last {
        let later = log.range(seq + 1..).filter(|(_, event)| event.data.to_value()["payload"]["me"] == me);
        let numbers: Vec<_> = later.map(|(_, event)| event.data.to_value()["payload"]["n"].clone()).collect();
        if !(numbers.is_empty() || numbers == [serde_json::json!(n + 1)]) {
            return Err(format!("after {n}, {me} left {numbers:?} in the log"));
        }
    }
    Ok(())
}

fn versions_are_there(report: &Acknowledged, hub: &Hub) -> Result<(), String> {
    let get = |key: &str, version: u64| {
        hub.run(memory::Get { version: Some(version), ..memory::Get::new(key) })
            .map(|entry| entry.value.to_value())
            .map_err(|error| format!("LOST: {key} version {version} of {}: {error}", report.life))
    };
    for (key, version, by) in &report.versions {
        let value = get(key, *version)?;
        if value["by"] != by.as_str() {
            return Err(format!("{key} version {version} was acknowledged to {by}, and is {value}"));
        }
    }
    for (version, sum) in &report.sums {
        // Each adds one, so the sum is its version: one lost or done twice would show.
        if version != sum || get("shared/sum", *version)? != *sum {
            return Err(format!("version {version} of the sum was acknowledged as {sum}"));
        }
    }
    Ok(())
}

fn work_is_there(
    report: &Acknowledged,
    hub: &Hub,
    log: &BTreeMap<u64, std::sync::Arc<Event>>,
) -> Result<(), String> {
    let call = |name: &str, input: Value| {
        call(hub, name, input.clone())
            .map_err(|error| format!("LOST: {name} {input} of {}: {error}", report.life))
    };
    for id in &report.messages {
        if call("message.get", json!({"message_id": id}))?["content"] != format!("by {id}") {
            return Err(format!("message {id} has another content"));
        }
    }
    for id in &report.tasks {
        call("task.get", json!({"task_id": id}))?;
    }
    for (id, token, agent) in &report.claims {
        // The token is the event that granted the claim.
        let granted = log.get(token).ok_or_else(|| format!("LOST: claim {token} of {id}"))?;
        let place = &granted.place;
        if granted.kind != "task.claimed"
            || place.task_id.as_ref() != Some(id)
            || place.agent_id.as_ref() != Some(agent)
        {
            return Err(format!("{agent} was told it holds {id} by {token}, which is {granted:?}"));
        }
    }
    for (id, token, by) in &report.done {
        let task = call("task.get", json!({"task_id": id}))?;
        if task["status"] != "completed" || task["result"] != by.as_str() {
            return Err(format!("{by} was told that {id} is completed by {token}, and it is {task}"));
        }
    }
    Ok(())
}

/// Which task was ever reserved for whom.
fn reservations(log: &BTreeMap<u64, std::sync::Arc<Event>>) -> HashSet<(String, String)> {
    let of = |event: &Event| {
        let task = event.data.to_value();
        Some((task["task_id"].as_str()?.to_owned(), task["agent_id"].as_str()?.to_owned()))
    };
    let reserves = |kind: &str| kind == "task.created" || kind == "task.assigned";
    log.values().filter(|event| reserves(&event.kind)).filter_map(|event| of(event)).collect()
}

/// What is set together is there together.
fn pairs_are_whole(hub: &Hub) -> Result<(), String> {
    let mut list =
        memory::List { prefix: Some("pair/".into()), limit: Some(1_000), ..memory::List::default() };
    loop {
        let page = hub.run(list.clone()).map_err(|error| error.to_string())?;
        for pair in page.entries.chunks(2) {
            let [left, right] = pair else { return Err(format!("half a pair: {pair:?}")) };
            if left.version != right.version || left.value != right.value {
                return Err(format!("a pair that does not match: {left:?} {right:?}"));
            }
        }
        match page.next_cursor {
            Some(cursor) => list.cursor = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// Every event of the log was heard once, in order, as it is stored.
fn heard_once(log: &BTreeMap<u64, std::sync::Arc<Event>>, heard: &[Heard]) -> Result<(), String> {
    let mut expected = 1;
    for Heard { seq, print } in heard {
        if *seq != expected {
            return Err(format!("the listener heard {seq} where {expected} comes"));
        }
        if log.get(seq).is_none_or(|event| print_of(event) != *print) {
            return Err(format!("the listener heard another event {seq} than the log holds"));
        }
        expected += 1;
    }
    // The listener stops at the last event of the round; what came later is the closing of the parent's own hub.
    if log.range(expected..).any(|(_, event)| event.data.to_value()["event_type"] == "crash") {
        return Err(format!("the listener stopped at {expected}, before the end"));
    }
    Ok(())
}
