//! Opening a sidecar file, and giving a new one its header.
//!
//! Several processes may create it at once, and any may be killed half way. So the header is written under a lock,
//! which dies with its owner, and the magic last: a file without it is unfinished, and whoever gets the lock next
//! finishes it. The whole page is written out, since touching a mapped hole on a full disk would kill the process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::{self, Mode};
use crate::page::{BYTES, MAGIC};

const PATIENCE: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(1);

/// Opens the file at `path`, creating an empty one if there is none, with its device and inode.
pub(crate) fn open(path: &Path) -> io::Result<(File, (u64, u64))> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| explain(path, error))?;
    let about = file.metadata().map_err(|error| explain(path, error))?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a file", path.display())));
    }
    Ok((file, (about.dev(), about.ino())))
}

/// The identity in the file's header; a new file gets one first.
pub(crate) fn ensure_header(path: &Path, file: &File) -> io::Result<[u8; 16]> {
    let begun = Instant::now();
    loop {
        // Anything but success may be a header in the making: it is judged under the lock.
        if let Ok(Some(identity)) = read_header(path, file) {
            return Ok(identity);
        }
        if lock::set(file, lock::INIT, Mode::Exclusive)? {
            let written = read_header(path, file).and_then(|found| match found {
                Some(identity) => Ok(identity),
                None => write_header(file),
            });
            lock::set(file, lock::INIT, Mode::Free)?;
            return written.map_err(|error| explain(path, error));
        }
        if begun.elapsed() >= PATIENCE {
            let message =
                format!("{} is being created by another process that does not finish", path.display());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        thread::sleep(RETRY);
    }
}

/// The identity, or none if the file is new or unfinished.
fn read_header(path: &Path, file: &File) -> io::Result<Option<[u8; 16]>> {
    let mut header = [[0_u8; 16]; 2];
    let size = file.metadata()?.len();
    let have = file.read_at(header.as_flattened_mut(), 0)?;
    let [magic, identity] = header;
    if magic == [0; 16] && size <= BYTES as u64 {
        return Ok(None);
    }
    if magic != MAGIC || size < BYTES as u64 || have < size_of_val(&header) {
        let name = path.display();
        let message =
            format!("{name} is not a sidecar file of this version of folkmoot; it was left as it is");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Some(identity))
}

fn write_header(file: &File) -> io::Result<[u8; 16]> {
    let mut identity = [0_u8; 16];
    // SAFETY: the buffer is ours and as long as is said.
    if unsafe { libc::getentropy(identity.as_mut_ptr().cast(), identity.len()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    file.write_all_at(&[0; BYTES], 0)?;
    file.write_all_at(&identity, MAGIC.len() as u64)?;
    file.sync_all()?;
    file.write_all_at(&MAGIC, 0)?;
    Ok(identity)
}

/// The same error, naming the file.
pub(crate) fn explain(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
