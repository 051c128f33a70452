//! Ctrl-C, and the request to end that a supervisor sends.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on a request to end is noted instead of ending the process on the spot.
pub fn listen() {
    // It can be set once a process. Where it is set already, a request ends the process as it always does.
    let _ = ctrlc::try_set_handler(ask);
}

/// Asks for the end: a key was pressed that means it.
pub fn ask() {
    ASKED.store(true, Ordering::Release);
}

/// Whether the end was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::Acquire)
}

/// Fails once the end was asked for.
pub fn check() -> Result<(), Failure> {
    if asked() { Err(Failure::Interrupted) } else { Ok(()) }
}
