//! Threads: what belongs together, in order, and a digest of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::{Connection, params, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::VISIBLE;
use super::queries::newest;
use super::selection::Selection;
use super::{Message, MessageError, tables};
use crate::error::{Error, Result};
use crate::id;
use crate::lists::{self, Budget};
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// Input of `thread.get`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetThread {
    /// The thread.
    pub thread_id: String,
    /// At most this many, the newest, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before, for older messages.
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

impl GetThread {
    /// Gets this thread.
    pub fn new(thread_id: &str) -> GetThread {
        GetThread { thread_id: thread_id.to_owned(), ..GetThread::default() }
    }
}

/// Answer of `thread.get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadPage {
    /// The thread.
    pub thread_id: String,
    /// Its newest messages, the oldest of them first.
    pub messages: Vec<Message>,
    /// How many messages it has.
    pub message_count: u64,
    /// How many older ones were left out, for `limit` or `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for older messages; null at the start of the thread.
    pub next_cursor: Option<String>,
}

/// How many messages of a thread an agent may see, before a `seq`.
fn count(db: &Connection, viewer: Option<&str>, thread_id: &str, before: Option<u64>) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM message m WHERE m.thread_id = ?2 AND m.seq < ?3 AND {VISIBLE}");
    let before = before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
    let count: i64 =
        db.prepare_cached(&sql)?.query_row(params![viewer, thread_id, before], |row| row.get(0))?;
    Ok(count as u64)
}

impl Query for GetThread {
    type Output = ThreadPage;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<ThreadPage> {
        id::check_name("thread_id", &self.thread_id)?;
        let size = lists::page_size(self.limit)?;
        let mut budget = Budget::new(self.max_tokens)?;
        let before = lists::seq_place(self.cursor.as_deref())?;
        let viewer = by.agent_id();
        let message_count = count(cx.db, viewer, &self.thread_id, None)?;
        if message_count == 0 {
            return Err(MessageError::UnknownThread(self.thread_id.clone()).into());
        }
        let older = match before {
            Some(_) => count(cx.db, viewer, &self.thread_id, before)?,
            None => message_count,
        };
        let selection = Selection { thread_id: Some(&self.thread_id), ..Selection::default() };
        let (sql, values) = selection.newest_first(viewer, before, size);
        let mut page = newest(cx.db, &sql, values, size, &mut budget)?;
        page.messages.reverse();
        Ok(ThreadPage {
            thread_id: self.thread_id.clone(),
            left_out: older - page.messages.len() as u64,
            messages: page.messages,
            message_count,
            next_cursor: page.next_cursor,
        })
    }
}

/// Input of `thread.summarize`: a thread or a session, one of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summarize {
    /// The thread.
    #[serde(default)]
    pub thread_id: Option<String>,
    /// The session.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The summarizer of this process that writes it, by name; the one registered first when left out.
    #[serde(default)]
    pub summarizer: Option<String>,
}

/// Who took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    /// The agent.
    pub agent_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its role.
    pub role: Option<String>,
    /// How many of the messages it sent.
    pub sent: u64,
}

/// Answer of `thread.summarize`: a digest made of the messages themselves, with the summary of a summarizer if there is
/// one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    /// `extractive`: all that follows was taken out of the messages, nothing was rephrased. `summarizer`: `summary` was
    /// written by a plug-in.
    pub method: String,
    /// The summarizer that wrote `summary`, or that was asked in vain.
    #[serde(default)]
    pub summarizer: Option<String>,
    /// Why the summarizer wrote nothing; then the digest is extractive.
    #[serde(default)]
    pub summarizer_error: Option<String>,
    /// The thread, when it is of one.
    pub thread_id: Option<String>,
    /// The session, when it is of one.
    pub session_id: Option<String>,
    /// How many messages there are.
    pub message_count: u64,
    /// Who sent them, the busiest first.
    pub participants: Vec<Participant>,
    /// How many there are of each type.
    pub by_type: BTreeMap<String, u64>,
    /// The first message.
    pub first: Message,
    /// The last message.
    pub last: Message,
    /// Up to three messages with the most reactions, the most first; redacted ones are left out.
    pub most_reacted: Vec<Message>,
    /// All this in a few sentences, which say what they are; or what the summarizer wrote.
    pub summary: String,
}

/// How many of the most reacted messages a digest shows.
const MOST_REACTED: usize = 3;
/// How many characters of a message a digest quotes.
const QUOTED: usize = 200;

impl Summarize {
    /// The messages that are to be condensed.
    pub(super) fn selection(&self) -> Selection<'_> {
        Selection {
            thread_id: self.thread_id.as_deref(),
            session_id: self.session_id.as_deref(),
            ..Selection::default()
        }
    }

    /// The extractive digest of what an agent may see.
    pub(super) fn digest(&self, db: &Connection, viewer: Option<&str>) -> Result<Digest> {
        let (noun, id) = match (&self.thread_id, &self.session_id) {
            (Some(id), None) => ("thread", id),
            (None, Some(id)) => ("session", id),
            (Some(id), Some(_)) => {
                let must = "give either thread_id or session_id, not both";
                return Err(Error::invalid("thread_id", id.as_str(), must));
            }
            (None, None) => {
                let must = "give thread_id, or session_id";
                return Err(Error::invalid("thread_id", serde_json::Value::Null, must));
            }
        };
        id::check_name(&format!("{noun}_id"), id)?;
        digest(db, self.selection(), viewer)?.ok_or_else(|| match noun {
            "thread" => MessageError::UnknownThread(id.clone()).into(),
            _ => Error::not_found("message of session", id).with("field", "session_id"),
        })
    }
}

/// Reads every message once; `None` when there is none.
fn digest(db: &Connection, selection: Selection<'_>, viewer: Option<&str>) -> Result<Option<Digest>> {
    let (sql, values) = selection.oldest_first(viewer);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut first, mut last): (Option<Message>, Option<Message>) = (None, None);
    let mut senders: BTreeMap<String, Participant> = BTreeMap::new();
    let mut by_type: BTreeMap<String, u64> = BTreeMap::new();
    let mut reacted: Vec<(u64, Message)> = Vec::new();
    let mut message_count = 0;
    while let Some(row) = rows.next()? {
        let message = tables::read(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        message_count += 1;
        *by_type.entry(message.message_type.clone()).or_default() += 1;
        senders.entry(message.sender_id.clone()).or_insert_with(|| Participant::of(&message)).sent += 1;
        let reactions: u64 = message.reactions.iter().map(|reaction| reaction.count).sum();
        if reactions > 0 && !message.redacted {
            let at = reacted.partition_point(|(more, _)| *more >= reactions);
            reacted.insert(at, (reactions, message.clone()));
            reacted.truncate(MOST_REACTED);
        }
        if first.is_none() {
            first = Some(message.clone());
        }
        last = Some(message);
    }
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let mut participants: Vec<Participant> = senders.into_values().collect();
    participants.sort_by_key(|who| std::cmp::Reverse(who.sent));
    let mut digest = Digest {
        method: "extractive".to_owned(),
        summarizer: None,
        summarizer_error: None,
        thread_id: selection.thread_id.map(str::to_owned),
        session_id: selection.session_id.map(str::to_owned),
        message_count,
        participants,
        by_type,
        first,
        last,
        most_reacted: reacted.into_iter().map(|(_, message)| message).collect(),
        summary: String::new(),
    };
    digest.summary = digest.sentences();
    Ok(Some(digest))
}

impl Participant {
    fn of(message: &Message) -> Participant {
        Participant {
            agent_id: message.sender_id.clone(),
            name: message.sender_name.clone(),
            role: message.sender_role.clone(),
            sent: 0,
        }
    }
}

impl Digest {
    fn sentences(&self) -> String {
        let mut text = "Extractive digest (quoted from the messages, not written by a model). ".to_owned();
        let who: Vec<String> =
            self.participants.iter().take(10).map(|who| format!("{} {}", who.agent_id, who.sent)).collect();
        let more = if self.participants.len() > 10 { ", …" } else { "" };
        let (from, to) = (self.first.timestamp, self.last.timestamp);
        let (count, people) = (self.message_count, self.participants.len());
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "Messages: {count}, from {people} (sent: {}{more}), {from} to {to}.",
            who.join(", ")
        );
        let _ = write!(text, "\nFirst, {}", quote(&self.first));
        if self.message_count > 1 {
            let _ = write!(text, "\nLast, {}", quote(&self.last));
        }
        for message in &self.most_reacted {
            let count: u64 = message.reactions.iter().map(|reaction| reaction.count).sum();
            let _ = write!(text, "\nReactions: {count}, {}", quote(message));
        }
        text
    }
}

fn quote(message: &Message) -> String {
    if message.redacted {
        return format!("{}: (redacted)", message.sender_id);
    }
    let head: String = message.content.chars().take(QUOTED).collect();
    let more = if head.len() < message.content.len() { "…" } else { "" };
    format!("{}: {head}{more}", message.sender_id)
}
