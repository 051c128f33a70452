//! Locks that a fork leaves usable.
//!
//! `parking_lot` keeps all sleepers of a process in one table. A forked child inherits the table with the entries of
//! threads that are not there, in memory that its own threads will be given; sooner or later one of them walks into a
//! ring and never comes out (seen in one child of fifty). The locks of the standard library are one word each and know
//! of no others. These wrap them in the form that is pleasant to use: no poisoning (a panic in the engine becomes an
//! `internal` error where it happens), and waiting on a guard in place.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{self, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use std::{fmt, ptr, thread};

use crate::fork::fork_generation;

/// How often a wait with an end looks, at first and at last.
const SOON: Duration = Duration::from_micros(20);
const LATE: Duration = Duration::from_millis(1);

/// A lock around a value.
#[derive(Default)]
pub struct Mutex<T: ?Sized>(sync::Mutex<T>);

/// The value of a [`Mutex`], for as long as this is kept.
pub struct MutexGuard<'a, T: ?Sized>(Option<sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The lock if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(MutexGuard(Some(guard))),
            Err(TryLockError::Poisoned(guard)) => Some(MutexGuard(Some(guard.into_inner()))),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits for the lock at most this long.
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        look_until(timeout, || self.try_lock())
    }

    /// The value, which nobody else can reach.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(guard) => guard,
            None => unreachable!("a guard is empty only while its thread sleeps"),
        }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some(guard) => guard,
            None => unreachable!("a guard is empty only while its thread sleeps"),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where threads sleep until what a [`Mutex`] guards has changed.
#[derive(Debug, Default)]
pub struct Condvar {
    inner: sync::Condvar,
    /// Waking nobody would be a system call all the same.
    sleepers: AtomicUsize,
}

/// Whether a wait with an end was over before anybody woke the sleeper.
#[derive(Debug, Clone, Copy)]
pub struct Waited(bool);

impl Waited {
    /// Whether the time was up.
    #[must_use]
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Nobody sleeps here yet.
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar { inner: sync::Condvar::new(), sleepers: AtomicUsize::new(0) }
    }

    /// Lets go of the lock, sleeps until woken (or for no reason), and takes the lock again.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let Some(held) = guard.0.take() else { return };
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        guard.0 = Some(self.inner.wait(held).unwrap_or_else(PoisonError::into_inner));
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Like [`Condvar::wait`], at most this long.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> Waited {
        let Some(held) = guard.0.take() else { return Waited(false) };
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let (held, outcome) = self.inner.wait_timeout(held, timeout).unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        guard.0 = Some(held);
        Waited(outcome.timed_out())
    }

    /// Wakes one sleeper. What it waits for must have changed under the lock.
    pub fn notify_one(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.inner.notify_one();
        }
    }

    /// Wakes all sleepers. What they wait for must have changed under the lock.
    pub fn notify_all(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.inner.notify_all();
        }
    }
}

/// A lock that many may share for reading.
#[derive(Debug, Default)]
pub struct RwLock<T: ?Sized>(sync::RwLock<T>);

/// A share of a [`RwLock`].
pub type RwLockReadGuard<'a, T> = sync::RwLockReadGuard<'a, T>;
/// A [`RwLock`] held alone.
pub type RwLockWriteGuard<'a, T> = sync::RwLockWriteGuard<'a, T>;

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock(sync::RwLock::new(value))
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits for a share.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits to hold it alone.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a share at most this long.
    pub fn try_read_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        look_until(timeout, || match self.0.try_read() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        })
    }
}

/// Looks until there is something or the time is up, less often the longer it takes.
fn look_until<T>(timeout: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
    if let Some(found) = look() {
        return Some(found);
    }
    let start = Instant::now();
    let mut pause = SOON;
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return look();
        }
        thread::sleep(pause.min(left));
        if let Some(found) = look() {
            return Some(found);
        }
        pause = (pause * 2).min(LATE);
    }
}

/// Something of the whole process that a forked child starts anew: the parent's is left behind, and so is a lock in it
/// that a thread held which did not come along.
pub struct PerProcess<T: 'static> {
    current: AtomicPtr<(u32, T)>,
    make: fn() -> T,
}

impl<T: Sync + 'static> PerProcess<T> {
    /// Made when it is first asked for, in each process.
    pub const fn new(make: fn() -> T) -> PerProcess<T> {
        PerProcess { current: AtomicPtr::new(ptr::null_mut()), make }
    }

    /// The one of this process.
    pub fn get(&self) -> &'static T {
        loop {
            let known = self.current.load(Ordering::Acquire);
            // SAFETY: what is published came from `Box::into_raw` and is never freed.
            if let Some((made_in, value)) = unsafe { known.as_ref() }
                && *made_in == fork_generation()
            {
                return value;
            }
            let fresh = Box::into_raw(Box::new((fork_generation(), (self.make)())));
            let won = self.current.compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire);
            if won.is_err() {
                // SAFETY: `fresh` came from `Box::into_raw` above and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_sleeper_is_woken_by_what_it_waits_for() {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = shared.clone();
        let sleeper = thread::spawn(move || {
            let mut done = other.0.lock();
            while !*done {
                other.1.wait(&mut done);
            }
        });
        thread::sleep(Duration::from_millis(5));
        *shared.0.lock() = true;
        shared.1.notify_all();
        assert!(sleeper.join().is_ok());
    }

    #[test]
    fn a_wait_with_an_end_ends() {
        let lock = Mutex::new(1);
        let mut held = lock.lock();
        assert!(lock.try_lock().is_none());
        assert!(lock.try_lock_for(Duration::from_millis(3)).is_none());
        assert!(Condvar::new().wait_for(&mut held, Duration::from_millis(3)).timed_out());
        *held += 1;
        drop(held);
        assert_eq!(lock.try_lock_for(Duration::ZERO).map(|held| *held), Some(2));
        let shared = RwLock::new(());
        let alone = shared.write();
        assert!(shared.try_read_for(Duration::from_millis(3)).is_none());
        drop(alone);
        assert!(shared.try_read_for(Duration::ZERO).is_some());
    }

    #[test]
    fn a_panic_leaves_a_lock_usable() {
        let lock = Arc::new(Mutex::new(7));
        let other = lock.clone();
        let panicked = thread::spawn(move || {
            let _held = other.lock();
            unreachable!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*lock.lock(), 7);
        assert_eq!(lock.try_lock().map(|held| *held), Some(7));
    }

    #[test]
    fn one_process_has_one() {
        static ONE: PerProcess<Mutex<u32>> = PerProcess::new(|| Mutex::new(1));
        *ONE.get().lock() += 1;
        assert_eq!(*ONE.get().lock(), 2);
    }
}
