//! The first page of a sidecar file, as every process that maps it sees it.
//!
//! The words that change often each have a cache line to themselves. The layout is fixed: a process of another
//! version may have the same page mapped, so what is added goes behind, and what means something else gets another
//! `MAGIC`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::futex;

/// The first bytes of a sidecar; the last digit counts layouts.
pub(crate) const MAGIC: [u8; 16] = *b"folkmoot-side-01";
/// The file's size.
pub(crate) const BYTES: usize = 4096;

#[repr(C)]
pub(crate) struct Page {
    pub(crate) magic: [u8; 16],
    pub(crate) identity: [u8; 16],
    _header: [u8; 32],
    pub(crate) commits: Line<AtomicU64>,
    pub(crate) bell: Line<Bell>,
    pub(crate) turn: Line<Turn>,
}

/// One cache line.
#[repr(C, align(64))]
pub(crate) struct Line<T>(pub(crate) T);

/// A word to sleep on, and whether somebody may be asleep.
///
/// `sleepers` is a flag rather than a count: who is about to sleep raises it, who wakes takes it down. A sleeper
/// that is killed thus costs one needless system call, once.
#[repr(C)]
pub(crate) struct Bell {
    pub(crate) word: AtomicU32,
    pub(crate) sleepers: AtomicU32,
}

impl Bell {
    /// Changes the word; whether somebody may be asleep on it, to be woken now.
    pub(crate) fn ring(&self) -> bool {
        self.word.fetch_add(1, Ordering::SeqCst);
        self.sleepers.load(Ordering::SeqCst) != 0 && self.sleepers.swap(0, Ordering::SeqCst) != 0
    }

    /// Raises the flag and answers the word. Who then finds nothing to do may sleep while the word stays the same.
    pub(crate) fn prepare(&self) -> u32 {
        let seen = self.word.load(Ordering::SeqCst);
        self.sleepers.store(1, Ordering::SeqCst);
        seen
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        if self.ring() {
            futex::wake(&self.word, futex::ANYBODY, i32::MAX);
        }
    }
}

/// The turn to write.
#[repr(C)]
pub(crate) struct Turn {
    /// What those who wait sleep on, each by the name of its place.
    pub(crate) bell: Bell,
    /// Changes whenever a process takes the turn.
    pub(crate) ticket: AtomicU32,
    /// The place in the queue that the next to wait will draw.
    pub(crate) next_place: AtomicU32,
    /// The first place that may not have been called yet.
    pub(crate) called: AtomicU32,
}

const _: () = assert!(size_of::<Page>() == 256 && size_of::<Page>() <= BYTES);

/// Maps the page of an open sidecar, for ever.
pub(crate) fn map(file: &File) -> io::Result<NonNull<Page>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new shared mapping of an open file, placed by the kernel: no memory of ours is touched.
    let page =
        unsafe { libc::mmap(ptr::null_mut(), BYTES, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(page.cast()).ok_or_else(|| io::Error::other("a sidecar was mapped at address zero"))
}
