//! The tables of memory: what events make of them, and how a head is found.

use rusqlite::{Connection, OptionalExtension, params};

use super::Entry;
use super::access::AccessRule;
use crate::clock::Time;
use crate::error::{Error, Result};

/// Adds a version.
pub(crate) fn put(db: &Connection, entry: &Entry, seq: u64, data: &str) -> Result<()> {
    db.prepare_cached("INSERT INTO memory VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        entry.key,
        entry.version as i64,
        entry.deleted,
        entry.expires_at.map(Time::millis),
        data,
        seq as i64
    ])?;
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
        .prepare_cached("SELECT body FROM memory WHERE key = ?1 ORDER BY version DESC LIMIT 1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// The newest version of a key, if the key is there at this time.
pub(crate) fn live(db: &Connection, key: &str, now: Time) -> Result<Option<Entry>> {
    Ok(head(db, key)?.filter(|entry| is_live(entry, now)))
}

/// Whether this version says that the key is there.
pub(crate) fn is_live(entry: &Entry, now: Time) -> bool {
    !entry.deleted && entry.expires_at.is_none_or(|at| at > now)
}

/// One version of a key.
pub(crate) fn version(db: &Connection, key: &str, version: u64) -> Result<Option<Entry>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM memory WHERE key = ?1 AND version = ?2")?
        .query_row(params![key, version as i64], |row| row.get(0))
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
    let mut statement = db.prepare_cached(
        "SELECT body FROM memory m WHERE expires_at <= ?1 AND gone = 0
         AND version = (SELECT max(version) FROM memory WHERE key = m.key) LIMIT ?2",
    )?;
    let rows = statement.query_map(params![now.millis(), limit as i64], |row| row.get::<_, String>(0))?;
    rows.map(|row| read(&row?)).collect()
}

/// Takes old versions away, `keep` of each key stay; answers how many went.
pub(crate) fn trim(db: &Connection, keep: u64) -> Result<usize> {
    let sql = "DELETE FROM memory WHERE (key, version) IN (
        SELECT m.key, m.version FROM memory m
        JOIN (SELECT key, max(version) AS newest FROM memory GROUP BY key HAVING count(*) > ?1) h ON h.key = m.key
        WHERE m.version <= h.newest - ?1 LIMIT 1000)";
    Ok(db.prepare_cached(sql)?.execute([keep as i64])?)
}

/// The text of a key's head and whether it ends by itself, if the key is there at this time.
pub(crate) fn head_text(db: &Connection, key: &str, now: Time) -> Result<Option<(String, bool)>> {
    let head: Option<(bool, Option<i64>, String)> = db
        .prepare_cached(
            "SELECT gone, expires_at, body FROM memory WHERE key = ?1 ORDER BY version DESC LIMIT 1",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(head.and_then(|(gone, expires, body)| {
        let live = !gone && expires.is_none_or(|at| at > now.millis());
        live.then_some((body, expires.is_some()))
    }))
}
