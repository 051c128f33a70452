//! Locks that die with their owner.
//!
//! A classic `fcntl` lock belongs to a process: the kernel frees it when the process ends, however it ends. It is
//! idempotent within the process (locking twice is locking once), is not inherited by a forked child, and taking it
//! again in the other mode converts it without a gap.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// What is locked: each is one byte of the sidecar file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Byte {
    /// Held shared by every process with the hub open; a migration needs it alone.
    Version,
    /// Held by the one process that looks after timers, expiry and retention.
    Housekeeper,
}

impl Byte {
    pub(crate) fn offset(self) -> libc::off_t {
        match self {
            Byte::Version => 4001,
            Byte::Housekeeper => 4002,
        }
    }
}

/// The turn to write.
pub(crate) const TURN: libc::off_t = 4000;
/// Held while a new sidecar gets its header.
pub(crate) const INIT: libc::off_t = 4003;

#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Shared,
    Exclusive,
    Free,
}

/// The process that is in the way of locking this byte alone; none if nobody is.
pub(crate) fn owner(file: &File, byte: libc::off_t) -> io::Result<Option<u32>> {
    let mut lock = region(byte, libc::F_WRLCK);
    // SAFETY: the descriptor is open, and `lock` outlives the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let taken = lock.l_type != libc::F_UNLCK as libc::c_short;
    Ok(u32::try_from(lock.l_pid).ok().filter(|pid| taken && *pid != 0))
}

fn region(byte: libc::off_t, kind: i32) -> libc::flock {
    // SAFETY: flock is plain integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = byte;
    lock.l_len = 1;
    lock
}

/// Locks or frees one byte without waiting; false if another process is in the way.
pub(crate) fn set(file: &File, byte: libc::off_t, mode: Mode) -> io::Result<bool> {
    let kind = match mode {
        Mode::Shared => libc::F_RDLCK,
        Mode::Exclusive => libc::F_WRLCK,
        Mode::Free => libc::F_UNLCK,
    };
    let lock = region(byte, kind);
    loop {
        // SAFETY: the descriptor is open, and `lock` outlives the call.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EAGAIN | libc::EACCES) => return Ok(false),
            _ => return Err(error),
        }
    }
}
