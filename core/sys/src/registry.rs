//! Every sidecar that this process has opened, by device and inode.
//!
//! Closing *any* descriptor of a file drops *all* locks that the process holds on it, so each file is opened once
//! and never closed. A forked child starts with an empty registry: its parent's entries are leaked rather than
//! closed, and so is their mutex, which a thread that did not survive the fork may have held.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, ptr};

use parking_lot::{Mutex, MutexGuard};

use crate::sidecar::Sidecar;

pub(crate) type Sidecars = HashMap<(u64, u64), Arc<Sidecar>>;

static CURRENT: AtomicPtr<Mutex<Sidecars>> = AtomicPtr::new(ptr::null_mut());

/// The registry of this process, locked: an open holds it from its first look at the path to the end.
pub(crate) fn lock() -> MutexGuard<'static, Sidecars> {
    let mut current = CURRENT.load(Ordering::Acquire);
    if current.is_null() {
        let fresh = Box::into_raw(Box::new(Mutex::new(Sidecars::new())));
        current = match CURRENT.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => fresh,
            Err(winner) => {
                // SAFETY: `fresh` came from `Box::into_raw` above and nobody else has seen it.
                mem::drop(unsafe { Box::from_raw(fresh) });
                winner
            }
        };
    }
    // SAFETY: a published registry is never freed, only abandoned.
    unsafe { &*current }.lock()
}

/// Leaves the parent's registry behind. Called in a forked child: one atomic store, no lock, no allocation.
pub(crate) fn abandon() {
    CURRENT.store(ptr::null_mut(), Ordering::Release);
}
