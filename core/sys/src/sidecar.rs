//! A page of memory that all processes of a hub share.
//!
//! Beside its database a hub keeps a *sidecar*: a small file that every process maps. In it are a counter of
//! commits, by which cached reads are validated; a word to sleep on, by which a commit wakes the others; and bytes
//! to lock. It is a file of its own because nothing but SQLite may ever open or close the database's files, and it
//! is opened once per process and never closed, since closing any descriptor of a file drops all the locks that the
//! process holds on it.
//!
//! The sidecar holds nothing that must outlive a crash. What it does need to be is *the same file* for all, hence
//! its random identity and [`Sidecar::still_there`]: who deletes it under running processes splits them into two
//! groups that do not see each other's locks.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sync::Mutex;

use crate::fork::fork_generation;
use crate::lock::{self, Byte, Mode};
use crate::page::{self, Page};
use crate::turn::Run;
use crate::{create, fs, futex, registry};

/// How long [`Sidecar::lock_shared`] waits for an exclusive owner.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(2);

/// A sidecar file, opened and mapped.
///
/// A forked child must open its own: there, what takes locks on its parent's sidecar answers an error.
pub struct Sidecar {
    path: PathBuf,
    id: (u64, u64),
    identity: [u8; 16],
    generation: u32,
    file: File,
    page: NonNull<Page>,
    pub(crate) run: Mutex<Run>,
}

// SAFETY: the mapping lives as long as the process, and its changing words are only reached as atomics.
unsafe impl Send for Sidecar {}
// SAFETY: as above.
unsafe impl Sync for Sidecar {}

impl Sidecar {
    /// Opens the sidecar at `path`, or creates it. Within a process the same file always gives the same `Arc`, by
    /// whatever path.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the file is something else than a sidecar of this version (it is left as it is);
    /// otherwise what the system answers.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("team.hub-side");
    /// let one = folkmoot_sys::Sidecar::open(&path)?;
    /// let two = folkmoot_sys::Sidecar::open(&path)?;
    /// assert!(std::sync::Arc::ptr_eq(&one, &two));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(path: &Path) -> io::Result<Arc<Sidecar>> {
        let generation = fork_generation();
        let path = std::path::absolute(path)?;
        let mut known = registry::lock();
        // Look before opening: a second descriptor of a known file could never be closed again.
        match fs::file_id(&path) {
            Ok(id) => {
                if let Some(sidecar) = known.get(&id) {
                    return Ok(Arc::clone(sidecar));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(create::explain(&path, error)),
        }
        let (file, id) = create::open(&path)?;
        if let Some(sidecar) = known.get(&id) {
            // The path was given another file while we looked, one that is open already.
            std::mem::forget(file);
            return Ok(Arc::clone(sidecar));
        }
        let identity = create::ensure_header(&path, &file)?;
        let page = page::map(&file).map_err(|error| create::explain(&path, error))?;
        let run = Mutex::new(Run::default());
        let sidecar = Arc::new(Sidecar { path, id, identity, generation, file, page, run });
        known.insert(id, Arc::clone(&sidecar));
        Ok(sidecar)
    }

    /// The random identity that the file was created with.
    #[must_use]
    pub fn identity(&self) -> [u8; 16] {
        self.identity
    }

    /// Where it was first opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still names this file, rather than nothing or a newer one.
    #[must_use]
    pub fn still_there(&self) -> bool {
        fs::file_id(&self.path).is_ok_and(|id| id == self.id)
    }

    /// The counter of commits that all processes share. It is the hub's: nothing here reads or writes it.
    #[must_use]
    pub fn commits(&self) -> &AtomicU64 {
        &self.page().commits.0
    }

    /// Wakes all that [`wait`](Self::wait), in every process; costs a system call only if somebody may be waiting.
    pub fn wake(&self) {
        self.page().bell.0.wake_all();
    }

    /// Wakes this process's own waiters. They sleep on the shared word, so it is the same as [`wake`](Self::wake).
    pub fn nudge(&self) {
        self.wake();
    }

    /// The word that [`wake`](Self::wake) changes. Read it before looking for work, then hand it to
    /// [`wait`](Self::wait): a wake in between is not lost.
    #[must_use]
    pub fn wake_word(&self) -> u32 {
        self.page().bell.0.word.load(Ordering::SeqCst)
    }

    /// Sleeps until the word is no longer `seen`, or for `timeout`; answers the word as it is then.
    ///
    /// Signals do not end the wait. Without futexes (off Linux) the word is polled, every 1 to 10 ms.
    #[must_use]
    pub fn wait(&self, seen: u32, timeout: Duration) -> u32 {
        let bell = &self.page().bell.0;
        let begun = Instant::now();
        loop {
            let word = bell.prepare();
            let left = timeout.saturating_sub(begun.elapsed());
            if word != seen || left.is_zero() {
                return word;
            }
            futex::wait(&bell.word, seen, futex::ANYBODY, left);
        }
    }

    /// Takes a byte together with others; waits up to five seconds for an exclusive owner to leave. An exclusive
    /// lock of this process becomes a shared one.
    ///
    /// # Errors
    ///
    /// `TimedOut` if another process kept it exclusively, or what the system answers.
    pub fn lock_shared(&self, byte: Byte) -> io::Result<()> {
        self.refuse_in_child()?;
        let begun = Instant::now();
        while !lock::set(&self.file, byte.offset(), Mode::Shared)? {
            if begun.elapsed() >= LOCK_PATIENCE {
                let path = self.path.display();
                let message =
                    format!("another process holds the {byte:?} lock of {path} for itself; try again later");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            std::thread::sleep(LOCK_RETRY);
        }
        Ok(())
    }

    /// Takes a byte alone, if no other process holds it: true if it is ours now. On false, a shared lock that this
    /// process held stays.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn try_lock_exclusive(&self, byte: Byte) -> io::Result<bool> {
        self.refuse_in_child()?;
        lock::set(&self.file, byte.offset(), Mode::Exclusive)
    }

    /// Which other process has the turn to write; none when nobody has it, or it cannot be said.
    #[must_use]
    pub fn turn_owner(&self) -> Option<u32> {
        lock::owner(&self.file, lock::TURN).ok().flatten()
    }

    /// Lets go of a byte, held or not.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn unlock(&self, byte: Byte) -> io::Result<()> {
        lock::set(&self.file, byte.offset(), Mode::Free).map(|_| ())
    }

    pub(crate) fn page(&self) -> &Page {
        // SAFETY: the mapping is of a whole, aligned page, initialised, and never unmapped.
        unsafe { self.page.as_ref() }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Whether this process is the one that opened it.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == fork_generation()
    }

    pub(crate) fn refuse_in_child(&self) -> io::Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::other(format!("{path} was opened before this process was forked; open it anew here")))
    }
}

impl std::fmt::Debug for Sidecar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sidecar").field("path", &self.path).field("id", &self.id).finish_non_exhaustive()
    }
}
