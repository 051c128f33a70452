//! One transaction for a batch.
//!
//! Each command is decided in turn, on the tables as the ones before it left them; its events are written and applied
//! at once. A refusal refuses only itself, and is let go only after the commit, since it may quote what the batch has
//! just written. If the commit fails, everyone in the batch hears so and nothing stays.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::command::Class;
use super::decide::Decide;
use super::queue::Job;
use crate::clock::Time;
use crate::config::Durability;
use crate::core::Core;
use crate::error::{Code, Error, Result};
use crate::events::event::{Draft, Event, Stamp};
use crate::id::Ids;
use crate::json::Json;
use crate::log::{self, Entry, Head};
use crate::seams::Point;

/// How long one batch may take before what is left waits for the next.
const BATCH_TIME: Duration = Duration::from_millis(5);

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
struct Progress {
    events: Vec<Arc<Event>>,
    done: Vec<(Job, Outcome)>,
    left: Vec<Job>,
    head: Head,
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
        let broken = self.decide_all(core, jobs, durable, &mut progress);
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
        let committed = self.conn.prepare_cached("COMMIT")?.execute([]);
        self.counter = core.storage.bump_counter();
        committed?;
        core.seams.reach(Point::AfterCommit)
    }

    /// Decides and writes every job; answers the error that broke the whole batch, if one did.
    fn decide_all(
        &mut self,
        core: &Core,
        jobs: Vec<Job>,
        durable: bool,
        progress: &mut Progress,
    ) -> Option<Error> {
        let start = Instant::now();
        let now = core.seams.clock.wall();
        let mut jobs = jobs.into_iter();
        let collect = core.publisher.has_subscribers();
        while let Some(mut job) = jobs.next() {
            let step =
                catch_unwind(AssertUnwindSafe(|| self.one(core, &mut job, now, durable, progress, collect)));
            match step {
                Ok(Ok(Step::Done(outcome))) => progress.done.push((job, outcome)),
                Ok(Ok(Step::NeedsDurable)) => {
                    job.class = Class::Durable;
                    progress.left.push(job);
                }
                Ok(Err(error)) => {
                    progress.done.push((job, Ok(())));
                    progress.left.extend(jobs);
                    return Some(error);
                }
                Err(_) => {
                    let op = job.op;
                    progress.done.push((job, Ok(())));
                    progress.left.extend(jobs);
                    return Some(Error::internal(format!("{op} panicked; nothing of its batch was kept")));
                }
            }
            if start.elapsed() > BATCH_TIME {
                progress.left.extend(jobs);
                return None;
            }
        }
        None
    }

    fn one(
        &mut self,
        core: &Core,
        job: &mut Job,
        now: Time,
        durable: bool,
        progress: &mut Progress,
        collect: bool,
    ) -> Result<Step> {
        let remembered = match job.command.idempotency_key() {
            Some(key) => match Remembered::find(&self.conn, job, key) {
                Ok(Remembered::Answer(answer)) => return Ok(Step::Done(job.command.restore(&answer))),
                Ok(Remembered::New(new)) => Some(new),
                Err(error) if error.code() == Code::Storage => return Err(error),
                Err(error) => return Ok(Step::Done(Err(error))),
            },
            None => None,
        };
        let mut cx = Decide {
            db: &self.conn,
            now,
            boot: core.seams.clock.boot(),
            by: &job.principal,
            config: &core.config,
            leases: &core.leases,
            holder: &core.holder,
            ids: self.ids.as_mut(),
            next_seq: progress.head.seq + 1,
            drafts: Vec::new(),
        };
        // A defect in one decision refuses that one: nothing has been written for it yet.
        let decided = catch_unwind(AssertUnwindSafe(|| job.command.decide(&mut cx)))
            .unwrap_or_else(|_| Err(Error::internal(format!("{} panicked", job.op))));
        let drafts = std::mem::take(&mut cx.drafts);
        if self.conn.is_autocommit() {
            // SQLite rolls back by itself when a read fails; what follows would be committed piece by piece.
            return Err(decided
                .err()
                .unwrap_or_else(|| Error::storage("the file or the disk refused a read")));
        }
        if let Err(error) = decided {
            return match error.code() {
                Code::Storage => Err(error),
                _ => Ok(Step::Done(Err(error))),
            };
        }
        if job.class == Class::Shared && !durable && !drafts.is_empty() {
            return Ok(Step::NeedsDurable);
        }
        if !drafts.is_empty() {
            let principal = job.principal.stored();
            for draft in drafts {
                self.write(core, draft, &principal, job, now, progress, collect)?;
            }
        }
        if let Some(new) = remembered {
            new.keep(&self.conn, job, now)?;
        }
        Ok(Step::Done(Ok(())))
    }

    #[allow(clippy::too_many_arguments)] // the one place where an event meets all that is known of it
    fn write(
        &mut self,
        core: &Core,
        draft: Draft,
        principal: &str,
        job: &Job,
        now: Time,
        progress: &mut Progress,
        collect: bool,
    ) -> Result<()> {
        let stamp = Stamp { seq: progress.head.seq + 1, time: now };
        self.scratch.clear();
        draft.body.encode(&mut self.scratch)?;
        let data = std::str::from_utf8(&self.scratch)
            .map_err(|_| Error::internal("an event was written as something other than UTF-8"))?;
        let entry = Entry { stamp, kind: draft.kind, principal, place: &draft.place, data };
        let relaxed = job.class == Class::Relaxed;
        if relaxed {
            entry.append_pulse(&self.conn)?;
        } else {
            progress.head.hash = entry.append(&self.conn, &progress.head.hash)?;
        }
        draft.body.apply(&self.conn, stamp, data)?;
        progress.head.seq = stamp.seq;
        if collect {
            progress.events.push(Arc::new(Event {
                seq: stamp.seq,
                kind: draft.kind.into(),
                time: now,
                principal: job.principal.clone(),
                place: draft.place,
                data: Json::from_text(data.to_owned())?,
                relaxed,
                hub: core.storage.hub_id,
                wire: OnceLock::new(),
            }));
        }
        Ok(())
    }
}

enum Step {
    Done(Outcome),
    /// A command without a promise to the disk turned out to change the log: it runs again in a durable batch.
    NeedsDurable,
}

impl Batch {
    fn failed(jobs: Vec<Job>, error: &Error) -> Batch {
        Batch { done: jobs.into_iter().map(|job| (job, Err(error.clone()))).collect(), left: Vec::new() }
    }
}

/// What is known of an idempotency key.
enum Remembered {
    Answer(String),
    New(NewKey),
}

struct NewKey {
    principal: String,
    key: String,
    input: [u8; 32],
}

impl Remembered {
    fn find(db: &Connection, job: &Job, key: &str) -> Result<Remembered> {
        crate::id::check_name("idempotency_key", key)?;
        let input: [u8; 32] = Sha256::digest(job.command.input_json()?).into();
        let principal = job.principal.stored();
        let found: Option<(Vec<u8>, String)> = db
            .prepare_cached(
                "SELECT input_hash, answer FROM idem WHERE principal = ?1 AND op = ?2 AND key = ?3",
            )?
            .query_row(params![principal, job.op, key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            None => Ok(Remembered::New(NewKey { principal, key: key.to_owned(), input })),
            Some((hash, answer)) if hash == input => Ok(Remembered::Answer(answer)),
            Some(_) => Err(Error::conflict(
                format!("idempotency_key {key:?} was used for another {} before", job.op),
                serde_json::Value::Null,
            )
            .with("field", "idempotency_key")
            .hint("use a new key for a new call")),
        }
    }
}

impl NewKey {
    fn keep(self, db: &Connection, job: &Job, now: Time) -> Result<()> {
        let answer = String::from_utf8(job.command.answer_json()?)
            .map_err(|_| Error::internal("an answer was written as something other than UTF-8"))?;
        db.prepare_cached("INSERT INTO idem VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            self.principal,
            job.op,
            self.key,
            &self.input[..],
            answer,
            now.millis()
        ])?;
        Ok(())
    }
}
