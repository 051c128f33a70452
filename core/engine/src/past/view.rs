//! Making a view: folding the log up to a point into tables of its own, and opening them to be read.

use std::path::Path;
use std::sync::Arc;

use folkmoot_sys::sync::Mutex;
use rusqlite::{Connection, OptionalExtension};
use tempfile::TempDir;

use super::fold::{Words, fold};
use super::image::{self, Upto};
use super::{Past, presence};
use crate::clock::{ManualClock, Time};
use crate::config::HubConfig;
use crate::core::Core;
use crate::error::{Code, Error, Result};
use crate::log;
use crate::seams::Seams;
use crate::storage::Under;
use crate::storage::schema;

/// How often a view is begun anew because retention took events that it was about to fold.
const TRIES: usize = 5;

/// The hub as it was just after an event. Up to `gone`, events may have happened by then that are no longer kept.
pub(crate) fn open(core: &Core, seq: u64, time: Time, gone: u64) -> Result<Arc<Core>> {
    for _ in 0..TRIES {
        let folder = tempfile::Builder::new().prefix("folkmoot-past-").tempdir()?;
        let tables = folder.path().join("hub.db");
        if build(core, &tables, seq, gone)? {
            return over(core, folder, seq, time);
        }
    }
    Err(Error::unavailable("retention takes the log faster than the past can be read").hint("try again"))
}

/// Folds the tables; answers whether nothing of what was folded was taken meanwhile.
fn build(core: &Core, tables: &Path, seq: u64, gone: u64) -> Result<bool> {
    let mut db = Connection::open(tables)?;
    db.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;")?;
    let Some(from) = begin(core, &mut db, seq)? else { return Ok(false) };
    let hub = core.storage.hub_id;
    let tx = db.transaction()?;
    let folded = fold(&tx, from.seq, seq, Words::Aside, |after, most| {
        core.storage.read(|reader| log::read(reader.db, hub, after, most))
    });
    if core.storage.read(|reader| log::base(reader.db))?.0 > from.seq {
        return Ok(false);
    }
    let hole = folded?;
    core.storage.read(|reader| presence::settle(&tx, reader.db, seq, from.hole.max(hole).max(gone)))?;
    // The feed is read from the hub itself; a name that is not here is looked for there.
    tx.execute_batch("DROP TABLE feed; DROP TABLE feed_related; DROP TABLE feed_upto; DROP TABLE feed_fts")?;
    schema::seal(&tx)?;
    tx.commit()?;
    db.execute_batch("PRAGMA journal_mode=DELETE;")?;
    Ok(true)
}

/// Fills the tables with what the fold starts from: the image, or nothing while the log is whole. `None` when the image
/// moved on meanwhile.
fn begin(core: &Core, db: &mut Connection, seq: u64) -> Result<Option<Upto>> {
    let oldest = match image::open(core)? {
        Some((image, upto)) if upto.seq <= seq => {
            return Ok(image::copy(&image, upto, db)?.then_some(upto));
        }
        Some((_, upto)) => Some(upto.seq),
        None => None,
    };
    let (base, created) = core.storage.read(|reader| {
        let created = reader.db.query_row("SELECT created_at FROM hub", [], |row| row.get(0))?;
        Ok((log::base(reader.db)?.0, created))
    })?;
    if base > 0 {
        return Err(too_old(core, seq, oldest));
    }
    schema::shape(db, &core.storage.hub_id, created)?;
    Ok(Some(Upto { seq: 0, hole: 0 }))
}

/// The refusal of a point that is no longer kept; names the oldest that is.
fn too_old(core: &Core, seq: u64, oldest: Option<u64>) -> Error {
    let error = Error::new(Code::NotFound, format!("the hub as it was at seq {seq} is no longer kept"));
    let Some(oldest) = oldest else {
        let hint = match core.config.retain_past {
            true => "nothing of the past is kept yet: it begins when retention runs next",
            false => "with retain_past = true the past is kept as far back as the log",
        };
        return error.with("seq", seq).hint(hint);
    };
    let time = core.storage.read(|reader| time_of(reader.db, oldest)).ok().flatten();
    let when = time.map(|time| format!(", of {time}")).unwrap_or_default();
    let error = error.hint(format!("the oldest point is seq {oldest}{when}"));
    let error = error.with("seq", seq).with("oldest_seq", oldest);
    time.map_or(error.clone(), |time| error.with("oldest_time", time.to_string()))
}

/// The time of an event; of the one after where it is gone.
pub(crate) fn time_of(db: &Connection, seq: u64) -> Result<Option<Time>> {
    let first = |sql: &str| -> Result<Option<(i64, i64)>> {
        let found = db.prepare_cached(sql)?.query_row([seq as i64], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(found.optional()?)
    };
    let event = first("SELECT seq, time FROM event WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let pulse = first("SELECT seq, time FROM pulse WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    Ok([event, pulse].into_iter().flatten().min().map(|(_, time)| Time::from_millis(time)))
}

/// Opens the tables as a hub that only reads, over the hub's own log up to the point.
fn over(core: &Core, folder: TempDir, seq: u64, time: Time) -> Result<Arc<Core>> {
    let tables = folder.path().join("hub.db");
    let path = core.storage.path.clone();
    let live = path.to_str().ok_or_else(|| Error::storage("the path of the hub is not Unicode"))?;
    let sql = format!(
        "ATTACH '{}' AS live;
         CREATE TEMP VIEW event AS SELECT * FROM live.event WHERE seq <= {seq};
         CREATE TEMP VIEW pulse AS SELECT * FROM live.pulse WHERE seq <= {seq};
         CREATE TEMP VIEW memory_old AS SELECT * FROM main.memory_old
           UNION SELECT * FROM live.memory_old WHERE seq <= {seq};
         CREATE TEMP VIEW feed AS SELECT * FROM live.feed WHERE seq <= {seq};
         CREATE TEMP VIEW feed_related AS SELECT * FROM live.feed_related WHERE seq <= {seq};
         CREATE TEMP VIEW feed_upto AS SELECT one, min(seq, {seq}) AS seq FROM live.feed_upto;
         CREATE TEMP VIEW hub AS SELECT * FROM live.hub;
         CREATE TEMP VIEW acl AS SELECT * FROM live.acl;",
        live.replace('\'', "''")
    );
    let config = HubConfig { read_only: true, create: false, ..core.config.clone() };
    let seams = Seams {
        clock: ManualClock::at(time),
        ids: core.seams.ids.clone(),
        fault: None,
        vfs: core.seams.vfs.clone(),
        background: false,
    };
    let past = Past { seq, time, path, tables: tables.clone(), indexed: Mutex::new(false) };
    Core::open_over(&tables, config, seams, Some((past, Under { sql, folder })))
}
