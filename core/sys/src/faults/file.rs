//! An open file of the VFS: a header of ours, and behind it the file of the VFS beneath.

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

use super::{FaultCode, FaultOp, FaultVfs};

#[repr(C, align(8))]
pub(super) struct FaultFile {
    /// What SQLite sees: its first and only field is the table of methods.
    file: sqlite3_file,
    /// Lives for ever: its `Arc` is leaked with the VFS.
    faults: *const FaultVfs,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

/// Marks a file as not open: SQLite closes only what has methods.
///
/// # Safety
///
/// `file` must point to memory for a `FaultFile` and the file beneath it.
pub(super) unsafe fn prepare(file: *mut FaultFile) {
    // SAFETY: as the caller promises; both begin with their methods.
    unsafe {
        (*file).file.pMethods = ptr::null();
        (*base(file)).pMethods = ptr::null();
    }
}

/// The file of the VFS beneath.
///
/// # Safety
///
/// As for [`prepare`].
pub(super) unsafe fn base(file: *mut FaultFile) -> *mut sqlite3_file {
    // SAFETY: it lies behind ours, in the same allocation, and our size keeps it aligned.
    unsafe { file.add(1).cast() }
}

/// Puts our methods on a file that the VFS beneath has opened, or has failed to but wants closed.
///
/// # Safety
///
/// As for [`prepare`]; `faults` must live for ever.
pub(super) unsafe fn adopt(file: *mut FaultFile, faults: *const FaultVfs) {
    // SAFETY: as the caller promises.
    unsafe {
        (*file).faults = faults;
        if !(*base(file)).pMethods.is_null() {
            (*file).file.pMethods = &raw const METHODS;
        }
    }
}

/// Counts a call on an open file; its fault, if one was planned for it.
///
/// # Safety
///
/// `file` must be one that [`adopt`] saw.
unsafe fn fault(file: *mut sqlite3_file, op: FaultOp) -> Option<FaultCode> {
    // SAFETY: as the caller promises.
    unsafe { (*(*file.cast::<FaultFile>()).faults).fault(op) }
}

/// Calls the same method of the file beneath; `$missing` if it has none.
macro_rules! forward {
    ($file:ident . $method:ident ( $($arg:expr),* ), $missing:expr) => {{
        // SAFETY: SQLite calls us with our own open file, and the arguments are passed on as they came.
        unsafe {
            let base = base($file.cast());
            match (*(*base).pMethods).$method {
                Some(method) => method(base, $($arg),*),
                None => $missing,
            }
        }
    }};
}

/// Returns the planned fault's code, if there is one.
macro_rules! may_fail {
    ($file:ident, $op:expr) => {
        // SAFETY: SQLite calls us with our own open file.
        if let Some(fault) = unsafe { fault($file, $op) } {
            return fault.code($op);
        }
    };
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    forward!(file.xClose(), ffi::SQLITE_OK)
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    out: *mut c_void,
    size: c_int,
    at: sqlite3_int64,
) -> c_int {
    may_fail!(file, FaultOp::Read);
    forward!(file.xRead(out, size, at), ffi::SQLITE_IOERR_READ)
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    size: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls us with our own open file.
    if let Some(fault) = unsafe { fault(file, FaultOp::Write) } {
        if fault == FaultCode::Torn {
            let _ = forward!(file.xWrite(data, size / 2, at), ffi::SQLITE_OK);
        }
        return fault.code(FaultOp::Write);
    }
    forward!(file.xWrite(data, size, at), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    may_fail!(file, FaultOp::Truncate);
    forward!(file.xTruncate(size), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    may_fail!(file, FaultOp::Sync);
    forward!(file.xSync(flags), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    forward!(file.xFileSize(out), ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    may_fail!(file, FaultOp::Lock);
    forward!(file.xLock(level), ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    forward!(file.xUnlock(level), ffi::SQLITE_IOERR_UNLOCK)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    forward!(file.xCheckReservedLock(out), ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, what: c_int, arg: *mut c_void) -> c_int {
    forward!(file.xFileControl(what, arg), ffi::SQLITE_NOTFOUND)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    forward!(file.xSectorSize(), 0)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    forward!(file.xDeviceCharacteristics(), 0)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    may_fail!(file, FaultOp::ShmMap);
    forward!(file.xShmMap(page, size, extend, out), ffi::SQLITE_IOERR_SHMMAP)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    if flags & ffi::SQLITE_SHM_LOCK != 0 {
        may_fail!(file, FaultOp::Lock);
    }
    forward!(file.xShmLock(first, count, flags), ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    forward!(file.xShmBarrier(), ());
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    forward!(file.xShmUnmap(delete), ffi::SQLITE_OK)
}

/// Offers no mapping, so that every read is a call of `xRead`.
unsafe extern "C" fn fetch(
    _file: *mut sqlite3_file,
    _at: sqlite3_int64,
    _size: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = ptr::null_mut() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn unfetch(file: *mut sqlite3_file, at: sqlite3_int64, page: *mut c_void) -> c_int {
    forward!(file.xUnfetch(at, page), ffi::SQLITE_OK)
}
