//! What activity events say.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{Activity, tables};
use crate::error::{Error, Result};
use crate::events::event::{Body, Stamp, encode_json};

/// An activity was recorded.
pub const RECORDED: &str = "activity.recorded";
/// A recorded activity was completed.
pub const COMPLETED: &str = "activity.completed";
/// Retention has taken the oldest recorded activities.
pub const FORGOTTEN: &str = "activity.forgotten";

/// `activity.recorded` and `activity.completed` carry the whole activity.
impl Body for Activity {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        tables::put(db, self, stamp.seq, data)
    }
}

/// `activity.forgotten`: which activities are gone.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forgotten {
    /// Those that were recorded up to this `seq`.
    pub upto: u64,
    /// How many they were.
    pub count: u64,
}

impl Body for Forgotten {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, _: Stamp, _: &str) -> Result<()> {
        tables::forget(db, self.upto)
    }
}

/// Reads an event of this noun back from the log; `None` for a kind that is not known.
pub(crate) fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    let bad = |e: serde_json::Error| Error::storage(format!("a {kind} event cannot be read: {e}"));
    Ok(Some(match kind {
        RECORDED | COMPLETED => Box::new(serde_json::from_str::<Activity>(data).map_err(bad)?),
        FORGOTTEN => Box::new(serde_json::from_str::<Forgotten>(data).map_err(bad)?),
        _ => return Ok(None),
    }))
}
