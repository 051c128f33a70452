//! The VFS itself: opening and deleting may fail, the rest goes to the VFS beneath.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};
use std::{mem, ptr};

use crate::sync::Mutex;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_vfs};

use super::file::{self, FaultFile};
use super::{FaultOp, FaultVfs};

/// What SQLite hands back to us in every call, by `pAppData`. Never freed, as SQLite may keep it for ever.
struct Shim {
    faults: Arc<FaultVfs>,
    base: *mut sqlite3_vfs,
}

static REGISTERED: OnceLock<Mutex<Vec<Arc<FaultVfs>>>> = OnceLock::new();

pub(super) fn register(name: &str) -> Arc<FaultVfs> {
    let mut registered = REGISTERED.get_or_init(Mutex::default).lock();
    if let Some(known) = registered.iter().find(|known| known.name == name) {
        return Arc::clone(known);
    }
    let faults = Arc::new(FaultVfs::new(name));
    registered.push(Arc::clone(&faults));
    let name = CString::new(name).unwrap_or_default().into_raw();
    // SAFETY: initialising is allowed at any time, and a null name asks for the default VFS.
    let base = unsafe {
        ffi::sqlite3_initialize();
        ffi::sqlite3_vfs_find(ptr::null())
    };
    // SAFETY: the default VFS, if there is one, stays registered, and is not changed by us.
    let Some(below) = (unsafe { base.as_ref() }) else {
        return faults; // A SQLite without any VFS: opening by this name will say that there is none.
    };
    let shim = Box::into_raw(Box::new(Shim { faults: Arc::clone(&faults), base }));
    let vfs = sqlite3_vfs {
        iVersion: below.iVersion.min(2),
        szOsFile: below.szOsFile.saturating_add(mem::size_of::<FaultFile>() as c_int),
        mxPathname: below.mxPathname,
        pNext: ptr::null_mut(),
        zName: name,
        pAppData: shim.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: below.xDlOpen.map(|_| dl_open as _),
        xDlError: below.xDlError.map(|_| dl_error as _),
        xDlSym: below.xDlSym.map(|_| dl_sym as _),
        xDlClose: below.xDlClose.map(|_| dl_close as _),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(get_last_error),
        xCurrentTimeInt64: below.xCurrentTimeInt64.map(|_| current_time_int64 as _),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    };
    // SAFETY: the struct, its name and its data are leaked, so they are valid for as long as SQLite is.
    unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0) };
    faults
}

/// # Safety
///
/// `vfs` must be one that `register` made.
unsafe fn shim(vfs: *mut sqlite3_vfs) -> &'static Shim {
    // SAFETY: `register` set `pAppData` to a leaked `Shim`.
    unsafe { &*(*vfs).pAppData.cast::<Shim>() }
}

/// Calls the same method of the VFS beneath; `$missing` if it has none.
macro_rules! forward {
    ($vfs:ident . $method:ident ( $($arg:expr),* ), $missing:expr) => {{
        // SAFETY: SQLite calls us with our own VFS, and the arguments are passed on as they came.
        unsafe {
            let base = shim($vfs).base;
            match (*base).$method {
                Some(method) => method(base, $($arg),*),
                None => $missing,
            }
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    out: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls us with our own VFS, and with `szOsFile` bytes at `out`, aligned for any file.
    unsafe {
        let shim = shim(vfs);
        let out = out.cast::<FaultFile>();
        file::prepare(out);
        if let Some(fault) = shim.faults.fault(FaultOp::Open) {
            return fault.code(FaultOp::Open);
        }
        let Some(below) = (*shim.base).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = below(shim.base, name, file::base(out), flags, out_flags);
        file::adopt(out, Arc::as_ptr(&shim.faults));
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite calls us with our own VFS.
    if let Some(fault) = unsafe { shim(vfs) }.faults.fault(FaultOp::Delete) {
        return fault.code(FaultOp::Delete);
    }
    forward!(vfs.xDelete(name, sync), ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    how: c_int,
    out: *mut c_int,
) -> c_int {
    forward!(vfs.xAccess(name, how, out), ffi::SQLITE_IOERR_ACCESS)
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    forward!(vfs.xFullPathname(name, size, out), ffi::SQLITE_CANTOPEN)
}

unsafe extern "C" fn dl_open(vfs: *mut sqlite3_vfs, name: *const c_char) -> *mut c_void {
    forward!(vfs.xDlOpen(name), ptr::null_mut())
}

unsafe extern "C" fn dl_error(vfs: *mut sqlite3_vfs, size: c_int, out: *mut c_char) {
    forward!(vfs.xDlError(size, out), ());
}

type Symbol = Option<unsafe extern "C" fn(*mut sqlite3_vfs, *mut c_void, *const c_char)>;

unsafe extern "C" fn dl_sym(vfs: *mut sqlite3_vfs, library: *mut c_void, name: *const c_char) -> Symbol {
    forward!(vfs.xDlSym(library, name), None)
}

unsafe extern "C" fn dl_close(vfs: *mut sqlite3_vfs, library: *mut c_void) {
    forward!(vfs.xDlClose(library), ());
}

unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, size: c_int, out: *mut c_char) -> c_int {
    forward!(vfs.xRandomness(size, out), 0)
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    forward!(vfs.xSleep(microseconds), 0)
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    forward!(vfs.xCurrentTime(out), ffi::SQLITE_ERROR)
}

unsafe extern "C" fn get_last_error(vfs: *mut sqlite3_vfs, size: c_int, out: *mut c_char) -> c_int {
    forward!(vfs.xGetLastError(size, out), 0)
}

unsafe extern "C" fn current_time_int64(vfs: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    forward!(vfs.xCurrentTimeInt64(out), ffi::SQLITE_ERROR)
}
