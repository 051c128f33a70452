//! An execution: a task followed from outside, with its parts and what is said about them, as one stream.
//!
//! It begins with what has happened since the task was made, goes on live, and ends with the task's result or error. It
//! is a subscription to the events of the task's whole tree, so that nothing is missed or told twice, and parts that are
//! made later belong to it from their first moment.
//!
//! ```
//! use std::time::Duration;
//! use folkmoot_engine::{Hub, HubConfig, tasks};
//!
//! let hub = Hub::open(":memory:", HubConfig::default())?;
//! let task = hub.run(tasks::Create::new("ana", "Read the logs"))?;
//! hub.run(tasks::Complete { task_id: task.task_id.clone(), ..Default::default() })?;
//! let mut execution = hub.execution(&task.task_id, None)?;
//! let mut told = Vec::new();
//! while let Some(update) = execution.next(Duration::from_secs(5))? {
//!     told.push(update.event());
//! }
//! assert_eq!(told, ["status", "status", "completion"]);
//! assert!(execution.is_over());
//! hub.close();
//! # Ok::<(), folkmoot_engine::Error>(())
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{LogLine, Task, TaskError, TaskStatus, tables, tree};
use crate::clock::Time;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::events::filter::Filter;
use crate::events::subscription::{Item, Subscription};
use crate::hub::Check;
use crate::json::Json;
use crate::log;
use crate::messages::Message;
use crate::principal::Principal;

/// What an execution tells.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExecutionUpdate {
    /// The task, or one of its parts, changed.
    Status(StatusUpdate),
    /// Something was said about the task or one of its parts.
    Message(MessageUpdate),
    /// The task is done: the end.
    Completion(Completion),
    /// The task failed for good or was called off: the end.
    Error(Failure),
    /// What retention took before it was read.
    Gap(Missing),
}

/// A change of a task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StatusUpdate {
    /// The `seq` of the event: resume after this.
    pub seq: u64,
    /// The task that is followed.
    pub execution_id: String,
    /// The task that changed: that one, or a part of it.
    pub task_id: String,
    /// The task that it is a part of.
    pub parent_id: Option<String>,
    /// What it is.
    pub title: String,
    /// What happened, such as `task.claimed`.
    pub kind: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// 0 to 100.
    pub progress: f64,
    /// What is being done, in a word.
    pub current_phase: Option<String>,
    /// Who holds it, or for whom it is reserved.
    pub agent_id: Option<String>,
    /// When it may be done.
    pub estimated_completion: Option<Time>,
    /// The lines that its log got by this.
    pub logs: Vec<LogLine>,
    /// When.
    pub timestamp: Time,
}

/// A message about the task or one of its parts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MessageUpdate {
    /// The task that is followed.
    pub execution_id: String,
    /// The message as it was sent; its `seq` is that of the event.
    #[serde(flatten)]
    pub message: Box<Message>,
}

/// The end of a task that is done.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Completion {
    /// The `seq` of the event.
    pub seq: u64,
    /// The task.
    pub execution_id: String,
    /// What came out.
    pub result: Json,
    /// When.
    pub timestamp: Time,
}

/// The end of a task that is not done.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Failure {
    /// The `seq` of the event.
    pub seq: u64,
    /// The task.
    pub execution_id: String,
    /// `failed` or `cancelled`.
    pub error: String,
    /// What went wrong, or why it was called off.
    pub message: String,
    /// Whether it failed for want of attempts.
    pub dead_letter: bool,
    /// When.
    pub timestamp: Time,
}

/// Events that are gone, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missing {
    /// The last `seq` that is missing: resume after this.
    pub seq: u64,
    /// The task that is followed.
    pub execution_id: String,
    /// The first `seq`.
    pub from: u64,
    /// The last `seq`.
    pub to: u64,
}

impl ExecutionUpdate {
    /// `status`, `message`, `completion`, `error` or `gap`.
    pub fn event(&self) -> &'static str {
        match self {
            ExecutionUpdate::Status(_) => "status",
            ExecutionUpdate::Message(_) => "message",
            ExecutionUpdate::Completion(_) => "completion",
            ExecutionUpdate::Error(_) => "error",
            ExecutionUpdate::Gap(_) => "gap",
        }
    }

    /// The `seq` after which to resume.
    pub fn seq(&self) -> u64 {
        match self {
            ExecutionUpdate::Status(status) => status.seq,
            ExecutionUpdate::Message(message) => message.message.seq,
            ExecutionUpdate::Completion(done) => done.seq,
            ExecutionUpdate::Error(failure) => failure.seq,
            ExecutionUpdate::Gap(gap) => gap.seq,
        }
    }
}

/// A task followed from outside. See the [module](self).
pub struct Execution {
    core: Arc<Core>,
    subscription: Subscription,
    task_id: String,
    /// Whether the task is at the top of its tree, so that the whole tree belongs to it.
    whole: bool,
    /// Which tasks of the tree belong to it, as far as that was asked.
    members: HashMap<String, bool>,
    /// The log of each task as it was told.
    logs: HashMap<String, Vec<LogLine>>,
    waiting: VecDeque<ExecutionUpdate>,
    /// Up to here everything was told before.
    after: u64,
    position: u64,
    over: bool,
}

impl Execution {
    pub(crate) fn open(
        core: &Arc<Core>,
        by: &Principal,
        task_id: &str,
        after: Option<u64>,
    ) -> Result<Execution> {
        crate::id::check_name("task_id", task_id)?;
        let task = core
            .storage
            .read(|reader| tables::get(reader.db, task_id))?
            .ok_or_else(|| TaskError::Unknown(task_id.to_owned()))?;
        if let Some(after) = after {
            core.storage.read(|reader| log::check_reached(reader.db, "after", after))?;
        }
        let root = task.root_id.clone().unwrap_or_else(|| task_id.to_owned());
        let filter = Filter { execution_id: Some(root), ..Filter::default() };
        // Also when it is resumed: which lines of log are new follows from what came before.
        let start = task.created_seq.saturating_sub(1);
        let subscription = Subscription::open(core, filter, by, Some(start))?;
        let after = after.unwrap_or(start);
        Ok(Execution {
            core: core.clone(),
            subscription,
            whole: task.root_id.is_none(),
            task_id: task.task_id,
            members: HashMap::new(),
            logs: HashMap::new(),
            waiting: VecDeque::new(),
            after,
            position: after,
            over: false,
        })
    }

    /// The task that is followed.
    pub fn execution_id(&self) -> &str {
        &self.task_id
    }

    /// Whether the end was told.
    pub fn is_over(&self) -> bool {
        self.over && self.waiting.is_empty()
    }

    /// The last `seq` that was told: follow again with `after` this. One that is followed again after its end tells
    /// the end once more.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Calls `notify` whenever something may have come; for event loops.
    pub fn on_ready(&self, notify: impl Fn() + Send + Sync + 'static) {
        self.subscription.on_ready(notify);
    }

    /// Waits for the next update; `None` when the time is up or the end was told.
    ///
    /// # Errors
    ///
    /// `unavailable` once the hub is closed; `storage` when the log cannot be read.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<ExecutionUpdate>> {
        self.next_until(timeout, &mut || Ok(()))
    }

    /// Like [`Execution::next`]; asks `check` several times a second whether to go on.
    pub fn next_until(
        &mut self,
        timeout: Duration,
        check: &mut Check<'_>,
    ) -> Result<Option<ExecutionUpdate>> {
        let start = Instant::now();
        loop {
            if let Some(update) = self.waiting.pop_front() {
                self.position = self.position.max(update.seq());
                return Ok(Some(update));
            }
            if self.over {
                return Ok(None);
            }
            let left = timeout.saturating_sub(start.elapsed());
            match self.subscription.next_until(left, check)? {
                Some(item) => self.hear(item)?,
                None => return Ok(None),
            }
        }
    }

    /// The next update if there is one now.
    pub fn try_next(&mut self) -> Result<Option<ExecutionUpdate>> {
        self.next(Duration::ZERO)
    }

    /// Ends it before its time; a waiting `next` returns at once.
    pub fn close(&mut self) {
        self.subscription.close();
    }

    fn hear(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Event(event) if event.kind == crate::messages::events::SENT => self.hear_message(&event),
            Item::Event(event) if event.kind.starts_with("task.") => self.hear_task(&event),
            Item::Event(_) | Item::Position { .. } => Ok(()),
            Item::Gap { from, to } => self.miss(from, to),
        }
    }

    fn hear_message(&mut self, event: &Event) -> Result<()> {
        let Some(task_id) = event.place.task_id.as_deref() else { return Ok(()) };
        if event.seq <= self.after || !self.belongs(task_id)? {
            return Ok(());
        }
        let message = Box::new(read(event)?);
        self.waiting.push_back(ExecutionUpdate::Message(MessageUpdate {
            execution_id: self.task_id.clone(),
            message,
        }));
        Ok(())
    }

    fn hear_task(&mut self, event: &Event) -> Result<()> {
        let task: Task = read(event)?;
        if !self.belongs(&task.task_id)? {
            return Ok(());
        }
        let logs = self.new_lines(&task);
        let ends = task.task_id == self.task_id && task.status.is_final();
        if event.seq > self.after {
            self.waiting.push_back(ExecutionUpdate::Status(StatusUpdate {
                seq: event.seq,
                execution_id: self.task_id.clone(),
                task_id: task.task_id.clone(),
                parent_id: task.parent_id.clone(),
                title: task.title.clone(),
                kind: event.kind.to_string(),
                status: task.status,
                progress: task.progress,
                current_phase: task.phase.clone(),
                agent_id: task.agent_id.clone(),
                estimated_completion: task.estimated_completion,
                logs,
                timestamp: event.time,
            }));
        }
        if ends {
            self.end(event.seq, task);
        }
        Ok(())
    }

    /// What the log of a task got since it was told last. It keeps the newest lines only, so it may have lost some.
    fn new_lines(&mut self, task: &Task) -> Vec<LogLine> {
        let known = self.logs.entry(task.task_id.clone()).or_default();
        let lost =
            (0..known.len()).find(|lost| known.get(*lost..).is_some_and(|kept| task.log.starts_with(kept)));
        let kept = lost.map_or(0, |lost| known.len() - lost);
        let new = task.log.iter().skip(kept).cloned().collect();
        known.clone_from(&task.log);
        new
    }

    /// Whether a task is the one that is followed, or a part of it.
    fn belongs(&mut self, task_id: &str) -> Result<bool> {
        if self.whole || task_id == self.task_id {
            return Ok(true);
        }
        if let Some(known) = self.members.get(task_id) {
            return Ok(*known);
        }
        let wanted = &self.task_id;
        let belongs = self.core.storage.read(|reader| {
            let mut at = task_id.to_owned();
            while let Some(parent) = tree::parent(reader.db, &at)? {
                if parent == *wanted {
                    return Ok(true);
                }
                at = parent;
            }
            Ok(false)
        })?;
        self.members.insert(task_id.to_owned(), belongs);
        Ok(belongs)
    }

    /// Tells what is missing; and the end, if that is among it.
    fn miss(&mut self, from: u64, to: u64) -> Result<()> {
        if to > self.after {
            let (execution_id, from) = (self.task_id.clone(), from.max(self.after + 1));
            self.waiting.push_back(ExecutionUpdate::Gap(Missing { seq: to, execution_id, from, to }));
        }
        let found = self.core.storage.read(|reader| tables::with_seq(reader.db, &self.task_id))?;
        if let Some((task, seq)) = found.filter(|(task, seq)| task.status.is_final() && *seq <= to) {
            self.end(seq, task);
        }
        Ok(())
    }

    fn end(&mut self, seq: u64, task: Task) {
        let execution_id = task.task_id;
        let timestamp = task.ended_at.unwrap_or(task.updated_at);
        self.waiting.push_back(match task.status {
            TaskStatus::Completed => {
                ExecutionUpdate::Completion(Completion { seq, execution_id, result: task.result, timestamp })
            }
            status => {
                let reason = task.history.last().and_then(|step| step.reason.clone());
                let message = match status {
                    TaskStatus::Failed => task.error.or(reason),
                    _ => reason,
                };
                ExecutionUpdate::Error(Failure {
                    seq,
                    execution_id,
                    error: status.as_str().to_owned(),
                    message: message.unwrap_or_else(|| format!("the task is {}", status.as_str())),
                    dead_letter: task.dead_letter,
                    timestamp,
                })
            }
        });
        self.over = true;
        self.subscription.close();
    }
}

fn read<T: serde::de::DeserializeOwned>(event: &Event) -> Result<T> {
    serde_json::from_str(event.data.text())
        .map_err(|e| Error::storage(format!("a {} event cannot be read: {e}", event.kind)))
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("task_id", &self.task_id).field("position", &self.position).finish()
    }
}
