//! Waiting for tasks: for one to claim, or for one to end.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::{Claim, ClaimNow, anything};
use super::events::OPENING;
use super::{Get, Task};
use crate::clock::Time;
use crate::error::Result;
use crate::events::consumers::wait_time;
use crate::events::filter::Filter;
use crate::events::subscription::Subscription;
use crate::hub::{Check, Scope};
use crate::operations::Compose;
use crate::pipeline::command::{Class, Query};

impl Compose for Claim {
    type Output = Option<Task>;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<Option<Task>> {
        let wait = wait_time(self.wait_seconds)?;
        let agent_id = self.agent_id.clone();
        let named = self.task_id.is_some();
        let now = ClaimNow(self);
        let attempt = || -> Result<Option<Task>> {
            let task = scope.core.change(scope.op.name, Class::Durable, scope.by, now.clone())?;
            if let Some(task) = &task {
                let ttl = Duration::from_secs_f64(task.lease_seconds.unwrap_or_default());
                scope.core.keeper.note_lease(ttl);
            }
            Ok(task)
        };
        let start = Instant::now();
        let first = attempt()?;
        if first.is_some() || named || wait.is_zero() {
            return Ok(first);
        }
        // Listen first, then look: what opens in between is not missed.
        let mut opened = Subscription::open(scope.core, Filter::kinds(OPENING), scope.by, None)?;
        loop {
            if scope.core.storage.read(|reader| anything(reader.db, &agent_id))? {
                let task = attempt()?;
                if task.is_some() {
                    return Ok(task);
                }
            }
            let left = wait.saturating_sub(start.elapsed());
            if left.is_zero() || opened.next_until(left, check)?.is_none() {
                return Ok(None);
            }
            // One look is enough for all that opened meanwhile.
            while opened.try_next()?.is_some() {}
        }
    }
}

/// Input of `task.wait`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The task.
    pub task_id: String,
    /// Seconds to wait for its end, at most 3,600; 60 when left out.
    #[serde(default)]
    pub wait_seconds: Option<f64>,
}

/// Answer of `task.wait`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Waited {
    /// Whether it has ended.
    pub ended: bool,
    /// The task as it stands.
    pub task: Task,
    /// When this was so.
    pub timestamp: Time,
}

impl Compose for Wait {
    type Output = Waited;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<Waited> {
        let wait = wait_time(Some(self.wait_seconds.unwrap_or(60.0)))?;
        crate::id::check_name("task_id", &self.task_id)?;
        let start = Instant::now();
        let filter = Filter { task_id: Some(self.task_id.clone()), ..Filter::kinds(["task.*"]) };
        let mut changes = Subscription::open(scope.core, filter, scope.by, None)?;
        let get = Get { task_id: self.task_id };
        loop {
            let task = scope.core.storage.read(|reader| get.read(reader, scope.by))?;
            let left = wait.saturating_sub(start.elapsed());
            let ended = task.status.is_final();
            if ended || left.is_zero() {
                return Ok(Waited { ended, task, timestamp: scope.core.seams.clock.wall() });
            }
            changes.next_until(left, check)?;
        }
    }
}
