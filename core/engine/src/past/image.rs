//! The image: the tables as of the last event that retention may take.
//!
//! It lies beside the hub's file (`team.db-past`) and is folded forward by whoever trims the log, off the write path,
//! before anything is trimmed. An image that is missing, of another hub, or too old to be folded forward is made anew from
//! the tables of now; the past then begins there. One that cannot be read is thrown away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params, params_from_iter};

use super::fold::{Words, fold};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::log;
use crate::storage::schema;

/// Tables that are no part of the fold.
const OUTSIDE: &[&str] = &[
    "image",
    "hub",
    "event",
    "pulse",
    "idem",
    "consumer",
    "fts_upto",
    "holder",
    "memory_old",
    "inbox",
    "read_mark",
    "client",
    "session_rate",
    "memory_doc",
    "feed",
    "feed_related",
    "feed_upto",
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
    let mut db = connect(&path(core), OpenFlags::default())?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let base = core.storage.read(|reader| log::base(reader.db))?.0;
    let from = match is_empty(&tx)? {
        true => {
            create(&tx, core)?;
            Some(Upto { seq: 0, hole: 0 })
        }
        false => read(&tx, core)?,
    };
    let come = match from {
        Some(from) if from.seq >= upto => return Ok(from.seq),
        Some(from) if from.seq >= base => {
            let hub = core.storage.hub_id;
            let hole = fold(&tx, from.seq, upto, Words::Aside, |after, most| {
                core.storage.read(|reader| log::read(reader.db, hub, after, most))
            })?;
            Upto { seq: upto, hole: from.hole.max(hole) }
        }
        _ => anew(core, &tx)?,
    };
    tx.execute("UPDATE image SET seq = ?1, hole = ?2", params![come.seq as i64, come.hole as i64])?;
    tx.commit()?;
    Ok(come.seq)
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
    let db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let upto = if is_empty(&db)? { None } else { read(&db, core)? };
    Ok(upto.map(|upto| (db, upto)))
}

/// Copies an image into empty tables; answers whether it stands where it stood.
pub(crate) fn copy(image: &Connection, upto: Upto, to: &mut Connection) -> Result<bool> {
    const PAGES: i32 = 1_000;
    Backup::new(image, to)?.run_to_completion(PAGES, Duration::from_millis(5), None)?;
    let same = stands(to)? == Some(upto);
    to.execute_batch("DROP TABLE image")?;
    Ok(same)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(30))?;
    db.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000;")?;
    Ok(db)
}

fn is_empty(db: &Connection) -> Result<bool> {
    Ok(db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0)
}

fn stands(db: &Connection) -> Result<Option<Upto>> {
    let row = db.query_row("SELECT seq, hole FROM image", [], |row| {
        Ok(Upto { seq: row.get::<_, i64>(0)? as u64, hole: row.get::<_, i64>(1)? as u64 })
    });
    Ok(row.optional()?)
}

/// How far the image has come, if it is one of this hub and not ahead of it, as after a restored backup.
fn read(db: &Connection, core: &Core) -> Result<Option<Upto>> {
    let (hub_id, format): (Vec<u8>, i64) =
        db.query_row("SELECT hub_id, format FROM hub", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if format != schema::FORMAT {
        return Err(Error::storage(format!("the image of the past is of schema {format}")));
    }
    let head = core.storage.read(|reader| log::head(reader.db))?.seq;
    Ok(stands(db)?.filter(|upto| hub_id == core.storage.hub_id && upto.seq <= head))
}

fn create(db: &Connection, core: &Core) -> Result<()> {
    let created: i64 = core
        .storage
        .read(|reader| Ok(reader.db.query_row("SELECT created_at FROM hub", [], |row| row.get(0))?))?;
    schema::shape(db, &core.storage.hub_id, created)?;
    db.execute_batch(
        "CREATE TABLE image (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hole INTEGER NOT NULL) STRICT;
         INSERT INTO image VALUES (1, 0, 0);",
    )?;
    Ok(())
}

/// Makes the image anew from the tables as they are now.
fn anew(core: &Core, image: &Connection) -> Result<Upto> {
    tracing::info!(path = %path(core).display(), "the past begins anew: no image of it can be folded forward");
    image.execute("UPDATE hub SET hub_id = ?1", [&core.storage.hub_id[..]])?;
    image.execute_batch("DELETE FROM memory_old")?;
    core.storage.read(|reader| {
        for table in tables(image)? {
            image.execute_batch(&format!("DELETE FROM {table}"))?;
            copy_rows(reader.db, &format!("SELECT * FROM {table}"), image, |columns| {
                let places = vec!["?"; columns].join(", ");
                format!("INSERT INTO {table} VALUES ({places})")
            })?;
        }
        let set_aside = "UPDATE task_row SET aside = ?1 WHERE n = ?2".to_owned();
        copy_rows(reader.db, "SELECT body, n FROM task", image, |_| set_aside)?;
        let keep = "INSERT INTO memory_old VALUES (?, ?, ?, ?)".to_owned();
        copy_rows(reader.db, "SELECT seq, key, version, body FROM memory", image, |_| keep)?;
        Ok(Upto { seq: log::head(reader.db)?.seq, hole: 0 })
    })
}

fn copy_rows(
    from: &Connection,
    query: &str,
    to: &Connection,
    statement: impl FnOnce(usize) -> String,
) -> Result<()> {
    let mut query = from.prepare(query)?;
    let columns = query.column_count();
    let mut write = to.prepare(&statement(columns))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        write.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// The tables of the fold, by name.
fn tables(db: &Connection) -> Result<Vec<String>> {
    let mut statement = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         AND name NOT LIKE '%\\_fts%' ESCAPE '\\'",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    Ok(names.into_iter().filter(|name| !OUTSIDE.contains(&name.as_str())).collect())
}
