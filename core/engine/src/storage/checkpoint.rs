//! Copying the write-ahead log into the file, in the background: in a commit it would cost that commit dearly.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::core::Core;
use crate::error::Result;
use crate::seams::Point;

/// Written bytes after which a checkpoint is due.
const DUE: u64 = 8 << 20;
/// Size of the write-ahead log past which writers wait for it to be copied, so that it cannot grow without bound.
const TOO_LONG: u64 = 256 << 20;

/// When the next checkpoint is due.
#[derive(Default)]
pub(crate) struct Checkpoint {
    written: AtomicU64,
    wanted: Mutex<bool>,
    more: Condvar,
    closed: AtomicBool,
}

impl Checkpoint {
    /// Counts bytes that a batch wrote.
    pub fn wrote(&self, bytes: u64) {
        if self.written.fetch_add(bytes, Ordering::Relaxed) + bytes >= DUE {
            self.written.store(0, Ordering::Relaxed);
            *self.wanted.lock() = true;
            self.more.notify_one();
        }
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let _wanted = self.wanted.lock();
        self.more.notify_all();
    }

    /// The background thread: copies when it is due.
    pub fn serve(&self, core: &Core) {
        let mut conn = None;
        loop {
            {
                let mut wanted = self.wanted.lock();
                while !*wanted && !self.closed.load(Ordering::Acquire) {
                    self.more.wait(&mut wanted);
                }
                *wanted = false;
            }
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            if let Err(error) = copy(core, &mut conn) {
                tracing::warn!(%error, "a checkpoint did not succeed; the next one tries again");
                conn = None;
            }
        }
    }
}

fn copy(core: &Core, conn: &mut Option<Connection>) -> Result<()> {
    core.seams.reach(Point::InCheckpoint)?;
    if conn.is_none() {
        *conn = Some(core.storage.connect(true)?);
    }
    let Some(conn) = conn.as_ref() else { return Ok(()) };
    conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)")?;
    if core.storage.wal_bytes() > TOO_LONG {
        let _turn = core.storage.take_turn(Duration::from_secs(1))?;
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    }
    Ok(())
}
