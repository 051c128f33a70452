//! Retention of the feed: by count and by age, oldest first.
//!
//! What was recorded is state, so that it goes by an event (`activity.forgotten`). The rest of the feed is outside the
//! fold and goes with it.

use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{FORGOTTEN, Forgotten};
use crate::core::Core;
use crate::error::Result;
use crate::events::event::Place;
use crate::keeper::system;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// Rows that one step takes: it must stay under the time of a batch.
const STEP: i64 = 500;

/// Takes what is too much or too old, step by step.
pub(crate) fn forget(core: &Core) -> Result<()> {
    loop {
        let due = core.storage.read(|reader| {
            let config = reader.config;
            let oldest = reader.now.plus_seconds(-config.retain_activity_days * 86_400.0).millis();
            let surplus = surplus(reader.db, config.retain_activities)?;
            let upto = upto(reader.db, surplus, oldest, config.retain_activities_least)?;
            Ok(upto.map(|upto| Forget { upto }))
        })?;
        let Some(step) = due.filter(|_| !core.is_closed()) else { return Ok(()) };
        system(core, "activity.forget", Class::Shared, step)?;
    }
}

/// The last `seq` that is too many; 0 when none is.
fn surplus(db: &Connection, keep: u64) -> Result<i64> {
    // Fewer events than may be kept cannot be too many activities.
    let span: i64 = db
        .prepare_cached("SELECT ifnull((SELECT max(seq) FROM feed) - (SELECT min(seq) FROM feed) + 1, 0)")?
        .query_row([], |row| row.get(0))?;
    if span as u64 <= keep {
        return Ok(0);
    }
    let count: i64 = db.prepare_cached("SELECT count(*) FROM feed")?.query_row([], |row| row.get(0))?;
    match (count as u64).checked_sub(keep) {
        Some(surplus @ 1..) => Ok(db
            .prepare_cached("SELECT seq FROM feed ORDER BY seq LIMIT 1 OFFSET ?1")?
            .query_row([surplus as i64 - 1], |row| row.get(0))?),
        _ => Ok(0),
    }
}

/// The last `seq` that one step may take: too many, or too old from the front on, and not among the newest.
fn upto(db: &Connection, surplus: i64, oldest: i64, least: u64) -> Result<Option<i64>> {
    let upto = db
        .prepare_cached(
            "WITH next AS (SELECT seq, time FROM feed ORDER BY seq LIMIT ?1)
             SELECT max(seq) FROM next WHERE seq <= ?2
               OR (seq < ifnull((SELECT min(seq) FROM next WHERE time >= ?3), 9223372036854775807)
                   AND seq <= ifnull((SELECT seq FROM feed ORDER BY seq DESC LIMIT 1 OFFSET ?4), 0))",
        )?
        .query_row(params![STEP, surplus, oldest, i64::try_from(least).unwrap_or(i64::MAX)], |row| {
            row.get(0)
        })?;
    Ok(upto)
}

/// One step: the oldest part of the feed goes, up to this `seq`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Forget {
    upto: i64,
}

impl Change for Forget {
    type Output = ();

    fn decide(&self, cx: &mut Decide<'_>) -> Result<()> {
        let gone: Vec<i64> = {
            let mut rows = cx.db.prepare_cached("SELECT seq FROM feed WHERE seq <= ?1")?;
            let rows = rows.query_map([self.upto], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        let mut words = cx.db.prepare_cached("DELETE FROM feed_fts WHERE rowid = ?1")?;
        for seq in gone {
            words.execute([seq])?;
        }
        cx.db.prepare_cached("DELETE FROM feed_related WHERE seq <= ?1")?.execute([self.upto])?;
        cx.db.prepare_cached("DELETE FROM feed WHERE seq <= ?1")?.execute([self.upto])?;
        let count: i64 = cx
            .db
            .prepare_cached("SELECT count(*) FROM activity WHERE seq <= ?1")?
            .query_row([self.upto], |row| row.get(0))?;
        if count > 0 {
            let forgotten = Forgotten { upto: self.upto as u64, count: count as u64 };
            cx.emit(FORGOTTEN, Place::default(), forgotten);
        }
        Ok(())
    }
}
