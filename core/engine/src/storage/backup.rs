//! A copy of the hub while it is in use.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::Storage;
use crate::error::{Error, Result};

const PAGES: std::os::raw::c_int = 1_000;

impl Storage {
    /// Copies the hub into a new file, online: writers go on meanwhile, and the copy is one moment of the hub.
    pub fn backup(&self, to: &Path) -> Result<()> {
        if to.exists() {
            return Err(Error::already_exists("file", &to.display().to_string())
                .hint("choose a path that is not there yet"));
        }
        let mut part = to.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = std::path::PathBuf::from(part);
        let source = self.connect(false)?;
        let result = (|| {
            let mut target = Connection::open(&part)?;
            // One read transaction over the whole copy: SQLite would otherwise start again at each write.
            source.execute_batch("BEGIN; SELECT count(*) FROM hub;")?;
            Backup::new(&source, &mut target)?.run_to_completion(PAGES, Duration::ZERO, None)?;
            source.execute_batch("COMMIT")?;
            let sound: String = target.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
            if sound != "ok" {
                return Err(Error::storage(format!("the copy is not sound: {sound}")));
            }
            Ok(())
        })();
        let result = result.and_then(|()| Ok(std::fs::rename(&part, to)?));
        if result.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        result
    }
}
