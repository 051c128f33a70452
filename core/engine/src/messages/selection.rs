//! Which messages a list, a search or statistics are about, as conditions of SQL.

use rusqlite::types::Value;

use super::access::VISIBLE;
use super::{Importance, tables};
use crate::clock::Time;
use crate::error::Result;
use crate::id;

/// What messages must be like; fields left out match everything.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Selection<'a> {
    pub sender_id: Option<&'a str>,
    pub sender_role: Option<&'a str>,
    pub recipient_id: Option<&'a str>,
    pub session_id: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub task_id: Option<&'a str>,
    pub thread_id: Option<&'a str>,
    pub message_type: Option<&'a str>,
    pub importance: Option<Importance>,
    pub reply_to: Option<&'a str>,
    pub ack_required: Option<bool>,
    pub since: Option<Time>,
    pub until: Option<Time>,
}

/// Conditions on rows `m` of `message`, with their values; `?1` is the agent that looks.
pub(crate) struct Clause {
    conditions: Vec<String>,
    pub values: Vec<Value>,
}

impl Selection<'_> {
    /// Refuses what no message can have.
    pub fn check(&self) -> Result<()> {
        for (field, name) in [
            ("sender_id", self.sender_id),
            ("sender_role", self.sender_role),
            ("recipient_id", self.recipient_id),
            ("session_id", self.session_id),
            ("channel", self.channel),
            ("task_id", self.task_id),
            ("thread_id", self.thread_id),
            ("message_type", self.message_type),
            ("reply_to", self.reply_to),
        ] {
            id::check_optional(field, name)?;
        }
        Ok(())
    }

    /// The places where such a message must be found, the narrowest first.
    fn audiences(&self) -> Vec<String> {
        let of = |kind: &str, id: Option<&str>| id.map(|id| format!("{kind}:{id}"));
        let session = match (self.session_id, self.channel) {
            (Some(session_id), Some(channel)) => Some(tables::channel_audience(session_id, channel)),
            (session_id, _) => of("session", session_id),
        };
        [of("task", self.task_id), session, of("agent", self.recipient_id)].into_iter().flatten().collect()
    }

    fn columns(&self, viewer: Option<&str>) -> Clause {
        let text = |text: &str| Value::Text(text.to_owned());
        let time = |time: Time| Value::Integer(time.millis());
        let mut clause =
            Clause { conditions: vec![VISIBLE.to_owned()], values: vec![viewer.map_or(Value::Null, text)] };
        for (condition, value) in [
            ("m.thread_id = ?", self.thread_id.map(text)),
            ("m.sender_id = ?", self.sender_id.map(text)),
            ("m.type = ?", self.message_type.map(text)),
            ("m.time >= ?", self.since.map(time)),
            ("m.time < ?", self.until.map(time)),
            ("m.body ->> '$.channel' = ?", self.channel.filter(|_| self.session_id.is_none()).map(text)),
            ("m.body ->> '$.importance' = ?", self.importance.map(|importance| text(importance.as_str()))),
            ("m.body ->> '$.sender_role' = ?", self.sender_role.map(text)),
            ("m.body ->> '$.reply_to' = ?", self.reply_to.map(text)),
            ("m.body ->> '$.ack_required' = ?", self.ack_required.map(|asked| Value::Integer(asked.into()))),
        ] {
            if let Some(value) = value {
                clause.and(condition, value);
            }
        }
        clause
    }

    /// Conditions that hold for such messages, whatever else the statement selects from.
    pub fn clause(&self, viewer: Option<&str>) -> Clause {
        let mut clause = self.columns(viewer);
        for audience in self.audiences() {
            clause.in_audience(audience);
        }
        clause
    }

    /// The statement that finds such messages by the narrowest index: that of a thread, of a delivery, or their age.
    /// Its columns are `seq` and body.
    fn statement(&self, viewer: Option<&str>, bound: Option<(&str, u64)>, order: &str) -> (String, Clause) {
        let mut clause = self.columns(viewer);
        let mut audiences = self.audiences().into_iter();
        let leading = if self.thread_id.is_some() { None } else { audiences.next() };
        let (source, seq) = match leading {
            Some(audience) => {
                clause.and("d.audience = ?", Value::Text(audience));
                ("delivery d CROSS JOIN message m ON m.seq = d.seq", "d.seq")
            }
            None => ("message m", "m.seq"),
        };
        for audience in audiences {
            clause.in_audience(audience);
        }
        if let Some((side, bound)) = bound {
            clause.and(&format!("{seq} {side} ?"), Value::Integer(i64::try_from(bound).unwrap_or(i64::MAX)));
        }
        let sql = format!("SELECT m.seq, m.body FROM {source} WHERE {} ORDER BY {seq} {order}", clause.sql());
        (sql, clause)
    }

    /// The statement that finds `seq` and body of such messages, newest first, and one more than `size` of them.
    pub fn newest_first(
        &self,
        viewer: Option<&str>,
        before: Option<u64>,
        size: usize,
    ) -> (String, Vec<Value>) {
        let (sql, mut clause) = self.statement(viewer, before.map(|before| ("<", before)), "DESC");
        let limit = clause.value(Value::Integer(size as i64 + 1));
        (format!("{sql} LIMIT {limit}"), clause.values)
    }

    /// The statement that finds `seq` and body of such messages after a `seq`, oldest first, and one more than `size` of
    /// them, whoever may see them.
    pub fn after(&self, after: u64, size: usize) -> (String, Vec<Value>) {
        let (sql, mut clause) = self.statement(None, Some((">", after)), "ASC");
        let limit = clause.value(Value::Integer(size as i64 + 1));
        (format!("{sql} LIMIT {limit}"), clause.values)
    }

    /// The statement that finds `seq` and body of all such messages, oldest first.
    pub fn oldest_first(&self, viewer: Option<&str>) -> (String, Vec<Value>) {
        let (sql, clause) = self.statement(viewer, None, "ASC");
        (sql, clause.values)
    }
}

impl Clause {
    /// Takes a value; answers the parameter that stands for it.
    pub fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    /// Adds a condition, whose `?` stands for the value.
    pub fn and(&mut self, condition: &str, value: Value) {
        let parameter = self.value(value);
        self.conditions.push(condition.replacen('?', &parameter, 1));
    }

    fn in_audience(&mut self, audience: String) {
        let condition = "EXISTS (SELECT 1 FROM delivery a WHERE a.audience = ? AND a.seq = m.seq)";
        self.and(condition, Value::Text(audience));
    }

    /// Everything that must hold.
    pub fn sql(&self) -> String {
        self.conditions.join(" AND ")
    }
}
