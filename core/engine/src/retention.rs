//! Retention: what the log keeps, and for how long.
//!
//! Only a prefix of the log is ever taken; where it ended is kept with its hash, so that the chain can still be checked
//! and a subscriber can be told what it missed.

use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::Result;
use crate::keeper::system;
use crate::log;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// Rows that one step takes: it must stay well under the time of a batch.
const STEP: i64 = 2_000;

/// Takes what is past its time, step by step.
pub(crate) fn trim(core: &Core) -> Result<()> {
    crate::search::catch_up(core)?;
    while !system(core, "retention.trim", Class::Shared, Trim {})? {
        if core.is_closed() {
            return Ok(());
        }
    }
    Ok(())
}

/// One step; answers whether nothing is left to take.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Trim {}

impl Change for Trim {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let events = trim_events(cx)?;
        let pulses = trim_pulses(cx)?;
        let idems = trim_idempotency(cx)?;
        let versions = crate::memory::tables::trim(cx.db, cx.config.retain_versions, STEP)? as i64;
        Ok(events < STEP && pulses < STEP && idems < STEP && versions < STEP)
    }
}

fn trim_events(cx: &Decide<'_>) -> Result<i64> {
    let (base, _) = log::base(cx.db)?;
    let head = log::head(cx.db)?.seq;
    let indexed: i64 = cx.db.prepare_cached("SELECT seq FROM fts_upto")?.query_row([], |row| row.get(0))?;
    let oldest = cx.now.plus_seconds(-cx.config.retain_days * 86_400.0).millis();
    let by_count = head.saturating_sub(cx.config.retain_events) as i64;
    // The newest event stays, whatever its age: the next one's hash follows from it.
    let upto: Option<i64> = cx
        .db
        .prepare_cached(
            "SELECT max(seq) FROM (SELECT seq, time FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2)
             WHERE (seq <= ?3 OR time < ?4) AND seq < (SELECT max(seq) FROM event) AND seq <= ?5",
        )?
        .query_row(params![base as i64, STEP, by_count, oldest, indexed], |row| row.get(0))?;
    let Some(upto) = upto else { return Ok(0) };
    crate::memory::tables::set_aside(cx.db, upto as u64, cx.config.retain_versions)?;
    cx.db
        .prepare_cached("UPDATE hub SET base_seq = ?1, base_hash = (SELECT hash FROM event WHERE seq = ?1)")?
        .execute([upto])?;
    Ok(cx.db.prepare_cached("DELETE FROM event WHERE seq <= ?1")?.execute([upto])? as i64)
}

fn trim_pulses(cx: &Decide<'_>) -> Result<i64> {
    let oldest = cx.now.plus_seconds(-cx.config.retain_pulse_minutes * 60.0).millis();
    // The newest pulse stays: `seq` is never given again.
    let gone = cx
        .db
        .prepare_cached(
            "DELETE FROM pulse WHERE seq IN (SELECT seq FROM pulse WHERE time < ?1
             AND seq < (SELECT max(seq) FROM pulse) ORDER BY seq LIMIT ?2)",
        )?
        .execute(params![oldest, STEP])?;
    Ok(gone as i64)
}

fn trim_idempotency(cx: &Decide<'_>) -> Result<i64> {
    let oldest = cx.now.plus_seconds(-cx.config.idempotency_hours * 3_600.0).millis();
    let gone = cx
        .db
        .prepare_cached(
            "DELETE FROM idem WHERE (principal, op, key) IN
             (SELECT principal, op, key FROM idem WHERE time < ?1 LIMIT ?2)",
        )?
        .execute(params![oldest, STEP])?;
    Ok(gone as i64)
}
