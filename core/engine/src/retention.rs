//! Retention: what the log keeps, and for how long.
//!
//! Only a prefix of the log is ever taken; where it ended is kept with its hash, so that the chain can still be checked
//! and a subscriber can be told what it missed.

use folkmoot_sys::sync::Mutex;
use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::config::HubConfig;
use crate::core::Core;
use crate::error::Result;
use crate::keeper::system;
use crate::log;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// Rows that one step takes: it must stay well under the time of a batch.
const STEP: i64 = 2_000;

/// How many durable events there are after a `seq`. Relaxed events are of the same count of `seq`, so that it does not
/// say how many durable ones lie before the newest.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    after: u64,
    upto: u64,
    events: u64,
}

impl Counted {
    /// Looks at what is new; answers the last `seq` that may go when this many durable events are to stay.
    fn surplus(&mut self, db: &Connection, keep: u64) -> Result<u64> {
        let (base, head) = (log::base(db)?.0, log::head(db)?.seq);
        if head.saturating_sub(base) <= keep {
            return Ok(base);
        }
        if self.after < base {
            *self = Counted { after: base, upto: base, events: 0 };
        }
        let new: i64 = db
            .prepare_cached("SELECT count(*) FROM event WHERE seq > ?1 AND seq <= ?2")?
            .query_row(params![self.upto as i64, head as i64], |row| row.get(0))?;
        self.upto = head;
        self.events += new as u64;
        if let Some(surplus @ 1..) = self.events.checked_sub(keep) {
            let last: i64 = db
                .prepare_cached("SELECT seq FROM event WHERE seq > ?1 ORDER BY seq LIMIT 1 OFFSET ?2")?
                .query_row(params![self.after as i64, surplus as i64 - 1], |row| row.get(0))?;
            self.after = last as u64;
            self.events = keep;
        }
        Ok(self.after)
    }
}

/// Takes what is past its time, step by step.
pub(crate) fn trim(core: &Core, counted: &Mutex<Counted>) -> Result<()> {
    crate::search::catch_up(core)?;
    let keep = core.config.retain_events;
    let mut counted = counted.lock();
    let surplus = core.storage.read(|reader| counted.surplus(reader.db, keep))?;
    crate::activity::index::follow_behind(core, surplus)?;
    crate::activity::forget::forget(core)?;
    loop {
        let upto =
            core.storage.read(|reader| next(reader.db, reader.steady, reader.config, surplus, u64::MAX))?;
        let imaged = upto.map_or(0, |upto| keep_past(core, upto));
        if system(core, "retention.trim", Class::Shared, Trim { surplus, imaged })? || core.is_closed() {
            return Ok(());
        }
    }
}

/// Has the events that go next folded into the image of the past; answers the last that may go.
fn keep_past(core: &Core, upto: u64) -> u64 {
    if core.config.retain_past {
        match crate::past::image::advance(core, upto) {
            Ok(imaged) => return imaged,
            Err(error) => {
                tracing::warn!(%error, "the past cannot be kept; what retention takes is out of reach")
            }
        }
    }
    // An image that stays behind the log is of no use, and on a full disk its room is needed.
    crate::past::image::discard(core);
    u64::MAX
}

/// One step; answers whether nothing is left to take.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Trim {
    /// The last `seq` that is too many.
    surplus: u64,
    /// The last `seq` that the image of the past holds.
    imaged: u64,
}

impl Change for Trim {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let events = trim_events(cx, self.surplus, self.imaged)?;
        let pulses = trim_pulses(cx)?;
        let idems = trim_idempotency(cx)?;
        crate::agents::tables::forget_holders(cx.db, cx.holder)?;
        let versions = crate::memory::tables::trim(cx.db, cx.config.retain_versions, STEP)? as i64;
        Ok(events < STEP && pulses < STEP && idems < STEP && versions < STEP)
    }
}

/// The last event that the next step takes, none later than `most`.
fn next(db: &Connection, steady: Time, config: &HubConfig, surplus: u64, most: u64) -> Result<Option<u64>> {
    let (base, _) = log::base(db)?;
    let indexed: i64 = db
        .prepare_cached("SELECT min(fts.seq, feed.seq) FROM fts_upto fts, feed_upto feed")?
        .query_row([], |row| row.get(0))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX).min(indexed);
    let oldest = steady.plus_seconds(-config.retain_days * 86_400.0).millis();
    // The newest event stays, whatever its age: the next one's hash follows from it. Only what is old from the front on
    // goes: an event of a clock that was wrong for a while must not take those before it along.
    let upto: Option<i64> = db
        .prepare_cached(
            "WITH next AS (SELECT seq, time FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2)
             SELECT max(seq) FROM next WHERE seq < (SELECT max(seq) FROM event) AND seq <= ?5
             AND seq < ifnull((SELECT min(seq) FROM next WHERE seq > ?3 AND time >= ?4), 9223372036854775807)",
        )?
        .query_row(params![base as i64, STEP, surplus as i64, oldest, most], |row| row.get(0))?;
    Ok(upto.map(|upto| upto as u64))
}

fn trim_events(cx: &Decide<'_>, surplus: u64, most: u64) -> Result<i64> {
    let upto = next(cx.db, cx.steady, cx.config, surplus, most)?;
    let Some(upto) = upto else { return Ok(0) };
    crate::memory::tables::set_aside(cx.db, upto, cx.config.retain_versions)?;
    crate::tasks::tables::set_aside(cx.db, upto)?;
    cx.db
        .prepare_cached("UPDATE hub SET base_seq = ?1, base_hash = (SELECT hash FROM event WHERE seq = ?1)")?
        .execute([upto as i64])?;
    Ok(cx.db.prepare_cached("DELETE FROM event WHERE seq <= ?1")?.execute([upto as i64])? as i64)
}

fn trim_pulses(cx: &Decide<'_>) -> Result<i64> {
    let oldest = cx.steady.plus_seconds(-cx.config.retain_pulse_minutes * 60.0).millis();
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
    let oldest = cx.steady.plus_seconds(-cx.config.idempotency_hours * 3_600.0).millis();
    let gone = cx
        .db
        .prepare_cached(
            "DELETE FROM idem WHERE (principal, op, key) IN
             (SELECT principal, op, key FROM idem WHERE time < ?1 LIMIT ?2)",
        )?
        .execute(params![oldest, STEP])?;
    Ok(gone as i64)
}
