//! Claiming: exactly one winner.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::CLAIMED;
use super::queries::Tasks;
use super::{Task, TaskError, TaskStatus, changes, tables};
use crate::agents;
use crate::error::{Error, Result};
use crate::id;
use crate::leases::Lease;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Input of `task.claim` without its waiting.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Who claims; must be registered.
    pub agent_id: String,
    /// This task instead of the best one.
    #[serde(default)]
    pub task_id: Option<String>,
    /// Seconds that the lease lasts without a sign of life, 0.05 to 86,400; 60 when left out.
    #[serde(default)]
    pub lease_seconds: Option<f64>,
    /// Seconds to wait for a task when there is none, at most 3,600.
    #[serde(default)]
    pub wait_seconds: Option<f64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Claim {
    /// The best task for this agent.
    pub fn new(agent_id: &str) -> Claim {
        Claim { agent_id: agent_id.to_owned(), ..Claim::default() }
    }
}

/// One attempt to claim, inside the pipeline.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClaimNow(pub Claim);

impl Change for ClaimNow {
    type Output = Option<Task>;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Option<Task>> {
        let claimer = Claimer::check(cx, &self.0.agent_id, self.0.lease_seconds)?;
        match &self.0.task_id {
            Some(task_id) => claimer.take_named(cx, task_id).map(Some),
            None => Ok(claimer.take_best(cx, 1)?.pop()),
        }
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }
}

/// Input of `task.claim_many`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimMany {
    /// Who claims; must be registered.
    pub agent_id: String,
    /// At most this many, 1 to 1,000.
    pub count: u64,
    /// Seconds that the leases last without a sign of life, 0.05 to 86,400; 60 when left out.
    #[serde(default)]
    pub lease_seconds: Option<f64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for ClaimMany {
    type Output = Tasks;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Tasks> {
        if self.count == 0 {
            return Err(Error::invalid("count", 0, "must be at least 1"));
        }
        cx.check_count("count", self.count as usize)?;
        let claimer = Claimer::check(cx, &self.agent_id, self.lease_seconds)?;
        Ok(Tasks { tasks: claimer.take_best(cx, self.count as usize)?, next_cursor: None })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Who claims, checked, with what it can do.
struct Claimer {
    agent_id: String,
    can: HashSet<String>,
    lease_seconds: f64,
    /// The counters of the agent and of the process that beats for it.
    beats: i64,
}

impl Claimer {
    fn check(cx: &Decide<'_>, agent_id: &str, lease_seconds: Option<f64>) -> Result<Claimer> {
        id::check_name("agent_id", agent_id)?;
        cx.by.may_act_as("agent_id", agent_id)?;
        let lease_seconds = check_lease(lease_seconds, cx.config.lease_seconds)?;
        let (can, beats) = agents::tables::able(cx.db, agent_id)?.ok_or_else(|| {
            Error::from(agents::AgentError::Unknown(agent_id.to_owned())).with("field", "agent_id")
        })?;
        Ok(Claimer { agent_id: agent_id.to_owned(), can, lease_seconds, beats })
    }

    fn take_best(&self, cx: &mut Decide<'_>, count: usize) -> Result<Vec<Task>> {
        let sets = tables::satisfied(cx.db, |word| self.can.contains(word))?;
        let best = tables::best(cx.db, &sets, &self.agent_id, count)?;
        let mut taken = Vec::with_capacity(best.len());
        for candidate in best {
            if let Some((task, counter)) = tables::by_number(cx.db, candidate.n())? {
                taken.push((task, counter));
            }
        }
        Ok(taken.into_iter().map(|(task, counter)| self.take(cx, task, counter)).collect())
    }

    fn take_named(&self, cx: &mut Decide<'_>, task_id: &str) -> Result<Task> {
        id::check_name("task_id", task_id)?;
        let task = tables::get(cx.db, task_id)?.ok_or_else(|| TaskError::Unknown(task_id.to_owned()))?;
        let reserved_for_other = task.agent_id.as_ref().is_some_and(|other| *other != self.agent_id);
        if task.status != TaskStatus::Ready
            || reserved_for_other
            || task.retry_at.is_some_and(|at| at > cx.steady)
        {
            return Err(TaskError::WrongState { verb: "claimed", current: Box::new(task) }.into());
        }
        let missing: Vec<String> =
            task.requires.iter().filter(|word| !self.can.contains(*word)).cloned().collect();
        if !missing.is_empty() {
            let (agent_id, task_id) = (self.agent_id.clone(), task.task_id);
            return Err(TaskError::NotCapable { agent_id, task_id, missing }.into());
        }
        let counter = tables::lease(cx.db, task_id)?.map_or(0, |lease| lease.count);
        Ok(self.take(cx, task, counter))
    }

    fn take(&self, cx: &mut Decide<'_>, mut task: Task, counter: i64) -> Task {
        task.status = TaskStatus::Claimed;
        task.agent_id = Some(self.agent_id.clone());
        task.token = cx.upcoming_seq();
        task.lease_seconds = Some(self.lease_seconds);
        task.attempts += 1;
        task.retry_at = None;
        task.assignment = None;
        task.claimed_at = Some(cx.now);
        task.updated_at = cx.now;
        task.step(cx.now, "claimed", None);
        // Seen from the first moment, so that a process that is stopped right after it judges itself rightly.
        let lease = Lease {
            entity: format!("task:{}", task.task_id),
            token: task.token,
            count: counter + 1 + self.beats,
            ttl: std::time::Duration::from_secs_f64(self.lease_seconds),
        };
        cx.leases.grant(&lease, cx.boot);
        changes::emit(cx, CLAIMED, task.clone());
        task
    }
}

pub(crate) fn check_lease(given: Option<f64>, default: f64) -> Result<f64> {
    const MOST: f64 = 86_400.0;
    let seconds = given.unwrap_or(default);
    if (0.05..=MOST).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::invalid("lease_seconds", seconds, format_args!("must be from 0.05 to {MOST}")))
}

/// Whether there is something that this agent could claim now: looked up before the turn to write is asked for.
pub(crate) fn anything(db: &rusqlite::Connection, agent_id: &str) -> Result<bool> {
    let Some(agent) = agents::tables::profile(db, agent_id)? else { return Ok(true) };
    let sets = tables::satisfied(db, |word| agent.capabilities.contains_key(word))?;
    Ok(!tables::best(db, &sets, agent_id, 1)?.is_empty())
}
