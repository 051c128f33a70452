//! An event of the engine's own as an entry of the feed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::kinds::{self, Shown};
use super::{Activity, events};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::json::Json;
use crate::memory;

/// The fields of an object, as they are written.
type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The kinds that a follower of the feed listens for.
pub(crate) fn kinds() -> Vec<String> {
    let own = [events::RECORDED, events::COMPLETED];
    own.into_iter().chain(kinds::SHOWN.iter().map(|shown| shown.kind)).map(str::to_owned).collect()
}

/// Whether an event tells of a recorded activity: such an event carries the activity itself.
pub(crate) fn is_recorded(kind: &str) -> bool {
    kind == events::RECORDED || kind == events::COMPLETED
}

/// The entry that stands for an event; `None` when it does not show. The department is the agent's own of now.
pub(crate) fn of_event(
    event: &Event,
    department: impl FnOnce(&str) -> Result<Option<String>>,
) -> Result<Option<Activity>> {
    if is_recorded(&event.kind) {
        return super::tables::read(event.data.text()).map(Some);
    }
    let Some(shown) = kinds::of(&event.kind) else { return Ok(None) };
    let data = fields(event.data.text())?;
    let place = &event.place;
    let agent_id = place.agent_id.clone().or_else(|| shown.actor.and_then(|field| read(&data, field)));
    let related = place.target_agents.iter().filter(|id| *id != "*" && Some(*id) != agent_id.as_ref());
    let completed_at = shown.outcome.map(|_| event.time);
    Ok(Some(Activity {
        activity_id: event.id(),
        seq: event.seq,
        department: agent_id.as_deref().map(department).transpose()?.flatten(),
        activity_type: type_of(shown, &data).to_owned(),
        metadata: metadata(shown, &data)?,
        related_agents: related.cloned().collect(),
        session_id: place.session_id.clone(),
        task_id: place.task_id.clone(),
        timestamp: event.time,
        open: false,
        completed_at,
        outcome: shown.outcome,
        result: Json::null(),
        duration_seconds: shown.span.and_then(|(from, to)| span(&data, from, to)),
        event_kind: Some(event.kind.clone().into_owned()),
        agent_id,
    }))
}

fn fields(data: &str) -> Result<Fields<'_>> {
    serde_json::from_str(data).map_err(|e| Error::storage(format!("an event cannot be read: {e}")))
}

fn type_of<'a>(shown: &'a Shown, data: &Fields<'_>) -> &'a str {
    if shown.kind != memory::events::RECORDED {
        return shown.activity_type;
    }
    let operation: Option<Cow<'_, str>> = read(data, "operation");
    operation.map_or(shown.activity_type, |operation| kinds::elsewhere(&operation))
}

fn read<'a, T: serde::Deserialize<'a>>(data: &Fields<'a>, field: &str) -> Option<T> {
    data.get(field).and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// The chosen fields as a JSON object, as they are written in the event.
fn metadata(shown: &Shown, data: &Fields<'_>) -> Result<Json> {
    let mut chosen: BTreeMap<&str, &RawValue> = BTreeMap::new();
    for field in shown.fields {
        let (name, found) = match field.split_once('.') {
            None => (*field, data.get(*field).copied()),
            Some((outer, inner)) => {
                let within = data.get(outer).and_then(|raw| fields(raw.get()).ok());
                (inner, within.and_then(|within| within.get(inner).copied()))
            }
        };
        if let Some(raw) = found.filter(|raw| raw.get() != "null") {
            chosen.insert(name, raw);
        }
    }
    let text = serde_json::to_string(&chosen).map_err(|e| Error::internal(e.to_string()))?;
    Json::from_text(text)
}

fn span(data: &Fields<'_>, from: &str, to: &str) -> Option<f64> {
    let (from, to): (Time, Time) = (read(data, from)?, read(data, to)?);
    Some(to.seconds_since(from).max(0.0))
}

/// The memory key by which it is judged who may see the entry of an event.
pub(crate) fn key_of(event: &Event) -> Option<&str> {
    let of_memory = event.kind.starts_with("memory.");
    event.place.subject.as_deref().filter(|_| of_memory)
}
