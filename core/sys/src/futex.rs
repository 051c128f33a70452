//! Sleeping on a word of shared memory until somebody changes it.
//!
//! The futexes are not private: sleeper and waker are different processes that map the same file. Where there are
//! none, sleepers poll the word.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use super::{AtomicU32, Duration};
    use std::ptr;

    /// What the kernel's `futex` call reads on 32 and 64 bits alike; the C library's may be wider.
    #[repr(C)]
    struct Timespec {
        seconds: libc::c_long,
        nanoseconds: libc::c_long,
    }

    /// Sleeps while `word` is `seen`, at most for `timeout`. May return early.
    pub(crate) fn wait(word: &AtomicU32, seen: u32, timeout: Duration) {
        let timeout = Timespec {
            seconds: libc::c_long::try_from(timeout.as_secs()).unwrap_or(libc::c_long::MAX),
            nanoseconds: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
        };
        // SAFETY: `word` is a live, aligned u32 and `timeout` outlives the call.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, &raw const timeout) };
    }

    /// Wakes up to `most` sleepers, and says how many there were.
    pub(crate) fn wake(word: &AtomicU32, most: i32) -> u32 {
        // SAFETY: `word` is a live, aligned u32; FUTEX_WAKE reads no other pointer.
        let woken = unsafe {
            libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, most, ptr::null::<libc::c_void>())
        };
        u32::try_from(woken).unwrap_or(0)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod imp {
    use super::{AtomicU32, Duration};
    use std::sync::atomic::Ordering;
    use std::thread;

    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(10);

    /// Sleeps while `word` is `seen`, at most for `timeout`.
    pub(crate) fn wait(word: &AtomicU32, seen: u32, timeout: Duration) {
        let (mut left, mut nap) = (timeout, SHORTEST);
        while !left.is_zero() && word.load(Ordering::Acquire) == seen {
            nap = nap.min(left);
            thread::sleep(nap);
            left -= nap;
            nap = (nap * 2).clamp(SHORTEST, LONGEST);
        }
    }

    /// Sleepers poll: nothing to do, and no telling how many there are, so one is assumed.
    pub(crate) fn wake(_word: &AtomicU32, _most: i32) -> u32 {
        1
    }
}

pub(crate) use imp::{wait, wake};
