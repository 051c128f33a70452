//! Reading channels: which there are, and what was said in one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Channel, posting};
use crate::error::Result;
use crate::lists::{self, Budget};
use crate::messages::Message;
use crate::messages::queries::newest;
use crate::messages::selection::Selection;
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::sessions::{access, tables};
use crate::storage::Reader;

/// Input of `channel.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The session.
    pub session_id: String,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the first that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// The channels of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelList {
    /// The channels, in the order in which they were made.
    pub channels: Vec<Channel>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Query for List {
    type Output = ChannelList;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<ChannelList> {
        let size = lists::page_size(self.limit)?;
        let passed = lists::passed(self.cursor.as_deref())?;
        access::readable(cx.db, by, &self.session_id)?;
        let channels = tables::channels(cx.db, &self.session_id)?;
        let rest = channels.into_iter().skip(passed).take(size + 1).collect();
        let page = lists::page_past(rest, passed, size, self.max_tokens)?;
        Ok(ChannelList { channels: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
    }
}

/// Input of `channel.history`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The session.
    pub session_id: String,
    /// The channel.
    pub channel: String,
    /// The messages after this `seq`, from the oldest on; the newest ones when left out.
    #[serde(default)]
    pub after: Option<u64>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: those that fit, from the oldest on with `after`, else
    /// from the newest back.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

impl History {
    /// The newest messages of a channel.
    pub fn new(session_id: &str, channel: &str) -> History {
        History { session_id: session_id.to_owned(), channel: channel.to_owned(), ..History::default() }
    }
}

/// What was said in a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryPage {
    /// The session.
    pub session_id: String,
    /// The channel.
    pub channel: String,
    /// The messages, the oldest first. A channel that is not persistent has none.
    pub messages: Vec<Message>,
    /// Go on after this `seq`: with `after` for more history; once `at_end`, with a subscription for what comes, and
    /// nothing is missed and nothing comes twice.
    pub position: u64,
    /// Whether the newest message is among them, or was before.
    pub at_end: bool,
    /// Without `after`: how many older messages there are.
    pub left_out: u64,
}

impl Query for History {
    type Output = HistoryPage;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<HistoryPage> {
        let size = lists::page_size(self.limit)?;
        let mut budget = Budget::new(self.max_tokens)?;
        let session = access::readable(cx.db, by, &self.session_id)?;
        let channel = posting::find(cx.db, &session, &self.channel)?.channel;
        let head = crate::log::head(cx.db)?.seq;
        let selection =
            Selection { session_id: Some(&self.session_id), channel: Some(&channel), ..Selection::default() };
        let page = |messages, position, at_end, left_out| HistoryPage {
            session_id: self.session_id.clone(),
            channel: channel.clone(),
            messages,
            position,
            at_end,
            left_out,
        };
        let Some(after) = self.after else {
            let audience = crate::messages::tables::channel_audience(&self.session_id, &channel);
            let sql = "SELECT count(*) FROM delivery WHERE audience = ?1";
            let count: i64 = tables::value(cx.db, sql, [audience])?;
            let (sql, values) = selection.newest_first(None, None, size);
            let mut messages = newest(cx.db, &sql, values, size, &mut budget)?.messages;
            messages.reverse();
            let left_out = count as u64 - messages.len() as u64;
            return Ok(page(messages, head, true, left_out));
        };
        let (sql, values) = selection.after(after, size);
        let mut statement = cx.db.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let mut messages: Vec<Message> = Vec::new();
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            if messages.len() == size || !budget.take(body.len())? {
                let position = messages.last().map_or(after, |last| last.seq);
                return Ok(page(messages, position, false, 0));
            }
            messages.push(crate::messages::tables::read(body)?);
        }
        Ok(page(messages, head.max(after), true, 0))
    }
}
