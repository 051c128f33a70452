//! Which file is this, and does it lie on a network?
//!
//! SQLite's WAL and our locks need shared memory and `fcntl` locks that all processes agree on. Network file
//! systems promise neither, so they are refused, by name.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode: the same file has the same pair, by whatever path. The file is not opened.
///
/// # Errors
///
/// What the system answers, such as `NotFound`.
pub fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    let about = std::fs::metadata(path)?;
    Ok((about.dev(), about.ino()))
}

/// The name of the network file system that `path` lies on, or none if it is local. A file that is not there yet
/// lies where its directory does.
///
/// FUSE may be anything: known local ones count as local, known remote ones are named (`"sshfs"`), the rest are
/// `"fuse"`.
///
/// # Errors
///
/// What the system answers, such as `NotFound` if the directory is missing too.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// assert_eq!(folkmoot_sys::network_file_system(&dir.path().join("team.hub"))?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn network_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    match imp::network_file_system(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            imp::network_file_system(directory)
        }
        answer => answer,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "fs_linux.rs"]
mod imp;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "fs_other.rs"]
mod imp;
