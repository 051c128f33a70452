//! Getting one session with what is in it, and listing them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::Channel;
use super::decisions::Decision;
use super::{ParticipantState, Session, SessionState, access, clients, tables};
use crate::activity::rows::FeedReader;
use crate::activity::{Activity, ActivityFilter, index};
use crate::error::Result;
use crate::hub::{Check, Scope};
use crate::id;
use crate::lists::{self, Budget};
use crate::messages::Message;
use crate::messages::queries::newest;
use crate::messages::selection::Selection;
use crate::operations::Compose;
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// Messages, decisions and activities of `session.get` when the call does not say.
const NEWEST: u64 = 20;

/// Input of `session.get`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The session.
    pub session_id: String,
    /// At most this many of its newest messages, decisions and activities each, 1 to 1,000; 20 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// At most this many tokens of messages and activities, reckoned as bytes of JSON / 4: the newest messages that fit,
    /// then, where all of them did, the newest activities.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// How much there is in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCounts {
    /// Those who take part.
    pub participants: u64,
    /// Those who were invited and have not joined.
    pub invited: u64,
    /// Decisions.
    pub decisions: u64,
    /// Messages.
    pub messages: u64,
    /// Messages by channel; those outside the channels are in none.
    pub by_channel: BTreeMap<String, u64>,
}

/// A session with what is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// The session itself. Each participant carries its `status`.
    #[serde(flatten)]
    pub session: Session,
    /// Its channels, in the order in which they were made.
    pub channels: Vec<Channel>,
    /// Its newest decisions, the oldest of them first.
    pub decisions: Vec<Decision>,
    /// The version of its shared state (`session.get_state`).
    pub state_version: u64,
    /// How many clients are connected.
    pub clients: u64,
    /// How much there is in it.
    pub counts: SessionCounts,
    /// Its newest messages, the oldest of them first.
    pub messages: Vec<Message>,
    /// How many older messages there are than those shown.
    pub left_out: u64,
    /// Its newest activities, the oldest of them first; `activity.feed` with its `session_id` has the others.
    pub activities: Vec<Activity>,
    /// The newest `seq` at which all this was so: subscribe with `after` this to go on.
    pub position: u64,
}

impl Compose for Get {
    type Output = SessionView;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<SessionView> {
        let size = lists::page_size(Some(self.limit.unwrap_or(NEWEST)))?;
        let mut budget = Budget::new(self.max_tokens)?;
        let mut view = scope.core.storage.read(|reader| self.view(reader, scope.by, size, &mut budget))?;
        view.activities = self.activities(scope, view.position, size, budget)?;
        Ok(view)
    }
}

impl Get {
    /// The session and what is in it, without its activities.
    fn view(&self, cx: &Reader<'_>, by: &Principal, size: usize, budget: &mut Budget) -> Result<SessionView> {
        let mut session = access::readable(cx.db, by, &self.session_id)?;
        for who in &mut session.participants {
            who.status = crate::agents::tables::presence(cx.db, &who.agent_id)?.map(|there| there.status);
        }
        let channels = tables::channels(cx.db, &self.session_id)?;
        let counts = counts(cx.db, &session, &channels)?;
        let selection = Selection { session_id: Some(&self.session_id), ..Selection::default() };
        let (sql, values) = selection.newest_first(None, None, size);
        let mut messages = newest(cx.db, &sql, values, size, budget)?.messages;
        messages.reverse();
        Ok(SessionView {
            channels,
            decisions: tables::decisions(cx.db, &self.session_id, size)?,
            state_version: tables::value(
                cx.db,
                "SELECT ifnull((SELECT version FROM session_state WHERE session_id = ?1), 0)",
                [&self.session_id],
            )
            .map(|version: i64| version as u64)?,
            clients: clients::count(cx.db, &self.session_id)?,
            left_out: counts.messages - messages.len() as u64,
            counts,
            messages,
            activities: Vec::new(),
            position: crate::log::head(cx.db)?.seq,
            session,
        })
    }

    /// The newest activities up to `position`, the oldest of them first.
    fn activities(
        &self,
        scope: &Scope<'_>,
        position: u64,
        size: usize,
        mut budget: Budget,
    ) -> Result<Vec<Activity>> {
        let filter =
            ActivityFilter { session_id: Some(self.session_id.clone()), ..ActivityFilter::default() };
        let mut reader = FeedReader::new(scope.core, scope.by, filter)?;
        index::catch_up(scope.core)?;
        let mut activities = Vec::new();
        for activity in reader.newest(position.saturating_add(1), size)?.activities {
            if !budget.take(lists::bytes(&activity)?)? {
                break;
            }
            activities.push(activity);
        }
        activities.reverse();
        Ok(activities)
    }
}

fn counts(db: &Connection, session: &Session, channels: &[Channel]) -> Result<SessionCounts> {
    let found = |audience: String| -> Result<u64> {
        let count: i64 = tables::value(db, "SELECT count(*) FROM delivery WHERE audience = ?1", [audience])?;
        Ok(count as u64)
    };
    let id = &session.session_id;
    let of = |channel: &Channel| {
        Ok((channel.channel.clone(), found(crate::messages::tables::channel_audience(id, &channel.channel))?))
    };
    let decisions: i64 = tables::value(db, "SELECT count(*) FROM decision WHERE session_id = ?1", [id])?;
    let invited = session.participants.iter().filter(|who| who.state == ParticipantState::Invited).count();
    Ok(SessionCounts {
        participants: session.joined().count() as u64,
        invited: invited as u64,
        decisions: decisions as u64,
        messages: found(format!("session:{id}"))?,
        by_channel: channels.iter().map(of).collect::<Result<_>>()?,
    })
}

/// Input of `session.list`. Fields left out match everything; those given must all match.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only those in this state: `active` or `ended`.
    #[serde(default)]
    pub state: Option<SessionState>,
    /// Only those in which this agent takes part, or to which it was invited.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Only those of this kind.
    #[serde(default)]
    pub kind: Option<String>,
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

/// A page of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionPage {
    /// The sessions, newest first. An agent is shown those in which it takes part, to which it was invited, and the
    /// active ones that it may join.
    pub sessions: Vec<Session>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Query for List {
    type Output = SessionPage;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<SessionPage> {
        let size = lists::page_size(self.limit)?;
        id::check_optional("agent_id", self.agent_id.as_deref())?;
        id::check_optional("kind", self.kind.as_deref())?;
        let before = lists::seq_place(self.cursor.as_deref())?.and_then(|seq| i64::try_from(seq).ok());
        let mut statement = cx.db.prepare_cached(
            "SELECT s.body FROM session s WHERE s.n < ?1
             AND (?2 IS NULL OR s.open OR EXISTS
                  (SELECT 1 FROM member m WHERE m.session_id = s.session_id AND m.agent_id = ?2))
             AND (?3 IS NULL OR s.state = ?3)
             AND (?4 IS NULL OR EXISTS (SELECT 1 FROM member m WHERE m.session_id = s.session_id AND m.agent_id = ?4))
             AND (?5 IS NULL OR s.body ->> '$.kind' = ?5)
             ORDER BY s.n DESC LIMIT ?6",
        )?;
        let given = params![
            before.unwrap_or(i64::MAX),
            by.agent_id(),
            self.state.map(SessionState::as_str),
            self.agent_id,
            self.kind,
            size as i64 + 1
        ];
        let rows = statement.query_map(given, |row| row.get::<_, String>(0))?;
        let mut sessions = rows.map(|row| tables::read(&row?)).collect::<Result<Vec<Session>>>()?;
        let more = sessions.len() > size;
        sessions.truncate(size);
        let page = lists::page(sessions, more, self.max_tokens, |session| session.seq.to_string())?;
        Ok(SessionPage { sessions: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
    }
}
