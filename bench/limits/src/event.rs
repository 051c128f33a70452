//! The least that one event costs on SQLite: a row in the log and a row of state.

use std::path::Path;

use rusqlite::{CachedStatement, Connection, params};

use crate::Outcome;

/// How many different keys the state has.
pub const KEYS: u64 = 1_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
";

/// When SQLite moves the WAL into the file.
#[derive(Clone, Copy)]
pub enum Checkpoint {
    /// In the commit that finds 1,000 pages there: SQLite's default.
    InCommit,
    /// Not within a measurement, as if another thread did it.
    Elsewhere,
}

/// A fresh database in WAL mode.
pub fn create(folder: &Path, synchronous: &str, checkpoint: Checkpoint) -> Outcome<Connection> {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("limits.db{suffix}")));
    }
    let connection = open(folder, synchronous)?;
    connection.execute_batch(SCHEMA)?;
    if let Checkpoint::Elsewhere = checkpoint {
        connection.execute_batch("PRAGMA wal_autocheckpoint = 1000000")?;
    }
    Ok(connection)
}

/// The database that `create` made, in another process.
pub fn open(folder: &Path, synchronous: &str) -> Outcome<Connection> {
    let connection = Connection::open(folder.join("limits.db"))?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};"))?;
    Ok(connection)
}

/// About 250 bytes of JSON, as a presence update is.
pub fn body(agent: u64) -> Vec<u8> {
    let head =
        format!(r#"{{"agent_id":"agent-{agent:04}","status":"active","last_tool_name":"Edit","detail":""#);
    let padding = "x".repeat(248usize.saturating_sub(head.len()));
    format!(r#"{head}{padding}"}}"#).into_bytes()
}

/// The two statements of one event, prepared once.
pub struct Writer<'c> {
    log: CachedStatement<'c>,
    state: CachedStatement<'c>,
    keys: Vec<(String, Vec<u8>)>,
}

impl<'c> Writer<'c> {
    /// A writer on this connection.
    pub fn new(connection: &'c Connection) -> Outcome<Self> {
        let upsert = "INSERT INTO state VALUES (?1, ?2, ?3)
                      ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, data = excluded.data";
        Ok(Self {
            log: connection.prepare_cached("INSERT INTO event (kind, data) VALUES (?1, ?2)")?,
            state: connection.prepare_cached(upsert)?,
            keys: (0..KEYS).map(|number| (key(number), body(number))).collect(),
        })
    }

    /// Writes event number `number`; keys are taken in a scattered order.
    pub fn write(&mut self, number: u64) -> Outcome<()> {
        let index = (number.wrapping_mul(7_919) % KEYS) as usize;
        let (key, data) = self.keys.get(index).ok_or("no such key")?;
        self.log.execute(params!["presence.updated", data])?;
        self.state.execute(params![key, number as i64, data])?;
        Ok(())
    }
}

/// The name of a row of state.
pub fn key(number: u64) -> String {
    format!("presence/agent-{number:04}")
}
