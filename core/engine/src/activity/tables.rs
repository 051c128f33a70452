//! The table of recorded activities: what events make of it.

use rusqlite::{Connection, OptionalExtension, params};

use super::Activity;
use crate::error::{Error, Result};

/// Sets an activity to how it now stands.
pub(crate) fn put(db: &Connection, activity: &Activity, changed: u64, data: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO activity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (seq) DO UPDATE SET
           open = excluded.open, took_ms = excluded.took_ms, body = excluded.body, changed = excluded.changed",
    )?
    .execute(params![
        activity.seq as i64,
        activity.activity_id,
        activity.agent_id.as_deref().unwrap_or_default(),
        activity.open,
        activity.took_ms(),
        data,
        changed as i64,
    ])?;
    Ok(())
}

/// Takes away what was recorded up to this `seq`.
pub(crate) fn forget(db: &Connection, upto: u64) -> Result<()> {
    db.prepare_cached("DELETE FROM activity WHERE seq <= ?1")?.execute([upto as i64])?;
    Ok(())
}

/// Reads a stored activity.
pub(crate) fn read(body: &str) -> Result<Activity> {
    serde_json::from_str(body)
        .map_err(|e| Error::storage(format!("the file is damaged: an activity cannot be read: {e}")))
}

/// A recorded activity.
pub(crate) fn get(db: &Connection, activity_id: &str) -> Result<Option<Activity>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM activity WHERE activity_id = ?1")?
        .query_row([activity_id], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// The activity that an event recorded, as it now stands.
pub(crate) fn by_seq(db: &Connection, seq: u64) -> Result<Option<Activity>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM activity WHERE seq = ?1")?
        .query_row([seq as i64], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// The type of the newest activity that this agent has open.
pub(crate) fn current(db: &Connection, agent_id: &str) -> Result<Option<String>> {
    let sql = "SELECT body ->> '$.activity_type' FROM activity WHERE agent_id = ?1 AND open = 1
               ORDER BY seq DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([agent_id], |row| row.get(0)).optional()?)
}

/// The department of an agent, when it is registered and has one.
pub(crate) fn department(db: &Connection, agent_id: &str) -> Result<Option<String>> {
    let found: Option<Option<String>> = db
        .prepare_cached("SELECT body ->> '$.department' FROM agent WHERE agent_id = ?1")?
        .query_row([agent_id], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}
