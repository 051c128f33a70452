//! What is going on, folded from the events: the demo's screen knows nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use folkmoot::Event;
use folkmoot::agents::{Agent, Presence, Status};
use folkmoot::memory::Entry;
use folkmoot::sessions::Decision;
use folkmoot::tasks::{Task, TaskStatus};
use serde::Deserialize;

use super::team::{KILLED, REPORT_TASK, TEAM};
use crate::describe;
use crate::output::one_line;

/// How many lines of what happened are kept.
const LINES: usize = 200;

/// Someone who takes part.
pub struct Member {
    /// Who.
    pub agent: Agent,
    /// What they do.
    pub presence: Presence,
    /// Why they left, when they did.
    pub left: Option<String>,
}

/// A line of what happened.
#[derive(Debug, Clone)]
pub struct Line {
    /// Since the start.
    pub at: Duration,
    /// The kind of the event.
    pub kind: String,
    /// Whose doing it was.
    pub who: String,
    /// In words.
    pub words: String,
}

/// A death and what came of it.
#[derive(Debug, Clone)]
pub struct Death {
    /// Who was killed.
    pub agent_id: String,
    /// Their process.
    pub pid: u32,
    /// What they held.
    pub task_id: String,
    /// What it is called.
    pub title: String,
    /// How far it was.
    pub progress: f64,
    /// When.
    pub at: Duration,
    /// Who took the task over, and when.
    pub taken_over: Option<(String, Duration)>,
}

/// What the director publishes when it has killed someone, in a sentence.
fn death_in_words(event: &Event) -> Option<String> {
    if event.place.subject.as_deref() != Some(KILLED) {
        return None;
    }
    let data = event.data.to_value();
    let killed = data.get("payload")?;
    let (who, title) = (killed.get("agent_id")?.as_str()?, killed.get("title")?.as_str()?);
    let (pid, progress) = (killed.get("pid")?.as_u64()?, killed.get("progress")?.as_f64()?);
    Some(one_line(&format!("SIGKILL to {who} (process {pid}) at {progress:.0} % of: {title}")))
}

/// All of it.
pub struct Picture {
    started: Instant,
    /// By name.
    pub members: BTreeMap<String, Member>,
    /// By id.
    pub tasks: BTreeMap<String, Task>,
    /// What happened, the newest last.
    pub lines: VecDeque<Line>,
    /// How many events there were.
    pub events: u64,
    /// How many messages.
    pub messages: u64,
    /// The version of the shared tally: how often it was merged into.
    pub merges: u64,
    /// How often a merge had to begin again.
    pub conflicts: u64,
    /// What the team has decided.
    pub decided: Option<String>,
    /// Who was killed.
    pub death: Option<Death>,
}

#[derive(Deserialize)]
struct Changed {
    agent: Agent,
    presence: Presence,
    reason: Option<String>,
}

impl Picture {
    /// Nothing has happened yet.
    pub fn new() -> Picture {
        Picture {
            started: Instant::now(),
            members: BTreeMap::new(),
            tasks: BTreeMap::new(),
            lines: VecDeque::new(),
            events: 0,
            messages: 0,
            merges: 0,
            conflicts: 0,
            decided: None,
            death: None,
        }
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes an event in; answers its line when it is one that people want to read.
    pub fn take(&mut self, event: &Event) -> Option<Line> {
        self.events += 1;
        let data = event.data.text();
        let noun = event.kind.split('.').next().unwrap_or_default();
        match noun {
            "agent" => self.take_agent(data),
            "presence" => self.take_presence(data),
            "task" => self.take_task(data),
            "message" => self.messages += u64::from(event.kind == "message.sent"),
            "memory" => self.take_memory(data),
            "session" if event.kind == "session.decision_recorded" => self.take_decision(data),
            _ => {}
        }
        let tells = match &*event.kind {
            "presence.updated" | "task.created" | "task.ready" | "task.progressed" | "channel.created" => {
                false
            }
            _ => noun != "memory",
        };
        if !tells {
            return None;
        }
        let line = Line {
            at: self.elapsed(),
            kind: event.kind.to_string(),
            who: event.place.agent_id.clone().unwrap_or_default(),
            words: death_in_words(event).unwrap_or_else(|| describe::words(event)),
        };
        self.lines.push_back(line.clone());
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
        Some(line)
    }

    fn take_agent(&mut self, data: &str) {
        let Ok(Changed { agent, presence, reason }) = serde_json::from_str(data) else { return };
        self.members.insert(agent.agent_id.clone(), Member { agent, presence, left: reason });
    }

    fn take_presence(&mut self, data: &str) {
        let Ok(presence) = serde_json::from_str::<Presence>(data) else { return };
        if let Some(member) = self.members.get_mut(&presence.agent_id) {
            member.presence = presence;
        }
    }

    fn take_task(&mut self, data: &str) {
        let Ok(task) = serde_json::from_str::<Task>(data) else { return };
        if let (Some(death), Some(agent)) = (&mut self.death, &task.agent_id) {
            let other = task.task_id == death.task_id && task.status.is_held() && *agent != death.agent_id;
            if other && death.taken_over.is_none() {
                death.taken_over = Some((agent.clone(), self.started.elapsed()));
            }
        }
        self.tasks.insert(task.task_id.clone(), task);
    }

    fn take_decision(&mut self, data: &str) {
        let Ok(decision) = serde_json::from_str::<Decision>(data) else { return };
        self.decided = Some(one_line(&decision.decision));
    }

    fn take_memory(&mut self, data: &str) {
        let Ok(entry) = serde_json::from_str::<Entry>(data) else { return };
        match entry.key.as_str() {
            "findings/tally" => self.merges = entry.version,
            "findings/conflicts" => self.conflicts = entry.value.to_value().as_u64().unwrap_or(0),
            _ => {}
        }
    }

    /// The tasks that stand so, those with higher priority first.
    pub fn with_status(&self, wanted: &[TaskStatus]) -> Vec<&Task> {
        let mut tasks: Vec<&Task> =
            self.tasks.values().filter(|task| wanted.contains(&task.status)).collect();
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.priority), task.created_seq));
        tasks
    }

    /// How many of the tasks are done, and how many there are.
    pub fn done_of(&self) -> (usize, usize) {
        let done = self.tasks.values().filter(|task| task.status == TaskStatus::Completed).count();
        (done, self.tasks.len())
    }

    /// The report's task, once it has ended.
    pub fn report(&self) -> Option<&Task> {
        self.tasks.get(REPORT_TASK).filter(|task| task.status.is_final())
    }

    /// What an agent holds now.
    pub fn held_by(&self, agent_id: &str) -> Option<&Task> {
        let holds = |task: &&Task| task.status.is_held() && task.agent_id.as_deref() == Some(agent_id);
        self.tasks.values().find(holds)
    }

    /// Whether an agent is present.
    pub fn is_present(&self, agent_id: &str) -> bool {
        self.members.get(agent_id).is_some_and(|member| member.presence.status != Status::Offline)
    }

    /// A worker who is in the middle of a task that someone else could finish; the one who reported last.
    pub fn in_the_middle(&self) -> Option<&Task> {
        let (done, all) = self.done_of();
        if self.tasks.is_empty() || done * 6 < all.saturating_sub(1) {
            return None;
        }
        let fits = |task: &&Task| {
            let halfway =
                task.status == TaskStatus::InProgress && task.progress > 0.0 && task.progress <= 70.0;
            let able = |name: &str, task: &Task| {
                let role = TEAM.iter().find(|role| role.name == name);
                role.is_some_and(|role| {
                    role.is_worker() && task.requires.iter().all(|word| role.can.contains(&word.as_str()))
                })
            };
            let other = |holder: &str| {
                TEAM.iter()
                    .any(|role| role.name != holder && able(role.name, task) && self.is_present(role.name))
            };
            halfway && task.agent_id.as_deref().is_some_and(|holder| able(holder, task) && other(holder))
        };
        self.tasks.values().filter(fits).max_by_key(|task| task.updated_at)
    }
}
