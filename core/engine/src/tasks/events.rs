//! What task events say: always the whole task.

use rusqlite::Connection;

use super::{Task, tables};
use crate::error::{Error, Result};
use crate::events::event::{Body, Stamp, encode_json};

/// A task was made.
pub const CREATED: &str = "task.created";
/// A task may be claimed now: its last dependency completed, or its back-off is over.
pub const READY: &str = "task.ready";
/// An agent took a task.
pub const CLAIMED: &str = "task.claimed";
/// Progress, phase or a line of log.
pub const PROGRESSED: &str = "task.progressed";
/// A task is done.
pub const COMPLETED: &str = "task.completed";
/// A task failed for good.
pub const FAILED: &str = "task.failed";
/// An attempt failed; the task is tried again.
pub const RETRYING: &str = "task.retrying";
/// An agent gave a task back.
pub const RELEASED: &str = "task.released";
/// A lease ran out; the task is open again.
pub const LAPSED: &str = "task.lapsed";
/// A task was called off.
pub const CANCELLED: &str = "task.cancelled";
/// A task was reserved for an agent.
pub const ASSIGNED: &str = "task.assigned";
/// A reservation ended, for its agent is offline: whoever is capable may claim the task.
pub const UNASSIGNED: &str = "task.unassigned";
/// An open task has waited so long that it counts as of higher priority.
pub const RAISED: &str = "task.raised";
/// A task's due date has passed, and it has not ended. Said once for each due date.
pub const OVERDUE: &str = "task.overdue";
/// What a task asks for changed.
pub const UPDATED: &str = "task.updated";

/// Kinds after which a task may be there to claim.
pub(crate) const OPENING: [&str; 8] =
    [CREATED, READY, RETRYING, RELEASED, LAPSED, ASSIGNED, UNASSIGNED, UPDATED];

const ALL: [&str; 15] = [
    CREATED, READY, CLAIMED, PROGRESSED, COMPLETED, FAILED, RETRYING, RELEASED, LAPSED, CANCELLED, ASSIGNED,
    UNASSIGNED, RAISED, OVERDUE, UPDATED,
];

/// A task after what its kind says.
pub(crate) struct Changed {
    pub task: Task,
    /// Whether what it asks for may have changed, not only where it stands.
    pub shape: bool,
}

impl Body for Changed {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(&self.task, out)
    }

    fn apply(&self, db: &Connection, stamp: Stamp, _: &str) -> Result<()> {
        tables::put(db, &self.task, self.shape, stamp.seq)
    }
}

/// Whether an event of this kind may change what a task asks for.
pub(crate) fn changes_shape(kind: &str) -> bool {
    kind == CREATED || kind == UPDATED || kind == RAISED
}

/// Reads an event of this noun back from the log; `None` for a kind that is not known.
pub(crate) fn decode(kind: &str, data: &str) -> Result<Option<Box<dyn Body>>> {
    if !ALL.contains(&kind) {
        return Ok(None);
    }
    let task = serde_json::from_str(data)
        .map_err(|e| Error::storage(format!("a {kind} event cannot be read: {e}")))?;
    Ok(Some(Box::new(Changed { task, shape: changes_shape(kind) })))
}
