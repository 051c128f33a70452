//! One write for a whole commit.
//!
//! SQLite appends to its write-ahead log page by page, each in two calls: the header of a frame, then the page. For the
//! small commits that a hub makes, those calls are much of what a commit costs. So while a commit is gathered, SQLite's
//! `pwrite` on this thread keeps the frames together and writes them at once with the last one, which says by its header
//! that it ends the commit. SQLite shows the frames to others only after that write has succeeded, and hears of it when
//! it has failed.
//!
//! That holds only for a transaction of which nothing was written before: of one that outgrew its cache SQLite goes back
//! to earlier frames. Such a commit is not gathered.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::io::ErrorKind;

use crate::sqlite::{Call, replace};

/// A frame's header: the page's number, the size of the database if the frame ends a commit (else 0), salt and checksum.
const HEADER: usize = 24;
/// More than this is written in parts.
const MOST: usize = 1 << 20;

struct Gather {
    /// A commit is under way on this thread.
    on: bool,
    /// Calls that SQLite made on this thread since the transaction began.
    writes: usize,
    file: c_int,
    /// Where the first byte that is kept belongs.
    at: i64,
    kept: Vec<u8>,
    /// The newest header ends the commit: its page is the last.
    last: bool,
}

thread_local! {
    static GATHER: RefCell<Gather> = const {
        RefCell::new(Gather { on: false, writes: 0, file: -1, at: 0, kept: Vec::new(), last: false })
    };
}

/// Says that a transaction begins on this thread.
pub fn transaction_begins() {
    GATHER.with_borrow_mut(|gather| gather.writes = 0);
}

/// Runs the commit of the transaction that began last on this thread, and nothing else, with its writes in one.
pub fn commit_at_once<T>(commit: impl FnOnce() -> T) -> T {
    /// Ends it however the commit ends. What is still kept then is of a commit that failed.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            GATHER.with_borrow_mut(|gather| {
                gather.on = false;
                gather.kept.clear();
                gather.kept.shrink_to(MOST);
            });
        }
    }
    GATHER.with_borrow_mut(|gather| gather.on = gather.writes == 0);
    let _end = End;
    commit()
}

type Pwrite = unsafe extern "C" fn(c_int, *const c_void, usize, i64) -> isize;

/// Has SQLite write through [`pwrite`].
pub(crate) fn prepare() {
    // The 32-bit systems have several sizes of an offset; there, and elsewhere, each frame is written by itself.
    if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
        for name in [c"pwrite", c"pwrite64"] {
            // SAFETY: both have the signature of `pwrite` on a 64-bit Linux, as has ours.
            unsafe { replace(name, std::mem::transmute::<Pwrite, Call>(pwrite)) };
        }
    }
}

/// What SQLite calls in the place of the system's `pwrite`.
unsafe extern "C" fn pwrite(file: c_int, data: *const c_void, size: usize, at: i64) -> isize {
    // SAFETY: SQLite gives `size` bytes that it does not change meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    let write = |gather: &RefCell<Gather>| match gather.try_borrow_mut() {
        Ok(mut gather) => gather.write(file, bytes, at),
        Err(_) => system(file, bytes, at),
    };
    // A thread that is ending has no place to keep anything.
    GATHER.try_with(write).unwrap_or_else(|_| system(file, bytes, at))
}

fn system(file: c_int, bytes: &[u8], at: i64) -> isize {
    // SAFETY: the bytes are there, and the file is SQLite's to write.
    unsafe { libc::pwrite(file, bytes.as_ptr().cast(), bytes.len(), at as libc::off_t) }
}

impl Gather {
    /// As `pwrite`: how many bytes were taken, or 0 or -1 when the system took none.
    fn write(&mut self, file: c_int, bytes: &[u8], at: i64) -> isize {
        self.writes += 1;
        if !self.kept.is_empty() {
            let follows = file == self.file && at == self.at + self.kept.len() as i64;
            if !follows || self.kept.len() >= MOST {
                let flushed = self.flush();
                if flushed <= 0 {
                    return flushed;
                }
            }
        }
        if !self.on || (self.kept.is_empty() && bytes.len() != HEADER) {
            return system(file, bytes, at);
        }
        if self.kept.is_empty() {
            (self.file, self.at) = (file, at);
        }
        self.kept.extend_from_slice(bytes);
        if bytes.len() == HEADER {
            self.last = bytes.iter().skip(4).take(4).any(|byte| *byte != 0);
        } else if self.last {
            let flushed = self.flush();
            if flushed <= 0 {
                return flushed;
            }
        }
        bytes.len() as isize
    }

    /// Writes what is kept; answers what the system said last: more than 0 when all went well.
    fn flush(&mut self) -> isize {
        let (mut done, mut said) = (0, 1);
        while let Some(rest @ [_, ..]) = self.kept.get(done..) {
            said = system(self.file, rest, self.at + done as i64);
            if said > 0 {
                done += said as usize;
            } else if said == 0 || std::io::Error::last_os_error().kind() != ErrorKind::Interrupted {
                break;
            }
        }
        self.kept.clear();
        said
    }
}
