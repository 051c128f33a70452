//! Travelling, as the hub's users do it.

use rusqlite::{Connection, OptionalExtension};

use super::{At, view};
use crate::clock::Time;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::log;

impl Hub {
    /// The whole hub as it was: the same queries, answered as they would have been then. It cannot be changed.
    ///
    /// As far back as retention goes; see [`crate::past`] for what is exact and what is marked.
    ///
    /// # Errors
    ///
    /// `not_found` when the point is no longer kept (`oldest_seq` and `oldest_time` name the oldest that is),
    /// `invalid_input` when it has not come yet.
    ///
    /// ```
    /// use folkmoot_engine::past::At;
    /// use folkmoot_engine::{Hub, HubConfig, memory};
    ///
    /// let hub = Hub::open(":memory:", HubConfig::default())?;
    /// for goal in ["walk", "run"] {
    ///     hub.run(memory::Set::new("goal", serde_json::json!(goal)))?;
    /// }
    /// let then = hub.at(At::Seq(1))?;
    /// assert_eq!(then.run(memory::Get::new("goal"))?.value.text(), "\"walk\"");
    /// assert!(then.run(memory::Set::new("goal", serde_json::json!("rest"))).is_err());
    /// # Ok::<(), folkmoot_engine::Error>(())
    /// ```
    pub fn at(&self, at: At) -> Result<Hub> {
        let core = self.core()?;
        if let Some(past) = &core.past {
            return Err(past.refuse("a view travels no further"));
        }
        if !core.config.read_only {
            core.relaxed.flush(core)?;
        }
        let Spot { seq, time, gone } = core.storage.read(|reader| spot(reader.db, core, at))?;
        let mut last = core.last_view.0.lock();
        if let Some(view) = last.as_ref().and_then(|view| view.again(seq, time)) {
            return Ok(view);
        }
        let opened = Hub::first(view::open(core, seq, time, gone)?);
        let again = opened.again(seq, time);
        if let Some(old) = last.replace(opened) {
            old.close();
        }
        drop(last);
        again.ok_or_else(|| Error::internal("a view closed by itself"))
    }

    /// Where this hub stands when it is a view of the past: the last event that it knows, and the time of its clock.
    pub fn past(&self) -> Option<(u64, Time)> {
        let past = self.core().ok()?.past.as_ref()?;
        Some((past.seq, past.time))
    }
}

/// A point as the log knows it.
struct Spot {
    /// The event that it stands just after.
    seq: u64,
    time: Time,
    /// The last event that may have happened by then and is no longer kept; 0 for none.
    gone: u64,
}

fn spot(db: &Connection, core: &Core, at: At) -> Result<Spot> {
    let head = log::head(db)?.seq;
    match at {
        At::Seq(seq) if seq > head => {
            Err(Error::invalid("seq", seq, format_args!("must be at most the newest seq, {head}")))
        }
        At::Seq(0) => {
            let created = db.query_row("SELECT created_at FROM hub", [], |row| row.get(0))?;
            Ok(Spot { seq: 0, time: Time::from_millis(created), gone: 0 })
        }
        At::Seq(seq) => Ok(Spot { seq, time: view::time_of(db, seq)?.unwrap_or_default(), gone: 0 }),
        At::Time(time) => {
            let now = core.seams.clock.wall();
            if time > now {
                let must = format_args!("must not lie in the future; it is {now}");
                return Err(Error::invalid("time", time.to_string(), must));
            }
            // Before all that the log holds lies the empty hub, or what retention has taken.
            let base = log::base(db)?.0;
            let seq = last_by(db, time)?.unwrap_or_else(|| base.saturating_sub(1));
            let gone = if seq < base { 0 } else { first_after(db, seq)?.map_or(head, |next| next - 1) };
            Ok(Spot { seq, time, gone: if gone > seq { gone } else { 0 } })
        }
    }
}

/// The last event that had happened by this time.
fn last_by(db: &Connection, time: Time) -> Result<Option<u64>> {
    let last = |table: &str| -> Result<Option<i64>> {
        let sql = format!("SELECT seq FROM {table} WHERE time <= ?1 ORDER BY seq DESC LIMIT 1");
        Ok(db.prepare_cached(&sql)?.query_row([time.millis()], |row| row.get(0)).optional()?)
    };
    Ok(last("event")?.max(last("pulse")?).map(|seq| seq as u64))
}

/// The first event after this one that is kept.
fn first_after(db: &Connection, seq: u64) -> Result<Option<u64>> {
    let sql = "SELECT min(seq) FROM (SELECT min(seq) AS seq FROM event WHERE seq > ?1
               UNION ALL SELECT min(seq) FROM pulse WHERE seq > ?1)";
    let next: Option<i64> = db.prepare_cached(sql)?.query_row([seq as i64], |row| row.get(0))?;
    Ok(next.map(|next| next as u64))
}
