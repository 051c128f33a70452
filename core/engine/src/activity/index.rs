//! The feed's indexes, fed behind the log.
//!
//! Every write would pay for them inside its transaction. Instead they follow the log up to `feed_upto`: a little in the
//! background, the rest when someone asks. What lies between is read from the log itself, which matters where a hub is
//! open to read only.

use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Activity, tables, view, words};
use crate::core::Core;
use crate::error::Result;
use crate::events::event::Event;
use crate::keeper::system;
use crate::log;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// Events that one step looks at: a step stays well under the time of a batch.
const STEP: usize = 200;
/// Steps that the background takes in one round, so that those who write hardly notice.
const STEPS_BEHIND: usize = 20;

/// Up to which `seq` the feed is fed.
pub(crate) fn upto(db: &Connection) -> Result<u64> {
    let upto: i64 = db.prepare_cached("SELECT seq FROM feed_upto")?.query_row([], |row| row.get(0))?;
    Ok(upto as u64)
}

/// The last durable event.
pub(crate) fn head(db: &Connection) -> Result<u64> {
    let head: Option<i64> =
        db.prepare_cached("SELECT max(seq) FROM event")?.query_row([], |row| row.get(0))?;
    Ok(head.unwrap_or(0) as u64)
}

/// Brings the feed up to what was the end of the log at the call.
pub(crate) fn catch_up(core: &Core) -> Result<()> {
    if core.config.read_only {
        return Ok(());
    }
    let (at, head) = core.storage.read(|reader| Ok((upto(reader.db)?, head(reader.db)?)))?;
    if at < head { feed_to(core, head, usize::MAX) } else { Ok(()) }
}

/// Brings the feed a little further, and as far as retention is about to take.
pub(crate) fn follow_behind(core: &Core, surplus: u64) -> Result<()> {
    let (at, head) = core.storage.read(|reader| Ok((upto(reader.db)?, head(reader.db)?)))?;
    if at < surplus.min(head) {
        feed_to(core, surplus.min(head), usize::MAX)?;
    }
    if at < head { feed_to(core, head, STEPS_BEHIND) } else { Ok(()) }
}

fn feed_to(core: &Core, goal: u64, most: usize) -> Result<()> {
    for _ in 0..most {
        if core.is_closed() || system(core, "activity.index", Class::Shared, FeedStep {})? >= goal {
            break;
        }
    }
    Ok(())
}

/// Takes the next events into the feed; answers how far it has come.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct FeedStep {}

impl Change for FeedStep {
    type Output = u64;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<u64> {
        let at = upto(cx.db)?;
        let events = log::read_durable(cx.db, cx.hub, (at, u64::MAX), false, STEP)?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(u64::MAX) };
        for event in events.iter().filter(|event| event.kind != super::events::COMPLETED) {
            if let Some(activity) = view::of_event(event, |id| tables::department(cx.db, id))? {
                insert(cx.db, event, &activity)?;
            }
        }
        cx.db.prepare_cached("UPDATE feed_upto SET seq = ?1")?.execute([last as i64])?;
        Ok(if events.len() < STEP { u64::MAX } else { last })
    }
}

/// One row of the feed. What was recorded is kept in its own table, so its row here never changes.
fn insert(db: &Connection, event: &Event, activity: &Activity) -> Result<()> {
    let body = match activity.event_kind {
        Some(_) => {
            Some(serde_json::to_string(activity).map_err(|error| crate::Error::internal(error.to_string()))?)
        }
        None => None,
    };
    let seq = event.seq as i64;
    db.prepare_cached("INSERT INTO feed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?
        .execute(params![
            seq,
            activity.event_kind,
            activity.timestamp.millis(),
            activity.agent_id,
            activity.department,
            activity.activity_type,
            activity.session_id,
            activity.task_id,
            view::key_of(event),
            event.place.target_agents.iter().any(|target| target == "*"),
            activity.took_ms(),
            body,
        ])?;
    let mut related = db.prepare_cached("INSERT OR IGNORE INTO feed_related VALUES (?1, ?2)")?;
    for agent_id in &activity.related_agents {
        related.execute(params![agent_id, seq])?;
    }
    db.prepare_cached("INSERT INTO feed_fts (rowid, words) VALUES (?1, ?2)")?
        .execute(params![seq, words::text_of(activity)])?;
    Ok(())
}
