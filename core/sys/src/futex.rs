//! Sleeping on a word of shared memory until somebody changes it.
//!
//! The futexes are not private: sleeper and waker are different processes that map the same file. Where there are
//! none, sleepers poll the word.
//!
//! A sleeper may go by *names*, a set of 32, so that one of many can be woken.

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

    /// Sleeps while `word` is `seen`, until somebody wakes one of `names`, at most for `timeout`; whether somebody
    /// did. May return early.
    pub(crate) fn wait(word: &AtomicU32, seen: u32, names: u32, timeout: Duration) -> bool {
        let until = deadline(timeout);
        let none = ptr::null::<libc::c_void>();
        let (at, how) = (word.as_ptr(), libc::FUTEX_WAIT_BITSET);
        // SAFETY: `word` is a live, aligned u32 and `until` outlives the call; no other pointer is read.
        unsafe { libc::syscall(libc::SYS_futex, at, how, seen, &raw const until, none, names) == 0 }
    }

    /// Wakes up to `most` of those who sleep by one of `names`, and says how many there were.
    pub(crate) fn wake(word: &AtomicU32, names: u32, most: i32) -> u32 {
        let none = ptr::null::<libc::c_void>();
        let (at, how) = (word.as_ptr(), libc::FUTEX_WAKE_BITSET);
        // SAFETY: `word` is a live, aligned u32; no other pointer is read.
        let woken = unsafe { libc::syscall(libc::SYS_futex, at, how, most, none, none, names) };
        u32::try_from(woken).unwrap_or(0)
    }

    /// The moment on the monotonic clock, which this sort of wait is told instead of a time span.
    fn deadline(timeout: Duration) -> Timespec {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a valid timespec that outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        let now = Duration::new(now.tv_sec.cast_unsigned(), u32::try_from(now.tv_nsec).unwrap_or(0));
        let until = now.saturating_add(timeout);
        Timespec {
            seconds: libc::c_long::try_from(until.as_secs()).unwrap_or(libc::c_long::MAX),
            nanoseconds: libc::c_long::from(until.subsec_nanos().cast_signed()),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod imp {
    use super::{AtomicU32, Duration};
    use std::sync::atomic::Ordering;
    use std::thread;

    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(10);

    /// Sleeps while `word` is `seen`, at most for `timeout`; whether it changed.
    pub(crate) fn wait(word: &AtomicU32, seen: u32, _names: u32, timeout: Duration) -> bool {
        let (mut left, mut nap) = (timeout, SHORTEST);
        while !left.is_zero() && word.load(Ordering::Acquire) == seen {
            nap = nap.min(left);
            thread::sleep(nap);
            left -= nap;
            nap = (nap * 2).clamp(SHORTEST, LONGEST);
        }
        word.load(Ordering::Acquire) != seen
    }

    /// Sleepers poll: nothing to do, and no telling how many there are, so one is assumed.
    pub(crate) fn wake(_word: &AtomicU32, _names: u32, _most: i32) -> u32 {
        1
    }
}

/// Any name will do.
pub(crate) const ANYBODY: u32 = u32::MAX;

pub(crate) use imp::{wait, wake};
