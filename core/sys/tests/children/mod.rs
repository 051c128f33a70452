//! Real processes for tests: this test binary once more, told by its environment which part to play.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "FOLKMOOT_TEST_ROLE";
const PLACE: &str = "FOLKMOOT_TEST_PLACE";
const SAYS: &str = "child says: ";

/// A child process, killed when dropped.
pub struct Actor {
    process: Child,
    output: BufReader<ChildStdout>,
}

/// Runs the test `child` of this binary as `role`, in the directory `place`.
pub fn start(role: &str, place: &Path) -> Actor {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    Actor { process, output }
}

/// In a child: its role and its directory. None in an ordinary run of the tests.
pub fn role() -> Option<(String, PathBuf)> {
    Some((env::var(ROLE).ok()?, env::var_os(PLACE)?.into()))
}

/// In a child: tells the parent.
pub fn say(what: &str) {
    println!("\n{SAYS}{what}");
}

#[allow(dead_code, reason = "not every test binary needs all of them")]
impl Actor {
    /// What the child says next.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child ended without a word");
            if let Some(said) = line.trim_end().strip_prefix(SAYS) {
                return said.to_owned();
            }
        }
    }

    /// Kills it, as an operator or the kernel would, and waits until it is gone.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits until it ends by itself, well.
    pub fn finish(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
