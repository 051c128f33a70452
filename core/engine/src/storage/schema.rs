//! The schema of the file, by number, and who may use which.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::config::HubConfig;
use crate::error::{Error, Result};
use crate::seams::Seams;

/// The schema that this version writes.
pub const FORMAT: i64 = 2;
/// The oldest schema that this version can use; those before it were never released.
const OLDEST: i64 = 2;
/// `fmot`: how other programs tell a hub from any other SQLite file.
const APPLICATION_ID: i64 = 0x666d_6f74;
/// The oldest SQLite without the write-ahead log's reset bug, which many processes on one file hit.
const SQLITE: i32 = 3_051_003;

/// Refuses to run on a SQLite that loses data in this topology.
pub(crate) fn check_sqlite() -> Result<()> {
    let version = rusqlite::version_number();
    if version < SQLITE {
        return Err(Error::storage(format!("SQLite {} is too old; 3.51.3 is needed", rusqlite::version())));
    }
    Ok(())
}

/// What a file holds that may be opened.
pub(crate) enum Contents {
    /// Nothing yet.
    Nothing,
    /// A hub.
    Hub,
}

/// Says what a file holds; refuses the database of another program.
pub(crate) fn identify(conn: &Connection) -> Result<Contents> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, tables) {
        (0, 0) => Ok(Contents::Nothing),
        (APPLICATION_ID, _) => Ok(Contents::Hub),
        _ => Err(Error::storage("the file is a SQLite database of another program, not a folkmoot hub")
            .hint("choose another path; the file was left as it is")),
    }
}

/// Makes sure that the file is a hub of a schema that this version knows; answers the hub's identity.
///
/// Called with the turn to write, so that two processes do not create one file at once.
pub(crate) fn prepare(conn: &mut Connection, config: &HubConfig, seams: &Seams) -> Result<[u8; 6]> {
    match identify(conn)? {
        Contents::Nothing if config.read_only => {
            return Err(Error::storage("the file is empty and this hub was opened read-only"));
        }
        Contents::Nothing => create(conn, seams)?,
        Contents::Hub => {}
    }
    let row = conn
        .query_row("SELECT format, min_reader, min_writer, hub_id FROM hub", [], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, Vec<u8>>(3)?,
            ))
        })
        .optional()?;
    let Some((format, min_reader, min_writer, hub_id)) = row else {
        return Err(Error::storage("the file is damaged: it does not say which hub it is"));
    };
    if format < OLDEST {
        return Err(Error::storage(format!(
            "the file has schema {format}, of before the first release; this version of folkmoot knows schema {FORMAT}"
        ))
        .with("format", format)
        .hint("use the version that made it, or choose another path; the file was left as it is"));
    }
    let needed = if config.read_only { min_reader } else { min_writer };
    if needed > FORMAT {
        let what = if config.read_only { "read" } else { "write" };
        return Err(Error::storage(format!(
            "the file has schema {format}; this version of folkmoot knows schema {FORMAT} and cannot {what} it"
        ))
        .with("format", format)
        .hint("use a newer version of folkmoot; the file was left as it is"));
    }
    hub_id
        .get(..6)
        .and_then(|id| id.try_into().ok())
        .ok_or_else(|| Error::storage("the file is damaged: its identity is too short"))
}

fn create(conn: &mut Connection, seams: &Seams) -> Result<()> {
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::storage(format!(
            "the file system does not support a write-ahead log (got {mode:?})"
        )));
    }
    let mut ids = (seams.ids)();
    let hub_id: Vec<u8> = (0..6).map(|_| ids.below(256) as u8).collect();
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    shape(&tx, &hub_id, seams.clock.wall().millis())?;
    seal(&tx)?;
    tx.commit()?;
    Ok(())
}

/// Makes the empty tables of a hub of this identity.
pub(crate) fn shape(db: &Connection, hub_id: &[u8], created_at: i64) -> Result<()> {
    db.execute_batch(include_str!("schema_2.sql"))?;
    db.execute(
        "INSERT INTO hub VALUES (1, ?1, ?1, ?1, ?2, ?3, 0, zeroblob(32))",
        params![FORMAT, hub_id, created_at],
    )?;
    db.execute("INSERT INTO fts_upto VALUES (1, 0)", [])?;
    Ok(())
}

/// Marks a file as a hub of this schema.
pub(crate) fn seal(db: &Connection) -> Result<()> {
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

/// An empty hub in memory with the tables of the fold, for comparing.
pub(crate) fn shadow() -> Result<Connection> {
    let conn = Connection::open_in_memory()?;
    shape(&conn, &[0; 6], 0)?;
    Ok(conn)
}
