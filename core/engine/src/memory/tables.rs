//! The tables of memory: what events make of them, and how a head is found.

use rusqlite::{Connection, OptionalExtension, params};

use super::Entry;
use super::access::AccessRule;
use crate::clock::Time;
use crate::error::{Error, Result};

/// Makes this version the head of its key.
pub(crate) fn put(db: &Connection, entry: &Entry, seq: u64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO memory_head VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
        params![
            entry.key,
            entry.version as i64,
            entry.deleted,
            entry.expires_at.map(Time::millis),
            entry.created_by,
            entry.created_at.millis(),
            seq as i64
        ],
    )?;
    Ok(())
}

/// Sets the rule of a prefix or key; a rule that says nothing is taken away.
pub(crate) fn put_rule(db: &Connection, rule: &AccessRule, seq: u64, data: &str) -> Result<()> {
    if rule.read.is_none() && rule.write.is_none() {
        db.prepare_cached("DELETE FROM acl WHERE prefix = ?1 AND exact = ?2")?
            .execute(params![rule.prefix, rule.exact])?;
    } else {
        db.prepare_cached("INSERT OR REPLACE INTO acl VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            rule.prefix,
            rule.exact,
            data,
            seq as i64
        ])?;
    }
    Ok(())
}

/// The newest version of a key, deleted or not.
pub(crate) fn head(db: &Connection, key: &str) -> Result<Option<Entry>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM memory WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// What a change must know of a key's head: not its value.
#[derive(Debug)]
pub(crate) struct Head {
    pub version: u64,
    pub seq: u64,
    /// Whether the key is there, and then who made it and when.
    pub origin: Option<Origin>,
}

/// Who made a key, and when.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub created_by: Option<String>,
    pub created_at: Time,
}

/// The head of a key without its value.
pub(crate) fn head_only(db: &Connection, key: &str, now: Time) -> Result<Option<Head>> {
    let mut statement = db.prepare_cached(
        "SELECT version, seq, gone, expires_at, created_by, created_at FROM memory_head WHERE key = ?1",
    )?;
    let mut rows = statement.query([key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let gone: bool = row.get(2)?;
    let expires: Option<i64> = row.get(3)?;
    let live = !gone && expires.is_none_or(|at| at > now.millis());
    let origin = match live {
        true => Some(Origin { created_by: row.get(4)?, created_at: Time::from_millis(row.get(5)?) }),
        false => None,
    };
    Ok(Some(Head { version: row.get::<_, i64>(0)? as u64, seq: row.get::<_, i64>(1)? as u64, origin }))
}

/// The newest version of a key, if the key is there at this time.
pub(crate) fn live(db: &Connection, key: &str, now: Time) -> Result<Option<Entry>> {
    Ok(head(db, key)?.filter(|entry| is_live(entry, now)))
}

/// Whether this version says that the key is there.
pub(crate) fn is_live(entry: &Entry, now: Time) -> bool {
    !entry.deleted && entry.expires_at.is_none_or(|at| at > now)
}

/// Versions of a key below `before`, newest first, at most `limit` of them; of the newest `kept` that there are.
pub(crate) fn versions(
    db: &Connection,
    key: &str,
    kept: usize,
    before: u64,
    limit: usize,
) -> Result<Vec<Entry>> {
    let mut versions = Vec::new();
    let mut previous = None;
    for _ in 0..kept {
        let entry = match previous {
            None => head(db, key)?,
            Some(seq) => by_seq(db, seq)?,
        };
        let Some(entry) = entry else { break };
        previous = entry.previous_seq;
        if entry.version < before {
            versions.push(entry);
        }
        if versions.len() == limit || previous.is_none() {
            break;
        }
    }
    Ok(versions)
}

/// The version that an event made, from the log or from what retention has set aside.
fn by_seq(db: &Connection, seq: u64) -> Result<Option<Entry>> {
    let body: Option<String> = db
        .prepare_cached(
            "SELECT data FROM event WHERE seq = ?1 UNION ALL SELECT body FROM memory_old WHERE seq = ?1",
        )?
        .query_row([seq as i64], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// Reads a stored version.
pub(crate) fn read(body: &str) -> Result<Entry> {
    serde_json::from_str(body)
        .map_err(|e| Error::storage(format!("the file is damaged: a memory version cannot be read: {e}")))
}

/// Keys whose time is up, at most `limit`.
pub(crate) fn expired(db: &Connection, now: Time, limit: usize) -> Result<Vec<Entry>> {
    let mut statement =
        db.prepare_cached("SELECT body FROM memory WHERE expires_at <= ?1 AND gone = 0 LIMIT ?2")?;
    let rows = statement.query_map(params![now.millis(), limit as i64], |row| row.get::<_, String>(0))?;
    rows.map(|row| read(&row?)).collect()
}

/// Sets versions aside that are still kept, before retention takes their events (those up to `upto`).
pub(crate) fn set_aside(db: &Connection, upto: u64, keep: u64) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO memory_old
         SELECT e.seq, e.subject, e.data ->> '$.version', e.data FROM event e JOIN memory_head m ON m.key = e.subject
         WHERE e.seq <= ?1 AND e.kind IN ('memory.updated', 'memory.deleted')
           AND (e.seq = m.seq OR e.data ->> '$.version' > m.version - ?2)",
    )?
    .execute(params![upto as i64, keep as i64])?;
    Ok(())
}

/// Takes versions away that are no longer kept; answers how many went.
pub(crate) fn trim(db: &Connection, keep: u64, limit: i64) -> Result<usize> {
    let sql = "DELETE FROM memory_old WHERE seq IN (
        SELECT o.seq FROM memory_old o JOIN memory_head m ON m.key = o.key
        WHERE o.version <= m.version - ?1 AND o.seq <> m.seq LIMIT ?2)";
    Ok(db.prepare_cached(sql)?.execute(params![keep as i64, limit])?)
}

/// The text of a key's head and whether it ends by itself, if the key is there at this time.
pub(crate) fn head_text(db: &Connection, key: &str, now: Time) -> Result<Option<(String, bool)>> {
    let head: Option<(bool, Option<i64>, String)> = db
        .prepare_cached("SELECT gone, expires_at, body FROM memory WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(head.and_then(|(gone, expires, body)| {
        let live = !gone && expires.is_none_or(|at| at > now.millis());
        live.then_some((body, expires.is_some()))
    }))
}
