//! The seams: whatever a test or a simulation may want to put in place of the machine.

use std::fmt;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::id::{Ids, RandomIds};

/// A named moment in the life of a batch, at which a test may kill the process or make the disk fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Everything is written into the transaction, nothing is committed.
    BeforeCommit,
    /// The commit has returned.
    AfterCommit,
    /// Subscribers have heard, the caller has not.
    BeforeAnswer,
    /// The background thread is about to copy the write-ahead log into the file.
    InCheckpoint,
}

impl Point {
    /// Reads the name of a point (`before_commit`, `after_commit`, `before_answer`, `in_checkpoint`).
    pub fn parse(name: &str) -> Option<Point> {
        match name {
            "before_commit" => Some(Point::BeforeCommit),
            "after_commit" => Some(Point::AfterCommit),
            "before_answer" => Some(Point::BeforeAnswer),
            "in_checkpoint" => Some(Point::InCheckpoint),
            _ => None,
        }
    }
}

/// Called at each [`Point`]; an error stands for a fault of the disk.
pub type Fault = Arc<dyn Fn(Point) -> Result<()> + Send + Sync>;

/// What the engine takes from outside: time, ids, faults.
#[derive(Clone)]
pub struct Seams {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Makes the source of ids and randomness.
    pub ids: Arc<dyn Fn() -> Box<dyn Ids> + Send + Sync>,
    /// Called at named points; nothing by default.
    pub fault: Option<Fault>,
    /// The SQLite VFS to use instead of the system's.
    pub vfs: Option<String>,
    /// Whether the hub's own threads look after leases, retention and checkpoints. A simulation does that by hand.
    pub background: bool,
}

impl Default for Seams {
    fn default() -> Seams {
        Seams {
            clock: Arc::new(SystemClock),
            ids: Arc::new(|| Box::new(RandomIds::from_os())),
            fault: None,
            vfs: None,
            background: true,
        }
    }
}

impl fmt::Debug for Seams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seams")
            .field("vfs", &self.vfs)
            .field("background", &self.background)
            .finish_non_exhaustive()
    }
}

impl Seams {
    pub(crate) fn reach(&self, point: Point) -> Result<()> {
        self.fault.as_ref().map_or(Ok(()), |fault| fault(point))
    }
}
