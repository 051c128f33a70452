//! Reserving tasks: for a named agent, or for the one the engine chooses; and what becomes of a reservation whose agent
//! is gone.

use std::time::Duration;

use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{Assignment, Roster};
use super::events::{ASSIGNED, UNASSIGNED};
use super::manage::changeable;
use super::{Task, TaskError, TaskStatus, changes, create, reserved, tables};
use crate::config::HubConfig;
use crate::error::Result;
use crate::leases::Lease;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// What stands for the agent that the engine chooses.
pub(crate) const AUTO: &str = "auto";

/// Input of `task.assign`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The task; must be blocked or ready.
    pub task_id: String,
    /// The agent it is to be reserved for; `auto` lets the engine choose, null takes a reservation away.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Assign {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        let mut task = changeable(cx, &self.task_id, "assigned")?;
        match self.agent_id.as_deref() {
            Some(AUTO) => {
                let chosen = Roster::default().choose(cx.db, cx.now, &task, &|_| false)?;
                if chosen.agent_id.is_none() {
                    return Err(
                        TaskError::Nobody { chosen: Box::new(chosen), current: Box::new(task) }.into()
                    );
                }
                task.reserve(chosen);
            }
            named => {
                if let Some(agent_id) = named {
                    create::check_agent(cx, "agent_id", agent_id)?;
                    check_capable(cx, &task, agent_id)?;
                }
                task.agent_id = named.map(str::to_owned);
                task.auto_assign = false;
                task.assignment = None;
                task.step(cx.now, "assigned", None);
            }
        }
        task.updated_at = cx.now;
        changes::emit(cx, ASSIGNED, task.clone());
        Ok(task)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

fn check_capable(cx: &Decide<'_>, task: &Task, agent_id: &str) -> Result<()> {
    let agent = crate::agents::tables::profile(cx.db, agent_id)?;
    let can = |word: &String| agent.as_ref().is_some_and(|agent| agent.capabilities.contains_key(word));
    let missing: Vec<String> = task.requires.iter().filter(|word| !can(word)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (agent_id, task_id) = (agent_id.to_owned(), task.task_id.clone());
    Err(TaskError::NotCapable { agent_id, task_id, missing }.into())
}

impl Task {
    /// Reserves it for whom the engine chose, if anyone; it stays the engine's to assign.
    pub(crate) fn reserve(&mut self, chosen: Assignment) {
        self.auto_assign = true;
        self.agent_id.clone_from(&chosen.agent_id);
        if self.agent_id.is_some() {
            self.step(chosen.at, "assigned", Some(chosen.reason.clone()));
        }
        self.assignment = Some(chosen);
    }

    /// Takes a reservation away whose agent is gone.
    fn unreserve(&mut self, cx: &Decide<'_>, why: &str) {
        self.step(cx.now, "unassigned", Some(why.to_owned()));
        self.agent_id = None;
    }

    /// Whether it waits for the engine to choose its agent.
    pub(crate) fn waits_for_choice(&self) -> bool {
        self.auto_assign
            && self.status == TaskStatus::Ready
            && self.agent_id.is_none()
            && self.retry_at.is_none()
    }
}

/// Assigns tasks that wait for the engine's choice, as far as someone can take them. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AssignWaiting {
    /// Only those younger than the task in this row.
    pub after: i64,
    /// How many are looked at.
    pub count: usize,
}

impl Change for AssignWaiting {
    /// The row after which to go on; 0 when there was no more.
    type Output = i64;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<i64> {
        let mut roster = Roster::default();
        let waiting = reserved::waiting_for_choice(cx.db, self.after, self.count)?;
        let last = waiting.last().filter(|_| waiting.len() == self.count);
        let upto = last.map_or(0, |task| task.created_seq as i64);
        for mut task in waiting {
            let chosen = roster.choose(cx.db, cx.now, &task, &|_| false)?;
            if chosen.agent_id.is_some() {
                task.reserve(chosen);
                task.updated_at = cx.now;
                changes::emit(cx, ASSIGNED, task);
            }
        }
        Ok(upto)
    }
}

/// What is reserved for agents that are offline, as leases: of no length for what the engine assigned, of
/// `reservation_seconds` for what a caller did. They begin anew with each change of the task or of its agent.
pub(crate) fn away(db: &Connection, config: &HubConfig) -> Result<Vec<Lease>> {
    let kept = Duration::from_secs_f64(config.reservation_seconds);
    let absent = reserved::for_absent(db, kept.is_zero())?;
    let lease = |reserved: reserved::Reserved| Lease {
        entity: format!("away:{}", reserved.task_id),
        token: 0,
        count: reserved.count,
        ttl: if reserved.auto { Duration::ZERO } else { kept },
    };
    Ok(absent.into_iter().map(lease).collect())
}

/// Gives on what is reserved for an agent that is offline, if it still is: to whom the engine chooses when it assigned
/// the task, else to whoever claims it. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GiveOn {
    pub task_id: String,
    /// What was seen of task and agent.
    pub count: i64,
}

impl Change for GiveOn {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let stands = reserved::seen(cx.db, &self.task_id)?.is_some_and(|count| count == self.count);
        let Some(mut task) = tables::get(cx.db, &self.task_id)?.filter(|_| stands) else { return Ok(false) };
        task.unreserve(cx, "its agent is offline");
        let mut kind = UNASSIGNED;
        if task.auto_assign {
            let chosen = Roster::default().choose(cx.db, cx.now, &task, &|_| false)?;
            kind = if chosen.agent_id.is_some() { ASSIGNED } else { UNASSIGNED };
            task.reserve(chosen);
        }
        task.updated_at = cx.now;
        changes::emit(cx, kind, task);
        Ok(true)
    }
}
