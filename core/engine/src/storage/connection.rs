//! Opening SQLite the safe way.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::sync_pragma;
use crate::config::HubConfig;
use crate::error::{Error, Result};
use crate::seams::Seams;

/// Refuses paths where a hub cannot live.
pub(crate) fn check_path(path: &Path, config: &HubConfig) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        return Err(
            Error::storage(format!("the folder {} is not there", folder.display())).hint("create it first")
        );
    }
    if path.is_dir() {
        return Err(Error::invalid("path", path.display().to_string(), "must be a file, is a folder"));
    }
    if !config.create && !path.exists() {
        return Err(Error::not_found("file", &path.display().to_string()));
    }
    refuse_network(path, folkmoot_sys::network_file_system(folder)?)
}

/// Refuses a file system by its name; none stands for a local one.
fn refuse_network(path: &Path, kind: Option<&str>) -> Result<()> {
    let Some(kind) = kind else { return Ok(()) };
    Err(Error::storage(format!("{} lies on a network file system ({kind})", path.display()))
        .hint("put the file on a local disk: file locks across a network lose data"))
}

/// Opens a connection with the pragmas that every connection has.
pub(crate) fn open(path: &Path, config: &HubConfig, seams: &Seams, writable: bool) -> Result<Connection> {
    let writable = writable && !config.read_only;
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags |= match (writable, config.create) {
        (true, true) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        (true, false) => OpenFlags::SQLITE_OPEN_READ_WRITE,
        (false, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let conn = match &seams.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    conn.busy_timeout(Duration::from_secs_f64(config.write_timeout_seconds))?;
    conn.set_prepared_statement_cache_capacity(256);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Who closes last would delete the write-ahead log, and SQLite cannot tell that it is the last: a forked child that
    // opened the file anew holds none of the locks that its parent had, and would go on writing into a deleted file.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Without it SQLite plans a cached statement anew whenever other values are bound to it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch(
        "PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000;",
    )?;
    if writable {
        conn.execute_batch("PRAGMA wal_autocheckpoint=0;")?;
        conn.execute_batch(sync_pragma(config.durability))?;
    } else {
        conn.execute_batch("PRAGMA query_only=ON;")?;
    }
    Ok(conn)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_file_system_is_refused_by_its_name() {
        let path = Path::new("team.db");
        refuse_network(path, None).unwrap();
        let error = refuse_network(path, Some("nfs")).unwrap_err();
        assert_eq!(error.code(), crate::Code::Storage);
        assert_eq!(error.message(), "team.db lies on a network file system (nfs)");
        assert!(error.hint_text().unwrap().contains("local disk"));
    }
}
