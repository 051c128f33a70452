//! The image: the tables as of the last event that retention may take.
//!
//! It lies beside the hub's file (`team.db-past`) and is folded forward by whoever trims the log, off the write path,
//! before anything is trimmed. Two processes that do so at once take turns at its transaction; the second finds the work
//! done. An image that is missing, of another hub, or too old to be folded forward is made anew from the tables of now;
//! the past then begins there.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::fold::fold;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::log;
use crate::storage::schema;

/// Tables that are no part of the fold.
const OUTSIDE: &[&str] = &[
    "hub", "event", "pulse", "idem", "consumer", "fts_upto", "holder", "memory_old", "read_mark", "client", "session_rate",
];

/// How far an image has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upto {
    /// The event that it stands just after.
    pub seq: u64,
    /// The last relaxed event that was missing when it was folded.
    pub hole: u64,
}

/// The file of the image.
pub(crate) fn path(core: &Core) -> PathBuf {
    let mut name = core.storage.path.as_os_str().to_owned();
    name.push("-past");
    PathBuf::from(name)
}

/// Folds the image forward, up to this event at least; answers how far it has come.
pub(crate) fn advance(core: &Core, upto: u64) -> Result<u64> {
    let path = path(core);
    let mut db = connect(&path)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let base = core.storage.read(|reader| log::base(reader.db))?.0;
    let from = match read(&tx, core)? {
        Some(from) => from,
        None if base == 0 && is_empty(&tx)? => create(&tx, core)?,
        None => return anew(core, tx, &path),
    };
    if from.seq >= upto {
        return Ok(from.seq);
    }
    if from.seq < base {
        return anew(core, tx, &path);
    }
    let hub = core.storage.hub_id;
    let hole = fold(&tx, from.seq, upto, |after, most| {
        core.storage.read(|reader| log::read(reader.db, hub, after, most))
    })?;
    tx.execute("UPDATE image SET seq = ?1, hole = ?2", params![upto as i64, from.hole.max(hole) as i64])?;
    tx.commit()?;
    Ok(upto)
}

/// Throws the image away: what comes before the next one is out of reach.
pub(crate) fn discard(core: &Core) {
    let path = path(core);
    if path.exists()
        && let Err(error) = std::fs::remove_file(&path)
    {
        tracing::warn!(%error, path = %path.display(), "an image of the past could not be removed");
    }
}

/// The image, to be read from, and how far it has come; `None` when there is none of use.
pub(crate) fn open(core: &Core) -> Result<Option<(Connection, Upto)>> {
    let path = path(core);
    if !path.exists() {
        return Ok(None);
    }
    let db = connect(&path)?;
    let upto = read(&db, core)?;
    Ok(upto.map(|upto| (db, upto)))
}

fn connect(path: &std::path::Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(30))?;
    db.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000;")?;
    Ok(db)
}

fn is_empty(db: &Connection) -> Result<bool> {
    Ok(db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0)
}

/// How far the image has come, if it is one of this hub and this schema.
fn read(db: &Connection, core: &Core) -> Result<Option<Upto>> {
    if is_empty(db)? {
        return Ok(None);
    }
    let row = db
        .query_row("SELECT seq, hole, hub_id, format FROM image, hub", [], |row| {
            let upto = Upto { seq: row.get::<_, i64>(0)? as u64, hole: row.get::<_, i64>(1)? as u64 };
            Ok((upto, row.get::<_, Vec<u8>>(2)?, row.get::<_, i64>(3)?))
        })
        .optional()?;
    let Some((upto, hub_id, format)) = row else { return Ok(None) };
    let head = core.storage.read(|reader| log::head(reader.db))?.seq;
    let fits = hub_id == core.storage.hub_id && format == schema::FORMAT && upto.seq <= head;
    Ok(fits.then_some(upto))
}

fn create(db: &Connection, core: &Core) -> Result<Upto> {
    schema::shape(db, &core.storage.hub_id, 0)?;
    db.execute_batch(
        "CREATE TABLE image (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hole INTEGER NOT NULL) STRICT;
         INSERT INTO image VALUES (1, 0, 0);",
    )?;
    Ok(Upto { seq: 0, hole: 0 })
}

/// Makes the image anew from the tables as they are now; answers the event that they stand after.
fn anew(core: &Core, old: rusqlite::Transaction<'_>, path: &std::path::Path) -> Result<u64> {
    drop(old);
    tracing::info!(path = %path.display(), "the past begins anew: there is no image of it that can be folded forward");
    discard(core);
    let mut db = connect(path)?;
    let live = core.storage.path.to_str().ok_or_else(|| Error::storage("the path of the hub is not Unicode"))?;
    db.execute("ATTACH ?1 AS live", [live])?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    create(&tx, core)?;
    for table in tables(&tx)? {
        tx.execute_batch(&format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM live.{table}"))?;
    }
    let last = |table: &str| -> Result<i64> {
        let sql = format!("SELECT ifnull(max(seq), 0) FROM live.{table}");
        Ok(tx.query_row(&sql, [], |row| row.get(0))?)
    };
    let base: i64 = tx.query_row("SELECT base_seq FROM live.hub", [], |row| row.get(0))?;
    let seq = base.max(last("event")?).max(last("pulse")?);
    tx.execute("UPDATE image SET seq = ?1", [seq])?;
    tx.commit()?;
    Ok(seq as u64)
}

/// The tables of the fold, by name.
fn tables(db: &Connection) -> Result<Vec<String>> {
    let mut statement = db.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         AND name NOT LIKE '%\\_fts%' ESCAPE '\\' AND name NOT LIKE '%\\_doc' ESCAPE '\\' AND name <> 'image'",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    Ok(names.into_iter().filter(|name| !OUTSIDE.contains(&name.as_str())).collect())
}
