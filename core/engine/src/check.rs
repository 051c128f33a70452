//! `fold(log) == tables`: the check behind `folkmoot check`.
//!
//! The events that the log still holds are applied to empty tables, and the result is compared with the tables of the
//! hub, row by row. What an event says is not repeated in the rows of tasks and keys: a row that names its event stands
//! for it. A row whose last change retention has taken cannot be compared and is counted. Outside the fold, by name:
//! counters of leases, holders, inboxes with their read marks, connected clients and rates of sessions, consumers,
//! idempotency keys, search indexes, the feed, versions that retention has set aside.

use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::log;
use crate::past::fold::{Words, fold};
use crate::storage::schema;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Events whose hash follows from the one before.
    pub events: u64,
    /// The last event that retention took; 0 while the log is whole.
    pub base_seq: u64,
    /// The newest `seq`.
    pub head_seq: u64,
    /// Rows that equal the fold.
    pub rows_equal: u64,
    /// Rows whose last change is no longer in the log.
    pub rows_older_than_log: u64,
}

/// A table of the fold: its key, the column with its `seq`, and the columns that are compared.
struct Table {
    name: &'static str,
    key: &'static str,
    seq: &'static str,
    columns: &'static str,
}

const TABLES: &[Table] = &[
    Table { name: "agent", key: "agent_id", seq: "seq", columns: "body" },
    Table { name: "presence", key: "agent_id", seq: "seq", columns: "status, body" },
    Table {
        name: "message",
        key: "message_id",
        seq: "changed",
        columns: "seq, sender_id, thread_id, type, time, open, session_id, body",
    },
    Table { name: "delivery", key: "audience || ' ' || seq", seq: "seq", columns: "audience" },
    Table { name: "session", key: "session_id", seq: "seq", columns: "n, state, open, body" },
    Table { name: "member", key: "session_id || char(9) || agent_id", seq: "seq", columns: "joined" },
    Table { name: "channel", key: "session_id || char(9) || channel", seq: "seq", columns: "body" },
    Table { name: "decision", key: "session_id || char(9) || seq", seq: "seq", columns: "decision_id, body" },
    Table { name: "session_state", key: "session_id", seq: "seq", columns: "version, body" },
    Table {
        name: "activity",
        key: "activity_id",
        seq: "changed",
        columns: "seq, agent_id, open, took_ms, body",
    },
    Table {
        name: "task",
        key: "task_id",
        seq: "seq",
        columns: "status, open, (SELECT requires FROM reqset r WHERE r.reqset = task.reqset), priority, due, assignee, \
                  session_id, parent_id, wake_at, token, auto, aside",
    },
    Table { name: "dep", key: "task_id || ' ' || depends_on", seq: "seq", columns: "task_id" },
    Table {
        name: "memory",
        key: "key",
        seq: "seq",
        columns: "version, gone, expires_at, created_by, created_at",
    },
    Table { name: "acl", key: "prefix || ' ' || exact", seq: "seq", columns: "body" },
];

/// Checks a hub through this connection, inside one snapshot.
pub(crate) fn check(db: &Connection) -> Result<Report> {
    let sound: String = db.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Error::storage(format!("the file is damaged: {sound}")).hint("restore the newest backup"));
    }
    let events = log::verify_chain(db)?;
    let (base_seq, _) = log::base(db)?;
    let shadow = schema::shadow()?;
    fold_all(db, &shadow)?;
    let mut report =
        Report { events, base_seq, head_seq: log::head(db)?.seq, rows_equal: 0, rows_older_than_log: 0 };
    for table in TABLES {
        compare(db, &shadow, table, base_seq, &mut report)?;
    }
    Ok(report)
}

/// Applies every event of the log to empty tables.
fn fold_all(db: &Connection, shadow: &Connection) -> Result<()> {
    shadow.execute_batch("BEGIN")?;
    fold(shadow, 0, u64::MAX, Words::InLog, |after, most| log::read(db, [0; 6], after, most))?;
    shadow.execute_batch("COMMIT")?;
    Ok(())
}

fn compare(
    db: &Connection,
    shadow: &Connection,
    table: &Table,
    base: u64,
    report: &mut Report,
) -> Result<()> {
    let Table { name, key, seq, columns, .. } = table;
    let sql = format!("SELECT {key}, {seq}, json_array({columns}) FROM {name} ORDER BY 1");
    let by_key = format!("SELECT {seq}, json_array({columns}) FROM {name} WHERE {key} = ?1");
    let mut rows = db.prepare(&sql)?;
    let mut rows = rows.query([])?;
    let mut folded = shadow.prepare(&by_key)?;
    while let Some(row) = rows.next()? {
        let (key, seq, body): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if seq as u64 > report.head_seq {
            let head = report.head_seq;
            return Err(Error::storage(format!(
                "table {name} knows of event {seq} at {key:?}, and the log ends at {head}"
            ))
            .with("table", *name)
            .with("key", key)
            .hint("restore the newest backup, and report this"));
        }
        if !still_in_log(db, seq, base)? {
            report.rows_older_than_log += 1;
            continue;
        }
        let mut found = folded.query([&key])?;
        let same = match found.next()? {
            Some(row) => row.get::<_, i64>(0)? == seq && row.get::<_, String>(1)? == body,
            None => false,
        };
        if !same {
            return Err(Error::storage(format!(
                "table {name} differs from the log at {key:?} (event {seq})"
            ))
            .with("table", *name)
            .with("key", key)
            .hint("restore the newest backup, and report this"));
        }
        report.rows_equal += 1;
    }
    nothing_missing(db, shadow, table)
}

fn nothing_missing(db: &Connection, shadow: &Connection, table: &Table) -> Result<()> {
    let count = |conn: &Connection| -> Result<i64> {
        Ok(conn.query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| row.get(0))?)
    };
    let (here, folded) = (count(db)?, count(shadow)?);
    if here < folded {
        return Err(Error::storage(format!("table {} has {here} rows, the log says {folded}", table.name))
            .with("table", table.name));
    }
    Ok(())
}

fn still_in_log(db: &Connection, seq: i64, base: u64) -> Result<bool> {
    if seq as u64 > base {
        let sql = "SELECT EXISTS (SELECT 1 FROM event WHERE seq = ?1) OR EXISTS (SELECT 1 FROM pulse WHERE seq = ?1)";
        return Ok(db.prepare_cached(sql)?.query_row([seq], |row| row.get(0))?);
    }
    Ok(false)
}
