//! The tables of agents.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Agent, Presence, Status};
use crate::error::{Error, Result};
use crate::leases::Lease;

pub(crate) fn put_profile(db: &Connection, agent: &Agent, seq: u64) -> Result<()> {
    let body = serde_json::to_string(agent).map_err(|e| Error::internal(e.to_string()))?;
    db.prepare_cached("INSERT OR REPLACE INTO agent VALUES (?1, ?2, ?3)")?.execute(params![
        agent.agent_id,
        body,
        seq as i64
    ])?;
    Ok(())
}

pub(crate) fn put_presence(db: &Connection, presence: &Presence, seq: u64) -> Result<()> {
    let body = serde_json::to_string(presence).map_err(|e| Error::internal(e.to_string()))?;
    db.prepare_cached(
        "INSERT INTO presence (agent_id, status, body, seq) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (agent_id) DO UPDATE SET status = excluded.status, body = excluded.body, seq = excluded.seq",
    )?
    .execute(params![presence.agent_id, presence.status.as_str(), body, seq as i64])?;
    Ok(())
}

/// Who this agent is.
pub(crate) fn profile(db: &Connection, agent_id: &str) -> Result<Option<Agent>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM agent WHERE agent_id = ?1")?
        .query_row([agent_id], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// What an agent can do, and the counters that keep it alive: its own and its holder's.
pub(crate) fn able(db: &Connection, agent_id: &str) -> Result<Option<(HashSet<String>, i64)>> {
    #[derive(serde::Deserialize)]
    struct Able {
        #[serde(default)]
        capabilities: HashMap<String, serde::de::IgnoredAny>,
    }
    let found: Option<(String, i64)> = db
        .prepare_cached(
            "SELECT a.body, ifnull(p.renewals, 0) + ifnull(h.renewals, 0) FROM agent a
             LEFT JOIN presence p ON p.agent_id = a.agent_id LEFT JOIN holder h ON h.holder = p.holder
             WHERE a.agent_id = ?1",
        )?
        .query_row([agent_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let able = |(body, beats): (String, i64)| {
        Ok((read::<Able>(&body)?.capabilities.into_keys().collect::<HashSet<String>>(), beats))
    };
    found.map(able).transpose()
}

/// What this agent was last known to do.
pub(crate) fn presence(db: &Connection, agent_id: &str) -> Result<Option<Presence>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM presence WHERE agent_id = ?1")?
        .query_row([agent_id], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// Reads a stored row.
pub(crate) fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body)
        .map_err(|e| Error::storage(format!("the file is damaged: an agent cannot be read: {e}")))
}

/// Whether an agent of this id is registered.
pub(crate) fn exists(db: &Connection, agent_id: &str) -> Result<bool> {
    let found =
        db.prepare_cached("SELECT 1 FROM agent WHERE agent_id = ?1")?.query_row([agent_id], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Moves an agent's counter: it is alive.
pub(crate) fn beat(db: &Connection, agent_id: &str) -> Result<()> {
    db.prepare_cached("UPDATE presence SET renewals = renewals + 1 WHERE agent_id = ?1")?
        .execute([agent_id])?;
    Ok(())
}

/// Says which process beats for an agent; none when it is to beat by itself.
pub(crate) fn set_holder(db: &Connection, agent_id: &str, holder: Option<&str>) -> Result<()> {
    db.prepare_cached("UPDATE presence SET holder = ?2, renewals = renewals + 1 WHERE agent_id = ?1")?
        .execute(params![agent_id, holder])?;
    Ok(())
}

/// The leases of all who are present.
pub(crate) fn leases(db: &Connection, ttl: Duration) -> Result<Vec<Lease>> {
    let mut statement = db.prepare_cached(
        "SELECT p.agent_id, p.renewals + ifnull(h.renewals, 0) FROM presence p
         LEFT JOIN holder h ON h.holder = p.holder WHERE p.status <> ?1",
    )?;
    let rows = statement.query_map([Status::Offline.as_str()], |row| {
        let agent_id: String = row.get(0)?;
        Ok(Lease { entity: format!("agent:{agent_id}"), token: 0, count: row.get(1)?, ttl })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The lease of one agent.
pub(crate) fn lease(db: &Connection, agent_id: &str, ttl: Duration) -> Result<Option<Lease>> {
    let count: Option<i64> = db
        .prepare_cached(
            "SELECT p.renewals + ifnull(h.renewals, 0) FROM presence p
             LEFT JOIN holder h ON h.holder = p.holder WHERE p.agent_id = ?1",
        )?
        .query_row([agent_id], |row| row.get(0))
        .optional()?;
    Ok(count.map(|count| Lease { entity: format!("agent:{agent_id}"), token: 0, count, ttl }))
}

/// The agents for which this process beats.
pub(crate) fn held_by(db: &Connection, holder: &str) -> Result<Vec<String>> {
    let mut statement =
        db.prepare_cached("SELECT agent_id FROM presence WHERE holder = ?1 AND status <> 'offline'")?;
    let rows = statement.query_map([holder], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The agents for which this process beats although they were given up: it was stopped for longer than their time.
pub(crate) fn lapsed_of(db: &Connection, holder: &str) -> Result<Vec<String>> {
    let mut statement =
        db.prepare_cached("SELECT agent_id FROM presence WHERE holder = ?1 AND status = 'offline'")?;
    let rows = statement.query_map([holder], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets processes that beat for nobody who is present, nor for a connected client.
pub(crate) fn forget_holders(db: &Connection, own: &str) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM holder WHERE holder <> ?1
         AND NOT EXISTS (SELECT 1 FROM presence p WHERE p.holder = holder.holder AND p.status <> 'offline')
         AND NOT EXISTS (SELECT 1 FROM client c WHERE c.holder = holder.holder)",
    )?
    .execute([own])?;
    Ok(())
}

/// What an agent has done so far, counted from the tasks it held.
pub(crate) fn performance(db: &Connection, agent_id: &str) -> Result<super::Performance> {
    crate::tasks::tables::performance(db, agent_id)
}

/// The presence of all who are active.
pub(crate) fn active(db: &Connection) -> Result<Vec<Presence>> {
    let mut statement = db.prepare_cached("SELECT body FROM presence WHERE status = 'active'")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|row| read(&row?)).collect()
}
