//! Copying the write-ahead log into the file, in the background: in a commit it would cost that commit dearly.
//!
//! The log must not only be copied but *reused*: writing over a log that exists costs a fraction of making a file
//! longer, and a sync much less. SQLite starts over at the front once everything is copied and nobody reads the old
//! part. While others write there is always a little more to copy, so the thread copies most of it beside them and the
//! rest, a few pages, with the turn to write in its hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot_sys::Byte;
use folkmoot_sys::sync::{Condvar, Mutex};
use rusqlite::Connection;

use crate::core::Core;
use crate::error::Result;
use crate::seams::Point;

/// Pages of the write-ahead log after which a checkpoint is due. Fewer would have the disk sync, and write the same few
/// busy pages into the file, more often; with many more, a reader would look for a page in too many places.
const DUE: i32 = 4_000;
/// How long the thread waits for the turn; when it does not get it, the next commit asks again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether a checkpoint is due.
#[derive(Default)]
pub(crate) struct Checkpoint {
    wanted: Mutex<bool>,
    more: Condvar,
    closed: AtomicBool,
}

impl Checkpoint {
    /// Hears after each commit how many pages the write-ahead log has.
    pub fn grown(&self, pages: i32) {
        if pages < DUE {
            return;
        }
        if let Some(mut wanted) = self.wanted.try_lock()
            && !*wanted
        {
            *wanted = true;
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
    if !copied_all(conn)? {
        let _turn = core.storage.take_turn(PATIENCE)?;
        copied_all(conn)?;
    }
    Ok(())
}

/// Copies what may be copied; answers whether that was everything.
fn copied_all(conn: &Connection) -> Result<bool> {
    let (in_log, copied): (i64, i64) = conn
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    Ok(in_log == copied)
}

/// Copies and empties the log when the last process closes the hub. Then the file alone holds everything, and a commit
/// that was refused because its sync failed does not come back from the log.
pub(crate) fn at_close(core: &Core) {
    let sidecar = &core.storage.sidecar;
    if !matches!(sidecar.try_lock_exclusive(Byte::Version), Ok(true)) {
        return;
    }
    let emptied = core.storage.connect(true).and_then(|conn| {
        Ok(conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?)
    });
    if let Err(error) = emptied.and_then(|_| Ok(sidecar.lock_shared(Byte::Version)?)) {
        tracing::warn!(%error, "the write-ahead log was not copied on closing; whoever opens the hub next reads it");
    }
}
