//! What is reserved for whom, and what an agent has to do: the rows behind choices and reservations.

use rusqlite::{Connection, OptionalExtension, params};

use super::tables::read;
use super::{Task, choice};
use crate::error::Result;

/// How many tasks an agent holds and has reserved.
pub(crate) fn load(db: &Connection, agent_id: &str) -> Result<u64> {
    let count: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM task
             WHERE assignee = ?1 AND status IN ('blocked', 'ready', 'claimed', 'in_progress')",
        )?
        .query_row([agent_id], |row| row.get(0))?;
    Ok(count as u64)
}

/// Of the newest tasks that an agent ended: how many it completed, and how many there are.
pub(crate) fn recent(db: &Connection, agent_id: &str) -> Result<(u64, u64)> {
    let newest = |status: &str| {
        format!(
            "SELECT * FROM (SELECT n, status FROM task WHERE assignee = ?1 AND status = '{status}'
             ORDER BY n DESC LIMIT ?2)"
        )
    };
    let sql = format!(
        "SELECT ifnull(sum(status = 'completed'), 0), count(*) FROM ({} UNION ALL {} ORDER BY n DESC LIMIT ?2)",
        newest("completed"),
        newest("failed")
    );
    let (done, ended): (i64, i64) = db
        .prepare_cached(&sql)?
        .query_row(params![agent_id, choice::JUDGED_BY], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((done as u64, ended as u64))
}

fn tasks(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Task>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get::<_, String>(0))?;
    rows.map(|body| read(&body?)).collect()
}

/// Tasks that wait for the engine's choice, the oldest first, after a row.
pub(crate) fn waiting_for_choice(db: &Connection, after: i64, count: usize) -> Result<Vec<Task>> {
    let sql = "SELECT body FROM task WHERE auto = 1 AND n > ?1 ORDER BY n LIMIT ?2";
    tasks(db, sql, params![after, count as i64])
}

/// Whether any task waits for the engine's choice.
pub(crate) fn any_waiting_for_choice(db: &Connection) -> Result<bool> {
    let found = db.prepare_cached("SELECT 1 FROM task WHERE auto = 1 LIMIT 1")?.query_row([], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// What is reserved for an agent and may be begun, the most urgent first.
pub(crate) fn of(db: &Connection, agent_id: &str, count: usize) -> Result<Vec<Task>> {
    let sql =
        "SELECT body FROM task WHERE assignee = ?1 AND open = 2 ORDER BY priority DESC, due, n LIMIT ?2";
    tasks(db, sql, params![agent_id, count as i64])
}

/// A task that is reserved for an agent that is offline.
pub(crate) struct Reserved {
    pub task_id: String,
    /// Grows with every change of the task and of its agent's presence.
    pub count: i64,
    /// Whether the engine chose the agent.
    pub auto: bool,
}

/// How many reservations for absent agents are looked at in one go.
const AT_ONCE: i64 = 1_000;

/// What is reserved for agents that are offline; only what the engine assigned, when that is asked.
pub(crate) fn for_absent(db: &Connection, only_auto: bool) -> Result<Vec<Reserved>> {
    let mut statement = db.prepare_cached(
        "SELECT t.task_id, t.seq + p.seq, ifnull(t.body ->> '$.auto_assign', 0) AS auto
         FROM presence p CROSS JOIN task t ON t.assignee = p.agent_id AND t.open = 2
         WHERE p.status = 'offline' AND (auto OR NOT ?1) LIMIT ?2",
    )?;
    let rows = statement.query_map(params![only_auto, AT_ONCE], |row| {
        Ok(Reserved { task_id: row.get(0)?, count: row.get(1)?, auto: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What a reservation for an absent agent is seen by; `None` when it is none.
pub(crate) fn seen(db: &Connection, task_id: &str) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached(
            "SELECT t.seq + p.seq FROM task t JOIN presence p ON p.agent_id = t.assignee
             WHERE t.task_id = ?1 AND t.open = 2 AND p.status = 'offline'",
        )?
        .query_row([task_id], |row| row.get(0))
        .optional()?)
}
