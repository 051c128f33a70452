//! The queue of those who wait for the turn to write.
//!
//! Places are numbers, drawn in order. Nobody keeps a list of who still waits: a place is called by waking whoever
//! sleeps by its name, and the kernel, which forgets the dead, says whether there was one.

use std::sync::atomic::Ordering;

use crate::futex;
use crate::page::Turn;

/// How many names there are. Who shares one is woken in the kernel's order.
const NAMES: u32 = 32;

/// The name that the waiter in `place` sleeps by.
pub(crate) fn name(place: u32) -> u32 {
    1 << (place % NAMES)
}

impl Turn {
    /// Draws a place at the end.
    pub(crate) fn draw(&self) -> u32 {
        self.next_place.fetch_add(1, Ordering::SeqCst)
    }

    /// Calls the first in the queue that is there; false if nobody is.
    pub(crate) fn call(&self) -> bool {
        if !self.bell.ring() {
            return false;
        }
        let first = self.called.load(Ordering::SeqCst);
        let waiting = self.next_place.load(Ordering::SeqCst).wrapping_sub(first);
        for ahead in 0..waiting.min(NAMES) {
            let place = first.wrapping_add(ahead);
            // Before waking, so that the woken finds itself first.
            self.advance(place);
            if futex::wake(&self.bell.word, name(place), 1) > 0 {
                return true;
            }
        }
        futex::wake(&self.bell.word, futex::ANYBODY, 1) > 0
    }

    /// Whether no earlier place is still to be called.
    pub(crate) fn is_first(&self, place: u32) -> bool {
        self.called.load(Ordering::SeqCst) == place
    }

    /// Whether a later place was called: this one was awake just then, and draws another.
    pub(crate) fn passed_over(&self, place: u32) -> bool {
        is_before(place, self.called.load(Ordering::SeqCst))
    }

    /// The one in this place, if it drew one, has the turn.
    pub(crate) fn served(&self, place: Option<u32>) {
        if let Some(place) = place.filter(|place| self.is_first(*place)) {
            self.advance(place.wrapping_add(1));
        }
        // Others may sleep behind it, and the flag that says so was taken down to wake this one.
        self.bell.sleepers.store(1, Ordering::SeqCst);
    }

    fn advance(&self, to: u32) {
        let forward = |called| is_before(called, to).then_some(to);
        // Nothing to do if another has gone further.
        let _ = self.called.fetch_update(Ordering::SeqCst, Ordering::SeqCst, forward);
    }
}

/// In the order of numbers that wrap around.
fn is_before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}
