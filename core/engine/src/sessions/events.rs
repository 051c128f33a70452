//! What events of sessions and channels say: always the whole thing as it now stands.

use rusqlite::Connection;

use super::channels::Channel;
use super::decisions::Decision;
use super::state::SharedState;
use super::{Session, tables};
use crate::error::{Error, Result};
use crate::events::event::{Body, Stamp, encode_json};

/// A session was started.
pub const STARTED: &str = "session.started";
/// An agent came in, or its role changed; `last_change` says who.
pub const JOINED: &str = "session.joined";
/// An agent went out.
pub const LEFT: &str = "session.left";
/// Agents were asked to come.
pub const INVITED: &str = "session.invited";
/// Its rules are others now.
pub const RULES_CHANGED: &str = "session.rules_changed";
/// It is over.
pub const ENDED: &str = "session.ended";
/// Something was decided.
pub const DECISION_RECORDED: &str = "session.decision_recorded";
/// Its shared state has a new version.
pub const STATE_CHANGED: &str = "session.state_changed";
/// A channel was made.
pub const CHANNEL_CREATED: &str = "channel.created";

/// The life of a session: each event carries the whole session.
impl Body for Session {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        tables::put(db, self, data, stamp.seq)
    }
}

/// `session.decision_recorded` carries the decision.
impl Body for Decision {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        tables::put_decision(db, self, data, stamp.seq)
    }
}

/// `session.state_changed` carries the whole new state.
impl Body for SharedState {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        tables::put_state(db, self, data, stamp.seq)
    }
}

/// `channel.created` carries the channel.
impl Body for Channel {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        tables::put_channel(db, self, data, stamp.seq)
    }
}

/// Reads an event of these nouns back from the log; `None` for a kind that is not known.
pub(crate) fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    let bad = |e: serde_json::Error| Error::storage(format!("a {kind} event cannot be read: {e}"));
    Ok(Some(match kind {
        STARTED | JOINED | LEFT | INVITED | RULES_CHANGED | ENDED => {
            Box::new(serde_json::from_str::<Session>(data).map_err(bad)?)
        }
        DECISION_RECORDED => Box::new(serde_json::from_str::<Decision>(data).map_err(bad)?),
        STATE_CHANGED => Box::new(serde_json::from_str::<SharedState>(data).map_err(bad)?),
        CHANNEL_CREATED => Box::new(serde_json::from_str::<Channel>(data).map_err(bad)?),
        _ => return Ok(None),
    }))
}
