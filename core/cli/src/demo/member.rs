//! What every process of the team has: its own handle on the hub, its own agent in it, and an ear for the end.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot::agents::{Capabilities, Location, Register, UpdatePresence};
use folkmoot::tasks::{Log, Progress, Task};
use folkmoot::{Code, Error, Hub, HubConfig};

use super::arguments::RoleArgs;
use super::team::Role;

/// One process of the team.
pub struct Member {
    /// Its own handle on the hub.
    pub hub: Hub,
    /// Its agent's id.
    pub id: &'static str,
    /// The folder that is surveyed.
    pub folder: PathBuf,
    /// Where the report goes.
    pub report: PathBuf,
    /// Whether someone in the team checks links.
    pub links: bool,
    pace: Duration,
    stop: Arc<AtomicBool>,
}

impl Member {
    /// Opens the hub, registers the agent and has this process beat for it.
    pub fn join(role: &Role, args: &RoleArgs) -> Result<Member, Error> {
        let config: serde_json::Value = serde_json::from_str(&args.hub_config)
            .map_err(|error| Error::invalid("hub-config", args.hub_config.as_str(), error))?;
        let hub = Hub::open(&args.file, HubConfig::from_json(&config)?)?;
        let member = Member {
            hub,
            id: role.name,
            folder: args.folder.clone(),
            report: args.report.clone(),
            links: args.links,
            pace: Duration::from_secs_f64(args.pace),
            stop: end_of_input(),
        };
        let able = || Capabilities::Words(role.can.iter().map(|&word| word.to_owned()).collect());
        member.keep_trying(|| {
            member.hub.run(Register {
                kind: Some("tool".to_owned()),
                role: Some(role.name.to_owned()),
                capabilities: Some(able()),
                location: Some(Location { pid: Some(std::process::id()), ..Location::default() }),
                ..Register::new(role.name)
            })?;
            member.hub.hold_agent(role.name)
        })?;
        Ok(member)
    }

    /// Whether the one who started this process wants its end, or is gone.
    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Says that a tool was used, as an agent does at each of its tool calls.
    pub fn uses(&self, tool: &str, task: Option<&Task>) -> Result<(), Error> {
        self.hub.run(UpdatePresence {
            agent_id: self.id.to_owned(),
            tool_name: Some(tool.to_owned()),
            task_id: task.map(|task| task.task_id.clone()),
            ..UpdatePresence::default()
        })?;
        Ok(())
    }

    /// Reports how far a task is, then rests as long as the pace says.
    pub fn report_progress(
        &self,
        task: &Task,
        percent: f64,
        phase: &str,
        log: Option<String>,
    ) -> Result<(), Error> {
        self.hub.run(Progress {
            task_id: task.task_id.clone(),
            agent_id: self.id.to_owned(),
            token: task.token,
            progress: Some(percent),
            phase: Some(phase.to_owned()),
            log: log.map(Log::Line),
            idempotency_key: None,
        })?;
        std::thread::sleep(self.pace);
        Ok(())
    }

    /// Does it again for as long as the hub cannot answer just now: a busy disk is no reason to give up.
    pub fn keep_trying<T>(&self, work: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        keep_trying(work, || self.is_over())
    }

    /// For calls that wait: ends them when this process is to end.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_over() { Err(Error::new(Code::Unavailable, "the demo is over")) } else { Ok(()) }
    }
}

/// Does it again for as long as the hub cannot answer just now, or until it is over.
pub fn keep_trying<T>(
    mut work: impl FnMut() -> Result<T, Error>,
    is_over: impl Fn() -> bool,
) -> Result<T, Error> {
    const REST: Duration = Duration::from_millis(100);
    loop {
        match work() {
            Err(error) if error.code().retryable() && !is_over() => {
                eprintln!("{error}");
                std::thread::sleep(REST);
            }
            other => return other,
        }
    }
}

/// Becomes true when standard input ends: whoever started this process has closed it, or has died.
fn end_of_input() -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    let set = over.clone();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        set.store(true, Ordering::Release);
    });
    over
}
