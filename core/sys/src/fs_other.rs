//! Elsewhere: the kernel says whether a mount is local, and what it is called, where it says anything at all.

use std::io;
use std::path::Path;

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
pub(super) fn network_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    use std::ffi::{CStr, CString};
    use std::os::unix::ffi::OsStrExt;

    const NAMES: &[&str] = &["nfs", "smbfs", "afpfs", "webdav", "macfuse", "osxfuse", "fusefs", "9p", "ftp"];

    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: statfs is plain integers and characters, for which zero is a value.
    let mut about: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends in NUL and `about` is ours; both outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), &raw mut about) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if about.f_flags as u64 & libc::MNT_LOCAL as u64 != 0 {
        return Ok(None);
    }
    // SAFETY: the kernel ends the name with NUL within the array.
    let name = unsafe { CStr::from_ptr(about.f_fstypename.as_ptr()) }.to_bytes();
    let known = NAMES.iter().find(|known| known.as_bytes() == name);
    Ok(Some(known.copied().unwrap_or("a network file system")))
}

#[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
pub(super) fn network_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    std::fs::metadata(path).map(|_| None)
}
