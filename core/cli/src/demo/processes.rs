//! The processes of the team: started, watched, killed, ended.
//!
//! Each is this very program, started again; one is a Node program. A child's standard input is a pipe that nobody writes to: when it ends, by
//! intent or because this process died, the child ends too.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use folkmoot::Error;

use super::node::NodeProgram;
use super::team::{PLAN, Role};

/// How long a child may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of what a failed child said is shown.
const SAID: usize = 600;

/// What every child is told.
pub struct Launch {
    /// The command line that starts this program.
    pub relaunch: Vec<OsString>,
    /// What follows the role: file, folder, report, pace, configuration.
    pub arguments: Vec<OsString>,
    /// The Node program and what it is told, where the team has one.
    pub node: Option<(NodeProgram, String)>,
    /// Where what they say on standard error is kept.
    pub logs: PathBuf,
}

/// The children.
pub struct Processes {
    launch: Launch,
    running: Vec<Process>,
}

struct Process {
    role: Role,
    child: Child,
}

impl Processes {
    /// None yet.
    pub fn new(launch: Launch) -> Processes {
        Processes { launch, running: Vec::new() }
    }

    /// Starts one of the team.
    pub fn start(&mut self, role: Role) -> Result<(), Error> {
        let words = self.words(role);
        let Some((program, rest)) = words.split_first() else {
            return Err(Error::unavailable("this program does not know how to start itself again")
                .hint("run the demo with the `folkmoot` command"));
        };
        let log = File::create(self.log(role))?;
        let child = Command::new(program)
            .args(rest)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| {
                Error::unavailable(format!("{} cannot be started: {error}", program.to_string_lossy()))
            })?;
        self.running.push(Process { role, child });
        Ok(())
    }

    /// The command line that starts one of the team.
    fn words(&self, role: Role) -> Vec<OsString> {
        let Launch { relaunch, arguments, node, .. } = &self.launch;
        match node {
            Some((node, told)) if role.needs_node() => {
                node.command.iter().cloned().chain([told.into()]).collect()
            }
            _ if relaunch.is_empty() => Vec::new(),
            _ => {
                let own = ["demo-role".into(), role.name.into()];
                relaunch.iter().cloned().chain(own).chain(arguments.iter().cloned()).collect()
            }
        }
    }

    fn log(&self, role: Role) -> PathBuf {
        self.launch.logs.join(format!("{}.log", role.name))
    }

    /// Kills a process on the spot (SIGKILL on Unix); answers which process it was.
    pub fn kill(&mut self, name: &str) -> Result<Option<u32>, Error> {
        let Some(at) = self.running.iter().position(|process| process.role.name == name) else {
            return Ok(None);
        };
        let mut process = self.running.swap_remove(at);
        process.child.kill()?;
        process.child.wait()?;
        Ok(Some(process.child.id()))
    }

    /// Fails when a child has ended that should not have. The planner ends when it has planned.
    pub fn check(&mut self) -> Result<(), Error> {
        let mut ended = None;
        self.running.retain_mut(|process| match process.child.try_wait() {
            Ok(Some(status)) => {
                if !(status.success() && process.role.can.contains(&PLAN)) {
                    ended = Some((process.role, status));
                }
                false
            }
            _ => true,
        });
        let Some((role, status)) = ended else { return Ok(()) };
        let said = std::fs::read_to_string(self.log(role)).unwrap_or_default();
        let said = crate::output::shorten(said.trim(), SAID);
        Err(Error::internal(format!(
            "the process of the {} ended before its time ({status}): {said}",
            role.name
        )))
    }

    /// Tells all children to end; kills those that do not.
    pub fn stop(&mut self) {
        for process in &mut self.running {
            drop(process.child.stdin.take());
        }
        let start = Instant::now();
        for mut process in self.running.drain(..) {
            while matches!(process.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop();
    }
}
