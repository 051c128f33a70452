//! Applying the log to other tables.

use rusqlite::{Connection, params};

use crate::error::Result;
use crate::events::event::{Body, Event, Stamp};

/// Events that are read at once. Each may hold a value of a mebibyte.
const PAGE: usize = 200;

/// Where the rows of tasks and keys, which do not repeat what their events say, find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// In the log that is folded.
    InLog,
    /// In the tables themselves, set aside as retention does.
    Aside,
}

/// Applies the events after `from` up to `upto` to these tables; answers the last `seq` that was missing, 0 for none.
///
/// Only relaxed events may be missing: they are kept for minutes. `read` gives the events after a `seq`, at most so many.
pub(crate) fn fold(
    tables: &Connection,
    from: u64,
    upto: u64,
    words: Words,
    mut read: impl FnMut(u64, usize) -> Result<Vec<Event>>,
) -> Result<u64> {
    let (mut last, mut hole) = (from, 0);
    loop {
        let events = read(last, PAGE)?;
        for event in events.iter().take_while(|event| event.seq <= upto) {
            if event.seq > last + 1 {
                hole = event.seq - 1;
            }
            last = event.seq;
            if let Some(body) = decode(&event.kind, event.data.text())? {
                body.apply(tables, Stamp { seq: event.seq, time: event.time }, event.data.text())?;
            }
            if words == Words::Aside {
                lay_down(tables, event)?;
            }
        }
        if words == Words::Aside {
            set_aside(tables, last)?;
        }
        if events.last().is_none_or(|event| event.seq >= upto) {
            break;
        }
    }
    Ok(if upto < u64::MAX && last < upto { upto } else { hole })
}

/// Puts what an event says where rows look for it.
fn lay_down(tables: &Connection, event: &Event) -> Result<()> {
    if event.kind.starts_with("task.") || event.kind.starts_with("memory.") {
        tables
            .prepare_cached(
                "INSERT INTO event (seq, kind, time, principal, subject, task_id, data, hash)
                 VALUES (?1, ?2, 0, '', ?3, ?4, ?5, x'')",
            )?
            .execute(params![
                event.seq as i64,
                event.kind,
                event.place.subject,
                event.place.task_id,
                event.data.text()
            ])?;
    }
    Ok(())
}

/// Keeps the newest that these events say of each task and key, and takes the events away again.
fn set_aside(tables: &Connection, upto: u64) -> Result<()> {
    const NO_OLDER: u64 = 0;
    crate::tasks::tables::set_aside(tables, upto)?;
    crate::memory::tables::set_aside(tables, upto, NO_OLDER)?;
    tables
        .prepare_cached("DELETE FROM memory_old WHERE seq IN (SELECT data ->> '$.previous_seq' FROM event)")?
        .execute([])?;
    tables.prepare_cached("DELETE FROM event")?.execute([])?;
    Ok(())
}

/// Reads an event's body back, whichever noun it is of; `None` for kinds this version does not know.
fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    match kind.split_once('.').map_or(kind, |(noun, _)| noun) {
        "agent" | "presence" => crate::agents::events::decode(kind, data),
        "message" => crate::messages::events::decode(kind, data),
        "activity" => crate::activity::events::decode(kind, data),
        "session" | "channel" => crate::sessions::events::decode(kind, data),
        "task" => crate::tasks::events::decode(kind, data),
        "memory" => crate::memory::events::decode(kind, data),
        _ => Ok(None),
    }
}
