//! Activities of a filter, as a statement over the feed's indexes.

use rusqlite::types::Value;

use super::filter::ActivityFilter;
use crate::error::Result;

/// The columns of a statement that reads whole entries: who may see a row is judged by the first of them.
pub(crate) const ENTRIES: &str = "f.seq, f.kind, f.key, f.everyone, f.body, a.body";
/// The columns of a statement that counts.
pub(crate) const FIGURES: &str =
    "f.seq, f.kind, f.key, f.everyone, f.body, a.body, f.time, f.agent_id, f.department,
    f.type, ifnull(a.took_ms, f.took_ms), ifnull(a.open, 0)";

/// From where a statement reads, and in which order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Span {
    /// Newest first, before this `seq`.
    Before(u64),
    /// Oldest first, after the first `seq` and up to the second.
    Between(u64, u64),
}

/// A statement with its values.
pub(crate) struct Statement {
    pub sql: String,
    pub values: Vec<Value>,
    conditions: Vec<String>,
}

impl Statement {
    fn and(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        self.conditions.push(condition.replacen('?', &format!("?{}", self.values.len()), 1));
    }
}

/// The statement that finds such activities by the narrowest index: words, a related agent, those that are open, or one
/// of the columns of `feed`. Rows are ordered by `seq`, without sorting.
pub(crate) fn statement(filter: &ActivityFilter, columns: &str, span: Span) -> Result<Statement> {
    let text = |text: &String| Value::Text(text.clone());
    let fts = filter.fts()?;
    let all = "feed f LEFT JOIN activity a ON a.seq = f.seq";
    let (source, seq) = match (&fts, &filter.related_agent, filter.open) {
        (Some(_), _, _) => {
            (format!("feed_fts CROSS JOIN {}", joined(all, "feed_fts.rowid")), "feed_fts.rowid")
        }
        (None, Some(_), _) => (format!("feed_related r CROSS JOIN {}", joined(all, "r.seq")), "r.seq"),
        (None, None, Some(true)) => ("activity a CROSS JOIN feed f ON f.seq = a.seq".to_owned(), "a.seq"),
        (None, None, _) => (all.to_owned(), "f.seq"),
    };
    let mut out = Statement { sql: String::new(), values: Vec::new(), conditions: Vec::new() };
    if let Some(words) = fts {
        out.and("feed_fts MATCH ?", Value::Text(words));
        if let Some(id) = &filter.related_agent {
            let related = "EXISTS (SELECT 1 FROM feed_related r WHERE r.agent_id = ? AND r.seq = f.seq)";
            out.and(related, text(id));
        }
    } else if let Some(id) = &filter.related_agent {
        out.and("r.agent_id = ?", text(id));
    }
    for (condition, value) in [
        ("f.agent_id = ?", filter.agent_id.as_ref().map(text)),
        ("f.type = ?", filter.activity_type.as_ref().map(text)),
        ("f.department = ?", filter.department.as_ref().map(text)),
        ("f.session_id = ?", filter.session_id.as_ref().map(text)),
        ("f.task_id = ?", filter.task_id.as_ref().map(text)),
        ("f.time >= ?", filter.since.map(|time| Value::Integer(time.millis()))),
        ("f.time < ?", filter.until.map(|time| Value::Integer(time.millis()))),
    ] {
        if let Some(value) = value {
            out.and(condition, value);
        }
    }
    match filter.open {
        Some(true) => out.conditions.push("a.open = 1".to_owned()),
        Some(false) => out.conditions.push("ifnull(a.open, 0) = 0".to_owned()),
        None => {}
    }
    let order = match span {
        Span::Before(before) => {
            out.and(&format!("{seq} < ?"), whole(before));
            "DESC"
        }
        Span::Between(after, upto) => {
            out.and(&format!("{seq} > ?"), whole(after));
            out.and(&format!("{seq} <= ?"), whole(upto));
            "ASC"
        }
    };
    let conditions = out.conditions.join(" AND ");
    out.sql = format!("SELECT {columns} FROM {source} WHERE {conditions} ORDER BY {seq} {order}");
    Ok(out)
}

/// The feed and what was recorded, found from another source's `seq`.
fn joined(all: &str, seq: &str) -> String {
    all.replacen("feed f", &format!("feed f ON f.seq = {seq}"), 1)
}

fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
