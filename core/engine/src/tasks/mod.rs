//! Tasks: work that is shared out, done once, and not lost when who does it dies.
//!
//! ```text
//!            ┌─────────┐ last dependency completes  ┌───────┐ claim  ┌─────────┐ progress ┌─────────────┐
//!  create ──►│ blocked ├───────────────────────────►│ ready ├───────►│ claimed ├─────────►│ in_progress │
//!            └────┬────┘                            └─▲───┬─┘        └──┬──────┘          └──┬──────────┘
//!                 │ a dependency fails                │   │  release,   │                    │
//!                 │ (on_dependency_failure = fail)    └───┼──lapse, ◄───┴────────────────────┤
//!                 ▼                                       │  fail with retry                 │
//!              failed                       cancel ───────┴───► cancelled    completed ◄─────┴─────► failed
//! ```
//!
//! A claim is a lease with a *fencing token*: the `seq` of the event that granted it, so a later claim always has a
//! higher one. Whoever comes back with an older token gets `lease_lost` and changes nothing.

pub mod ageing;
pub mod assign;
pub mod changes;
pub mod choice;
pub mod claim;
pub mod create;
pub mod events;
pub mod execution;
pub(crate) mod keeper;
pub mod manage;
pub mod queries;
pub mod rebalance;
pub(crate) mod reserved;
pub mod tables;
pub(crate) mod tree;
pub mod wait;
pub mod work;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use assign::Assign;
pub use choice::{Assignment, Candidate, Hindrance, LeftOut};
pub use claim::{Claim, ClaimMany};
pub use create::{Create, CreateMany, NewTask};
pub use execution::{Execution, ExecutionUpdate};
pub use manage::{Cancel, Update};
pub use queries::{Board, Get, History, List, TaskPage, Tasks};
pub use rebalance::{Rebalance, Rebalanced};
pub use tables::TaskGlance;
pub use wait::Wait;
pub use work::{Complete, CompleteMany, Completed, Fail, Log, Progress, Release, Renew};

use crate::clock::Time;
use crate::error::Error;
use crate::json::Json;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Waits for tasks that it depends on.
    Blocked,
    /// May be claimed, at once or after its back-off.
    Ready,
    /// Leased to an agent.
    Claimed,
    /// Leased, and progress was reported.
    InProgress,
    /// Done, with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Called off.
    Cancelled,
}

impl TaskStatus {
    /// The status as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskStatus::Blocked => "blocked",
            TaskStatus::Ready => "ready",
            TaskStatus::Claimed => "claimed",
            TaskStatus::InProgress => "in_progress",
            TaskStatus::Completed => "completed",
            TaskStatus::Failed => "failed",
            TaskStatus::Cancelled => "cancelled",
        }
    }

    /// Every status, in the order of a task's life.
    pub const ALL: [TaskStatus; 7] = [
        TaskStatus::Blocked,
        TaskStatus::Ready,
        TaskStatus::Claimed,
        TaskStatus::InProgress,
        TaskStatus::Completed,
        TaskStatus::Failed,
        TaskStatus::Cancelled,
    ];

    /// Whether nothing more can happen to the task.
    pub fn is_final(self) -> bool {
        matches!(self, TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled)
    }

    /// Whether an agent holds the task.
    pub fn is_held(self) -> bool {
        matches!(self, TaskStatus::Claimed | TaskStatus::InProgress)
    }
}

/// What becomes of a task when one that it depends on fails or is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum OnDependencyFailure {
    /// It stays blocked. The default.
    #[default]
    Block,
    /// It fails too.
    Fail,
    /// It goes on as if the dependency had completed.
    Ignore,
}

/// One line of a task's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When.
    pub timestamp: Time,
    /// `info` unless said otherwise.
    pub level: String,
    /// What.
    pub message: String,
}

/// One step in the history of who held a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// When.
    pub at: Time,
    /// `assigned`, `unassigned`, `claimed`, `released`, `lapsed`, `failed`, `completed` or `cancelled`.
    pub what: String,
    /// The agent that held it, or for whom it was reserved.
    pub agent_id: Option<String>,
    /// The fencing token of that claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Lines of log and steps of history that a task keeps; older ones are in its events.
const KEPT: usize = 100;

/// A task. Fields that say nothing (null, empty, false) are left out when it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its id.
    pub task_id: String,
    /// The `seq` of the event that created it: its age in the order of the hub.
    pub created_seq: u64,
    /// A line that says what it is.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// 0 to 9, higher first.
    pub priority: u8,
    /// By how much its priority counts as higher, for it has waited long; up to one above all priorities.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub raised: u8,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<Time>,
    /// Whether its due date passed before it ended, and that was said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
    /// Capabilities that its agent must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Tasks that must complete first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What happens when one of those fails.
    pub on_dependency_failure: OnDependencyFailure,
    /// The task it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The task at the top of the tree that it is a part of; left out when it is at the top itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_id: Option<String>,
    /// The session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Who made it.
    pub creator_id: String,
    /// Whatever its agent must know, as a JSON object.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub requirements: Json,
    /// Seconds it was expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<f64>,
    /// Who holds it, or for whom it is reserved; who held it last once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Whether the engine chooses its agent (`auto`), anew whenever that agent is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_assign: bool,
    /// Whom the engine chose and why, until it is claimed; the history keeps the sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// The fencing token of the newest claim; 0 before the first.
    pub token: u64,
    /// Seconds that the lease lasts without a sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<f64>,
    /// Claims so far that were not given back.
    pub attempts: u32,
    /// Claims after which it fails for good.
    pub max_attempts: u32,
    /// Until when it is not tried again after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// 0 to 100.
    pub progress: f64,
    /// What is being done, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// When it may be done, from its progress over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_completion: Option<Time>,
    /// What came out.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub result: Json,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it failed for want of attempts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead_letter: bool,
    /// The newest 100 lines of its log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// The newest 100 steps of who held it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Step>,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it was claimed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl Task {
    pub(crate) fn step(&mut self, at: Time, what: &str, reason: Option<String>) {
        let token = self.status.is_held().then_some(self.token);
        let step = Step { at, what: what.to_owned(), agent_id: self.agent_id.clone(), token, reason };
        self.history.push(step);
        if self.history.len() > KEPT {
            self.history.remove(0);
        }
    }

    pub(crate) fn note(&mut self, line: LogLine) {
        self.log.push(line);
        if self.log.len() > KEPT {
            self.log.remove(0);
        }
    }

    /// Ends a lease: the task is nobody's. What the next holder needs stays (log, history, result so far).
    pub(crate) fn let_go(&mut self) {
        self.status = TaskStatus::Ready;
        self.agent_id = None;
        self.lease_seconds = None;
        self.claimed_at = None;
        self.progress = 0.0;
        self.phase = None;
        self.estimated_completion = None;
    }
}

/// Why a task operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No such task.
    #[error("no task {0:?} here")]
    Unknown(String),
    /// The claim that is named is over.
    #[error("the lease on task {task_id:?} with token {token} is over: {why}")]
    LeaseLost {
        /// The task.
        task_id: String,
        /// The token that was given.
        token: u64,
        /// What is so instead.
        why: String,
        /// The task as it stands.
        current: Box<Task>,
    },
    /// The task is not in a state that allows this.
    #[error("task {:?} is {}{}: it cannot be {verb}", current.task_id, current.status.as_str(), holder(current))]
    WrongState {
        /// What was asked, as a participle.
        verb: &'static str,
        /// The task as it stands.
        current: Box<Task>,
    },
    /// The task is held, and no token was given.
    #[error("task {:?} is held by {:?}: its token is needed", current.task_id, current.agent_id.as_deref().unwrap_or(""))]
    TokenNeeded {
        /// The task as it stands.
        current: Box<Task>,
    },
    /// Who asks has no say over this task.
    #[error("{who} may not do that to task {task_id:?}: only who made it, or an operator")]
    NotYours {
        /// On whose behalf.
        who: String,
        /// The task.
        task_id: String,
    },
    /// The agent lacks capabilities that the task requires.
    #[error("agent {agent_id:?} lacks {missing:?}, which task {task_id:?} requires")]
    NotCapable {
        /// The agent.
        agent_id: String,
        /// The task.
        task_id: String,
        /// The capabilities it lacks.
        missing: Vec<String>,
    },
    /// The engine is to choose an agent, and nobody can take the task.
    #[error("task {:?} cannot be assigned: {}", current.task_id, chosen.reason)]
    Nobody {
        /// Who was looked at.
        chosen: Box<Assignment>,
        /// The task as it stands.
        current: Box<Task>,
    },
    /// Dependencies, or parts, that lead back to where they start.
    #[error("{field} would close a circle: {}", circle.join(" → "))]
    Cycle {
        /// `depends_on` or `parent_id`.
        field: &'static str,
        /// The tasks of the circle; the first one stands at the end again.
        circle: Vec<String>,
    },
}

fn holder(task: &Task) -> String {
    match (&task.agent_id, task.status.is_held() || task.status == TaskStatus::Ready) {
        (Some(agent), true) if task.status.is_held() => format!(" by {agent:?}"),
        (Some(agent), true) => format!(" and reserved for {agent:?}"),
        _ => String::new(),
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Error {
        let message = error.to_string();
        match error {
            TaskError::Unknown(id) => Error::not_found("task", &id).hint("task.list shows which there are"),
            TaskError::LeaseLost { current, .. } => Error::new(crate::Code::LeaseLost, message)
                .with("current", serde_json::json!(current))
                .with("field", "token")
                .hint("stop working on it: another agent may have it; claim it again if it is still open"),
            TaskError::WrongState { current, .. } => Error::conflict(message, current),
            TaskError::TokenNeeded { current } => Error::conflict(message, current)
                .with("field", "token")
                .hint("give the token of the claim, or override as an operator"),
            TaskError::NotYours { task_id, .. } => Error::not_allowed(message).with("task_id", task_id),
            TaskError::NotCapable { missing, .. } => Error::not_allowed(message).with("missing", missing),
            TaskError::Nobody { chosen, current } => Error::conflict(message, current)
                .with("field", "agent_id")
                .with("left_out", serde_json::json!(chosen.left_out))
                .hint("leave it open for whoever is capable, or try again when one of them is free"),
            TaskError::Cycle { field, circle } => {
                Error::conflict(message, serde_json::Value::Null).with("field", field).with("circle", circle)
            }
        }
    }
}
