//! The turn to write: one process at a time, quickly passed on, and fairly.
//!
//! *Owning* the turn is holding an `fcntl` lock on one byte of the sidecar, so a killed owner frees it at once.
//! *Waiting* for it is drawing a place in the queue and sleeping on a shared word by the name of that place, with
//! another try every few milliseconds in case that whoever was called has died. The queue needs no list of who is
//! alive: calling a place wakes nobody if nobody sleeps there, and then the next place is called.
//!
//! An owner may release and retake without asking anybody for a *quantum*, counted from the first turn of its run:
//! passing the turn on costs two context switches and the next owner's page cache, too much for each 20 µs
//! transaction. Once the quantum is over and somebody sleeps, the owner calls the first in the queue and stands back
//! until the ticket shows that the turn was taken.
//!
//! An owner that keeps coming back does not wake anybody in the middle of its quantum: the woken would find the
//! turn taken again and only cost a core its time. Should it not come back this once, the sleepers find out by
//! themselves.
//!
//! Why not simply `F_SETLKW`? Measured with four processes at full speed on two cores (`examples/turn_race.rs`): on
//! turns of 20 µs its longest wait was 40 to 59 ms where ours was 6 to 9, on SQLite inserts 17 to 39 where ours was 6
//! to 18, and it passed on 85 % of one process's 20 µs turns where ours passed on 94 %. A compiler on the same cores
//! cost ours up to 21 ms. Nor can `F_SETLKW` be asked to stop. A quantum of 2 ms instead of 1 gained no more than the
//! noise, and waited twice as long.

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use crate::sync::MutexGuard;

use crate::futex;
use crate::lock::{self, Mode};
use crate::queue::name;
use crate::sidecar::Sidecar;

/// How long a run of turns may last while others wait.
const QUANTUM: Duration = Duration::from_millis(1);
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
        run.comes_back =
            run.released.is_some_and(|released| called.saturating_duration_since(released) < COMES_BACK);
        if (run.stands_back.is_none() || timeout.is_zero()) && self.try_own()? {
            return Ok(Some(self.own(run, called)));
        }
        let turn = &self.page().turn.0;
        let mut place = None;
        let (mut woken, mut ticket_before) = (true, 0);
        loop {
            let seen = turn.bell.prepare();
            let (now, ticket) = (Instant::now(), turn.ticket.load(Ordering::SeqCst));
            // Whoever was not called leaves the gaps between an owner's turns alone, unless it is first in the queue.
            let idle = ticket == ticket_before;
            ticket_before = ticket;
            let invited = woken || idle || place.is_some_and(|place| turn.is_first(place));
            if run.may_try(ticket, now) && invited && self.try_own()? {
                turn.served(place);
                return Ok(Some(self.own(run, now)));
            }
            let left = timeout.saturating_sub(now.saturating_duration_since(called));
            if left.is_zero() || stop() {
                return Ok(None);
            }
            let here = place.filter(|place| !turn.passed_over(*place)).unwrap_or_else(|| turn.draw());
            place = Some(here);
            woken = futex::wait(&turn.bell.word, seen, name(here), left.min(RETRY));
        }
    }

    fn first_among_threads(
        &self,
        called: Instant,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Option<MutexGuard<'_, Run>> {
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
        let turn = &self.sidecar.page().turn.0;
        let woken =
            (over || !self.run.comes_back) && turn.bell.sleepers.load(Ordering::SeqCst) != 0 && turn.call();
        if over {
            self.run.began = None;
            self.run.stands_back = woken.then(|| now + STAND_BACK);
        }
    }
}
