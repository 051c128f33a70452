//! What message events say: always the whole message as it stands.

use rusqlite::Connection;

use super::{Message, tables};
use crate::error::{Error, Result};
use crate::events::event::{Body, Stamp, encode_json};

/// A message was sent.
pub const SENT: &str = "message.sent";
/// Its sender changed its content.
pub const EDITED: &str = "message.edited";
/// Its content was taken back; the event no longer holds it.
pub const REDACTED: &str = "message.redacted";
/// A reaction was given or taken back; `last_change` says which.
pub const REACTED: &str = "message.reacted";
/// One of those it is for acknowledged it; `last_change` says who.
pub const ACKNOWLEDGED: &str = "message.acknowledged";

/// A message of a channel that keeps nothing was handed on: it is in no table, and soon no longer in the log.
pub const RELAYED: &str = "message.relayed";

const ALL: [&str; 5] = [SENT, EDITED, REDACTED, REACTED, ACKNOWLEDGED];

impl Body for Message {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, data: &str) -> Result<()> {
        if stamp.seq == self.seq {
            tables::insert(db, self, data, stamp.seq)?;
            tables::deliver(db, self)
        } else {
            tables::update(db, self, data, stamp.seq)
        }
    }
}

/// `message.relayed`: a message that changes no table.
pub(crate) struct Passing(pub Message);

impl Body for Passing {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(&self.0, out)
    }

    fn apply(&self, _: &Connection, _: Stamp, _: &str) -> Result<()> {
        Ok(())
    }
}

/// Reads an event of this noun back from the log; `None` for a kind that is not known.
pub(crate) fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    if !ALL.contains(&kind) {
        return Ok(None);
    }
    let message: Message = serde_json::from_str(data)
        .map_err(|e| Error::storage(format!("a {kind} event cannot be read: {e}")))?;
    Ok(Some(Box::new(message)))
}
