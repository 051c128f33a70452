//! SQLite across a fork.
//!
//! POSIX locks belong to a process, so SQLite counts its own per file, by device and inode. A forked child inherits the
//! counts but not the locks: opening the file anew there, SQLite would believe that it holds locks that it does not,
//! and share the memory of connections whose threads are gone. So in a child every file seems to lie on another device
//! than in its parent: SQLite finds no count for it and takes locks of its own.
//!
//! SQLite's global mutexes are held across each fork, as `malloc`'s are: one that a thread of the parent held at that
//! moment would stay locked in the child for ever.

use std::ffi::{CStr, c_char, c_int};
use std::mem::transmute;
use std::ptr;

use rusqlite::ffi;

use crate::fork::generation;

/// In the order in which SQLite itself takes one inside another.
const GLOBAL: [c_int; 9] = [
    ffi::SQLITE_MUTEX_STATIC_PRNG,
    ffi::SQLITE_MUTEX_STATIC_OPEN,
    ffi::SQLITE_MUTEX_STATIC_MAIN,
    ffi::SQLITE_MUTEX_STATIC_VFS1,
    ffi::SQLITE_MUTEX_STATIC_VFS2,
    ffi::SQLITE_MUTEX_STATIC_VFS3,
    ffi::SQLITE_MUTEX_STATIC_PMEM,
    ffi::SQLITE_MUTEX_STATIC_LRU,
    ffi::SQLITE_MUTEX_STATIC_MEM,
];

/// Prepares SQLite for forks; before the first file is opened.
pub(crate) fn prepare() {
    // SAFETY: SQLite is initialized before its file systems are asked for, and nothing is open yet, so nobody calls
    // what is replaced; the replacements have the signatures of `stat` and `fstat`. The handlers only lock and unlock.
    unsafe {
        if ffi::sqlite3_initialize() != ffi::SQLITE_OK {
            return;
        }
        replace(c"stat", transmute::<StatAt, Call>(stat_apart));
        replace(c"fstat", transmute::<StatOf, Call>(fstat_apart));
        libc::pthread_atfork(Some(before), Some(after), Some(after));
    }
    crate::gather::prepare();
}

/// Any system call, as SQLite keeps them.
pub(crate) type Call = unsafe extern "C" fn();
type StatAt = unsafe extern "C" fn(*const c_char, *mut libc::stat) -> c_int;
type StatOf = unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int;

/// # Safety
///
/// `with` must have the signature that SQLite expects of the system call of this name.
pub(crate) unsafe fn replace(name: &CStr, with: Call) {
    // SAFETY: the default file system lives as long as the process, and takes the name of any of its system calls.
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(ptr::null());
        if let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) {
            set(vfs, name.as_ptr(), Some(with));
        }
    }
}

unsafe extern "C" fn stat_apart(path: *const c_char, out: *mut libc::stat) -> c_int {
    // SAFETY: SQLite gives what `stat` wants.
    unsafe { apart(libc::stat(path, out), out) }
}

unsafe extern "C" fn fstat_apart(file: c_int, out: *mut libc::stat) -> c_int {
    // SAFETY: SQLite gives what `fstat` wants.
    unsafe { apart(libc::fstat(file, out), out) }
}

/// # Safety
///
/// `out` must be what the call that answered `outcome` has filled.
unsafe fn apart(outcome: c_int, out: *mut libc::stat) -> c_int {
    const HIGH: u32 = libc::dev_t::BITS - 16;
    if outcome == 0 {
        // SAFETY: the call succeeded, so `out` is filled.
        unsafe { (*out).st_dev ^= ((generation() & 0x7fff) as libc::dev_t) << HIGH };
    }
    outcome
}

extern "C" fn before() {
    for which in GLOBAL {
        // SAFETY: SQLite's static mutexes live as long as the process.
        unsafe { ffi::sqlite3_mutex_enter(ffi::sqlite3_mutex_alloc(which)) };
    }
}

/// In the parent and in the child: the thread that forked holds them in both.
extern "C" fn after() {
    for which in GLOBAL.into_iter().rev() {
        // SAFETY: taken by `before` on this thread.
        unsafe { ffi::sqlite3_mutex_leave(ffi::sqlite3_mutex_alloc(which)) };
    }
}
