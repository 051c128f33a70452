//! A SQLite file system that fails on request.
//!
//! [`FaultVfs::register`] puts a thin VFS over SQLite's own: every call goes through, unless a test asked for the
//! n-th write to find the disk full. All calls are counted, so that a test can first run undisturbed, see how many
//! there are, and then fail each of them in turn.
//!
//! Memory-mapped reading is never offered to SQLite, or reads would pass unseen.

mod file;
mod fork;
mod vfs;

pub use fork::in_a_forked_child;

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::Mutex;
use rusqlite::ffi;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultOp {
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Making what was written safe.
    Sync,
    /// Changing a file's length.
    Truncate,
    /// Opening or creating a file.
    Open,
    /// Deleting a file.
    Delete,
    /// Taking a lock, of a file or of the shared memory (where WAL has most of them). Letting go never fails.
    Lock,
    /// Mapping the shared memory that WAL needs.
    ShmMap,
}

const OPS: usize = FaultOp::ShmMap as usize + 1;

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultCode {
    /// `SQLITE_FULL`: the disk is full.
    Full,
    /// `SQLITE_IOERR`, as the operation's own kind where it has one.
    Io,
    /// A write that lands by half before its `SQLITE_IOERR_WRITE`; for other operations the same as `Io`.
    Torn,
    /// `SQLITE_READONLY`.
    ReadOnly,
    /// `SQLITE_BUSY`.
    Busy,
    /// `SQLITE_CANTOPEN`.
    CantOpen,
    /// `SQLITE_PERM`.
    Permission,
}

impl FaultCode {
    fn code(self, op: FaultOp) -> c_int {
        match self {
            FaultCode::Full => ffi::SQLITE_FULL,
            FaultCode::ReadOnly => ffi::SQLITE_READONLY,
            FaultCode::Busy => ffi::SQLITE_BUSY,
            FaultCode::CantOpen => ffi::SQLITE_CANTOPEN,
            FaultCode::Permission => ffi::SQLITE_PERM,
            FaultCode::Io | FaultCode::Torn => match op {
                FaultOp::Read => ffi::SQLITE_IOERR_READ,
                FaultOp::Write => ffi::SQLITE_IOERR_WRITE,
                FaultOp::Sync => ffi::SQLITE_IOERR_FSYNC,
                FaultOp::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
                FaultOp::Delete => ffi::SQLITE_IOERR_DELETE,
                FaultOp::Lock => ffi::SQLITE_IOERR_LOCK,
                FaultOp::ShmMap => ffi::SQLITE_IOERR_SHMMAP,
                FaultOp::Open => ffi::SQLITE_IOERR,
            },
        }
    }
}

/// A registered VFS and its faults. Clone the `Arc` as you like: SQLite keeps one for ever.
#[derive(Debug)]
pub struct FaultVfs {
    name: String,
    counts: [Count; OPS],
    plans: Mutex<Vec<Plan>>,
}

#[derive(Debug, Default)]
struct Count {
    calls: AtomicU64,
    injected: AtomicU64,
}

#[derive(Debug)]
struct Plan {
    op: FaultOp,
    /// Which call, counted from now; none for all of them.
    nth: Option<u64>,
    code: FaultCode,
}

impl FaultVfs {
    /// Registers a VFS called `name` over SQLite's default one; the same name again gives the same VFS. Open with
    /// `Connection::open_with_flags_and_vfs`, or `vfs=name` in a URI. A name ends at its first NUL.
    ///
    /// ```
    /// # use folkmoot_sys::{FaultCode, FaultOp, FaultVfs};
    /// # use rusqlite::{Connection, OpenFlags};
    /// # let dir = tempfile::tempdir()?;
    /// let faults = FaultVfs::register("doc-faults");
    /// let db = Connection::open_with_flags_and_vfs(dir.path().join("db"), OpenFlags::default(), "doc-faults")?;
    /// faults.fail_next(FaultOp::Write, 1, FaultCode::Full);
    /// assert!(db.execute_batch("CREATE TABLE t(a)").is_err());
    /// db.execute_batch("CREATE TABLE t(a)")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn register(name: &str) -> Arc<FaultVfs> {
        let name = name.split('\0').next().unwrap_or_default();
        vfs::register(name)
    }

    /// The name it is registered by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fails one call: the `nth` from now, of which 1 is the next (and so is 0). Several may be planned.
    pub fn fail_next(&self, op: FaultOp, nth: u64, code: FaultCode) {
        self.plans.lock().push(Plan { op, nth: Some(nth.max(1)), code });
    }

    /// Fails every call, until [`clear`](Self::clear).
    pub fn fail_all(&self, op: FaultOp, code: FaultCode) {
        self.plans.lock().push(Plan { op, nth: None, code });
    }

    /// Forgets all planned faults. The counts stay.
    pub fn clear(&self) {
        self.plans.lock().clear();
    }

    /// How many calls there were, failed ones included.
    #[must_use]
    pub fn calls(&self, op: FaultOp) -> u64 {
        self.count(op).map_or(0, |count| count.calls.load(Ordering::SeqCst))
    }

    /// How many of them were made to fail.
    #[must_use]
    pub fn injected(&self, op: FaultOp) -> u64 {
        self.count(op).map_or(0, |count| count.injected.load(Ordering::SeqCst))
    }

    fn new(name: &str) -> FaultVfs {
        FaultVfs { name: name.to_owned(), counts: Default::default(), plans: Mutex::default() }
    }

    fn count(&self, op: FaultOp) -> Option<&Count> {
        self.counts.get(op as usize)
    }

    /// Counts a call; its fault, if one was planned for it.
    fn fault(&self, op: FaultOp) -> Option<FaultCode> {
        let count = self.count(op)?;
        count.calls.fetch_add(1, Ordering::SeqCst);
        let mut fault = None;
        self.plans.lock().retain_mut(|plan| {
            if plan.op != op {
                return true;
            }
            match &mut plan.nth {
                None => fault = fault.or(Some(plan.code)),
                Some(nth) if *nth > 1 => *nth -= 1,
                Some(_) => {
                    fault = fault.or(Some(plan.code));
                    return false;
                }
            }
            true
        });
        if fault.is_some() {
            count.injected.fetch_add(1, Ordering::SeqCst);
        }
        fault
    }
}
