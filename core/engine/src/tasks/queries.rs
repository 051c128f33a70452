//! What reads tasks.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::create::check_priority;
use super::{LogLine, Step, Task, TaskError, TaskStatus, tables};
use crate::clock::Time;
use crate::error::Result;
use crate::id;
use crate::lists::{self, Budget};
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

/// A page of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks, newest first.
    pub tasks: Vec<Task>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
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
    /// Only those that depend on this task.
    #[serde(default)]
    pub depends_on: Option<String>,
    /// Only those of this priority, 0 to 9.
    #[serde(default)]
    pub priority: Option<u8>,
    /// Only those in this phase.
    #[serde(default)]
    pub phase: Option<String>,
    /// Only those that should be done before this time.
    #[serde(default)]
    pub due_before: Option<Time>,
    /// Only those whose due date passed before they ended.
    #[serde(default)]
    pub overdue: Option<bool>,
    /// Only those that failed for want of attempts.
    #[serde(default)]
    pub dead_letter: Option<bool>,
    /// Only those made at this time or later.
    #[serde(default)]
    pub since: Option<Time>,
    /// Only those made before this time.
    #[serde(default)]
    pub until: Option<Time>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

impl List {
    /// What a task's row must be like, each condition with its value.
    fn conditions(&self) -> Result<Vec<(&'static str, SqlValue)>> {
        let names = [
            ("agent_id", "assignee = ?", &self.agent_id),
            ("creator_id", "body ->> '$.creator_id' = ?", &self.creator_id),
            ("session_id", "session_id = ?", &self.session_id),
            ("parent_id", "parent_id = ?", &self.parent_id),
            (
                "requires",
                "EXISTS (SELECT 1 FROM reqset r, json_each(r.requires) w WHERE r.reqset = task.reqset AND w.value = ?)",
                &self.requires,
            ),
            ("depends_on", "task_id IN (SELECT task_id FROM dep WHERE depends_on = ?)", &self.depends_on),
            ("phase", "body ->> '$.phase' = ?", &self.phase),
        ];
        let mut all = Vec::new();
        for (field, condition, name) in names {
            id::check_optional(field, name.as_deref())?;
            all.extend(name.clone().map(|name| (condition, SqlValue::from(name))));
        }
        let priority = self.priority.map(|priority| check_priority(Some(priority))).transpose()?;
        let flag = |flag: bool| SqlValue::from(flag);
        let others = [
            ("status = ?", self.status.map(|status| SqlValue::from(status.as_str().to_owned()))),
            ("body ->> '$.priority' = ?", priority.map(SqlValue::from)),
            ("due < ?", self.due_before.map(|time| SqlValue::from(time.millis()))),
            ("ifnull(body ->> '$.overdue', 0) = ?", self.overdue.map(flag)),
            ("ifnull(body ->> '$.dead_letter', 0) = ?", self.dead_letter.map(flag)),
            // Times are written at one length, so that their text is in their order.
            ("body ->> '$.created_at' >= ?", self.since.map(|time| SqlValue::from(time.to_string()))),
            ("body ->> '$.created_at' < ?", self.until.map(|time| SqlValue::from(time.to_string()))),
        ];
        all.extend(others.into_iter().filter_map(|(condition, value)| Some((condition, value?))));
        Ok(all)
    }
}

impl Query for List {
    type Output = TaskPage;

    fn read(&self, cx: &Reader<'_>, _: &Principal) -> Result<TaskPage> {
        let size = lists::page_size(self.limit)?;
        let before = lists::seq_place(self.cursor.as_deref())?.unwrap_or(i64::MAX as u64);
        let mut sql = String::from("SELECT body FROM task WHERE n < ?");
        let mut values = vec![SqlValue::from(before as i64)];
        for (condition, value) in self.conditions()? {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.push(value);
        }
        sql.push_str(" ORDER BY n DESC LIMIT ?");
        values.push(SqlValue::from(size as i64 + 1));
        let mut statement = cx.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        let mut bodies = rows.collect::<rusqlite::Result<Vec<String>>>()?;
        let more = bodies.len() > size;
        bodies.truncate(size);
        let tasks = bodies.iter().map(|body| tables::read(body)).collect::<Result<Vec<Task>>>()?;
        let page = lists::page(tasks, more, self.max_tokens, |task| task.created_seq.to_string())?;
        Ok(TaskPage { tasks: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
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
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest of each column in turn, as many as fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// Tasks in columns by status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Columns {
    /// One column for each status, in the order of a task's life.
    pub columns: Vec<Column>,
    /// How many tasks there are in all.
    pub total: u64,
    /// How many of the newest were left out for `max_tokens`.
    pub left_out: u64,
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
        let mut columns = TaskStatus::ALL.into_iter().map(column).collect::<Result<Vec<_>>>()?;
        let left_out = fit_columns(&mut columns, self.max_tokens)?;
        Ok(Columns { total: counts.values().sum(), columns, left_out })
    }
}

/// Cuts columns to what fits, the newest of each column in turn; answers how many tasks were left out.
fn fit_columns(columns: &mut [Column], max_tokens: Option<u64>) -> Result<u64> {
    let mut budget = Budget::new(max_tokens)?;
    if max_tokens.is_none() {
        return Ok(0);
    }
    let whole: usize = columns.iter().map(|column| column.tasks.len()).sum();
    let mut kept = vec![0; columns.len()];
    let longest = columns.iter().map(|column| column.tasks.len()).max().unwrap_or(0);
    'fill: for row in 0..longest {
        for (column, kept) in columns.iter().zip(&mut kept) {
            let Some(task) = column.tasks.get(row) else { continue };
            if !budget.take(lists::bytes(task)?)? {
                break 'fill;
            }
            *kept += 1;
        }
    }
    for (column, kept) in columns.iter_mut().zip(&kept) {
        column.tasks.truncate(*kept);
    }
    Ok((whole - kept.iter().sum::<usize>()) as u64)
}

/// Input of `task.history`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The task.
    pub task_id: String,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest steps and lines that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
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
    /// How many older steps and lines were left out for `max_tokens`.
    pub left_out: u64,
}

impl Query for History {
    type Output = TaskHistory;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<TaskHistory> {
        let task = Get { task_id: self.task_id.clone() }.read(cx, by)?;
        let (mut steps, mut log) = (task.history, task.log);
        let left_out = fit_history(&mut steps, &mut log, self.max_tokens)?;
        Ok(TaskHistory { task_id: task.task_id, steps, log, left_out })
    }
}

/// Takes away the oldest steps and lines until the rest fits; answers how many.
fn fit_history(steps: &mut Vec<Step>, log: &mut Vec<LogLine>, max_tokens: Option<u64>) -> Result<u64> {
    let mut budget = Budget::new(max_tokens)?;
    if max_tokens.is_none() {
        return Ok(0);
    }
    let (mut first_step, mut first_line) = (steps.len(), log.len());
    loop {
        let step = first_step.checked_sub(1).and_then(|i| steps.get(i));
        let line = first_line.checked_sub(1).and_then(|i| log.get(i));
        let (bytes, first) = match (step, line) {
            (Some(step), line) if line.is_none_or(|line| line.timestamp <= step.at) => {
                (lists::bytes(step)?, &mut first_step)
            }
            (_, Some(line)) => (lists::bytes(line)?, &mut first_line),
            _ => break,
        };
        if !budget.take(bytes)? {
            break;
        }
        *first -= 1;
    }
    steps.drain(..first_step);
    log.drain(..first_line);
    Ok((first_step + first_line) as u64)
}
