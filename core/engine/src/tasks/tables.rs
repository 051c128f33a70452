//! The tables of tasks.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Task, TaskStatus};
use crate::agents::Performance;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::leases::Lease;

/// What `open` says in a row.
const CLOSED: i64 = 0;
const OPEN: i64 = 1;
const RESERVED: i64 = 2;
/// The standing that no priority has: whoever waited for it goes first.
pub(crate) const ABOVE_ALL: i64 = 10;
/// The set of a task that requires nothing.
const NO_SET: i64 = 0;

/// The query for leases, with more columns and its condition.
macro_rules! lease {
    ($more:literal, $which:literal) => {
        concat!(
            "SELECT t.task_id, t.token, t.lease_ms, t.renewals + ifnull(p.renewals, 0) + ifnull(h.renewals, 0)",
            $more,
            " FROM task t LEFT JOIN presence p ON p.agent_id = t.assignee
             LEFT JOIN holder h ON h.holder = p.holder WHERE ",
            $which
        )
    };
}

/// Makes the row of a task what its newest event says.
pub(crate) fn put(db: &Connection, task: &Task, shape: bool, seq: u64) -> Result<()> {
    if !shape && moved(db, task, seq)? {
        return Ok(());
    }
    // Also the way of a task whose creation retention has taken.
    db.prepare_cached(
        "INSERT INTO task_row (n, task_id, status, open, reqset, priority, due, assignee, session_id, parent_id, wake_at,
                               took_ms, token, seq, lease_ms, auto)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (n) DO UPDATE SET status = excluded.status, open = excluded.open, reqset = excluded.reqset,
           priority = excluded.priority, due = excluded.due, assignee = excluded.assignee, wake_at = excluded.wake_at,
           aside = NULL, seq = excluded.seq, auto = excluded.auto, renewals = renewals + 1",
    )?
    .execute(params![
        task.created_seq as i64,
        task.task_id,
        task.status.as_str(),
        open(task),
        intern(db, &task.requires)?,
        standing(task),
        due(task),
        task.agent_id,
        task.session_id,
        task.parent_id,
        wake_at(task),
        took(task),
        task.token as i64,
        seq as i64,
        lease_ms(task),
        task.waits_for_choice(),
    ])?;
    if shape {
        put_dependencies(db, task, seq)?;
    }
    Ok(())
}

/// Moves a row without touching the indexes of what a task asks for.
fn moved(db: &Connection, task: &Task, seq: u64) -> Result<bool> {
    let rows = db
        .prepare_cached(
            "UPDATE task_row SET status = ?2, open = ?3, assignee = ?4, wake_at = ?5, took_ms = ?6, token = ?7,
             aside = NULL, seq = ?8, lease_ms = ?9, auto = ?10, renewals = renewals + 1 WHERE n = ?1",
        )?
        .execute(params![
            task.created_seq as i64,
            task.status.as_str(),
            open(task),
            task.agent_id,
            wake_at(task),
            took(task),
            task.token as i64,
            seq as i64,
            lease_ms(task),
            task.waits_for_choice(),
        ])?;
    Ok(rows == 1)
}

fn put_dependencies(db: &Connection, task: &Task, seq: u64) -> Result<()> {
    if task.created_seq != seq {
        db.prepare_cached("DELETE FROM dep WHERE task_id = ?1")?.execute([&task.task_id])?;
    }
    for other in &task.depends_on {
        db.prepare_cached("INSERT INTO dep VALUES (?1, ?2, ?3)")?.execute(params![
            task.task_id,
            other,
            seq as i64
        ])?;
    }
    Ok(())
}

fn open(task: &Task) -> i64 {
    match (task.status, &task.agent_id, task.retry_at) {
        (TaskStatus::Ready, None, None) => OPEN,
        (TaskStatus::Ready, Some(_), None) => RESERVED,
        _ => CLOSED,
    }
}

/// The priority that counts: that of the task, and one more for each time that it was raised.
fn standing(task: &Task) -> i64 {
    i64::from(task.priority) + i64::from(task.raised)
}

/// Its due date counts until the task has been raised above all: from there on only its age does.
fn due(task: &Task) -> i64 {
    if standing(task) >= ABOVE_ALL { i64::MIN } else { task.due_date.map_or(i64::MAX, Time::millis) }
}

/// When the keeper has to look at the task: the end of its back-off, or its due date.
fn wake_at(task: &Task) -> Option<i64> {
    let due = task.due_date.filter(|_| !task.overdue && !task.status.is_final());
    task.retry_at.into_iter().chain(due).map(Time::millis).min()
}

fn took(task: &Task) -> Option<i64> {
    let (start, end) = (task.claimed_at?, task.ended_at?);
    (task.status == TaskStatus::Completed).then_some(end.millis() - start.millis())
}

fn lease_ms(task: &Task) -> i64 {
    task.lease_seconds.map_or(0, |seconds| (seconds * 1000.0) as i64)
}

/// The number of a set of required capabilities.
fn intern(db: &Connection, requires: &[String]) -> Result<i64> {
    if requires.is_empty() {
        return Ok(NO_SET);
    }
    let text = serde_json::to_string(requires).map_err(|e| Error::internal(e.to_string()))?;
    let known: Option<i64> = db
        .prepare_cached("SELECT reqset FROM reqset WHERE requires = ?1")?
        .query_row([&text], |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => {
            db.prepare_cached("INSERT INTO reqset (requires) VALUES (?1)")?.execute([&text])?;
            Ok(db.last_insert_rowid())
        }
    }
}

/// The sets of requirements that an agent with these capabilities satisfies.
pub(crate) fn satisfied(db: &Connection, capable: impl Fn(&str) -> bool) -> Result<Vec<i64>> {
    let mut sets = vec![NO_SET];
    let mut statement = db.prepare_cached("SELECT reqset, requires FROM reqset")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let words: Vec<String> =
            serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?).map_err(|e| {
                Error::storage(format!("the file is damaged: a set of requirements cannot be read: {e}"))
            })?;
        if words.iter().all(|word| capable(word)) {
            sets.push(row.get(0)?);
        }
    }
    Ok(sets)
}

/// A task that could be claimed, and what it is ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    rank: (std::cmp::Reverse<i64>, i64, i64),
}

impl Candidate {
    /// The task's row.
    pub fn n(&self) -> i64 {
        self.rank.2
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Candidate> {
        Ok(Candidate { rank: (std::cmp::Reverse(row.get(0)?), row.get(1)?, row.get(2)?) })
    }
}

/// The best open tasks of these sets and those reserved for the agent, at most `count`: by priority, due date, age.
pub(crate) fn best(db: &Connection, sets: &[i64], agent_id: &str, count: usize) -> Result<Vec<Candidate>> {
    let mut best = Vec::new();
    let mut of_set = db.prepare_cached(
        "SELECT priority, due, n FROM task WHERE reqset = ?1 AND open = 1 ORDER BY priority DESC, due, n LIMIT ?2",
    )?;
    for set in sets {
        let rows = of_set.query_map(params![set, count as i64], Candidate::from_row)?;
        best.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    let mut reserved = db.prepare_cached(
        "SELECT priority, due, n FROM task WHERE assignee = ?1 AND open = 2 ORDER BY priority DESC, due, n LIMIT ?2",
    )?;
    let rows = reserved.query_map(params![agent_id, count as i64], Candidate::from_row)?;
    best.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    best.sort();
    best.truncate(count);
    Ok(best)
}

/// The task in this row, and its own counter.
pub(crate) fn by_number(db: &Connection, n: i64) -> Result<Option<(Task, i64)>> {
    let row: Option<(String, i64)> = db
        .prepare_cached("SELECT body, renewals FROM task WHERE n = ?1")?
        .query_row([n], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(body, count)| Ok((read(&body)?, count))).transpose()
}

/// A task by its id.
pub(crate) fn get(db: &Connection, task_id: &str) -> Result<Option<Task>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM task WHERE task_id = ?1")?
        .query_row([task_id], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// A task by its id, with its lease.
pub(crate) fn with_lease(db: &Connection, task_id: &str) -> Result<Option<(Task, Lease)>> {
    let found: Option<(String, Lease)> = db
        .prepare_cached(lease!(", t.body", "t.task_id = ?1"))?
        .query_row([task_id], |row| Ok((row.get(4)?, lease_row(row)?)))
        .optional()?;
    found.map(|(body, lease)| Ok((read(&body)?, lease))).transpose()
}

/// A task with the `seq` of its newest event.
pub(crate) fn with_seq(db: &Connection, task_id: &str) -> Result<Option<(Task, u64)>> {
    let row: Option<(String, i64)> = db
        .prepare_cached("SELECT body, seq FROM task WHERE task_id = ?1")?
        .query_row([task_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(body, seq)| Ok((read(&body)?, seq as u64))).transpose()
}

/// Reads a stored task.
pub(crate) fn read(body: &str) -> Result<Task> {
    serde_json::from_str(body)
        .map_err(|e| Error::storage(format!("the file is damaged: a task cannot be read: {e}")))
}

/// The status of a task, without reading the rest.
pub(crate) fn status(db: &Connection, task_id: &str) -> Result<Option<TaskStatus>> {
    let text: Option<String> = db
        .prepare_cached("SELECT status FROM task WHERE task_id = ?1")?
        .query_row([task_id], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| TaskStatus::ALL.into_iter().find(|status| status.as_str() == text)))
}

/// Tasks that depend on this one.
pub(crate) fn dependents(db: &Connection, task_id: &str) -> Result<Vec<String>> {
    ids(db, "SELECT task_id FROM dep WHERE depends_on = ?1", task_id)
}

/// Tasks that are parts of this one.
pub(crate) fn children(db: &Connection, task_id: &str) -> Result<Vec<String>> {
    ids(db, "SELECT task_id FROM task WHERE parent_id = ?1", task_id)
}

/// Tasks on which this one depends.
pub(crate) fn dependencies(db: &Connection, task_id: &str) -> Result<Vec<String>> {
    ids(db, "SELECT depends_on FROM dep WHERE task_id = ?1", task_id)
}

fn ids(db: &Connection, sql: &str, task_id: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([task_id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn lease_row(row: &Row<'_>) -> rusqlite::Result<Lease> {
    let task_id: String = row.get(0)?;
    Ok(Lease {
        entity: format!("task:{task_id}"),
        token: row.get::<_, i64>(1)? as u64,
        ttl: Duration::from_millis(row.get::<_, i64>(2)?.max(0) as u64),
        count: row.get(3)?,
    })
}

/// The leases of all tasks that are held.
pub(crate) fn leases(db: &Connection) -> Result<Vec<Lease>> {
    let mut statement = db.prepare_cached(lease!("", "t.status IN ('claimed', 'in_progress')"))?;
    let rows = statement.query_map([], lease_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The lease of one task, held or not.
pub(crate) fn lease(db: &Connection, task_id: &str) -> Result<Option<Lease>> {
    Ok(db.prepare_cached(lease!("", "t.task_id = ?1"))?.query_row([task_id], lease_row).optional()?)
}

/// Shows that a held task's agent is at work, and for how long it wants the lease.
pub(crate) fn renew(db: &Connection, task: &Task, lease_ms: i64) -> Result<()> {
    db.prepare_cached("UPDATE task_row SET renewals = renewals + 1, lease_ms = ?2 WHERE n = ?1")?
        .execute(params![task.created_seq as i64, lease_ms])?;
    Ok(())
}

/// Keeps what the newest events of tasks say, before retention takes those events (up to `upto`).
pub(crate) fn set_aside(db: &Connection, upto: u64) -> Result<()> {
    db.prepare_cached(
        "UPDATE task_row SET aside = (SELECT data FROM event e WHERE e.seq = task_row.seq)
         WHERE task_id IN (SELECT task_id FROM event WHERE seq <= ?1 AND kind GLOB 'task.*')
           AND seq <= ?1 AND aside IS NULL",
    )?
    .execute([upto as i64])?;
    Ok(())
}

/// Tasks whose back-off is over, and when the next one's is.
pub(crate) fn due_to_wake(db: &Connection, now: Time, limit: usize) -> Result<(Vec<String>, Option<Time>)> {
    let mut statement = db.prepare_cached(
        "SELECT task_id FROM task WHERE wake_at IS NOT NULL AND wake_at <= ?1 ORDER BY wake_at LIMIT ?2",
    )?;
    let rows = statement.query_map(params![now.millis(), limit as i64], |row| row.get(0))?;
    let due = rows.collect::<rusqlite::Result<Vec<String>>>()?;
    let next: Option<i64> = db
        .prepare_cached("SELECT min(wake_at) FROM task WHERE wake_at IS NOT NULL AND wake_at > ?1")?
        .query_row([now.millis()], |row| row.get(0))?;
    Ok((due, next.map(Time::from_millis)))
}

/// How many of its newest tasks an agent's mean is taken over.
const MEAN_OVER: i64 = 1_000;

/// What an agent has done so far, counted from the tasks it held last.
pub(crate) fn performance(db: &Connection, agent_id: &str) -> Result<Performance> {
    let count = |status: TaskStatus| -> Result<u64> {
        let count: i64 = db
            .prepare_cached("SELECT count(*) FROM task WHERE assignee = ?1 AND status = ?2")?
            .query_row(params![agent_id, status.as_str()], |row| row.get(0))?;
        Ok(count as u64)
    };
    let (tasks_done, tasks_failed) = (count(TaskStatus::Completed)?, count(TaskStatus::Failed)?);
    let mean: Option<f64> = db
        .prepare_cached(
            "SELECT avg(took_ms) / 1000.0 FROM (SELECT took_ms FROM task WHERE assignee = ?1 AND status = 'completed'
             ORDER BY n DESC LIMIT ?2)",
        )?
        .query_row(params![agent_id, MEAN_OVER], |row| row.get(0))?;
    let ended = tasks_done + tasks_failed;
    Ok(Performance {
        tasks_done,
        tasks_failed,
        success_rate: (ended > 0).then(|| tasks_done as f64 / ended as f64),
        mean_task_seconds: mean,
    })
}

/// A task in a few words, for summaries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskGlance {
    /// Its id.
    pub task_id: String,
    /// What it is.
    pub title: String,
    /// 0 to 100.
    pub progress: f64,
    /// What is being done.
    pub phase: Option<String>,
    /// When it may be done.
    pub estimated_completion: Option<Time>,
    /// How many parts it has, and how many of them are completed.
    pub subtasks: u64,
    /// How many of its parts are completed.
    pub subtasks_completed: u64,
}

/// The task that an agent has held longest.
pub(crate) fn glance(db: &Connection, agent_id: &str) -> Result<Option<TaskGlance>> {
    let body: Option<String> = db
        .prepare_cached(
            "SELECT body FROM task WHERE assignee = ?1 AND status IN ('claimed', 'in_progress') ORDER BY n LIMIT 1",
        )?
        .query_row([agent_id], |row| row.get(0))
        .optional()?;
    let Some(task) = body.map(|body| read(&body)).transpose()? else { return Ok(None) };
    let (subtasks, subtasks_completed): (i64, i64) = db
        .prepare_cached(
            "SELECT count(*), ifnull(sum(status = 'completed'), 0) FROM task WHERE parent_id = ?1",
        )?
        .query_row([&task.task_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some(TaskGlance {
        task_id: task.task_id,
        title: task.title,
        progress: task.progress,
        phase: task.phase,
        estimated_completion: task.estimated_completion,
        subtasks: subtasks as u64,
        subtasks_completed: subtasks_completed as u64,
    }))
}
