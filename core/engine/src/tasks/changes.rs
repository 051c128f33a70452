//! Several tasks changed by one decision.
//!
//! When a task ends, others may become ready or fail with it. A decision sees the tables as they were, so what it has
//! already changed lies over them here, and becomes events in order at the end.

use std::collections::{HashMap, VecDeque};

use super::events::{Changed, FAILED, READY, changes_shape};
use super::{OnDependencyFailure, Task, TaskError, TaskStatus, tables};
use crate::error::{Error, Result};
use crate::events::event::Place;
use crate::pipeline::decide::Decide;

/// The changes of one decision, in order.
#[derive(Default)]
pub(crate) struct Changes {
    steps: Vec<(&'static str, Task)>,
    newest: HashMap<String, Task>,
}

impl Changes {
    /// A task as this decision has left it.
    pub fn get(&self, cx: &Decide<'_>, task_id: &str) -> Result<Task> {
        match self.newest.get(task_id) {
            Some(task) => Ok(task.clone()),
            None => tables::get(cx.db, task_id)?.ok_or_else(|| TaskError::Unknown(task_id.to_owned()).into()),
        }
    }

    /// The status of a task as this decision has left it.
    fn status(&self, cx: &Decide<'_>, task_id: &str) -> Result<Option<TaskStatus>> {
        match self.newest.get(task_id) {
            Some(task) => Ok(Some(task.status)),
            None => tables::status(cx.db, task_id),
        }
    }

    /// Notes a change.
    pub fn push(&mut self, cx: &Decide<'_>, kind: &'static str, mut task: Task) {
        task.updated_at = cx.now;
        self.newest.insert(task.task_id.clone(), task.clone());
        self.steps.push((kind, task));
    }

    /// Notes the end of a task and what follows from it for those that depend on it.
    pub fn end(&mut self, cx: &Decide<'_>, kind: &'static str, mut task: Task) -> Result<()> {
        task.ended_at = Some(cx.now);
        task.retry_at = None;
        let mut ended = VecDeque::from([tables::dependents(cx.db, &task.task_id)?]);
        self.push(cx, kind, task);
        while let Some(dependents) = ended.pop_front() {
            for id in dependents {
                let dependent = self.get(cx, &id)?;
                if let Some(task) = self.settle(cx, dependent)? {
                    ended.push_back(tables::dependents(cx.db, &task.task_id)?);
                }
            }
        }
        Ok(())
    }

    /// Makes a blocked task ready, or ends it, if its dependencies now say so; answers it when it ended.
    pub fn settle(&mut self, cx: &Decide<'_>, mut task: Task) -> Result<Option<Task>> {
        if task.status != TaskStatus::Blocked {
            return Ok(None);
        }
        let mut open = false;
        for id in &task.depends_on {
            match (self.status(cx, id)?, task.on_dependency_failure) {
                (Some(TaskStatus::Completed), _) => {}
                (Some(TaskStatus::Failed | TaskStatus::Cancelled), OnDependencyFailure::Ignore) => {}
                (Some(status @ (TaskStatus::Failed | TaskStatus::Cancelled)), OnDependencyFailure::Fail) => {
                    task.error = Some(format!("task {id:?}, on which it depends, is {}", status.as_str()));
                    task.status = TaskStatus::Failed;
                    task.ended_at = Some(cx.now);
                    self.push(cx, FAILED, task.clone());
                    return Ok(Some(task));
                }
                _ => open = true,
            }
        }
        if !open {
            task.status = TaskStatus::Ready;
            self.push(cx, READY, task);
        }
        Ok(None)
    }

    /// Proposes the events; answers the newest state of this task, which is what the command answers.
    pub fn emit_answer(mut self, cx: &mut Decide<'_>, task_id: &str) -> Result<Task> {
        let only = match self.steps.len() {
            1 => self.steps.pop(),
            _ => None,
        };
        if let Some((kind, task)) = only {
            answer(cx, kind, task);
        }
        self.emit(cx).remove(task_id).ok_or_else(|| Error::internal("a task was lost"))
    }

    /// Proposes the events; answers the newest state of each task that was asked for.
    pub fn emit(self, cx: &mut Decide<'_>) -> HashMap<String, Task> {
        for (kind, task) in self.steps {
            emit(cx, kind, task);
        }
        self.newest
    }
}

/// Proposes one event of a task.
pub(crate) fn emit(cx: &mut Decide<'_>, kind: &'static str, task: Task) -> u64 {
    let place = place(cx, &task);
    cx.emit(kind, place, Changed { shape: changes_shape(kind), task })
}

/// Proposes the event that says what the command answers: this task.
pub(crate) fn answer(cx: &mut Decide<'_>, kind: &'static str, task: Task) -> u64 {
    let place = place(cx, &task);
    cx.emit_answer(kind, place, Changed { shape: changes_shape(kind), task })
}

fn place(cx: &Decide<'_>, task: &Task) -> Place {
    let actor = cx.by.agent_id().map(str::to_owned);
    let mut targets: Vec<String> = Vec::new();
    for id in [task.agent_id.as_ref(), Some(&task.creator_id)].into_iter().flatten() {
        if !targets.contains(id) {
            targets.push(id.clone());
        }
    }
    Place {
        agent_id: actor.or_else(|| task.agent_id.clone()),
        session_id: task.session_id.clone(),
        task_id: Some(task.task_id.clone()),
        target_agents: targets,
        subject: task.root_id.clone(),
        ..Place::default()
    }
}
