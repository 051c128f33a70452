//! Finding messages by words.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{EDITED, REDACTED, SENT};
use super::selection::Selection;
use super::{Importance, Message, tables};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::hub::{Check, Scope};
use crate::lists;
use crate::operations::Compose;
use crate::search::{catch_up, fts_query};

/// The part of a message that the index is made of.
#[derive(Deserialize)]
struct Indexed {
    message_id: String,
    seq: u64,
    content: String,
}

/// Follows one event of the log. What has been redacted since is never indexed, however far behind the index is.
pub(crate) fn index(db: &Connection, event: &Event) -> Result<()> {
    if ![SENT, EDITED, REDACTED].contains(&event.kind.as_ref()) {
        return Ok(());
    }
    let message: Indexed = serde_json::from_str(event.data.text())
        .map_err(|e| Error::storage(format!("a {} event cannot be read: {e}", event.kind)))?;
    if event.kind != SENT {
        db.prepare_cached("DELETE FROM message_fts WHERE rowid = ?1")?.execute([message.seq as i64])?;
    }
    let redacted: Option<bool> = db
        .prepare_cached("SELECT body ->> '$.redacted' FROM message WHERE message_id = ?1")?
        .query_row([&message.message_id], |row| row.get(0))
        .optional()?;
    if redacted == Some(false) {
        db.prepare_cached("INSERT INTO message_fts (rowid, content) VALUES (?1, ?2)")?
            .execute(params![message.seq as i64, message.content])?;
    }
    Ok(())
}

/// Input of `message.search`. Filters left out match everything; those given must all match.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words that must all be in the content; `word*` for beginnings.
    pub query: String,
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
    /// At most this many tokens, reckoned as bytes of JSON / 4: the best that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

impl Search {
    /// Looks for these words in all messages.
    pub fn new(query: &str) -> Search {
        Search { query: query.to_owned(), ..Search::default() }
    }

    fn selection(&self) -> Selection<'_> {
        Selection {
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
        }
    }
}

/// Answer of `message.search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end. What is said meanwhile may move its place.
    pub next_cursor: Option<String>,
}

/// One message that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// The message.
    pub message: Message,
    /// Where the words stand, each between `**` and `**`; a longer content is cut, shown by `…`.
    pub highlight: String,
}

impl Compose for Search {
    type Output = Found;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Found> {
        let query = fts_query("query", &self.query)?;
        let size = lists::page_size(self.limit)?;
        let passed = lists::passed(self.cursor.as_deref())?;
        let selection = self.selection();
        selection.check()?;
        catch_up(scope.core)?;
        let mut clause = selection.clause(scope.by.agent_id());
        clause.and("message_fts MATCH ?", Value::Text(query));
        let conditions = clause.sql();
        let limit = clause.value(Value::Integer(size as i64 + 1));
        let offset = clause.value(Value::Integer(passed as i64));
        let sql = format!(
            "SELECT m.body, snippet(message_fts, 0, '**', '**', '…', 32) FROM message_fts
             CROSS JOIN message m ON m.seq = message_fts.rowid WHERE {conditions} ORDER BY rank, m.seq
             LIMIT {limit} OFFSET {offset}"
        );
        scope.core.storage.read(|reader| {
            let mut statement = reader.db.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(&clause.values))?;
            let mut hits = Vec::new();
            while let Some(row) = rows.next()? {
                let message = tables::read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
                hits.push(Hit { message, highlight: row.get(1)? });
            }
            let page = lists::page_past(hits, passed, size, self.max_tokens)?;
            Ok(Found { hits: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
        })
    }
}
