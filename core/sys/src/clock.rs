//! Clocks that leases may trust.
//!
//! A lease is a promise about elapsed time, so its clock must neither jump with the wall clock nor stand still while
//! the machine sleeps: a laptop that was closed for an hour has missed an hour of renewals.

use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT_CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Time since the machine booted, time asleep included (where the system has such a clock; else `CLOCK_MONOTONIC`).
///
/// Comparable between processes of one boot, meaningless across two.
///
/// ```
/// let before = folkmoot_sys::boot_time();
/// assert!(folkmoot_sys::boot_time() >= before);
/// ```
#[must_use]
pub fn boot_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that outlives the call.
    unsafe { libc::clock_gettime(BOOT_CLOCK, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How many nanoseconds late the kernel may let the calling thread's timers fire (Linux's default is 50,000).
///
/// Does nothing on other systems.
pub fn set_timer_slack(ns: u64) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let ns = libc::c_ulong::try_from(ns).unwrap_or(libc::c_ulong::MAX);
        // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory of ours.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, ns) };
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = ns;
}
