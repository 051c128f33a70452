//! One transaction for a batch.
//!
//! Each command is decided in turn, on the tables as the ones before it left them; its events are written and applied
//! at once. A refusal refuses only itself, and is let go only after the commit, since it may quote what the batch has
//! just written. If the commit fails, everyone in the batch hears so and nothing stays.

use std::sync::Arc;
use std::time::Duration;

use folkmoot_sys::gather;
use rusqlite::Connection;

use super::command::Class;
use super::queue::Job;
use super::round::Round;
use crate::config::Durability;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::id::Ids;
use crate::log::{self, Head};
use crate::seams::Point;

/// The connection that writes, and what it remembers between batches.
pub(crate) struct Writer {
    pub conn: Connection,
    pub ids: Box<dyn Ids>,
    head: Option<Head>,
    /// The shared commit counter as this writer left it: while it stands, `head` is true.
    counter: u64,
    synced: Option<bool>,
    scratch: Vec<u8>,
}

/// What became of one command of a batch.
pub(crate) type Outcome = Result<()>;

/// A finished batch: its jobs with their outcomes, and those that must wait for the next one.
pub(crate) struct Batch {
    pub done: Vec<(Job, Outcome)>,
    pub left: Vec<Job>,
}

/// What happened inside the transaction.
pub(crate) struct Progress {
    pub events: Vec<Arc<Event>>,
    pub done: Vec<(Job, Outcome)>,
    pub left: Vec<Job>,
    pub head: Head,
    wrote: bool,
}

impl Writer {
    pub fn new(conn: Connection, ids: Box<dyn Ids>) -> Writer {
        Writer { conn, ids, head: None, counter: 0, synced: None, scratch: Vec::with_capacity(4096) }
    }

    /// Runs a batch from the turn to write to the fan-out.
    pub fn run(&mut self, core: &Core, jobs: Vec<Job>) -> Batch {
        let deadline = Duration::from_secs_f64(core.config.write_timeout_seconds);
        let turn = match core.storage.take_turn(deadline) {
            Ok(turn) => turn,
            Err(error) => return Batch::failed(jobs, &error),
        };
        if let Err(error) = core.storage.check_in_place() {
            return Batch::failed(jobs, &error);
        }
        let durable = jobs.iter().any(|job| job.class == Class::Durable);
        let mut progress = match self.transact(core, jobs, durable) {
            Ok(progress) => progress,
            Err(batch) => return batch,
        };
        drop(turn);
        if progress.wrote {
            core.storage.sidecar.wake();
            core.publisher.publish(
                core,
                std::mem::take(&mut progress.events),
                progress.head.seq,
                self.counter,
            );
        }
        if let Err(error) = core.seams.reach(Point::BeforeAnswer) {
            return Batch::failed(progress.done.into_iter().map(|(job, _)| job).collect(), &error);
        }
        Batch { done: progress.done, left: progress.left }
    }

    fn transact(&mut self, core: &Core, jobs: Vec<Job>, durable: bool) -> Result<Progress, Batch> {
        let head = match self.begin(core, durable) {
            Ok(head) => head,
            Err(error) => {
                let _ = self.conn.execute_batch("ROLLBACK");
                self.head = None;
                return Err(Batch::failed(jobs, &error));
            }
        };
        let mut progress =
            Progress { events: Vec::new(), done: Vec::new(), left: Vec::new(), head, wrote: false };
        let before = self.conn.total_changes();
        let broken = Round::new(core, &self.conn, self.ids.as_mut(), &mut self.scratch, durable)
            .run(jobs, &mut progress);
        progress.wrote = self.conn.total_changes() != before;
        let ended = match broken {
            Some(error) => Err(error),
            None => self.commit(core, progress.wrote),
        };
        match ended {
            Ok(()) => {
                self.head = Some(progress.head);
                Ok(progress)
            }
            Err(error) => {
                if !self.conn.is_autocommit() {
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
                self.head = None;
                let jobs = progress.done.into_iter().map(|(job, _)| job).chain(progress.left);
                Err(Batch::failed(jobs.collect(), &error))
            }
        }
    }

    fn begin(&mut self, core: &Core, durable: bool) -> Result<Head> {
        let sync = durable && core.config.durability == Durability::Full;
        if self.synced != Some(sync) && core.config.durability != Durability::Memory {
            self.conn.execute_batch(if sync {
                "PRAGMA synchronous=FULL"
            } else {
                "PRAGMA synchronous=NORMAL"
            })?;
            self.synced = Some(sync);
        }
        core.storage.settle_counter();
        gather::transaction_begins();
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let counter = core.storage.counter();
        if let (Some(head), true) = (self.head, counter == self.counter) {
            return Ok(head);
        }
        self.counter = counter;
        log::head(&self.conn)
    }

    fn commit(&mut self, core: &Core, wrote: bool) -> Result<()> {
        if !wrote {
            self.conn.prepare_cached("ROLLBACK")?.execute([])?;
            return Ok(());
        }
        core.seams.reach(Point::BeforeCommit)?;
        core.storage.bump_counter();
        let mut commit = self.conn.prepare_cached("COMMIT")?;
        let committed = gather::commit_at_once(|| commit.execute([]));
        self.counter = core.storage.bump_counter();
        committed?;
        core.seams.reach(Point::AfterCommit)
    }
}

impl Batch {
    fn failed(jobs: Vec<Job>, error: &Error) -> Batch {
        Batch { done: jobs.into_iter().map(|job| (job, Err(error.clone()))).collect(), left: Vec::new() }
    }
}
