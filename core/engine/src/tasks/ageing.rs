//! Ageing: an open task that is passed over counts as of higher priority after a while, so that none waits for ever.
//!
//! Each `ageing_seconds` that the first of its kind has waited raise it by one: the first of those with the same
//! requirements and priority, once by due date and once by age among those without one. Whoever comes first is found by
//! the index that claims go by, whatever the number of tasks. At most some of each kind are raised in a round, so that
//! urgent work still goes first while there is more to do than is done. One that was raised above all priorities goes by
//! its age alone.

use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::RAISED;
use super::tables::{self, ABOVE_ALL};
use super::{Task, TaskStatus, changes};
use crate::clock::Time;
use crate::error::Result;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// How many of each kind are looked at in a round, by due date and by age.
const OF_EACH: i64 = 5;

/// Open tasks that have waited for at least so many seconds since they last changed, some of each kind.
pub(crate) fn waiting_long(db: &Connection, now: Time, seconds: f64) -> Result<Vec<Raise>> {
    let mut found = Vec::new();
    let mut kind = next_kind(db, (-1, 0))?;
    while let Some((set, priority)) = kind {
        if priority < ABOVE_ALL {
            for task in first_of(db, set, priority)? {
                let unchanged = now.seconds_since(task.updated_at).abs();
                if unchanged >= seconds && !found.iter().any(|raise: &Raise| raise.task_id == task.task_id) {
                    found.push(Raise { updated_at: task.updated_at, task_id: task.task_id });
                }
            }
        }
        kind = next_kind(db, (set, priority))?;
    }
    Ok(found)
}

/// The next set of requirements and priority of which there are open tasks: one look into the index for each.
fn next_kind(db: &Connection, after: (i64, i64)) -> Result<Option<(i64, i64)>> {
    let lower = db
        .prepare_cached(
            "SELECT reqset, priority FROM task WHERE open = 1 AND reqset = ?1 AND priority < ?2
             ORDER BY priority DESC LIMIT 1",
        )?
        .query_row([after.0, after.1], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if lower.is_some() {
        return Ok(lower);
    }
    Ok(db
        .prepare_cached(
            "SELECT reqset, priority FROM task WHERE open = 1 AND reqset > ?1
             ORDER BY reqset, priority DESC LIMIT 1",
        )?
        .query_row([after.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

fn first_of(db: &Connection, set: i64, priority: i64) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for due in [i64::MIN, i64::MAX] {
        let mut statement = db.prepare_cached(
            "SELECT body FROM task WHERE open = 1 AND reqset = ?1 AND priority = ?2 AND due >= ?3
             ORDER BY due, n LIMIT ?4",
        )?;
        let rows =
            statement.query_map(params![set, priority, due, OF_EACH], |row| row.get::<_, String>(0))?;
        for body in rows {
            tasks.push(tables::read(&body?)?);
        }
    }
    Ok(tasks)
}

/// Raises an open task by one, if it has not changed since it was looked at. The keeper's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Raise {
    pub task_id: String,
    /// When it last changed.
    pub updated_at: Time,
}

impl Change for Raise {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let Some(mut task) = tables::get(cx.db, &self.task_id)? else { return Ok(false) };
        let open = task.status == TaskStatus::Ready && task.agent_id.is_none() && task.retry_at.is_none();
        let below = i64::from(task.priority) + i64::from(task.raised) < ABOVE_ALL;
        if !open || !below || task.updated_at != self.updated_at {
            return Ok(false);
        }
        task.raised += 1;
        task.updated_at = cx.now;
        changes::emit(cx, RAISED, task);
        Ok(true)
    }
}
