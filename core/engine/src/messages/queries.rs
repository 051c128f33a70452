//! Getting one message, and listing them by any field.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::Selection;
use super::{Importance, Message, MessageError, tables};
use crate::clock::Time;
use crate::error::Result;
use crate::id;
use crate::lists::{self, Budget};
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// Input of `message.get`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The message.
    pub message_id: String,
}

impl Get {
    /// Gets this message.
    pub fn new(message_id: &str) -> Get {
        Get { message_id: message_id.to_owned() }
    }
}

impl Query for Get {
    type Output = Message;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Message> {
        id::check_name("message_id", &self.message_id)?;
        let found = tables::visible(cx.db, by.agent_id(), &self.message_id)?;
        found.ok_or_else(|| MessageError::Unknown(self.message_id.clone()).into())
    }
}

/// Input of `message.list`. Fields left out match everything; those given must all match.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Who sent it.
    #[serde(default)]
    pub sender_id: Option<String>,
    /// The role that its sender had.
    #[serde(default)]
    pub sender_role: Option<String>,
    /// An agent whom it is for by name (messages for all are not).
    #[serde(default)]
    pub recipient_id: Option<String>,
    /// The session it is of.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The channel of the session.
    #[serde(default)]
    pub channel: Option<String>,
    /// The task it is about.
    #[serde(default)]
    pub task_id: Option<String>,
    /// The thread it belongs to.
    #[serde(default)]
    pub thread_id: Option<String>,
    /// Its type.
    #[serde(default)]
    pub message_type: Option<String>,
    /// How much it matters.
    #[serde(default)]
    pub importance: Option<Importance>,
    /// The message it answers.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// Whether an acknowledgement was asked for.
    #[serde(default)]
    pub ack_required: Option<bool>,
    /// Sent at this time or later.
    #[serde(default)]
    pub since: Option<Time>,
    /// Sent before this time.
    #[serde(default)]
    pub until: Option<Time>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessagePage {
    /// The messages, newest first.
    pub messages: Vec<Message>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Query for List {
    type Output = MessagePage;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<MessagePage> {
        let size = lists::page_size(self.limit)?;
        let mut budget = Budget::new(self.max_tokens)?;
        let before = lists::seq_place(self.cursor.as_deref())?;
        let selection = Selection {
            sender_id: self.sender_id.as_deref(),
            sender_role: self.sender_role.as_deref(),
            recipient_id: self.recipient_id.as_deref(),
            session_id: self.session_id.as_deref(),
            channel: self.channel.as_deref(),
            task_id: self.task_id.as_deref(),
            thread_id: self.thread_id.as_deref(),
            message_type: self.message_type.as_deref(),
            importance: self.importance,
            reply_to: self.reply_to.as_deref(),
            ack_required: self.ack_required,
            since: self.since,
            until: self.until,
        };
        selection.check()?;
        let (sql, values) = selection.newest_first(by.agent_id(), before, size);
        newest(cx.db, &sql, values, size, &mut budget)
    }
}

/// The page of at most `size` messages that a statement finds, newest first; it looks for one more.
pub(crate) fn newest(
    db: &Connection,
    sql: &str,
    values: Vec<Value>,
    size: usize,
    budget: &mut Budget,
) -> Result<MessagePage> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut page = MessagePage { messages: Vec::new(), left_out: 0, next_cursor: None };
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let more = seen == size;
        if !more && page.left_out == 0 && budget.take(body.len())? {
            page.messages.push(tables::read(body)?);
        } else {
            page.left_out += u64::from(!more);
            page.next_cursor.get_or_insert_with(|| lists::cursor(&(seq + 1).to_string()));
        }
        seen += 1;
    }
    Ok(page)
}
