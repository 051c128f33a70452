//! Every sidecar that this process has opened, by device and inode.
//!
//! Closing *any* descriptor of a file drops *all* locks that the process holds on it, so each file is opened once
//! and never closed. A forked child starts with an empty registry: its parent's entries are leaked rather than
//! closed, and so is their mutex, which a thread that did not survive the fork may have held.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sidecar::Sidecar;
use crate::sync::{Mutex, MutexGuard, PerProcess};

pub(crate) type Sidecars = HashMap<(u64, u64), Arc<Sidecar>>;

static CURRENT: PerProcess<Mutex<Sidecars>> = PerProcess::new(Mutex::default);

/// The registry of this process, locked: an open holds it from its first look at the path to the end.
pub(crate) fn lock() -> MutexGuard<'static, Sidecars> {
    CURRENT.get().lock()
}
