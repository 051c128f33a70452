//! Group commit: whoever waits is committed together.
//!
//! The first caller that finds nobody writing becomes the *leader*: it runs a batch of everything that waits, its own
//! command among it, on its own thread. A caller that comes meanwhile waits; when the leader is done it hands the lead
//! to one of them. Callers that cannot wait (event loops) leave their command with a callback, and the hub's writer
//! thread leads when only such are left. (The idea is LevelDB's writer queue.)

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use folkmoot_sys::sync::{Condvar, Mutex};

use super::append::{Batch, Outcome, Writer};
use super::command::{Class, Command};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::principal::Principal;

/// The most commands in one batch.
const BATCH: usize = 4_096;

/// What is called with a finished command.
pub(crate) type Callback = Box<dyn FnOnce(Box<dyn Command>, Outcome) + Send>;

/// A command that waits to be written.
pub(crate) struct Job {
    pub command: Box<dyn Command>,
    pub principal: Principal,
    pub op: &'static str,
    pub class: Class,
    done: Done,
}

enum Done {
    Wake(Arc<Slot>),
    Call(Callback),
}

/// Where a waiting caller finds its answer, or that it is now the leader.
struct Slot {
    state: Mutex<SlotState>,
    turned: Condvar,
}

enum SlotState {
    Waiting,
    Lead,
    Finished(Box<dyn Command>, Outcome),
    Taken,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Someone leads, or has been told to.
    busy: bool,
    closed: bool,
}

/// The queue to the writer.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the writer thread when only callbacks wait.
    callbacks: Condvar,
    writer: Mutex<Writer>,
}

impl Queue {
    pub fn new(writer: Writer) -> Queue {
        Queue { waiting: Mutex::default(), callbacks: Condvar::new(), writer: Mutex::new(writer) }
    }

    /// Runs a command and waits for its outcome.
    pub fn run(
        &self,
        core: &Core,
        op: &'static str,
        class: Class,
        principal: &Principal,
        command: Box<dyn Command>,
    ) -> Result<Box<dyn Command>> {
        let slot = Arc::new(Slot { state: Mutex::new(SlotState::Waiting), turned: Condvar::new() });
        let job = Job { command, principal: principal.clone(), op, class, done: Done::Wake(slot.clone()) };
        if self.enter(job)? {
            self.lead(core, Some(&slot));
        }
        loop {
            let mut state = slot.state.lock();
            while matches!(*state, SlotState::Waiting) {
                slot.turned.wait(&mut state);
            }
            match std::mem::replace(&mut *state, SlotState::Taken) {
                SlotState::Finished(command, outcome) => return outcome.map(|()| command),
                SlotState::Lead => {
                    *state = SlotState::Waiting;
                    drop(state);
                    self.lead(core, Some(&slot));
                }
                SlotState::Waiting | SlotState::Taken => {
                    return Err(Error::internal("a caller was woken without an answer"));
                }
            }
        }
    }

    /// Leaves a command; the callback hears the outcome, from whichever thread wrote it.
    pub fn submit(
        &self,
        op: &'static str,
        class: Class,
        principal: &Principal,
        command: Box<dyn Command>,
        callback: Callback,
    ) {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            drop(waiting);
            return callback(command, Err(closed()));
        }
        waiting.jobs.push_back(Job {
            command,
            principal: principal.clone(),
            op,
            class,
            done: Done::Call(callback),
        });
        if !waiting.busy {
            self.callbacks.notify_one();
        }
    }

    /// The writer thread: leads whenever only callbacks wait; ends when the queue is closed and empty.
    pub fn serve(&self, core: &Core) {
        loop {
            let mut waiting = self.waiting.lock();
            while waiting.busy || waiting.jobs.is_empty() {
                if waiting.closed && !waiting.busy {
                    return;
                }
                self.callbacks.wait(&mut waiting);
            }
            waiting.busy = true;
            drop(waiting);
            self.lead(core, None);
        }
    }

    /// Refuses new commands; those that wait are still written.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.callbacks.notify_all();
    }

    /// Puts a job in; answers whether its caller is to lead.
    fn enter(&self, job: Job) -> Result<bool> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(closed());
        }
        let lead = !waiting.busy && waiting.jobs.is_empty();
        waiting.busy |= lead;
        waiting.jobs.push_back(job);
        Ok(lead)
    }

    /// Runs batches until the leader's own command is done, then hands the lead on.
    fn lead(&self, core: &Core, own: Option<&Arc<Slot>>) {
        let mut writer = self.writer.lock();
        loop {
            let jobs: Vec<Job> = {
                let mut waiting = self.waiting.lock();
                let count = waiting.jobs.len().min(BATCH);
                waiting.jobs.drain(..count).collect()
            };
            if !jobs.is_empty() {
                let Batch { done, left } = writer.run(core, jobs);
                if !left.is_empty() {
                    let mut waiting = self.waiting.lock();
                    left.into_iter().rev().for_each(|job| waiting.jobs.push_front(job));
                }
                done.into_iter().for_each(|(job, outcome)| job.finish(outcome));
            }
            let mut waiting = self.waiting.lock();
            let own_done = own.is_none_or(|slot| !matches!(*slot.state.lock(), SlotState::Waiting));
            if waiting.jobs.is_empty() {
                waiting.busy = false;
                if waiting.closed {
                    self.callbacks.notify_one(); // the writer thread waits for this to end
                }
                return;
            }
            if own_done {
                self.hand_over(&mut waiting);
                return;
            }
        }
    }

    fn hand_over(&self, waiting: &mut Waiting) {
        let next = waiting.jobs.iter().find_map(|job| match &job.done {
            Done::Wake(slot) => Some(slot),
            Done::Call(_) => None,
        });
        match next {
            Some(slot) => {
                *slot.state.lock() = SlotState::Lead;
                slot.turned.notify_one();
            }
            None => {
                waiting.busy = false;
                self.callbacks.notify_one();
            }
        }
    }
}

impl Job {
    fn finish(self, outcome: Outcome) {
        match self.done {
            Done::Wake(slot) => {
                *slot.state.lock() = SlotState::Finished(self.command, outcome);
                slot.turned.notify_one();
            }
            Done::Call(callback) => {
                // Whoever leads must go on: a callback that panics would leave the queue without a leader for ever.
                let called = catch_unwind(AssertUnwindSafe(|| callback(self.command, outcome)));
                if called.is_err() {
                    tracing::error!(op = self.op, "a callback panicked");
                }
            }
        }
    }
}

fn closed() -> Error {
    Error::unavailable("this hub is closed").with("reason", "closed").hint("open it again")
}
