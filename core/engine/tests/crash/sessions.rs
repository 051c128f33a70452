//! Sessions while processes die: their lives, decisions and posts, and a state that all writers share.

use std::collections::BTreeMap;
use std::sync::Arc;

use folkmoot_engine::{Code, Error, Event, Hub};
use serde_json::{Value, json};

use crate::players::say;
use crate::verdict::Acknowledged;
use crate::writer::call;

/// The session in which every writer takes part.
const SHARED: &str = "all";

/// Comes into the session that is shared; whoever is first starts it.
pub fn enter(hub: &Hub, agent: &str) {
    let start = json!({"session_id": SHARED, "participants": [], "state": {"last": "nobody"}});
    if let Err(error) = call(hub, "session.start", start) {
        assert_eq!(error.code(), Code::AlreadyExists, "{error}");
    }
    call(hub, "session.join", json!({"session_id": SHARED, "agent_id": agent})).unwrap();
}

/// A session from its start to its end, with a decision and something said.
pub fn live(hub: &Hub, agent: &str, by: &str) {
    call(hub, "session.start", json!({"session_id": by, "participants": [agent]})).unwrap();
    say(&format!("session {by}"));
    let decision = json!({"session_id": by, "agent_id": agent, "decision_id": by, "decision": by});
    call(hub, "session.record_decision", decision).unwrap();
    say(&format!("decision {by}"));
    let post = json!({"session_id": by, "channel": "general", "agent_id": agent, "message_type": "text",
        "message_id": by, "content": format!("by {by}")});
    call(hub, "channel.post", post).unwrap();
    say(&format!("message {by}"));
    call(hub, "session.end", json!({"session_id": by, "agent_id": agent, "outcome": by})).unwrap();
    say(&format!("ended {by}"));
}

/// Changes the shared state: by compare-and-set a field that everyone wants, by merging one that is its own.
pub fn change_state(hub: &Hub, agent: &str, field: Option<&str>, by: &str) {
    let seen = call(hub, "session.get_state", json!({"session_id": SHARED})).unwrap()["version"].clone();
    let name = field.unwrap_or("last");
    let patch = json!({"session_id": SHARED, "agent_id": agent, "patch": {name: by}, "expected_version": seen,
        "merge": field.is_some()});
    match call(hub, "session.patch_state", patch) {
        Ok(state) => say(&format!("state {} {name} {by}", state["version"])),
        Err(error) if field.is_none() => assert_eq!(error.code(), Code::Conflict, "{error}"),
        Err(error) => panic!("nobody else changes {name}: {error}"),
    }
}

/// What was acknowledged of sessions is in the tables, and each version of the shared state in the log.
pub fn are_there(hub: &Hub, reports: &[Acknowledged], log: &BTreeMap<u64, Arc<Event>>) -> Result<(), String> {
    let states = states(log)?;
    for report in reports {
        for id in &report.sessions {
            get(hub, id)?;
        }
        for id in &report.decisions {
            let decided = get(hub, id)?["decisions"].clone();
            if decided[0]["decision"] != id.as_str() || decided[1] != Value::Null {
                return Err(format!("LOST: decision {id} of {}: {decided}", report.life));
            }
        }
        for id in &report.ended {
            let session = get(hub, id)?;
            if session["state"] != "ended" || session["outcome"] != id.as_str() {
                return Err(format!("LOST: the end of session {id} of {}: {session}", report.life));
            }
        }
        for (version, field, by) in &report.states {
            let state = usize::try_from(*version - 1).ok().and_then(|at| states.get(at));
            if state.is_none_or(|state| state[field] != by.as_str()) {
                return Err(format!("version {version} was acknowledged with {field} = {by}: {state:?}"));
            }
        }
    }
    match (states.last(), call(hub, "session.get_state", json!({"session_id": SHARED}))) {
        (Some(last), Ok(now)) if now["state"] == *last && now["version"] == states.len() => Ok(()),
        (None, Err(_)) => Ok(()),
        (last, now) => Err(format!("the shared state ends as {last:?} and is {now:?}")),
    }
}

fn get(hub: &Hub, id: &str) -> Result<Value, String> {
    call(hub, "session.get", json!({"session_id": id})).map_err(|error: Error| format!("LOST: {id}: {error}"))
}

/// Every version of the shared state, which must come one after the other.
fn states(log: &BTreeMap<u64, Arc<Event>>) -> Result<Vec<Value>, String> {
    let mut states = Vec::new();
    for event in log.values().filter(|event| event.kind == "session.state_changed") {
        let data = event.data.to_value();
        if data["session_id"] == SHARED {
            states.push(data["state"].clone());
            if data["version"] != states.len() {
                return Err(format!(
                    "version {} of the shared state comes as {}",
                    data["version"],
                    states.len()
                ));
            }
        }
    }
    Ok(states)
}
