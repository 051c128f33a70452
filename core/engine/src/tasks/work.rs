//! Working on a claimed task: renew, report, complete, fail, give back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::changes::{self, Changes};
use super::claim::check_lease;
use super::events::{COMPLETED, FAILED, PROGRESSED, RELEASED, RETRYING};
use super::queries::Tasks;
use super::{LogLine, Task, TaskError, TaskStatus, tables};
use crate::error::{Error, Result};
use crate::id;
use crate::json::Json;
use crate::leases::Lease;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// The longest back-off, in seconds.
const LONGEST_RETRY: f64 = 300.0;

/// The task that an agent holds with this token, or why it does not.
fn held(cx: &Decide<'_>, task_id: &str, agent_id: &str, token: u64) -> Result<Task> {
    id::check_name("task_id", task_id)?;
    id::check_name("agent_id", agent_id)?;
    cx.by.may_act_as("agent_id", agent_id)?;
    let (task, lease) =
        tables::with_lease(cx.db, task_id)?.ok_or_else(|| TaskError::Unknown(task_id.to_owned()))?;
    check_held(cx, &task, &lease, agent_id, token)?;
    Ok(task)
}

fn check_held(cx: &Decide<'_>, task: &Task, lease: &Lease, agent_id: &str, token: u64) -> Result<()> {
    let lost = |why: String| {
        Err(TaskError::LeaseLost {
            task_id: task.task_id.clone(),
            token,
            why,
            current: Box::new(task.clone()),
        }
        .into())
    };
    if task.token != token {
        return lost(match task.status.is_held() {
            true => format!("{:?} holds it now", task.agent_id.as_deref().unwrap_or("")),
            false => format!("the task is {}", task.status.as_str()),
        });
    }
    if task.status.is_final() {
        return Err(TaskError::WrongState {
            verb: "changed by who held it",
            current: Box::new(task.clone()),
        }
        .into());
    }
    if !task.status.is_held() {
        return lost(format!("the task is {}", task.status.as_str()));
    }
    if task.agent_id.as_deref() != Some(agent_id) {
        return lost(format!("{:?} holds it", task.agent_id.as_deref().unwrap_or("")));
    }
    if cx.leases.left(lease, cx.boot).is_zero() {
        cx.leases.refuse(lease);
        return lost("nothing was heard for its whole time".to_owned());
    }
    Ok(())
}

/// The task, if who asks may end it: its holder by token, or who made it while nobody holds it, or an operator.
fn endable(
    cx: &Decide<'_>,
    task_id: &str,
    agent_id: Option<&str>,
    token: Option<u64>,
    ends: bool,
) -> Result<Task> {
    if let (Some(token), Some(agent_id)) = (token, agent_id) {
        return held(cx, task_id, agent_id, token);
    }
    if token.is_some() {
        return Err(Error::invalid("agent_id", serde_json::Value::Null, "is needed with a token"));
    }
    id::check_name("task_id", task_id)?;
    let by = cx.acting("agent_id", agent_id)?;
    let task = tables::get(cx.db, task_id)?.ok_or_else(|| TaskError::Unknown(task_id.to_owned()))?;
    require_say(&by, &task)?;
    if task.status.is_final() {
        return Err(TaskError::WrongState { verb: "ended", current: Box::new(task) }.into());
    }
    if task.status.is_held() && !(ends && by.agent_id().is_none()) {
        return Err(TaskError::TokenNeeded { current: Box::new(task) }.into());
    }
    Ok(task)
}

/// Refuses an agent that did not make the task; operators and the process have a say over every task.
pub(crate) fn require_say(by: &Principal, task: &Task) -> Result<()> {
    match by.agent_id() {
        Some(agent) if agent != task.creator_id => {
            Err(TaskError::NotYours { who: by.to_string(), task_id: task.task_id.clone() }.into())
        }
        _ => Ok(()),
    }
}

/// Input of `task.renew`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The task.
    pub task_id: String,
    /// Who holds it.
    pub agent_id: String,
    /// The token of the claim.
    pub token: u64,
    /// Seconds that the lease lasts from now on without a sign of life; as before when left out.
    #[serde(default)]
    pub lease_seconds: Option<f64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `task.renew`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Renewed {
    /// The task.
    pub task_id: String,
    /// Seconds that the lease lasts from now on.
    pub lease_seconds: f64,
}

impl Change for Renew {
    type Output = Renewed;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Renewed> {
        let task = held(cx, &self.task_id, &self.agent_id, self.token)?;
        let before = tables::lease(cx.db, &task.task_id)?.map_or(0.0, |lease| lease.ttl.as_secs_f64());
        let lease_seconds = check_lease(self.lease_seconds, before)?;
        tables::renew(cx.db, &task, (lease_seconds * 1000.0) as i64)?;
        Ok(Renewed { task_id: task.task_id, lease_seconds })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// A line for a task's log: a text, or a text with its level.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a line of text, or an object of level and message")]
pub enum Log {
    /// A line of level `info`.
    Line(String),
    /// A line with its level.
    Levelled {
        /// `debug`, `info`, `warning`, `error`, or another word.
        level: String,
        /// The line.
        message: String,
    },
}

/// Input of `task.progress`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The task.
    pub task_id: String,
    /// Who holds it.
    pub agent_id: String,
    /// The token of the claim.
    pub token: u64,
    /// 0 to 100.
    #[serde(default)]
    pub progress: Option<f64>,
    /// What is being done, in a word.
    #[serde(default)]
    pub phase: Option<String>,
    /// A line for the log.
    #[serde(default)]
    pub log: Option<Log>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Progress {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        let mut task = held(cx, &self.task_id, &self.agent_id, self.token)?;
        if let Some(progress) = self.progress {
            if !(0.0..=100.0).contains(&progress) {
                return Err(Error::invalid("progress", progress, "must be from 0 to 100"));
            }
            task.progress = progress;
            task.estimated_completion = estimate(cx, &task);
        }
        if let Some(phase) = &self.phase {
            id::check_name("phase", phase)?;
            task.phase = Some(phase.clone());
        }
        if let Some(log) = &self.log {
            let (level, message) = match log {
                Log::Line(message) => ("info", message),
                Log::Levelled { level, message } => (level.as_str(), message),
            };
            id::check_name("log.level", level)?;
            check_line(message)?;
            task.note(LogLine { timestamp: cx.now, level: level.to_owned(), message: message.clone() });
        }
        task.status = TaskStatus::InProgress;
        task.updated_at = cx.now;
        changes::answer(cx, PROGRESSED, task.clone());
        Ok(task)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

fn check_line(message: &str) -> Result<()> {
    const LONGEST: usize = 4_096;
    if message.len() > LONGEST {
        return Err(Error::field_limit("log", "bytes of a log line", LONGEST as u64, message.len() as u64));
    }
    if message.contains('\0') {
        return Err(Error::invalid("log", message, "must not hold a NUL character"));
    }
    Ok(())
}

/// When the task may be done: what is left takes as long, for its part, as what is done took since the claim.
fn estimate(cx: &Decide<'_>, task: &Task) -> Option<crate::clock::Time> {
    let elapsed = cx.now.seconds_since(task.claimed_at?).max(0.0);
    (task.progress > 0.0).then(|| cx.now.plus_seconds(elapsed / task.progress * (100.0 - task.progress)))
}

/// Input of `task.complete`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// The task.
    pub task_id: String,
    /// Who completes it; its maker or an operator may complete one that nobody holds.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// The token of the claim; needed while the task is held.
    #[serde(default)]
    pub token: Option<u64>,
    /// What came out: any JSON value, at most 1 MiB.
    #[serde(default)]
    pub result: Option<Json>,
    /// End the lease of whoever holds it; for operators.
    #[serde(default, rename = "override")]
    pub over: bool,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Complete {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        let result = self.result.clone().unwrap_or_default();
        cx.check_value("result", &result)?;
        let task = endable(cx, &self.task_id, self.agent_id.as_deref(), self.token, self.over)?;
        complete(cx, task, result)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

fn complete(cx: &mut Decide<'_>, mut task: Task, result: Json) -> Result<Task> {
    task.step(cx.now, "completed", None);
    task.status = TaskStatus::Completed;
    task.progress = 100.0;
    task.estimated_completion = None;
    task.error = None;
    task.result = result;
    end(cx, COMPLETED, task)
}

/// Ends a task and proposes what follows.
fn end(cx: &mut Decide<'_>, kind: &'static str, task: Task) -> Result<Task> {
    let id = task.task_id.clone();
    let mut changes = Changes::default();
    changes.end(cx, kind, task)?;
    changes.emit_answer(cx, &id)
}

/// One task of `task.complete_many`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Completed {
    /// The task.
    pub task_id: String,
    /// The token of the claim.
    pub token: u64,
    /// What came out.
    #[serde(default)]
    pub result: Option<Json>,
}

/// Input of `task.complete_many`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteMany {
    /// Who holds them.
    pub agent_id: String,
    /// The tasks, at most 1,000: all are completed, or none.
    pub tasks: Vec<Completed>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for CompleteMany {
    type Output = Tasks;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Tasks> {
        id::check_name("agent_id", &self.agent_id)?;
        cx.by.may_act_as("agent_id", &self.agent_id)?;
        cx.check_count("tasks", self.tasks.len())?;
        let mut seen = std::collections::HashSet::new();
        let mut changes = Changes::default();
        for (i, done) in self.tasks.iter().enumerate() {
            let at = |error: Error| error.within(&format!("tasks[{i}]"));
            if !seen.insert(done.task_id.as_str()) {
                return Err(at(Error::invalid("task_id", done.task_id.as_str(), "stands twice in one call")));
            }
            let mut task = held(cx, &done.task_id, &self.agent_id, done.token).map_err(at)?;
            let result = done.result.clone().unwrap_or_default();
            cx.check_value("result", &result).map_err(at)?;
            task.step(cx.now, "completed", None);
            task.status = TaskStatus::Completed;
            task.progress = 100.0;
            task.estimated_completion = None;
            task.error = None;
            task.result = result;
            changes.end(cx, COMPLETED, task)?;
        }
        let mut newest = changes.emit(cx);
        let tasks = self.tasks.iter().filter_map(|done| newest.remove(&done.task_id)).collect();
        Ok(Tasks { tasks, next_cursor: None })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `task.fail`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// The task.
    pub task_id: String,
    /// Who failed; its maker or an operator may fail one that nobody holds.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// The token of the claim; needed while the task is held.
    #[serde(default)]
    pub token: Option<u64>,
    /// What went wrong, at most 64 KiB.
    pub error: String,
    /// Whether to try again while attempts are left; true when left out.
    #[serde(default)]
    pub retry: Option<bool>,
    /// End the lease of whoever holds it; for operators.
    #[serde(default, rename = "override")]
    pub over: bool,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Fail {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        cx.check_text("error", &self.error)?;
        let task = endable(cx, &self.task_id, self.agent_id.as_deref(), self.token, self.over)?;
        let retry = self.retry.unwrap_or(true) && task.status.is_held();
        fail(cx, task, RETRYING, "failed", &self.error, retry)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Ends an attempt: the task is tried again (`again` says how that is called) or fails for good.
pub(crate) fn fail(
    cx: &mut Decide<'_>,
    mut task: Task,
    again: &'static str,
    what: &str,
    error: &str,
    retry: bool,
) -> Result<Task> {
    task.step(cx.now, what, Some(error.to_owned()));
    task.error = Some(error.to_owned());
    let left = task.attempts < task.max_attempts;
    if retry && left {
        let attempts = task.attempts;
        task.let_go();
        if again == RETRYING {
            let wait = (cx.config.retry_seconds * 2f64.powi(attempts.saturating_sub(1).min(30) as i32))
                .min(LONGEST_RETRY);
            task.retry_at = (wait > 0.0).then(|| cx.steady.plus_seconds(wait));
        }
        task.updated_at = cx.now;
        changes::emit(cx, again, task.clone());
        return Ok(task);
    }
    task.dead_letter = retry && !left;
    task.status = TaskStatus::Failed;
    task.estimated_completion = None;
    end(cx, FAILED, task)
}

/// Input of `task.release`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The task.
    pub task_id: String,
    /// Who holds it.
    pub agent_id: String,
    /// The token of the claim.
    pub token: u64,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Release {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        let mut task = held(cx, &self.task_id, &self.agent_id, self.token)?;
        task.step(cx.now, "released", None);
        task.attempts = task.attempts.saturating_sub(1);
        task.let_go();
        task.updated_at = cx.now;
        changes::answer(cx, RELEASED, task.clone());
        Ok(task)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
