//! One round: the commands of a batch, decided and written in turn inside its transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::append::{Outcome, Progress};
use super::command::Class;
use super::decide::Decide;
use super::idempotency::Remembered;
use super::queue::Job;
use crate::clock::Time;
use crate::core::Core;
use crate::error::{Code, Error, Result};
use crate::events::event::{Draft, Event, Stamp};
use crate::id::Ids;
use crate::json::Json;
use crate::log::{Appender, Entry};

/// How long one batch may take before what is left waits for the next.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// What every command of a batch shares.
pub(crate) struct Round<'a> {
    core: &'a Core,
    db: &'a Connection,
    ids: &'a mut dyn Ids,
    scratch: &'a mut Vec<u8>,
    log: Appender<'a>,
    now: Time,
    steady: Time,
    boot: Duration,
    /// Whether the batch is synced, so that events may be written.
    durable: bool,
    /// Whether anyone in this process listens.
    collect: bool,
}

enum Step {
    Done(Outcome),
    /// A command without a promise to the disk turned out to change the log: it runs again in a durable batch.
    NeedsDurable,
}

impl<'a> Round<'a> {
    pub fn new(
        core: &'a Core,
        db: &'a Connection,
        ids: &'a mut dyn Ids,
        scratch: &'a mut Vec<u8>,
        durable: bool,
    ) -> Round<'a> {
        let (now, boot) = (core.seams.clock.wall(), core.seams.clock.boot());
        Round {
            core,
            db,
            ids,
            scratch,
            log: Appender::new(db),
            now,
            steady: core.storage.steady.at(now, boot),
            boot,
            durable,
            collect: core.publisher.has_subscribers(),
        }
    }

    /// Decides and writes every job; answers the error that broke the whole batch, if one did.
    pub fn run(&mut self, jobs: Vec<Job>, progress: &mut Progress) -> Option<Error> {
        let start = Instant::now();
        let mut jobs = jobs.into_iter();
        while let Some(mut job) = jobs.next() {
            let step = catch_unwind(AssertUnwindSafe(|| self.one(&mut job, progress)));
            let broken = match step {
                Ok(Ok(Step::Done(outcome))) => {
                    progress.done.push((job, outcome));
                    None
                }
                Ok(Ok(Step::NeedsDurable)) => {
                    job.class = Class::Durable;
                    progress.left.push(job);
                    None
                }
                Ok(Err(error)) => {
                    progress.done.push((job, Ok(())));
                    Some(error)
                }
                Err(_) => {
                    let error =
                        Error::internal(format!("{} panicked; nothing of its batch was kept", job.op));
                    progress.done.push((job, Ok(())));
                    Some(error)
                }
            };
            if broken.is_some() || start.elapsed() > BATCH_TIME {
                progress.left.extend(jobs);
                return broken;
            }
        }
        None
    }

    fn one(&mut self, job: &mut Job, progress: &mut Progress) -> Result<Step> {
        let remembered = match job.command.idempotency_key() {
            Some(key) => match Remembered::find(self.db, job, key) {
                Ok(Remembered::Answer(answer)) => return Ok(Step::Done(job.command.restore(&answer))),
                Ok(Remembered::New(new)) => Some(new),
                Err(error) if error.code() == Code::Storage => return Err(error),
                Err(error) => return Ok(Step::Done(Err(error))),
            },
            None => None,
        };
        let (decided, drafts) = self.decide(job, progress.head.seq + 1);
        if self.db.is_autocommit() {
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
        if job.class == Class::Shared && !self.durable && drafts.iter().any(|draft| !draft.relaxed) {
            return Ok(Step::NeedsDurable);
        }
        if !drafts.is_empty() {
            let principal = job.principal.stored();
            for draft in drafts {
                self.write(draft, &principal, job, progress)?;
            }
        }
        if let Some(new) = remembered {
            new.keep(self.db, job, self.steady)?;
        }
        Ok(Step::Done(Ok(())))
    }

    /// Asks the command. A defect in one decision refuses that one: nothing has been written for it yet.
    fn decide(&mut self, job: &mut Job, next_seq: u64) -> (Result<()>, Vec<Draft>) {
        let mut cx = Decide {
            db: self.db,
            now: self.now,
            steady: self.steady,
            boot: self.boot,
            by: &job.principal,
            config: &self.core.config,
            leases: &self.core.leases,
            holder: &self.core.holder,
            hub: self.core.storage.hub_id,
            ids: self.ids,
            next_seq,
            drafts: Vec::new(),
        };
        let decided = catch_unwind(AssertUnwindSafe(|| job.command.decide(&mut cx)))
            .unwrap_or_else(|_| Err(Error::internal(format!("{} panicked", job.op))));
        (decided, cx.drafts)
    }

    fn write(&mut self, draft: Draft, principal: &str, job: &mut Job, progress: &mut Progress) -> Result<()> {
        let stamp = Stamp { seq: progress.head.seq + 1, time: self.now };
        self.scratch.clear();
        draft.body.encode(self.scratch)?;
        let data = std::str::from_utf8(self.scratch)
            .map_err(|_| Error::internal("an event was written as something other than UTF-8"))?;
        let entry = Entry { stamp, kind: draft.kind, principal, place: &draft.place, data };
        let relaxed = draft.relaxed || job.class == Class::Relaxed;
        if relaxed {
            self.log.append_pulse(&entry)?;
        } else {
            progress.head.hash = self.log.append(&entry, &progress.head.hash)?;
        }
        draft.body.apply(self.db, stamp, data)?;
        if draft.answers {
            job.command.answer_is(data);
        }
        progress.head.seq = stamp.seq;
        if self.collect {
            progress.events.push(Arc::new(Event {
                seq: stamp.seq,
                kind: draft.kind.into(),
                time: self.now,
                principal: job.principal.clone(),
                place: draft.place,
                data: Json::from_text(data.to_owned())?,
                relaxed,
                hub: self.core.storage.hub_id,
                wire: OnceLock::new(),
            }));
        }
        Ok(())
    }
}
