//! Presence at a past point: exact where that can be known, marked where not.
//!
//! Each event that moves a presence carries the whole of it. So a row of the fold is exact unless relaxed events are
//! missing after it; and a row of now that was last moved before the point is exact whatever is missing.

use rusqlite::{Connection, params};

use crate::agents::{Presence, tables};
use crate::error::{Error, Result};

/// Sets the presences of a view right. `hole` is the last `seq` up to `seq` that is no longer in the log.
pub(crate) fn settle(view: &Connection, live: &Connection, seq: u64, hole: u64) -> Result<()> {
    let mut rows = live.prepare("SELECT agent_id, status, body, seq FROM presence WHERE seq <= ?1")?;
    let mut rows = rows.query([seq as i64])?;
    while let Some(row) = rows.next()? {
        let (id, status, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        view.execute(
            "UPDATE presence SET status = ?2, body = ?3, seq = ?4 WHERE agent_id = ?1",
            params![id, status, body, row.get::<_, i64>(3)?],
        )?;
    }
    mark(view, live, seq, hole)
}

fn mark(view: &Connection, live: &Connection, seq: u64, hole: u64) -> Result<()> {
    let mut rows = view.prepare("SELECT agent_id, body FROM presence WHERE seq < ?1")?;
    let rows = rows.query_map([hole as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let old: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
    for (id, body) in old {
        let moved: bool = live
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM presence WHERE agent_id = ?1 AND seq > ?2)")?
            .query_row(params![id, seq as i64], |row| row.get(0))?;
        if !moved {
            continue;
        }
        let presence: Presence = tables::read(&body)?;
        let since = presence.last_seen.or(presence.joined_at).unwrap_or_default();
        let presence = Presence { uncertain_since: Some(since), ..presence };
        let body = serde_json::to_string(&presence).map_err(|error| Error::internal(error.to_string()))?;
        view.execute("UPDATE presence SET body = ?2 WHERE agent_id = ?1", params![id, body])?;
    }
    Ok(())
}
