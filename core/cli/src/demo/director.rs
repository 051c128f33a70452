//! The director: starts nobody's work and does none. It watches the team through the hub's events, kills one worker in
//! the middle of a task, and sees whether the others cope.

use std::path::Path;
use std::time::Duration;

use folkmoot::events::Publish;
use folkmoot::tasks::{Get, Task, TaskStatus};
use folkmoot::{Error, Filter, Hub, HubConfig, Item, Subscription};
use serde_json::{Value, json};

use super::lines::Front;
use super::member::keep_trying;
use super::picture::{Death, Picture};
use super::processes::Processes;
use super::team::{self, DIRECTOR, KILLED};
use crate::failure::Failure;
use crate::interrupt;

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(50);
/// How long the last picture stays.
const LAST_LOOK: Duration = Duration::from_millis(1_500);
/// A demo that takes longer has gone wrong.
const LONGEST: Duration = Duration::from_secs(180);
/// How often a worker may have finished its task just before it was killed.
const MOST_MISSES: u32 = 5;

/// The process that started the others: it watches, and kills one of them.
pub struct Director {
    hub: Hub,
    events: Subscription,
    /// What is going on.
    pub picture: Picture,
    misses: u32,
}

impl Director {
    /// Opens the hub, which is made by this.
    pub fn open(file: &Path, config: HubConfig) -> Result<Director, Error> {
        let hub = Hub::open(file, config)?;
        let events = hub.subscribe(Filter::default(), Some(0))?;
        Ok(Director { hub, events, picture: Picture::new(), misses: 0 })
    }

    /// Follows the team until the report is there; answers its task.
    pub fn direct(&mut self, processes: &mut Processes, front: &mut dyn Front) -> Result<Task, Failure> {
        loop {
            interrupt::check()?;
            let mut next = self.events.next(FRAME)?;
            while let Some(item) = next {
                if let Item::Event(event) = item
                    && let Some(line) = self.picture.take(&event)
                {
                    front.line(&self.picture, &line)?;
                }
                self.kill_someone(processes)?;
                next = self.events.try_next()?;
            }
            front.draw(&self.picture)?;
            if let Some(task) = self.picture.report().cloned() {
                return self.last_look(front, task);
            }
            self.check(processes)?;
        }
    }

    /// Lets people see how it ended.
    fn last_look(&self, front: &mut dyn Front, task: Task) -> Result<Task, Failure> {
        if let TaskStatus::Completed = task.status {
            front.end(&self.picture, LAST_LOOK)?;
            return Ok(task);
        }
        Err(failed(&task).into())
    }

    fn check(&self, processes: &mut Processes) -> Result<(), Failure> {
        if let Err(error) = processes.check() {
            // Whoever ends the whole group of processes ends the children too: that is no failure of theirs.
            std::thread::sleep(FRAME);
            interrupt::check()?;
            return Err(error.into());
        }
        let failures = [TaskStatus::Failed, TaskStatus::Cancelled];
        if let Some(task) = self.picture.with_status(&failures).first() {
            return Err(failed(task).into());
        }
        if self.picture.elapsed() > LONGEST {
            let (done, all) = self.picture.done_of();
            let text = format!("the demo was not done after {LONGEST:?}: {done} of {all} tasks are");
            return Err(Error::unavailable(text).hint("try a smaller folder or --pace 0").into());
        }
        Ok(())
    }

    /// Kills a worker in the middle of a task, once.
    ///
    /// It may have finished just before it died: then it is started again, and another one's turn comes.
    fn kill_someone(&mut self, processes: &mut Processes) -> Result<(), Error> {
        if self.picture.death.is_some() || self.misses == MOST_MISSES {
            return Ok(());
        }
        let Some(seen) = self.picture.in_the_middle() else { return Ok(()) };
        let (task_id, token) = (seen.task_id.clone(), seen.token);
        let Some(agent_id) = seen.agent_id.clone() else { return Ok(()) };
        let Some(pid) = processes.kill(&agent_id)? else { return Ok(()) };
        let task = self.hub.run(Get { task_id: task_id.clone() })?;
        if task.token != token || !task.status.is_held() {
            self.misses += 1;
            return team::role(&agent_id).map_or(Ok(()), |role| processes.start(role));
        }
        let payload = json!({
            "agent_id": agent_id, "pid": pid, "signal": "SIGKILL",
            "task_id": task_id, "title": task.title, "progress": task.progress,
        });
        let publish = Publish {
            event_type: KILLED.to_owned(),
            source_agent: DIRECTOR.to_owned(),
            target_agents: None,
            payload: Some(payload.into()),
            correlation_id: None,
            idempotency_key: None,
        };
        keep_trying(|| self.hub.run(publish.clone()).map(drop), interrupt::asked)?;
        let (title, progress, at) = (task.title, task.progress, self.picture.elapsed());
        self.picture.death = Some(Death { agent_id, pid, task_id, title, progress, at, taken_over: None });
        Ok(())
    }

    /// What came of it, for programs.
    pub fn summary(
        &self,
        report_task: &Task,
        folder: &Path,
        report: &Path,
        kept: Option<&Path>,
        seconds: f64,
    ) -> Result<Value, Error> {
        let result = report_task.result.to_value();
        let members = self.picture.members.iter().map(|(name, member)| {
            let done = self.picture.tasks.values().filter(|task| {
                task.status == TaskStatus::Completed && task.agent_id.as_deref() == Some(name.as_str())
            });
            let able: Vec<&String> = member.agent.capabilities.keys().collect();
            let pid = member.presence.location.as_ref().and_then(|location| location.pid);
            json!({ "agent_id": name, "pid": pid, "capabilities": able, "tasks_done": done.count() })
        });
        let killed = self.picture.death.as_ref().map(|death| {
            let ended = self.picture.tasks.get(&death.task_id);
            json!({
                "agent_id": death.agent_id,
                "pid": death.pid,
                "task_id": death.task_id,
                "title": death.title,
                "progress": death.progress,
                "taken_over_by": death.taken_over.as_ref().map(|(agent, _)| agent),
                "seconds_until_taken_over":
                    death.taken_over.as_ref().map(|(_, at)| at.saturating_sub(death.at).as_secs_f64()),
                "completed_by": ended.and_then(|task| task.agent_id.as_ref()),
            })
        });
        let (done, all) = self.picture.done_of();
        Ok(json!({
            "ok": true,
            "seconds": seconds,
            "folder": folder,
            "report": report,
            "hub": kept,
            "tasks": { "completed": done, "total": all },
            "events": self.picture.events,
            "messages": self.picture.messages,
            "merges": self.picture.merges,
            "agents": members.collect::<Vec<_>>(),
            "killed": killed,
            "figures": result.get("figures"),
        }))
    }
}

fn failed(task: &Task) -> Error {
    let error = task.error.as_deref().unwrap_or("no reason given");
    Error::unavailable(format!("the task {:?} ended as {}: {error}", task.title, task.status.as_str()))
        .hint("run the demo again with --plain to see what led there")
}
