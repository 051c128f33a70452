//! Applying the log to other tables.

use rusqlite::Connection;

use crate::error::Result;
use crate::events::event::{Body, Event, Stamp};

/// Events that are read at once.
const PAGE: usize = 1_000;

/// Applies the events after `from` up to `upto` to these tables; answers the last `seq` that was missing, 0 for none.
///
/// Only relaxed events may be missing: they are kept for minutes. `read` gives the events after a `seq`, at most so many.
pub(crate) fn fold(
    tables: &Connection,
    from: u64,
    upto: u64,
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
        }
        if events.last().is_none_or(|event| event.seq >= upto) {
            break;
        }
    }
    Ok(if upto < u64::MAX && last < upto { upto } else { hole })
}

/// Reads an event's body back, whichever noun it is of; `None` for kinds this version does not know.
fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    match kind.split_once('.').map_or(kind, |(noun, _)| noun) {
        "agent" | "presence" => crate::agents::events::decode(kind, data),
        "message" => crate::messages::events::decode(kind, data),
        "session" | "channel" => crate::sessions::events::decode(kind, data),
        "task" => crate::tasks::events::decode(kind, data),
        "memory" => crate::memory::events::decode(kind, data),
        _ => Ok(None),
    }
}
