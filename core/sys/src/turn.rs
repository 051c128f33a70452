//! The turn to write: one process at a time, quickly passed on, and fairly.
//!
//! *Owning* the turn is holding an `fcntl` lock on one byte of the sidecar, so a killed owner frees it at once.
//! *Waiting* for it is sleeping on a shared word, with another try every few milliseconds in case that whoever was
//! woken has died.
//!
//! An owner may release and retake without asking anybody for a *quantum*, counted from the first turn of its run:
//! passing the turn on costs two context switches and the next owner's page cache, too much for each 20 µs
//! transaction. Once the quantum is over and somebody sleeps, the owner wakes the longest sleeper and stands back
//! until the ticket shows that the turn was taken.
//!
//! An owner that keeps coming back does not wake anybody in the middle of its quantum: the woken would find the
//! turn taken again and only cost a core its time. Should it not come back this once, the sleepers find out by
//! themselves.

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::futex;
use crate::lock::{self, Mode};
use crate::sidecar::Sidecar;

/// How long a run of turns may last while others wait.
const QUANTUM: Duration = Duration::from_millis(2);
/// Who comes back sooner than this after a release is expected to do so again.
const COMES_BACK: Duration = Duration::from_micros(100);
/// The longest sleep between two tries.
const RETRY: Duration = Duration::from_millis(2);
/// How long to stand back for a process that was woken but does not take the turn.
const STAND_BACK: Duration = Duration::from_millis(4);

/// What a process remembers between its turns.
#[derive(Default)]
pub(crate) struct Run {
    /// When its run of turns began; none if the next turn begins one.
    began: Option<Instant>,
    released: Option<Instant>,
    /// The ticket as this process last left it.
    ticket: u32,
    /// Whether it came back at once the last time.
    comes_back: bool,
    /// Until when it stands back for another, unless the ticket changes first.
    stands_back: Option<Instant>,
}

/// The turn to write, until dropped.
#[must_use = "the turn is over when the guard is dropped"]
pub struct TurnGuard<'a> {
    sidecar: &'a Sidecar,
    run: MutexGuard<'a, Run>,
}

impl Sidecar {
    /// Waits for the turn to write, up to `timeout` (zero tries once) or until `stop` says so, which is asked every
    /// few milliseconds; none if it came to nothing.
    ///
    /// Threads of one process take turns too. Taking it twice on one thread waits for itself.
    ///
    /// # Errors
    ///
    /// What the system answers, or that this process is a forked child of the one that opened the sidecar.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let dir = tempfile::tempdir()?;
    /// let sidecar = folkmoot_sys::Sidecar::open(&dir.path().join("team.hub-side"))?;
    /// let turn = sidecar.take_turn(Duration::from_secs(1), &|| false)?;
    /// assert!(turn.is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_turn(&self, timeout: Duration, stop: &dyn Fn() -> bool) -> io::Result<Option<TurnGuard<'_>>> {
        self.refuse_in_child()?;
        let called = Instant::now();
        let Some(mut run) = self.first_among_threads(called, timeout, stop) else {
            return Ok(None);
        };
        run.comes_back = run.released.is_some_and(|released| called.saturating_duration_since(released) < COMES_BACK);
        if (run.stands_back.is_none() || timeout.is_zero()) && self.try_own()? {
            return Ok(Some(self.own(run, called)));
        }
        let turn = &self.page().turn.0;
        loop {
            let seen = turn.bell.word.load(Ordering::SeqCst);
            turn.bell.sleepers.store(1, Ordering::SeqCst);
            let now = Instant::now();
            if run.may_try(turn.ticket.load(Ordering::SeqCst), now) && self.try_own()? {
                // Others may sleep behind us, whose flag was taken down when we were woken.
                turn.bell.sleepers.store(1, Ordering::SeqCst);
                return Ok(Some(self.own(run, now)));
            }
            let left = timeout.saturating_sub(now.saturating_duration_since(called));
            if left.is_zero() || stop() {
                return Ok(None);
            }
            futex::wait(&turn.bell.word, seen, left.min(RETRY));
        }
    }

    fn first_among_threads(&self, called: Instant, timeout: Duration, stop: &dyn Fn() -> bool) -> Option<MutexGuard<'_, Run>> {
        loop {
            if let Some(run) = self.run.try_lock() {
                return Some(run);
            }
            let left = timeout.saturating_sub(called.elapsed());
            if left.is_zero() || stop() {
                return None;
            }
            if let Some(run) = self.run.try_lock_for(left.min(RETRY)) {
                return Some(run);
            }
        }
    }

    fn try_own(&self) -> io::Result<bool> {
        lock::set(self.file(), lock::TURN, Mode::Exclusive)
    }

    fn own<'a>(&'a self, mut run: MutexGuard<'a, Run>, now: Instant) -> TurnGuard<'a> {
        let ticket = &self.page().turn.0.ticket;
        // Only the owner writes the ticket, so load and store are enough.
        let last = ticket.load(Ordering::SeqCst);
        if run.began.is_none() || last != run.ticket {
            run.began = Some(now);
        }
        run.ticket = last.wrapping_add(1);
        run.stands_back = None;
        ticket.store(run.ticket, Ordering::SeqCst);
        TurnGuard { sidecar: self, run }
    }
}

impl Run {
    /// Whether standing back is over: another took the turn, or nobody did for too long.
    fn may_try(&mut self, ticket: u32, now: Instant) -> bool {
        if self.stands_back.is_some_and(|until| ticket == self.ticket && now < until) {
            return false;
        }
        self.stands_back = None;
        true
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        if !self.sidecar.is_ours() {
            return;
        }
        // Freeing a lock that is held on an open file does not fail; if it did, the process's end would free it.
        let _ = lock::set(self.sidecar.file(), lock::TURN, Mode::Free);
        fence(Ordering::SeqCst);
        let now = Instant::now();
        let over = self.run.began.is_none_or(|began| now.saturating_duration_since(began) >= QUANTUM);
        self.run.released = Some(now);
        let bell = &self.sidecar.page().turn.0.bell;
        if !over && self.run.comes_back || bell.sleepers.load(Ordering::SeqCst) == 0 {
            if over {
                self.run.began = None;
            }
            return;
        }
        let woken = bell.ring(1);
        if over {
            self.run.began = None;
            self.run.stands_back = (woken > 0).then(|| now + STAND_BACK);
        }
    }
}
