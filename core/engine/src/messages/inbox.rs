//! An agent's inbox: what is for it, by name or for all, unread first.
//!
//! A message for all is in the inbox of everyone who was registered when it was sent, but for its sender; whether they
//! were present does not matter. What was read is kept as a floor (up to here nothing is unread) and one mark for each
//! message past it, so that an inbox costs what is unread and not what there ever was.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::SENT;
use super::{Message, MessageError, tables};
use crate::error::{Error, Result};
use crate::events::consumers::wait_time;
use crate::events::filter::Filter;
use crate::events::subscription::Subscription;
use crate::hub::{Check, Scope};
use crate::id;
use crate::lists::{self, Budget};
use crate::operations::Compose;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// How far unread messages are counted past a page.
const MOST_COUNTED: u64 = 1_000;
/// How far one call moves the floor: it must stay well under the time of a batch.
const STEP: usize = 1_000;

/// Input of `message.inbox`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// Whose inbox: a registered agent.
    pub agent_id: String,
    /// Leave out what was read; false when left out.
    #[serde(default)]
    pub unread_only: Option<bool>,
    /// Seconds to wait for a message when none is unread, at most 3,600; 0 when left out.
    #[serde(default)]
    pub wait_seconds: Option<f64>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest that fit, unread before read.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

impl Inbox {
    /// The inbox of this agent.
    pub fn new(agent_id: &str) -> Inbox {
        Inbox { agent_id: agent_id.to_owned(), ..Inbox::default() }
    }
}

/// Answer of `message.inbox`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InboxPage {
    /// First what is unread, the oldest first; then what was read, the newest first. `read` says which.
    pub messages: Vec<Message>,
    /// How many are unread in all; counted up to 1,000 past the page.
    pub unread: u64,
    /// How many of the page were left out for `max_tokens`. They stay as they are, read or unread.
    pub left_out: u64,
}

impl Compose for Inbox {
    type Output = InboxPage;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<InboxPage> {
        let size = lists::page_size(self.limit)?;
        let wait = wait_time(self.wait_seconds)?;
        id::check_name("agent_id", &self.agent_id)?;
        scope.by.may_act_as("agent_id", &self.agent_id)?;
        let start = Instant::now();
        let mut subscription: Option<Subscription> = None;
        loop {
            let page = scope.core.storage.read(|reader| self.read(reader.db, size))?;
            let left = wait.saturating_sub(start.elapsed());
            if page.unread > 0 || left.is_zero() {
                return Ok(page);
            }
            match subscription.as_mut() {
                Some(live) => {
                    live.next_until(left, check)?;
                }
                // What is sent between looking and listening is found by looking once more.
                None => {
                    let filter = Filter { agents: vec![self.agent_id.clone()], ..Filter::kinds([SENT]) };
                    subscription = Some(Subscription::open(scope.core, filter, scope.by, None)?);
                }
            }
        }
    }
}

/// Rows that come into an inbox after `?2`, each with whether it was read; `{order}` and `{page}` say which of them.
fn rows(unread: bool, columns: &str, order: &str) -> String {
    let mark = if unread { "r.seq IS NULL" } else { "(d.seq <= ?4 OR r.seq IS NOT NULL)" };
    let part = |audience: &str| {
        format!(
            "SELECT {columns} FROM delivery d CROSS JOIN message m ON m.seq = d.seq
             LEFT JOIN read_mark r ON r.agent_id = ?1 AND r.seq = d.seq
             WHERE d.audience = {audience} AND d.seq > ?2 AND m.sender_id <> ?1 AND {mark}"
        )
    };
    format!("{} UNION ALL {} ORDER BY 1 {order} LIMIT ?3", part("'agent:' || ?1"), part("'*'"))
}

impl Inbox {
    fn read(&self, db: &Connection, size: usize) -> Result<InboxPage> {
        tables::registered(db, "agent_id", &self.agent_id)?;
        let (start, upto) = bounds(db, &self.agent_id)?;
        let columns = "d.seq, m.body";
        let mut unread = Vec::new();
        let mut statement = db.prepare_cached(&rows(true, columns, "ASC"))?;
        let mut found = statement.query(params![self.agent_id, upto, size as i64])?;
        while let Some(row) = found.next()? {
            unread.push(row.get::<_, String>(1)?);
        }
        let mut read = Vec::new();
        if self.unread_only != Some(true) && unread.len() < size {
            let mut statement = db.prepare_cached(&rows(false, columns, "DESC"))?;
            let rest = (size - unread.len()) as i64;
            let mut found = statement.query(params![self.agent_id, start, rest, upto])?;
            while let Some(row) = found.next()? {
                read.push(row.get::<_, String>(1)?);
            }
        }
        let count = if unread.len() < size { unread.len() as u64 } else { self.count(db, upto, size)? };
        page(self.max_tokens, &unread, &read, count)
    }

    fn count(&self, db: &Connection, upto: i64, size: usize) -> Result<u64> {
        let most = size as i64 + MOST_COUNTED as i64;
        let sql = format!("SELECT count(*) FROM ({})", rows(true, "d.seq", "ASC"));
        let count: i64 =
            db.prepare_cached(&sql)?.query_row(params![self.agent_id, upto, most], |row| row.get(0))?;
        Ok(count as u64)
    }
}

/// The newest that fit, unread before read, in the order of an inbox.
fn page(max_tokens: Option<u64>, unread: &[String], read: &[String], count: u64) -> Result<InboxPage> {
    let mut budget = Budget::new(max_tokens)?;
    let mut fitting = 0;
    for body in unread.iter().rev().chain(read) {
        if !budget.take(body.len())? {
            break;
        }
        fitting += 1;
    }
    let newest_unread = unread.iter().skip(unread.len().saturating_sub(fitting)).map(|body| (body, false));
    let newest_read = read.iter().take(fitting.saturating_sub(unread.len())).map(|body| (body, true));
    let messages = newest_unread
        .chain(newest_read)
        .map(|(body, read)| Ok(Message { read: Some(read), ..tables::read(body)? }))
        .collect::<Result<Vec<_>>>()?;
    let left_out = (unread.len() + read.len() - messages.len()) as u64;
    Ok(InboxPage { messages, unread: count, left_out })
}

/// Where an inbox begins, and up to where nothing in it is unread.
fn bounds(db: &Connection, agent_id: &str) -> Result<(i64, i64)> {
    let bounds = db
        .prepare_cached("SELECT start, upto FROM inbox WHERE agent_id = ?1")?
        .query_row([agent_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(bounds.unwrap_or((0, 0)))
}

/// Input of `message.mark_read`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// The messages, at most 1,000, each of which the agent can see.
    pub message_ids: Vec<String>,
    /// Who has read them: a registered agent.
    pub agent_id: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `message.mark_read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marked {
    /// How many had not been marked before.
    pub marked: u64,
}

impl Change for MarkRead {
    type Output = Marked;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Marked> {
        id::check_name("agent_id", &self.agent_id)?;
        let by = cx.acting("agent_id", Some(&self.agent_id))?;
        cx.check_count("message_ids", self.message_ids.len())?;
        id::check_names("message_ids", &self.message_ids)?;
        tables::registered(cx.db, "agent_id", &self.agent_id)?;
        let mut seqs = Vec::with_capacity(self.message_ids.len());
        for (i, message_id) in self.message_ids.iter().enumerate() {
            seqs.push(tables::visible_seq(cx.db, by.agent_id(), message_id)?.ok_or_else(|| {
                Error::from(MessageError::Unknown(message_id.clone()))
                    .with("field", format!("message_ids[{i}]"))
            })?);
        }
        Ok(Marked { marked: mark(cx, &self.agent_id, &seqs)? })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Marks messages as read by an agent; answers how many were not. Call it once nothing can be refused any more.
pub(crate) fn mark(cx: &Decide<'_>, agent_id: &str, seqs: &[u64]) -> Result<u64> {
    let (_, upto) = bounds(cx.db, agent_id)?;
    let mut insert = cx.db.prepare_cached("INSERT OR IGNORE INTO read_mark VALUES (?1, ?2, ?3)")?;
    let mut marked = 0;
    for seq in seqs.iter().map(|seq| *seq as i64).filter(|seq| *seq > upto) {
        marked += insert.execute(params![agent_id, seq, cx.now.millis()])? as u64;
    }
    if marked > 0 {
        raise_floor(cx.db, agent_id, upto)?;
    }
    Ok(marked)
}

/// Moves the floor past what was read and what the agent sent itself, and drops the marks below it.
fn raise_floor(db: &Connection, agent_id: &str, upto: i64) -> Result<()> {
    let part = |audience: &str| {
        format!(
            "SELECT d.seq, m.sender_id = ?1 OR r.seq IS NOT NULL FROM delivery d CROSS JOIN message m ON m.seq = d.seq
             LEFT JOIN read_mark r ON r.agent_id = ?1 AND r.seq = d.seq WHERE d.audience = {audience} AND d.seq > ?2"
        )
    };
    let sql = format!("{} UNION ALL {} ORDER BY 1", part("'agent:' || ?1"), part("'*'"));
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![agent_id, upto])?;
    let mut floor = upto;
    for _ in 0..STEP {
        match rows.next()? {
            Some(row) if row.get::<_, bool>(1)? => floor = row.get(0)?,
            _ => break,
        }
    }
    if floor > upto {
        db.prepare_cached("UPDATE inbox SET upto = ?2 WHERE agent_id = ?1")?
            .execute(params![agent_id, floor])?;
        db.prepare_cached("DELETE FROM read_mark WHERE agent_id = ?1 AND seq <= ?2")?
            .execute(params![agent_id, floor])?;
    }
    Ok(())
}
