//! The tables of messages: what events make of them, and how one message is found.

use rusqlite::{Connection, OptionalExtension, params};

use super::access::VISIBLE;
use super::{Audience, Message};
use crate::agents::{Agent, AgentError};
use crate::error::{Error, Result};
use crate::id;

/// Adds a message.
pub(crate) fn insert(db: &Connection, message: &Message, data: &str, changed: u64) -> Result<()> {
    let open = match (message.audience, &message.session_id) {
        (Audience::All, _) => 2,
        (_, Some(_)) => 1,
        (_, None) => 0,
    };
    db.prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(
        params![
            message.seq as i64,
            message.message_id,
            message.sender_id,
            message.conversation_thread_id,
            message.message_type,
            message.timestamp.millis(),
            open,
            message.session_id,
            data,
            changed as i64,
        ],
    )?;
    Ok(())
}

/// Where messages of a channel are found. A name holds no tab.
pub(crate) fn channel_audience(session_id: &str, channel: &str) -> String {
    format!("channel:{session_id}\t{channel}")
}

/// Says where a new message is found: one row for all, or for each agent it is for, its session, channel and task.
pub(crate) fn deliver(db: &Connection, message: &Message) -> Result<()> {
    let mut insert = db.prepare_cached("INSERT INTO delivery VALUES (?1, ?2)")?;
    let mut deliver = |audience: &str| insert.execute(params![audience, message.seq as i64]);
    if message.audience == Audience::All {
        deliver("*")?;
    }
    for agent_id in message.named() {
        deliver(&format!("agent:{agent_id}"))?;
    }
    if let Some(session_id) = &message.session_id {
        deliver(&format!("session:{session_id}"))?;
        if let Some(channel) = &message.channel {
            deliver(&channel_audience(session_id, channel))?;
        }
    }
    if let Some(task_id) = &message.task_id {
        deliver(&format!("task:{task_id}"))?;
    }
    Ok(())
}

/// Sets a message to how it now stands. It is added when retention has taken the event that sent it.
pub(crate) fn update(db: &Connection, message: &Message, data: &str, changed: u64) -> Result<()> {
    let known = db
        .prepare_cached("UPDATE message SET body = ?2, changed = ?3 WHERE seq = ?1")?
        .execute(params![message.seq as i64, data, changed as i64])?;
    if known == 0 { insert(db, message, data, changed) } else { Ok(()) }
}

/// Reads a stored message.
pub(crate) fn read(body: &str) -> Result<Message> {
    serde_json::from_str(body)
        .map_err(|e| Error::storage(format!("the file is damaged: a message cannot be read: {e}")))
}

/// A message, when there is one that this agent may see; `None` as the agent sees everything.
pub(crate) fn visible(db: &Connection, viewer: Option<&str>, message_id: &str) -> Result<Option<Message>> {
    let sql = format!("SELECT m.body FROM message m WHERE m.message_id = ?2 AND {VISIBLE}");
    let body: Option<String> =
        db.prepare_cached(&sql)?.query_row(params![viewer, message_id], |row| row.get(0)).optional()?;
    body.map(|body| read(&body)).transpose()
}

/// Whether there is a message of this id, whoever may see it.
pub(crate) fn exists(db: &Connection, message_id: &str) -> Result<bool> {
    let found =
        db.prepare_cached("SELECT 1 FROM message WHERE message_id = ?1")?.query_row([message_id], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// The profile of an agent that must be registered; the error names the field.
pub(crate) fn registered(db: &Connection, field: &str, agent_id: &str) -> Result<Agent> {
    id::check_name(field, agent_id)?;
    crate::agents::tables::profile(db, agent_id)?
        .ok_or_else(|| Error::from(AgentError::Unknown(agent_id.to_owned())).with("field", field))
}

/// Opens the inbox of an agent that was not known: what is sent from here on comes into it.
pub(crate) fn open_inbox(db: &Connection, agent_id: &str, seq: u64) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO inbox VALUES (?1, ?2, ?2)")?
        .execute(params![agent_id, seq as i64])?;
    Ok(())
}

/// The `seq` of a message, when there is one that this agent may see.
pub(crate) fn visible_seq(db: &Connection, viewer: Option<&str>, message_id: &str) -> Result<Option<u64>> {
    let sql = format!("SELECT m.seq FROM message m WHERE m.message_id = ?2 AND {VISIBLE}");
    let seq: Option<i64> =
        db.prepare_cached(&sql)?.query_row(params![viewer, message_id], |row| row.get(0)).optional()?;
    Ok(seq.map(|seq| seq as u64))
}
