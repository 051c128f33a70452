//! Steering tasks from outside: cancel, update.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::changes::{self, Changes};
use super::create::{check_depends_on, check_priority, check_requires, check_title, find_circle};
use super::events::{CANCELLED, OVERDUE, READY, UPDATED};
use super::queries::Tasks;
use super::work::require_say;
use super::{Task, TaskError, TaskStatus, tables};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id;
use crate::json::Json;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Input of `task.cancel`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The task; its parts that have not ended are cancelled with it.
    pub task_id: String,
    /// Who cancels: its maker; the process or an operator when left out.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Cancel {
    type Output = Tasks;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Tasks> {
        id::check_name("task_id", &self.task_id)?;
        if let Some(reason) = &self.reason {
            cx.check_text("reason", reason)?;
        }
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        let mut changes = Changes::default();
        let task = changes.get(cx, &self.task_id)?;
        require_say(&by, &task)?;
        if task.status.is_final() {
            return Err(TaskError::WrongState { verb: "cancelled", current: Box::new(task) }.into());
        }
        let mut order = Vec::new();
        let mut waiting = vec![self.task_id.clone()];
        while let Some(id) = waiting.pop() {
            let task = changes.get(cx, &id)?;
            waiting.extend(tables::children(cx.db, &id)?);
            if !task.status.is_final() {
                order.push(id);
            }
        }
        // Parts end before their whole: whoever follows it hears of them.
        for id in order.iter().rev() {
            let mut task = changes.get(cx, id)?;
            if task.status.is_final() {
                continue;
            }
            task.step(cx.now, "cancelled", self.reason.clone());
            task.status = TaskStatus::Cancelled;
            task.estimated_completion = None;
            changes.end(cx, CANCELLED, task)?;
        }
        let mut newest = changes.emit(cx);
        Ok(Tasks { tasks: order.iter().filter_map(|id| newest.remove(id)).collect(), next_cursor: None })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// A task that nobody holds, and over which who asks has a say.
pub(crate) fn changeable(cx: &Decide<'_>, task_id: &str, verb: &'static str) -> Result<Task> {
    id::check_name("task_id", task_id)?;
    let task = tables::get(cx.db, task_id)?.ok_or_else(|| TaskError::Unknown(task_id.to_owned()))?;
    require_say(cx.by, &task)?;
    if task.status.is_held() || task.status.is_final() {
        return Err(TaskError::WrongState { verb, current: Box::new(task) }.into());
    }
    Ok(task)
}

/// A field that may be left out (as it was), null (taken away) or given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Given<T> {
    /// As it was.
    #[default]
    Kept,
    /// Taken away or set.
    Set(Option<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Given<T>, D::Error> {
        Option::<T>::deserialize(deserializer).map(Given::Set)
    }
}

impl<T: Clone> Given<T> {
    fn lay_over(&self, field: &mut Option<T>) {
        if let Given::Set(value) = self {
            field.clone_from(value);
        }
    }

    fn value(&self) -> Option<&T> {
        match self {
            Given::Set(value) => value.as_ref(),
            Given::Kept => None,
        }
    }
}

/// Input of `task.update`. What is left out stays as it was.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The task; must be blocked or ready.
    pub task_id: String,
    /// A line that says what it is.
    #[serde(default)]
    pub title: Option<String>,
    /// More about it; null takes it away.
    #[serde(default)]
    pub description: Given<String>,
    /// 0 to 9, higher first.
    #[serde(default)]
    pub priority: Option<u8>,
    /// When it should be done; null takes it away.
    #[serde(default)]
    pub due_date: Given<Time>,
    /// Capabilities that its agent must have.
    #[serde(default)]
    pub requires: Option<Vec<String>>,
    /// Tasks that must complete first.
    #[serde(default)]
    pub depends_on: Option<Vec<String>>,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub requirements: Option<Json>,
    /// Seconds it is expected to take; null takes it away.
    #[serde(default)]
    pub estimated_duration: Given<f64>,
    /// Claims after which it fails for good, 1 to 1,000.
    #[serde(default)]
    pub max_attempts: Option<u32>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Update {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        let mut task = changeable(cx, &self.task_id, "updated")?;
        self.lay_over(cx, &mut task)?;
        let Some(depends_on) = &self.depends_on else {
            task.updated_at = cx.now;
            changes::emit(cx, UPDATED, task.clone());
            return Ok(task);
        };
        task.depends_on = check_depends_on(cx, depends_on)?;
        self.check_dependencies(cx, &task)?;
        task.status = TaskStatus::Blocked;
        let mut changes = Changes::default();
        changes.push(cx, UPDATED, task.clone());
        changes.settle(cx, task)?;
        changes.emit(cx).remove(&self.task_id).ok_or_else(|| Error::internal("a task was lost"))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Update {
    fn lay_over(&self, cx: &Decide<'_>, task: &mut Task) -> Result<()> {
        if let Some(title) = &self.title {
            check_title(title)?;
            task.title.clone_from(title);
        }
        if let Some(description) = self.description.value() {
            cx.check_text("description", description)?;
        }
        if let Some(seconds) = self.estimated_duration.value() {
            cx.check_seconds("estimated_duration", *seconds, 0.0)?;
        }
        if self.priority.is_some() {
            task.priority = check_priority(self.priority)?;
            task.raised = 0;
        }
        if let Some(requires) = &self.requires {
            task.requires = check_requires(cx, requires)?;
        }
        if let Some(requirements) = &self.requirements {
            cx.check_metadata("requirements", Some(requirements))?;
            task.requirements = requirements.clone();
        }
        if let Some(attempts) = self.max_attempts {
            if !(1..=1_000).contains(&attempts) {
                return Err(Error::invalid("max_attempts", attempts, "must be from 1 to 1000"));
            }
            task.max_attempts = attempts;
        }
        self.description.lay_over(&mut task.description);
        if self.due_date != Given::Kept {
            self.due_date.lay_over(&mut task.due_date);
            task.overdue = false;
        }
        self.estimated_duration.lay_over(&mut task.estimated_duration);
        Ok(())
    }

    /// Refuses dependencies that are not there or lead back to this task.
    fn check_dependencies(&self, cx: &Decide<'_>, task: &Task) -> Result<()> {
        for id in &task.depends_on {
            if *id != task.task_id && tables::status(cx.db, id)?.is_none() {
                return Err(Error::from(TaskError::Unknown(id.clone())).with("field", "depends_on"));
            }
        }
        let follow = |id: &str| match id == task.task_id {
            true => Ok(task.depends_on.clone()),
            false => tables::dependencies(cx.db, id),
        };
        match find_circle(&task.task_id, &follow, &mut std::collections::HashSet::new())? {
            Some(circle) => Err(TaskError::Cycle { field: "depends_on", circle }.into()),
            None => Ok(()),
        }
    }
}

/// Makes a task whose back-off is over open again, and says that one is overdue, if it still is so. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Wake {
    pub task_id: String,
}

impl Change for Wake {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let Some(mut task) = tables::get(cx.db, &self.task_id)? else { return Ok(false) };
        let over = |at: Option<Time>| at.is_some_and(|at| at <= cx.steady);
        let rested = over(task.retry_at) && task.status == TaskStatus::Ready;
        let late = over(task.due_date) && !task.overdue && !task.status.is_final();
        task.updated_at = if rested { cx.now } else { task.updated_at };
        if rested {
            task.retry_at = None;
            changes::emit(cx, READY, task.clone());
        }
        if late {
            task.overdue = true;
            changes::emit(cx, OVERDUE, task);
        }
        Ok(rested || late)
    }
}
