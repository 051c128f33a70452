//! Tasks, as the model knows them: who holds which by what token, and since when nothing was heard.

use std::collections::BTreeMap;

use folkmoot_engine::{Code, Error};
use rand::Rng;
use serde_json::{Value, json};

use crate::presence;
use crate::world::{LEASE, World};

#[derive(Default)]
pub struct Model {
    tasks: BTreeMap<String, Task>,
    /// The highest token ever given.
    newest_token: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Task {
    status: String,
    token: u64,
    attempts: u64,
    agent: Option<String>,
    /// Whether the engine chooses its agent.
    auto: bool,
    /// When its lease was last renewed by a call of its own, on the boot clock.
    renewed_at: f64,
    /// The token whose holder was told that its lease is over: it stays so, whatever is heard later.
    told_over: Option<u64>,
}

impl Task {
    fn is_held(&self) -> bool {
        matches!(self.status.as_str(), "claimed" | "in_progress")
    }

    fn was_told(&self) -> bool {
        self.told_over == Some(self.token)
    }

    fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    /// Takes over what an answer says.
    fn take(&mut self, task: &Value) {
        self.status = task["status"].as_str().unwrap_or_default().to_owned();
        self.token = task["token"].as_u64().unwrap_or(0);
        self.attempts = task["attempts"].as_u64().unwrap_or(0);
        self.agent = task["agent_id"].as_str().map(str::to_owned);
        self.auto = task["auto_assign"] == true;
    }

    /// Whether this is the same task but for whom it is reserved.
    fn only_given_on(&self, now: &Task) -> bool {
        let reserved = Task { agent: now.agent.clone(), ..self.clone() };
        self.status == "ready" && reserved == *now
    }
}

impl Model {
    pub fn step(&mut self, world: &mut World, presence: &mut presence::Model) -> Result<(), String> {
        let open = self.tasks.values().filter(|task| !task.is_final()).count();
        match world.dice.random_range(0..10) {
            0..3 if open < 12 => self.create(world),
            0..5 => self.claim(world),
            5 => self.assign(world, presence),
            _ => self.work(world, presence),
        }
    }

    fn create(&mut self, world: &mut World) -> Result<(), String> {
        let id = format!("t{}", self.tasks.len());
        let attempts = world.dice.random_range(1..4);
        let input = json!({"task_id": id, "title": id, "creator_id": "ana", "max_attempts": attempts,
            "priority": world.dice.random_range(0..10)});
        match world.call("task.create", &input) {
            Ok(task) => {
                let mut new = Task {
                    status: String::new(),
                    token: 0,
                    attempts: 0,
                    agent: None,
                    auto: false,
                    renewed_at: 0.0,
                    told_over: None,
                };
                new.take(&task);
                self.tasks.insert(id, new);
                Ok(())
            }
            Err(None) => Ok(()),
            Err(Some(error)) => Err(format!("task.create: {error:?}")),
        }
    }

    fn claim(&mut self, world: &mut World) -> Result<(), String> {
        let agent = world.someone();
        let task = match world.call("task.claim", &json!({"agent_id": agent})) {
            Ok(Value::Null) | Err(None) => return Ok(()),
            Ok(task) => task,
            Err(Some(error)) => return Err(format!("task.claim: {error:?}")),
        };
        let known = task["task_id"].as_str().and_then(|id| self.tasks.get_mut(id));
        let Some(known) = known else { return Err(format!("a task that nobody made was claimed: {task}")) };
        if known.status != "ready" || known.agent.as_deref().is_some_and(|other| other != agent) {
            return Err(format!("claimed as {known:?}: {task}"));
        }
        let attempts = known.attempts;
        known.take(&task);
        known.renewed_at = world.boot();
        if known.token <= self.newest_token
            || known.attempts != attempts + 1
            || known.agent.as_deref() != Some(agent)
        {
            return Err(format!("a claim must have a new token and count one attempt: {task}"));
        }
        self.newest_token = known.token;
        Ok(())
    }

    /// Reserves a task for someone, or has the engine choose.
    fn assign(&mut self, world: &mut World, presence: &presence::Model) -> Result<(), String> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let at = world.dice.random_range(0..self.tasks.len());
        let Some((id, task)) = self.tasks.iter_mut().nth(at) else { return Ok(()) };
        let whom = if world.dice.random_bool(0.5) { "auto" } else { world.someone() };
        let open = task.status == "ready";
        match world.call("task.assign", &json!({"task_id": id, "agent_id": whom})) {
            Ok(answer) => {
                task.take(&answer);
                let chosen = task.agent.as_deref().unwrap_or_default();
                let rightly = if whom == "auto" { !presence.has_left(chosen) } else { chosen == whom };
                match open && rightly {
                    true => Ok(()),
                    false => Err(format!("assigned to {whom:?}, which cannot be: {answer}")),
                }
            }
            Err(None) => Ok(()),
            Err(Some(error)) if error.code() == Code::Conflict && (!open || whom == "auto") => Ok(()),
            Err(Some(error)) => Err(format!("task.assign to {whom:?} of {task:?}: {error:?}")),
        }
    }

    /// One of those who hold or held a task does something by a token, the right one or an old one.
    fn work(&mut self, world: &mut World, presence: &mut presence::Model) -> Result<(), String> {
        let claimed: Vec<String> =
            self.tasks.iter().filter(|(_, task)| task.token > 0).map(|(id, _)| id.clone()).collect();
        if claimed.is_empty() {
            return Ok(());
        }
        let id = &claimed[world.dice.random_range(0..claimed.len())];
        let Some(task) = self.tasks.get_mut(id) else { return Ok(()) };
        let stale = world.dice.random_bool(0.2);
        let agent = task.agent.clone().unwrap_or_else(|| world.someone().to_owned());
        let token = if stale { task.token - 1 } else { task.token };
        let mut input = json!({"task_id": id, "agent_id": agent, "token": token});
        let more = [
            ("task.renew", json!({})),
            ("task.progress", json!({"progress": world.dice.random_range(0..100)})),
            ("task.complete", json!({"result": "done"})),
            ("task.fail", json!({"error": "e", "retry": world.dice.random_bool(0.5)})),
            ("task.release", json!({})),
        ];
        let (operation, more) = &more[world.dice.random_range(0..more.len())];
        if let (Value::Object(input), Value::Object(more)) = (&mut input, more) {
            input.extend(more.clone());
        }
        let before = task.clone();
        let alive = before.renewed_at.max(presence.heard_at(&agent));
        match world.call(operation, &input) {
            Ok(_) if stale || !before.is_held() => {
                Err(format!("{operation} by a stale token was accepted; the task was {before:?}"))
            }
            Ok(answer) => {
                if *operation != "task.renew" {
                    task.take(&answer);
                }
                task.renewed_at = world.boot();
                Ok(())
            }
            Err(None) => Ok(()),
            Err(Some(error)) => {
                if error.code() == Code::LeaseLost && !stale && before.is_held() {
                    task.told_over = Some(before.token);
                }
                refused(&error, stale, &before, world.boot() - alive)
            }
        }
    }

    /// What the hub does by the clock may take a task back, but not before its lease is over; and give on what is
    /// reserved, but not while its agent is there.
    pub fn after_tending(&mut self, world: &mut World, presence: &presence::Model) -> Result<(), String> {
        for (id, known) in &mut self.tasks {
            let task = world.look("task.get", &json!({"task_id": id}))?;
            let mut now = known.clone();
            now.take(&task);
            if now == *known {
                continue;
            }
            let heard = known.agent.as_deref().map_or(0.0, |agent| presence.heard_at(agent));
            let silent = world.boot() - known.renewed_at.max(heard);
            let over = silent >= LEASE || known.was_told();
            let put_back = known.is_held() && over && (now.status == "ready" || now.status == "failed");
            let away = known.agent.as_deref().map_or(now.auto, |agent| presence.is_away(agent, world.boot()));
            let given_on = away && known.only_given_on(&now);
            if !(put_back || given_on) {
                return Err(format!("{silent} s after it was heard of, {known:?} became {task}"));
            }
            *known = now;
        }
        Ok(())
    }

    /// Opening a hub anew grants every lease its whole time again.
    pub fn reopened(&mut self, _: &World) {
        self.tasks.values_mut().for_each(|task| task.told_over = None);
    }

    /// Nothing but what was acknowledged has changed any task.
    pub fn verify(&self, world: &mut World) -> Result<(), String> {
        let found = world.look("task.list", &json!({"limit": 1_000}))?;
        let found = found["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        if found.len() != self.tasks.len() {
            return Err(format!("{} tasks are there, {} were made", found.len(), self.tasks.len()));
        }
        for task in found {
            let known = task["task_id"].as_str().and_then(|id| self.tasks.get(id));
            let mut there = known.cloned().ok_or_else(|| format!("nobody made {task}"))?;
            there.take(task);
            if known != Some(&there) {
                return Err(format!("{known:?} became {task} by nobody's deed"));
            }
        }
        Ok(())
    }
}

/// A refusal must have its reason: a stale token, a task that nobody holds, or a lease that may be over.
fn refused(error: &Error, stale: bool, before: &Task, silent: f64) -> Result<(), String> {
    let over = silent >= LEASE || before.was_told();
    match error.code() {
        Code::LeaseLost if stale || !before.is_held() || over => Ok(()),
        Code::Conflict if before.is_final() => Ok(()),
        _ => Err(format!("refused {silent} s after it was heard of, as {before:?}: {error:?}")),
    }
}
