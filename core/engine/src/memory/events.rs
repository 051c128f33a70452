//! What memory events say.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::access::AccessRule;
use super::{Entry, tables};
use crate::error::{Error, Result};
use crate::events::event::{Body, Stamp, encode_json};
use crate::json::Json;

/// A key has a new version.
pub const UPDATED: &str = "memory.updated";
/// A key was deleted, or its time was up.
pub const DELETED: &str = "memory.deleted";
/// Who may read and write a prefix changed.
pub const ACCESS_CHANGED: &str = "memory.access_changed";
/// Something remembered elsewhere changed.
pub const RECORDED: &str = "memory.recorded";

/// `memory.updated` and `memory.deleted` carry the whole new version.
impl Body for Entry {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, _: &str) -> Result<()> {
        tables::put(db, self, stamp.seq)
    }
}

/// `memory.access_changed` carries the whole rule.
impl Body for AccessRule {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        tables::put_rule(db, self, stamp.seq, data)
    }
}

/// `memory.recorded`: something remembered elsewhere changed; no table of ours does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub operation: String,
    pub item_id: String,
    pub agent_id: String,
    pub metadata: Option<Json>,
}

impl Body for Recorded {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, _: &Connection, _: Stamp, _: &str) -> Result<()> {
        Ok(())
    }
}

/// Reads an event of this noun back from the log; `None` for a kind that is not known.
pub(crate) fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    let bad = |e: serde_json::Error| Error::storage(format!("a {kind} event cannot be read: {e}"));
    Ok(Some(match kind {
        UPDATED | DELETED => Box::new(serde_json::from_str::<Entry>(data).map_err(bad)?),
        ACCESS_CHANGED => Box::new(serde_json::from_str::<AccessRule>(data).map_err(bad)?),
        RECORDED => Box::new(serde_json::from_str::<Recorded>(data).map_err(bad)?),
        _ => return Ok(None),
    }))
}
