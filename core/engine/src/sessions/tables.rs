//! The tables of sessions: what events make of them, and how one is found.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::de::DeserializeOwned;

use super::channels::Channel;
use super::decisions::Decision;
use super::rules::JoinRule;
use super::state::SharedState;
use super::{ParticipantState, Session, SessionState};
use crate::error::{Error, Result};

/// Makes a session what an event says, with its members.
pub(crate) fn put(db: &Connection, session: &Session, data: &str, seq: u64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (session_id) DO UPDATE SET
           state = excluded.state, open = excluded.open, body = excluded.body, seq = excluded.seq",
    )?
    .execute(params![
        session.session_id,
        session.seq as i64,
        session.state.as_str(),
        session.state == SessionState::Active && session.rules.join == JoinRule::Open,
        data,
        seq as i64
    ])?;
    db.prepare_cached("DELETE FROM member WHERE session_id = ?1")?.execute([&session.session_id])?;
    let mut insert = db.prepare_cached("INSERT INTO member VALUES (?1, ?2, ?3, ?4)")?;
    for who in &session.participants {
        let joined = who.state == ParticipantState::Joined;
        insert.execute(params![session.session_id, who.agent_id, joined, seq as i64])?;
    }
    if session.state == SessionState::Ended {
        for outside in
            ["DELETE FROM client WHERE session_id = ?1", "DELETE FROM session_rate WHERE session_id = ?1"]
        {
            db.prepare_cached(outside)?.execute([&session.session_id])?;
        }
    }
    Ok(())
}

/// Adds a channel.
pub(crate) fn put_channel(db: &Connection, channel: &Channel, data: &str, seq: u64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO channel VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        channel.session_id,
        channel.channel,
        data,
        seq as i64
    ])?;
    Ok(())
}

/// Adds a decision.
pub(crate) fn put_decision(db: &Connection, decision: &Decision, data: &str, seq: u64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO decision VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        decision.session_id,
        seq as i64,
        decision.decision_id,
        data
    ])?;
    Ok(())
}

/// Makes the shared state of a session what an event says.
pub(crate) fn put_state(db: &Connection, state: &SharedState, data: &str, seq: u64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO session_state VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        state.session_id,
        state.version as i64,
        data,
        seq as i64
    ])?;
    Ok(())
}

/// The session of this id.
pub(crate) fn get(db: &Connection, session_id: &str) -> Result<Option<Session>> {
    one(db, "SELECT body FROM session WHERE session_id = ?1", [session_id])
}

/// The channel of this name.
pub(crate) fn channel(db: &Connection, session_id: &str, channel: &str) -> Result<Option<Channel>> {
    one(db, "SELECT body FROM channel WHERE session_id = ?1 AND channel = ?2", [session_id, channel])
}

/// The channels of a session, in the order in which they were made.
pub(crate) fn channels(db: &Connection, session_id: &str) -> Result<Vec<Channel>> {
    all(db, "SELECT body FROM channel WHERE session_id = ?1 ORDER BY seq", [session_id])
}

/// Whether a decision of this id was recorded in the session.
pub(crate) fn decision_exists(db: &Connection, session_id: &str, decision_id: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM decision WHERE session_id = ?1 AND decision_id = ?2)";
    value(db, sql, [session_id, decision_id])
}

/// The newest decisions of a session, the oldest of them first.
pub(crate) fn decisions(db: &Connection, session_id: &str, limit: usize) -> Result<Vec<Decision>> {
    let sql = "SELECT body FROM decision WHERE session_id = ?1 ORDER BY seq DESC LIMIT ?2";
    let mut newest: Vec<Decision> = all(db, sql, params![session_id, limit as i64])?;
    newest.reverse();
    Ok(newest)
}

/// The shared state of a session; `None` while nobody has changed it.
pub(crate) fn state(db: &Connection, session_id: &str) -> Result<Option<SharedState>> {
    one(db, "SELECT body FROM session_state WHERE session_id = ?1", [session_id])
}

/// The one value that a statement finds.
pub(crate) fn value<T: FromSql>(db: &Connection, sql: &str, given: impl Params) -> Result<T> {
    Ok(db.prepare_cached(sql)?.query_row(given, |row| row.get(0))?)
}

fn one<T: DeserializeOwned>(db: &Connection, sql: &str, given: impl Params) -> Result<Option<T>> {
    let body: Option<String> = db.prepare_cached(sql)?.query_row(given, |row| row.get(0)).optional()?;
    body.map(|body| read(&body)).transpose()
}

fn all<T: DeserializeOwned>(db: &Connection, sql: &str, given: impl Params) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(given, |row| row.get::<_, String>(0))?;
    rows.map(|row| read(&row?)).collect()
}

/// Reads a stored row.
pub(crate) fn read<T: DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body)
        .map_err(|e| Error::storage(format!("the file is damaged: a row of a session cannot be read: {e}")))
}
