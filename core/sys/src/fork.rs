//! Noticing a fork.
//!
//! A forked child has its parent's memory but neither its threads nor its locks: a handle that looks alive there is
//! a trap. The C library tells us of every `fork`; we count them, so that "am I still the process that opened
//! this?" is one load. (A raw `clone` system call goes unnoticed, as it does for the C library itself.)

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sqlite;

static GENERATION: AtomicU32 = AtomicU32::new(0);
static INSTALLED: Once = Once::new();

/// How many forks lie between this process and the one that first called this.
///
/// Remember it when making something that must not cross a fork; a different value later means that this is a
/// child.
///
/// ```
/// let opened_in = folkmoot_sys::fork_generation();
/// assert_eq!(folkmoot_sys::fork_generation(), opened_in);
/// ```
#[must_use]
pub fn fork_generation() -> u32 {
    INSTALLED.call_once(|| {
        // SAFETY: the handler only stores to atomics, which is allowed in a forked child.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        sqlite::prepare();
    });
    generation()
}

/// The count alone; nothing is installed.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
