//! Linux: `statfs` gives a magic number; what it calls FUSE the mount table tells apart.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io, mem};

const FUSE: u32 = 0x6573_5546;

const NETWORK: &[(u32, &str)] = &[
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x0000_564c, "ncp"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
    (0xaad7_aaea, "panfs"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
];

const NETWORK_FUSE: &[&str] = &[
    "sshfs",
    "glusterfs",
    "ceph-fuse",
    "s3fs",
    "goofys",
    "gcsfuse",
    "blobfuse2",
    "rclone",
    "davfs",
    "curlftpfs",
    "juicefs",
    "seaweedfs",
    "gvfsd-fuse",
    "vmhgfs-fuse",
    "grpcfuse",
    "virtiofs",
    "moosefs",
    "lizardfs",
    "orangefs",
    "hdfs",
];

const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse-overlayfs",
    "gocryptfs",
    "encfs",
    "cryfs",
    "securefs",
    "ntfs-3g",
    "exfat",
    "bindfs",
    "ext4fuse",
    "fuse2fs",
    "lklfuse",
];

pub(super) fn network_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    let magic = magic(path)?;
    if magic == FUSE {
        return Ok(fuse(path));
    }
    Ok(NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name))
}

fn magic(path: &Path) -> io::Result<u32> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    loop {
        // SAFETY: statfs is plain integers, for which zero is a value.
        let mut about: libc::statfs = unsafe { mem::zeroed() };
        // SAFETY: `path` ends in NUL and `about` is ours; both outlive the call.
        if unsafe { libc::statfs(path.as_ptr(), &raw mut about) } == 0 {
            // Its type differs between architectures; the magic is 32 bits in all of them.
            return Ok(about.f_type as u32);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// What sort of FUSE: by the mount table's line with the file's device.
fn fuse(path: &Path) -> Option<&'static str> {
    let (Ok(about), Ok(mounts)) = (fs::metadata(path), fs::read_to_string("/proc/self/mountinfo")) else {
        return Some("fuse");
    };
    let device = format!("{}:{}", libc::major(about.dev()), libc::minor(about.dev()));
    fuse_kind(&mounts, &device)
}

fn fuse_kind(mounts: &str, device: &str) -> Option<&'static str> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device));
    let kind = line.and_then(|line| line.split_once(" - ")).and_then(|(_, about)| about.split(' ').next());
    let kind = kind.map(|kind| kind.strip_prefix("fuse.").unwrap_or(kind)).unwrap_or_default();
    if LOCAL_FUSE.contains(&kind) {
        return None;
    }
    NETWORK_FUSE.iter().find(|known| **known == kind).copied().or(Some("fuse"))
}

#[cfg(test)]
mod tests {
    use super::fuse_kind;

    const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /far rw,nosuid shared:9 - fuse.sshfs me@there: rw,user_id=0
41 27 0:51 / /near rw - fuse.gocryptfs /plain rw
42 27 8:1 / /stick rw - fuseblk /dev/sda1 rw
43 27 0:52 / /odd rw - fuse.mine mine rw
44 27 0:53 / /plain rw - fuse thing rw";

    #[test]
    fn fuse_is_told_apart_by_the_mount_table() {
        assert_eq!(fuse_kind(MOUNTS, "0:50"), Some("sshfs"));
        assert_eq!(fuse_kind(MOUNTS, "0:51"), None);
        assert_eq!(fuse_kind(MOUNTS, "8:1"), None);
        for unknown in ["0:52", "0:53", "9:9"] {
            assert_eq!(fuse_kind(MOUNTS, unknown), Some("fuse"));
        }
    }
}
