//! The log: one ordered row of events in SQLite.
//!
//! Durable events go to `event`, each hashed onto the one before; relaxed ones to `pulse`, for minutes. Both share one
//! count of `seq`, so that reading the log is a merge of the two.

use std::borrow::Cow;
use std::sync::OnceLock;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::clock::Time;
use crate::error::{Error, Result};
use crate::events::event::{Event, Place, Stamp};
use crate::json::Json;
use crate::principal::Principal;

/// The hash of an event and all before it.
pub type Hash = [u8; 32];

/// Where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last `seq` that was given.
    pub seq: u64,
    /// The hash of the last durable event.
    pub hash: Hash,
}

/// One event about to be written, in the form it is stored.
pub struct Entry<'a> {
    /// Its `seq` and time.
    pub stamp: Stamp,
    /// What happened.
    pub kind: &'a str,
    /// On whose behalf.
    pub principal: &'a str,
    /// Where it belongs.
    pub place: &'a Place,
    /// The data as JSON text.
    pub data: &'a str,
}

impl Entry<'_> {
    /// The hash of this entry onto the one before.
    pub fn hash(&self, before: &Hash) -> Hash {
        let targets = targets_text(&self.place.target_agents);
        let fields = [
            Some(self.kind),
            Some(self.principal),
            self.place.subject.as_deref(),
            self.place.agent_id.as_deref(),
            self.place.session_id.as_deref(),
            self.place.task_id.as_deref(),
            targets.as_deref(),
            self.place.correlation_id.as_deref(),
            Some(self.data),
        ];
        hash_onto(before, self.stamp.seq, self.stamp.time.millis(), fields)
    }
}

/// Writes events; keeps its statements from one event of a batch to the next.
pub struct Appender<'c> {
    db: &'c Connection,
    event: Option<CachedStatement<'c>>,
    pulse: Option<CachedStatement<'c>>,
}

impl<'c> Appender<'c> {
    /// Writes through this connection.
    pub fn new(db: &'c Connection) -> Appender<'c> {
        Appender { db, event: None, pulse: None }
    }

    /// Writes a durable event; answers its hash.
    pub fn append(&mut self, entry: &Entry<'_>, before: &Hash) -> Result<Hash> {
        let hash = entry.hash(before);
        let statement = match &mut self.event {
            Some(statement) => statement,
            none => none.insert(self.db.prepare_cached(
                "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?),
        };
        let place = entry.place;
        statement.execute(params![
            entry.stamp.seq as i64,
            entry.kind,
            entry.stamp.time.millis(),
            entry.principal,
            place.subject,
            place.agent_id,
            place.session_id,
            place.task_id,
            targets_text(&place.target_agents),
            place.correlation_id,
            entry.data,
            &hash[..],
        ])?;
        Ok(hash)
    }

    /// Writes a relaxed event.
    pub fn append_pulse(&mut self, entry: &Entry<'_>) -> Result<()> {
        let statement =
            match &mut self.pulse {
                Some(statement) => statement,
                none => none.insert(self.db.prepare_cached(
                    "INSERT INTO pulse VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                )?),
            };
        let place = entry.place;
        statement.execute(params![
            entry.stamp.seq as i64,
            entry.kind,
            entry.stamp.time.millis(),
            entry.principal,
            place.subject,
            place.agent_id,
            place.session_id,
            place.task_id,
            targets_text(&place.target_agents),
            place.correlation_id,
            entry.data,
        ])?;
        Ok(())
    }
}

/// Over every stored byte of an event, each field with its length before it.
fn hash_onto(before: &Hash, seq: u64, time: i64, fields: [Option<&str>; 9]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(seq.to_le_bytes());
    hasher.update(time.to_le_bytes());
    for field in fields {
        match field {
            Some(text) => {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            None => hasher.update(u64::MAX.to_le_bytes()),
        }
    }
    hasher.finalize().into()
}

fn targets_text(targets: &[String]) -> Option<String> {
    if targets.is_empty() { None } else { serde_json::to_string(targets).ok() }
}

/// Reads where the log ends.
pub fn head(db: &Connection) -> Result<Head> {
    let last: Option<(i64, Vec<u8>)> = db
        .prepare_cached("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, hash) = match last {
        Some((seq, hash)) => (seq as u64, to_hash(&hash)?),
        None => base(db)?,
    };
    let pulse: Option<i64> =
        db.prepare_cached("SELECT max(seq) FROM pulse")?.query_row([], |row| row.get(0))?;
    Ok(Head { seq: seq.max(pulse.unwrap_or(0) as u64), hash })
}

/// Refuses a `seq` that the log has not reached; answers the newest.
pub fn check_reached(db: &Connection, field: &str, seq: u64) -> Result<u64> {
    let head = head(db)?.seq;
    if seq > head {
        return Err(Error::invalid(field, seq, format_args!("must be at most the newest seq, {head}")));
    }
    Ok(head)
}

/// The last event that retention took, and its hash; `(0, …)` while the log is whole.
pub fn base(db: &Connection) -> Result<(u64, Hash)> {
    let (seq, hash): (i64, Vec<u8>) = db
        .prepare_cached("SELECT base_seq, base_hash FROM hub")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((seq as u64, to_hash(&hash)?))
}

fn to_hash(bytes: &[u8]) -> Result<Hash> {
    bytes.try_into().map_err(|_| Error::storage("the file is damaged: a hash has the wrong length"))
}

const COLUMNS: &str =
    "seq, kind, time, principal, subject, agent_id, session_id, task_id, targets, correlation, data";

/// Reads events after `after`, oldest first, at most `limit` of them; durable and relaxed ones merged.
pub fn read(db: &Connection, hub: [u8; 6], after: u64, limit: usize) -> Result<Vec<Event>> {
    let mut durable = read_table(db, hub, "event", after, limit)?;
    let relaxed = read_table(db, hub, "pulse", after, limit)?;
    if !relaxed.is_empty() {
        durable.extend(relaxed);
        durable.sort_by_key(|event| event.seq);
        durable.truncate(limit);
    }
    Ok(durable)
}

fn read_table(db: &Connection, hub: [u8; 6], table: &str, after: u64, limit: usize) -> Result<Vec<Event>> {
    let relaxed = table == "pulse";
    let sql = format!("SELECT {COLUMNS} FROM {table} WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![after as i64, limit as i64], |row| from_row(row, hub, relaxed))?;
    rows.map(|row| Ok(row?)).collect()
}

/// Reads durable events between two `seq`, both left out, oldest or newest first, at most `limit` of them.
pub fn read_durable(
    db: &Connection,
    hub: [u8; 6],
    (after, before): (u64, u64),
    newest_first: bool,
    limit: usize,
) -> Result<Vec<Event>> {
    let order = if newest_first { "DESC" } else { "ASC" };
    let sql =
        format!("SELECT {COLUMNS} FROM event WHERE seq > ?1 AND seq < ?2 ORDER BY seq {order} LIMIT ?3");
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![after as i64, before, limit as i64], |row| from_row(row, hub, false))?;
    rows.map(|row| Ok(row?)).collect()
}

/// A stretch of the log: of a session or all of it, of a span of time or all of it.
pub struct Stretch<'a> {
    /// After this `seq`.
    pub after: u64,
    /// Up to this `seq`.
    pub upto: u64,
    /// Only of this session.
    pub session_id: Option<&'a str>,
    /// Only at this time or later.
    pub since: Option<Time>,
    /// Only before this time.
    pub until: Option<Time>,
}

/// Reads the durable events of a stretch, oldest first, at most `limit` of them.
pub fn read_stretch(
    db: &Connection,
    hub: [u8; 6],
    stretch: &Stretch<'_>,
    limit: usize,
) -> Result<Vec<Event>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM event WHERE seq > ?1 AND seq <= ?2 AND (?3 IS NULL OR session_id = ?3)
         AND time >= ?4 AND time < ?5 ORDER BY seq LIMIT ?6"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let values = params![
        stretch.after as i64,
        i64::try_from(stretch.upto).unwrap_or(i64::MAX),
        stretch.session_id,
        stretch.since.map_or(i64::MIN, Time::millis),
        stretch.until.map_or(i64::MAX, Time::millis),
        limit as i64,
    ];
    let rows = statement.query_map(values, |row| from_row(row, hub, false))?;
    rows.map(|row| Ok(row?)).collect()
}

fn from_row(row: &Row<'_>, hub: [u8; 6], relaxed: bool) -> rusqlite::Result<Event> {
    let targets: Option<String> = row.get(8)?;
    let data: String = row.get(10)?;
    let bad_json = |e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(10, rusqlite::types::Type::Text, e)
    };
    Ok(Event {
        seq: row.get::<_, i64>(0)? as u64,
        kind: Cow::Owned(row.get(1)?),
        time: Time::from_millis(row.get(2)?),
        principal: Principal::parse(row.get_ref(3)?.as_str()?),
        place: Place {
            subject: row.get(4)?,
            agent_id: row.get(5)?,
            session_id: row.get(6)?,
            task_id: row.get(7)?,
            target_agents: match targets {
                Some(text) => serde_json::from_str(&text).map_err(|e| bad_json(e.into()))?,
                None => Vec::new(),
            },
            correlation_id: row.get(9)?,
        },
        data: Json::from_text(data).map_err(|e| bad_json(e.to_string().into()))?,
        relaxed,
        hub,
        wire: OnceLock::new(),
    })
}

/// Walks the chain from `base` to the end; answers how many events hold, or names the first that does not.
pub fn verify_chain(db: &Connection) -> Result<u64> {
    let (mut last, mut hash) = base(db)?;
    let mut count = 0;
    // The bytes as they are stored: what reads them may pass over a space.
    let sql = "SELECT seq, time, hash, kind, principal, subject, agent_id, session_id, task_id, targets, correlation,
               data FROM event ORDER BY seq";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, stored): (u64, Vec<u8>) = (row.get::<_, i64>(0)? as u64, row.get(2)?);
        let mut fields: [Option<&str>; 9] = [None; 9];
        for (at, field) in fields.iter_mut().enumerate() {
            *field = row.get_ref(at + 3)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        }
        hash = hash_onto(&hash, seq, row.get(1)?, fields);
        if seq <= last || stored != hash {
            return Err(Error::storage(format!(
                "the chain is broken at event {seq}: its hash does not follow from the event before"
            ))
            .with("seq", seq));
        }
        last = seq;
        count += 1;
    }
    Ok(count)
}
