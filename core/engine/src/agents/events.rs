//! What agent and presence events say.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{Agent, Presence, tables};
use crate::error::{Error, Result};
use crate::events::event::{Body, Stamp, encode_json};

/// An agent registered, or was heard of again.
pub const JOINED: &str = "agent.joined";
/// An agent that is present changed its profile.
pub const UPDATED: &str = "agent.updated";
/// An agent went offline.
pub const LEFT: &str = "agent.left";
/// An agent's status was set.
pub const STATUS_CHANGED: &str = "agent.status_changed";
/// An agent did something (relaxed).
pub const PRESENCE_UPDATED: &str = "presence.updated";
/// The summary of everyone, a frame without a `seq`.
pub const STATUS: &str = "agent.status";

/// `agent.*`: the whole agent with its presence.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AgentChanged {
    pub agent: Agent,
    pub presence: Presence,
    /// Why it left: `left`, `closed` or `lapsed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Body for AgentChanged {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, _: &str) -> Result<()> {
        tables::put_profile(db, &self.agent, stamp.seq)?;
        crate::messages::tables::open_inbox(db, &self.agent.agent_id, stamp.seq)?;
        tables::put_presence(db, &self.presence, stamp.seq)
    }
}

/// `presence.updated`: the whole presence.
impl Body for Presence {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, _: &str) -> Result<()> {
        tables::put_presence(db, self, stamp.seq)
    }
}

/// Reads an event of this noun back from the log; `None` for a kind that is not known.
pub(crate) fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    let bad = |e: serde_json::Error| Error::storage(format!("a {kind} event cannot be read: {e}"));
    Ok(Some(match kind {
        JOINED | UPDATED | LEFT | STATUS_CHANGED => {
            Box::new(serde_json::from_str::<AgentChanged>(data).map_err(bad)?)
        }
        PRESENCE_UPDATED => Box::new(serde_json::from_str::<Presence>(data).map_err(bad)?),
        _ => return Ok(None),
    }))
}
