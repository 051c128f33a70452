//! What reads tasks.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LogLine, Step, Task, TaskError, TaskStatus, tables};
use crate::error::Result;
use crate::id;
use crate::lists;
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// Some tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tasks {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// Input of `task.get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The task.
    pub task_id: String,
}

impl Query for Get {
    type Output = Task;

    fn read(&self, cx: &Reader<'_>, _: &Principal) -> Result<Task> {
        id::check_name("task_id", &self.task_id)?;
        Ok(tables::get(cx.db, &self.task_id)?.ok_or_else(|| TaskError::Unknown(self.task_id.clone()))?)
    }
}

/// Input of `task.list`. Filters that are left out match everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only those that stand here.
    #[serde(default)]
    pub status: Option<TaskStatus>,
    /// Only those that this agent holds, held last, or that are reserved for it.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Only those that this one made.
    #[serde(default)]
    pub creator_id: Option<String>,
    /// Only those of this session.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Only the parts of this task.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Only those that require this.
    #[serde(default)]
    pub requires: Option<String>,
    /// Only those that failed for want of attempts.
    #[serde(default)]
    pub dead_letter: Option<bool>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl Query for List {
    type Output = Tasks;

    fn read(&self, cx: &Reader<'_>, _: &Principal) -> Result<Tasks> {
        let size = lists::page_size(self.limit)?;
        let before = lists::seq_place(self.cursor.as_deref())?.unwrap_or(i64::MAX as u64);
        let mut sql = String::from("SELECT n, body FROM task WHERE n < ?");
        let mut values = vec![SqlValue::from(before as i64)];
        let filters = [
            ("status", "status = ?", self.status.map(|status| status.as_str().to_owned())),
            ("agent_id", "assignee = ?", self.agent_id.clone()),
            ("creator_id", "body ->> '$.creator_id' = ?", self.creator_id.clone()),
            ("session_id", "session_id = ?", self.session_id.clone()),
            ("parent_id", "parent_id = ?", self.parent_id.clone()),
            (
                "requires",
                "EXISTS (SELECT 1 FROM reqset r, json_each(r.requires) w WHERE r.reqset = task.reqset AND w.value = ?)",
                self.requires.clone(),
            ),
        ];
        for (field, condition, value) in filters {
            if let Some(value) = value {
                id::check_name(field, &value)?;
                sql.push_str(" AND ");
                sql.push_str(condition);
                values.push(SqlValue::from(value));
            }
        }
        if let Some(dead) = self.dead_letter {
            sql.push_str(if dead { " AND " } else { " AND NOT " });
            sql.push_str("(status = 'failed' AND body ->> '$.dead_letter')");
        }
        sql.push_str(" ORDER BY n DESC LIMIT ?");
        values.push(SqlValue::from(size as i64 + 1));
        let mut statement = cx.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(|(n, _)| lists::cursor(&n.to_string()));
        let tasks = rows.iter().map(|(_, body)| tables::read(body)).collect::<Result<_>>()?;
        Ok(Tasks { tasks, next_cursor })
    }
}

/// Input of `task.board`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Only tasks of this session.
    #[serde(default)]
    pub session_id: Option<String>,
    /// At most this many of each column, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Tasks in columns by status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Columns {
    /// One column for each status, in the order of a task's life.
    pub columns: Vec<Column>,
    /// How many tasks there are in all.
    pub total: u64,
}

/// One column of a board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// The status.
    pub status: TaskStatus,
    /// How many tasks stand here.
    pub count: u64,
    /// The newest of them.
    pub tasks: Vec<Task>,
}

impl Query for Board {
    type Output = Columns;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Columns> {
        id::check_optional("session_id", self.session_id.as_deref())?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut statement = cx.db.prepare_cached(
            "SELECT status, count(*) FROM task WHERE ?1 IS NULL OR session_id = ?1 GROUP BY status",
        )?;
        let mut rows = statement.query([&self.session_id])?;
        while let Some(row) = rows.next()? {
            counts.insert(row.get(0)?, row.get::<_, i64>(1)? as u64);
        }
        let column = |status: TaskStatus| {
            let list = List {
                status: Some(status),
                session_id: self.session_id.clone(),
                limit: self.limit,
                ..List::default()
            };
            let count = counts.get(status.as_str()).copied().unwrap_or(0);
            Ok(Column { status, count, tasks: list.read(cx, by)?.tasks })
        };
        let columns = TaskStatus::ALL.into_iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Columns { total: counts.values().sum(), columns })
    }
}

/// Input of `task.history`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The task.
    pub task_id: String,
}

/// Who held a task when, and what it logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskHistory {
    /// The task.
    pub task_id: String,
    /// The newest 100 steps, oldest first.
    pub steps: Vec<Step>,
    /// The newest 100 lines of its log, oldest first.
    pub log: Vec<LogLine>,
}

impl Query for History {
    type Output = TaskHistory;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<TaskHistory> {
        let task = Get { task_id: self.task_id.clone() }.read(cx, by)?;
        Ok(TaskHistory { task_id: task.task_id, steps: task.history, log: task.log })
    }
}
