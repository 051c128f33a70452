//! Real processes for tests: this test binary once more, told by its environment which part to play.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const PART: &str = "FOLKMOOT_TEST_PART";
const PLACE: &str = "FOLKMOOT_TEST_PLACE";
const SAYS: &str = "player says: ";

/// A process that plays a part; killed when dropped.
pub struct Player {
    process: Child,
    output: Option<BufReader<ChildStdout>>,
}

/// In a child: its part and the file it plays on. None in an ordinary run of the tests.
pub fn part() -> Option<(String, PathBuf)> {
    Some((std::env::var(PART).ok()?, std::env::var_os(PLACE)?.into()))
}

/// In a child: tells the parent, by one write, so that a kill cuts no line in two.
pub fn say(what: &str) {
    let line = format!("\n{SAYS}{what}\n");
    let mut out = std::io::stdout().lock();
    // A parent that has gone away is no failure of this part.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

#[allow(dead_code, reason = "not every test binary needs all of them")]
impl Player {
    /// Runs the test `child` of this binary in a part, with settings of its own.
    pub fn start(part: &str, place: &Path, settings: &[(&str, String)]) -> Player {
        Player::start_as(None, part, place, settings).unwrap()
    }

    /// The same as another user, by number: only root may, and only where that user can reach this program.
    pub fn start_as(
        user: Option<u32>,
        part: &str,
        place: &Path,
        settings: &[(&str, String)],
    ) -> std::io::Result<Player> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        if let Some(user) = user {
            command.uid(user).gid(user).current_dir("/");
        }
        let mut process = command
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(PLACE, place)
            .env("RUST_BACKTRACE", "0")
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().map(BufReader::new);
        Ok(Player { process, output })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its lines, to be read by another thread.
    pub fn lines(&mut self) -> impl Iterator<Item = String> + Send + use<> {
        let mut output = self.output.take().unwrap();
        std::iter::from_fn(move || hear(&mut output))
    }

    /// What it says next; none once it has ended.
    pub fn hear(&mut self) -> Option<String> {
        hear(self.output.as_mut().unwrap())
    }

    /// Kills it, as an operator or the kernel would, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Waits until it ends by itself, well.
    pub fn finish(mut self) {
        assert!(self.process.wait().unwrap().success());
    }

    /// Sends it a signal by name (`STOP`, `CONT`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }
}

fn hear(output: &mut impl BufRead) -> Option<String> {
    loop {
        let mut line = String::new();
        // A line without an end was cut by the kill: it was not said.
        if output.read_line(&mut line).ok()? == 0 || !line.ends_with('\n') {
            return None;
        }
        if let Some(said) = line.trim_end().strip_prefix(SAYS) {
            return Some(said.to_owned());
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A whole number from the environment.
#[allow(dead_code, reason = "not every test binary needs all of them")]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
