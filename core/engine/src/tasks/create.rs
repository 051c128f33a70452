//! Making tasks.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assign::AUTO;
use super::changes::{self, Changes};
use super::choice::Roster;
use super::events::CREATED;
use super::queries::Tasks;
use super::{OnDependencyFailure, Task, TaskError, TaskStatus, tables};
use crate::agents::AgentError;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id;
use crate::json::Json;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Input of `task.create`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Who makes it.
    pub creator_id: String,
    /// A line that says what it is, 1 to 1,000 bytes.
    pub title: String,
    /// Its id; a new one when left out.
    #[serde(default)]
    pub task_id: Option<String>,
    /// More about it, at most 64 KiB.
    #[serde(default)]
    pub description: Option<String>,
    /// 0 to 9, higher first; 5 when left out.
    #[serde(default)]
    pub priority: Option<u8>,
    /// When it should be done.
    #[serde(default)]
    pub due_date: Option<Time>,
    /// Capabilities that its agent must have.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Tasks that must complete first.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// What happens when one of those fails or is cancelled: `block`, `fail` or `ignore`; `block` when left out.
    #[serde(default)]
    pub on_dependency_failure: Option<OnDependencyFailure>,
    /// The task it is a part of.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// The session it belongs to.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The agent it is reserved for; `auto` lets the engine choose, now or as soon as someone can take it.
    #[serde(default)]
    pub assign_to: Option<String>,
    /// Whatever its agent must know: a JSON object, at most 64 KiB.
    #[serde(default)]
    pub requirements: Option<Json>,
    /// Seconds it is expected to take.
    #[serde(default)]
    pub estimated_duration: Option<f64>,
    /// Claims after which it fails for good, 1 to 1,000; 3 when left out.
    #[serde(default)]
    pub max_attempts: Option<u32>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Create {
    /// A task with this title.
    pub fn new(creator_id: &str, title: &str) -> Create {
        Create { creator_id: creator_id.to_owned(), title: title.to_owned(), ..Create::default() }
    }
}

impl Change for Create {
    type Output = Task;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Task> {
        check_creator(cx, &self.creator_id)?;
        let draft = Draft { creator_id: &self.creator_id, task: Cow::Owned(self.fields()) };
        let mut made = create(cx, &[draft], "")?;
        made.pop().ok_or_else(|| Error::internal("a task was not made"))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Create {
    fn fields(&self) -> NewTask {
        NewTask {
            title: self.title.clone(),
            task_id: self.task_id.clone(),
            description: self.description.clone(),
            priority: self.priority,
            due_date: self.due_date,
            requires: self.requires.clone(),
            depends_on: self.depends_on.clone(),
            on_dependency_failure: self.on_dependency_failure,
            parent_id: self.parent_id.clone(),
            session_id: self.session_id.clone(),
            assign_to: self.assign_to.clone(),
            requirements: self.requirements.clone(),
            estimated_duration: self.estimated_duration,
            max_attempts: self.max_attempts,
        }
    }
}

/// One task of `task.create_many`: the fields of `task.create`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// A line that says what it is, 1 to 1,000 bytes.
    pub title: String,
    /// Its id; a new one when left out.
    #[serde(default)]
    pub task_id: Option<String>,
    /// More about it, at most 64 KiB.
    #[serde(default)]
    pub description: Option<String>,
    /// 0 to 9, higher first; 5 when left out.
    #[serde(default)]
    pub priority: Option<u8>,
    /// When it should be done.
    #[serde(default)]
    pub due_date: Option<Time>,
    /// Capabilities that its agent must have.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Tasks that must complete first; tasks of the same call may be named by their `task_id`.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// What happens when one of those fails or is cancelled: `block`, `fail` or `ignore`; `block` when left out.
    #[serde(default)]
    pub on_dependency_failure: Option<OnDependencyFailure>,
    /// The task it is a part of.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// The session it belongs to.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The agent it is reserved for; `auto` lets the engine choose, now or as soon as someone can take it.
    #[serde(default)]
    pub assign_to: Option<String>,
    /// Whatever its agent must know: a JSON object, at most 64 KiB.
    #[serde(default)]
    pub requirements: Option<Json>,
    /// Seconds it is expected to take.
    #[serde(default)]
    pub estimated_duration: Option<f64>,
    /// Claims after which it fails for good, 1 to 1,000; 3 when left out.
    #[serde(default)]
    pub max_attempts: Option<u32>,
}

/// Input of `task.create_many`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMany {
    /// Who makes them.
    pub creator_id: String,
    /// The tasks, at most 1,000: all are made, or none.
    pub tasks: Vec<NewTask>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for CreateMany {
    type Output = Tasks;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Tasks> {
        check_creator(cx, &self.creator_id)?;
        cx.check_count("tasks", self.tasks.len())?;
        let drafts: Vec<Draft<'_>> = self
            .tasks
            .iter()
            .map(|task| Draft { creator_id: &self.creator_id, task: Cow::Borrowed(task) })
            .collect();
        Ok(Tasks { tasks: create(cx, &drafts, "tasks")?, next_cursor: None })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

struct Draft<'a> {
    creator_id: &'a str,
    task: Cow<'a, NewTask>,
}

/// Makes these tasks together. `list` is the name of the field that holds them, empty for a single one.
fn create(cx: &mut Decide<'_>, drafts: &[Draft<'_>], list: &str) -> Result<Vec<Task>> {
    let at =
        |i: usize, error: Error| if list.is_empty() { error } else { error.within(&format!("{list}[{i}]")) };
    let mut tasks = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        tasks.push(draft.check(cx).map_err(|error| at(i, error))?);
    }
    let ids: HashSet<&str> = tasks.iter().map(|task| task.task_id.as_str()).collect();
    if ids.len() < tasks.len() {
        return Err(Error::invalid(list, tasks.len(), "a task_id stands twice in one call"));
    }
    for (i, task) in tasks.iter().enumerate() {
        check_references(cx, task, &ids).map_err(|error| at(i, error))?;
    }
    check_circles(&tasks)?;
    drop(ids);
    super::tree::set_roots(cx.db, &mut tasks)?;
    propose(cx, tasks, list.is_empty())
}

fn propose(cx: &mut Decide<'_>, mut tasks: Vec<Task>, single: bool) -> Result<Vec<Task>> {
    let mut roster = Roster::default();
    for task in tasks.iter_mut().filter(|task| task.waits_for_choice()) {
        let chosen = roster.choose(cx.db, cx.now, task, &|_| false)?;
        task.reserve(chosen);
    }
    if tasks.iter().all(|task| task.depends_on.is_empty()) {
        for task in &mut tasks {
            task.created_seq = cx.upcoming_seq();
            let propose = if single { changes::answer } else { changes::emit };
            propose(cx, CREATED, task.clone());
        }
        return Ok(tasks);
    }
    let mut changes = Changes::default();
    let first = cx.upcoming_seq();
    for (task, seq) in tasks.iter_mut().zip(first..) {
        task.created_seq = seq;
        changes.push(cx, CREATED, task.clone());
    }
    for task in &tasks {
        changes.settle(cx, task.clone())?;
    }
    let mut newest = changes.emit(cx);
    Ok(tasks.into_iter().map(|task| newest.remove(&task.task_id).unwrap_or(task)).collect())
}

impl Draft<'_> {
    fn check(&self, cx: &mut Decide<'_>) -> Result<Task> {
        let new = &self.task;
        check_title(&new.title)?;
        if let Some(description) = &new.description {
            cx.check_text("description", description)?;
        }
        id::check_optional("session_id", new.session_id.as_deref())?;
        cx.check_metadata("requirements", new.requirements.as_ref())?;
        let max_attempts = new.max_attempts.unwrap_or(3);
        if !(1..=1_000).contains(&max_attempts) {
            return Err(Error::invalid("max_attempts", max_attempts, "must be from 1 to 1000"));
        }
        if let Some(seconds) = new.estimated_duration {
            cx.check_seconds("estimated_duration", seconds, 0.0)?;
        }
        let auto_assign = new.assign_to.as_deref() == Some(AUTO);
        let reserved_for = new.assign_to.as_ref().filter(|_| !auto_assign);
        if let Some(agent_id) = reserved_for {
            check_agent(cx, "assign_to", agent_id)?;
        }
        let task_id = new.id(cx)?;
        let blocked = !new.depends_on.is_empty();
        Ok(Task {
            task_id,
            created_seq: 0,
            title: new.title.clone(),
            description: new.description.clone(),
            status: if blocked { TaskStatus::Blocked } else { TaskStatus::Ready },
            priority: check_priority(new.priority)?,
            raised: 0,
            due_date: new.due_date,
            overdue: false,
            requires: check_requires(cx, &new.requires)?,
            depends_on: check_depends_on(cx, &new.depends_on)?,
            on_dependency_failure: new.on_dependency_failure.unwrap_or_default(),
            parent_id: new.parent_id.clone(),
            root_id: None,
            session_id: new.session_id.clone(),
            creator_id: self.creator_id.to_owned(),
            requirements: new.requirements.clone().unwrap_or_default(),
            estimated_duration: new.estimated_duration,
            agent_id: reserved_for.cloned(),
            auto_assign,
            assignment: None,
            token: 0,
            lease_seconds: None,
            attempts: 0,
            max_attempts,
            retry_at: None,
            progress: 0.0,
            phase: None,
            estimated_completion: None,
            result: Json::null(),
            error: None,
            dead_letter: false,
            log: Vec::new(),
            history: Vec::new(),
            created_at: cx.now,
            updated_at: cx.now,
            claimed_at: None,
            ended_at: None,
        })
    }
}

fn check_creator(cx: &Decide<'_>, creator_id: &str) -> Result<()> {
    id::check_name("creator_id", creator_id)?;
    cx.by.may_act_as("creator_id", creator_id)
}

impl NewTask {
    /// Its id: a new one, or the one that was given, if no task has it.
    fn id(&self, cx: &mut Decide<'_>) -> Result<String> {
        let id = cx.id_or_new("task_id", self.task_id.as_deref())?;
        if self.task_id.is_some() && tables::status(cx.db, &id)?.is_some() {
            return Err(Error::already_exists("task", &id).with("field", "task_id"));
        }
        Ok(id)
    }
}

pub(crate) fn check_title(title: &str) -> Result<()> {
    const LONGEST: usize = 1_000;
    if title.trim().is_empty() || title.contains('\0') {
        return Err(Error::invalid("title", title, "must be a line of visible text"));
    }
    if title.len() > LONGEST {
        return Err(Error::field_limit("title", "bytes of a title", LONGEST as u64, title.len() as u64));
    }
    Ok(())
}

pub(crate) fn check_priority(priority: Option<u8>) -> Result<u8> {
    match priority.unwrap_or(5) {
        priority @ 0..=9 => Ok(priority),
        priority => Err(Error::invalid("priority", priority, "must be from 0 to 9")),
    }
}

/// The required capabilities, sorted and each once.
pub(crate) fn check_requires(cx: &Decide<'_>, requires: &[String]) -> Result<Vec<String>> {
    cx.check_count("requires", requires.len())?;
    id::check_names("requires", requires)?;
    let mut sorted = requires.to_vec();
    sorted.sort();
    sorted.dedup();
    Ok(sorted)
}

pub(crate) fn check_depends_on(cx: &Decide<'_>, depends_on: &[String]) -> Result<Vec<String>> {
    cx.check_count("depends_on", depends_on.len())?;
    id::check_names("depends_on", depends_on)?;
    let mut seen = HashSet::new();
    Ok(depends_on.iter().filter(|id| seen.insert(id.as_str())).cloned().collect())
}

/// Refuses an agent that is not registered.
pub(crate) fn check_agent(cx: &Decide<'_>, field: &str, agent_id: &str) -> Result<()> {
    id::check_name(field, agent_id)?;
    if !crate::agents::tables::exists(cx.db, agent_id)? {
        return Err(Error::from(AgentError::Unknown(agent_id.to_owned())).with("field", field));
    }
    Ok(())
}

/// Refuses references to tasks that are neither here nor made in the same call.
fn check_references(cx: &Decide<'_>, task: &Task, together: &HashSet<&str>) -> Result<()> {
    let references = task.depends_on.iter().map(|id| ("depends_on", id));
    for (field, id) in references.chain(task.parent_id.iter().map(|id| ("parent_id", id))) {
        id::check_name(field, id)?;
        if !together.contains(id.as_str()) && tables::status(cx.db, id)?.is_none() {
            return Err(Error::from(TaskError::Unknown(id.clone())).with("field", field));
        }
        if field == "parent_id" && *id == task.task_id {
            return Err(Error::invalid("parent_id", id.as_str(), "must be another task"));
        }
    }
    Ok(())
}

/// Refuses circles among tasks made together (what is in the tables cannot depend on what is not).
fn check_circles(tasks: &[Task]) -> Result<()> {
    let edges: HashMap<&str, &[String]> =
        tasks.iter().map(|task| (task.task_id.as_str(), task.depends_on.as_slice())).collect();
    let follow = |id: &str| Ok(edges.get(id).map(|next| next.to_vec()).unwrap_or_default());
    let mut clear = HashSet::new();
    for task in tasks.iter().filter(|task| !task.depends_on.is_empty()) {
        if let Some(circle) = find_circle(&task.task_id, &follow, &mut clear)? {
            return Err(TaskError::Cycle { field: "depends_on", circle }.into());
        }
    }
    Ok(())
}

/// A circle that can be reached from `start` along `follow`; tasks in `clear` are known to reach none.
pub(crate) fn find_circle(
    start: &str,
    follow: &dyn Fn(&str) -> Result<Vec<String>>,
    clear: &mut HashSet<String>,
) -> Result<Option<Vec<String>>> {
    // Depth first, with the path kept by hand: a chain may be longer than the stack is deep.
    let mut path: Vec<(String, std::vec::IntoIter<String>)> =
        vec![(start.to_owned(), follow(start)?.into_iter())];
    while let Some((_, next)) = path.last_mut() {
        match next.next() {
            None => {
                if let Some((done, _)) = path.pop() {
                    clear.insert(done);
                }
            }
            Some(id) if clear.contains(&id) => {}
            Some(id) => {
                if let Some(from) = path.iter().position(|(on_path, _)| *on_path == id) {
                    let mut circle: Vec<String> = path.into_iter().skip(from).map(|(id, _)| id).collect();
                    circle.push(id);
                    return Ok(Some(circle));
                }
                let next = follow(&id)?.into_iter();
                path.push((id, next));
            }
        }
    }
    Ok(None)
}
