//! The summary of everyone, every two seconds, for whoever listens. A frame without a `seq`: only the newest counts.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{List, Performance, Presence, Status, events};
use crate::clock::Time;
use crate::core::Core;
use crate::error::Result;
use crate::events::event::Event;
use crate::lists::MAX_LIMIT;
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::tasks::tables::TaskGlance;

/// One agent in a summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStatus {
    /// The agent.
    pub agent_id: String,
    /// Its display name.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// The task it holds.
    pub current_task: Option<TaskGlance>,
    /// The newest activity that it has open, by its type; else the tool that it used last.
    pub current_activity: Option<String>,
    /// When it last did something.
    pub last_activity: Option<Time>,
    /// What it has done so far.
    pub performance: Performance,
    /// Where it runs.
    pub location: Option<super::Location>,
    /// In how many sessions it takes part: those of the hub that are active, and the one that its presence names when the
    /// hub does not know it.
    pub sessions: u64,
}

/// The summary of everyone: what `agent.status` carries and `activity.status` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusSummary {
    /// Everyone, in the order of their ids; at most 1,000.
    pub agents: Vec<AgentStatus>,
    /// When this was so.
    pub timestamp: Time,
}

/// The summary of now.
pub(crate) fn now(core: &Core) -> Result<StatusSummary> {
    Ok(StatusSummary { agents: collect(core)?, timestamp: core.seams.clock.wall() })
}

/// Hands the summary of now to whoever listens for `agent.status`; one that says the same as the `last` is left out where
/// the hub is so configured. Answers the fingerprint of the summary.
pub(crate) fn announce(core: &Core, last: Option<u64>) -> Result<Option<u64>> {
    let summary = now(core)?;
    let mark = core
        .config
        .status_skip_unchanged
        .then(|| fingerprint(&serde_json::to_string(&summary.agents).unwrap_or_default()));
    if mark.is_none() || mark != last {
        let data = serde_json::to_value(&summary).unwrap_or_default();
        core.publisher.announce(&Arc::new(Event::frame(core, events::STATUS, None, data)));
    }
    Ok(mark)
}

fn fingerprint(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Everyone's status.
pub(crate) fn collect(core: &Core) -> Result<Vec<AgentStatus>> {
    let _steady = core.relaxed.steady();
    core.storage.read(|reader| {
        let list = List { limit: Some(MAX_LIMIT), ..List::default() };
        let page = list.read(reader, &Principal::Process)?;
        let sessions = sessions_of_each(reader.db)?;
        page.agents
            .into_iter()
            .map(|view| {
                let mut presence: Presence = view.presence;
                core.relaxed.overlay(&mut presence);
                let elsewhere = match &presence.session_id {
                    Some(id) => crate::sessions::tables::get(reader.db, id)?.is_none(),
                    None => false,
                };
                let here = sessions.get(&presence.agent_id).copied().unwrap_or(0);
                let open = crate::activity::tables::current(reader.db, &presence.agent_id)?;
                let current_activity = open.or(presence.last_tool_name);
                Ok(AgentStatus {
                    current_task: crate::tasks::tables::glance(reader.db, &presence.agent_id)?,
                    agent_id: presence.agent_id,
                    name: view.agent.name,
                    status: presence.status,
                    current_activity,
                    last_activity: presence.last_activity,
                    performance: presence.performance,
                    location: presence.location,
                    sessions: here + u64::from(elsewhere),
                })
            })
            .collect()
    })
}

/// In how many active sessions each agent is.
fn sessions_of_each(db: &Connection) -> Result<HashMap<String, u64>> {
    let mut counted = db.prepare_cached(
        "SELECT m.agent_id, count(*) FROM session s CROSS JOIN member m ON m.session_id = s.session_id
         WHERE s.state = 'active' AND m.joined GROUP BY m.agent_id",
    )?;
    let rows = counted.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
