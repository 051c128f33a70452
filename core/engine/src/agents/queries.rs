//! What reads agents.

use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Agent, AgentError, Presence, Status, tables};
use crate::clock::Time;
use crate::error::Result;
use crate::hub::{Check, Scope};
use crate::id;
use crate::lists;
use crate::operations::Compose;
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// An agent with its presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// Who it is.
    pub agent: Agent,
    /// What it does.
    pub presence: Presence,
}

/// Input of `agent.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only those with this status.
    #[serde(default)]
    pub status: Option<Status>,
    /// Only those of this type.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Only those with this role.
    #[serde(default)]
    pub role: Option<String>,
    /// Only those that can do this.
    #[serde(default)]
    pub capability: Option<String>,
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

/// A page of agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentPage {
    /// The agents, in the order of their ids.
    pub agents: Vec<AgentView>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Query for List {
    type Output = AgentPage;

    fn read(&self, cx: &Reader<'_>, _: &Principal) -> Result<AgentPage> {
        for (field, word) in [("capability", &self.capability), ("role", &self.role), ("type", &self.kind)] {
            id::check_optional(field, word.as_deref())?;
        }
        let size = lists::page_size(self.limit)?;
        let after = self.cursor.as_deref().map(lists::place).transpose()?.unwrap_or_default();
        let mut statement = cx.db.prepare_cached(
            "SELECT a.body, p.body FROM agent a JOIN presence p USING (agent_id)
             WHERE a.agent_id > ?1 AND (?2 IS NULL OR p.status = ?2) ORDER BY a.agent_id",
        )?;
        let mut rows = statement.query(params![after, self.status.map(Status::as_str)])?;
        let mut agents: Vec<AgentView> = Vec::new();
        let mut more = false;
        while let Some(row) = rows.next()? {
            let agent: Agent = tables::read(&row.get::<_, String>(0)?)?;
            if !self.fits(&agent) {
                continue;
            }
            if agents.len() == size {
                more = true;
                break;
            }
            let mut presence: Presence = tables::read(&row.get::<_, String>(1)?)?;
            presence.performance = tables::performance(cx.db, &agent.agent_id)?;
            agents.push(AgentView { agent, presence });
        }
        let page = lists::page(agents, more, self.max_tokens, |view| view.agent.agent_id.clone())?;
        Ok(AgentPage { agents: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
    }
}

impl List {
    fn fits(&self, agent: &Agent) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == agent.kind)
            && (self.role.is_none() || self.role == agent.role)
            && self.capability.as_ref().is_none_or(|word| agent.capabilities.contains_key(word))
    }
}

/// Input of `agent.get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The agent.
    pub agent_id: String,
}

impl Query for Get {
    type Output = AgentView;

    fn read(&self, cx: &Reader<'_>, _: &Principal) -> Result<AgentView> {
        id::check_name("agent_id", &self.agent_id)?;
        let agent = tables::profile(cx.db, &self.agent_id)?
            .ok_or_else(|| AgentError::Unknown(self.agent_id.clone()))?;
        let mut presence =
            tables::presence(cx.db, &self.agent_id)?.unwrap_or_else(|| Presence::new(&self.agent_id));
        presence.performance = tables::performance(cx.db, &self.agent_id)?;
        Ok(AgentView { agent, presence })
    }
}

/// Input of `presence.get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetPresence {
    /// The agent.
    pub agent_id: String,
}

impl Compose for GetPresence {
    type Output = Presence;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Presence> {
        let _steady = scope.core.relaxed.steady();
        let view =
            scope.core.storage.read(|reader| Get { agent_id: self.agent_id }.read(reader, scope.by))?;
        let mut presence = view.presence;
        scope.core.relaxed.overlay(&mut presence);
        Ok(presence)
    }
}

/// Input of `presence.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPresence {
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

/// Answer of `presence.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PresenceList {
    /// Everyone's presence, in the order of their ids.
    pub agents: Vec<Presence>,
    /// When this was so.
    pub timestamp: Time,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Compose for ListPresence {
    type Output = PresenceList;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<PresenceList> {
        let list = List { limit: self.limit, cursor: self.cursor, ..List::default() };
        let _steady = scope.core.relaxed.steady();
        let page = scope.core.storage.read(|reader| list.read(reader, scope.by))?;
        let mut agents: Vec<Presence> = page.agents.into_iter().map(|view| view.presence).collect();
        agents.iter_mut().for_each(|presence| scope.core.relaxed.overlay(presence));
        let more = page.next_cursor.is_some();
        let page = lists::page(agents, more, self.max_tokens, |presence| presence.agent_id.clone())?;
        Ok(PresenceList {
            agents: page.items,
            timestamp: scope.core.seams.clock.wall(),
            left_out: page.left_out,
            next_cursor: page.next_cursor,
        })
    }
}
