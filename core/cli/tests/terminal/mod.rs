//! The real binary, as a user's shell starts it.
#![allow(dead_code)]

use std::process::{Child, Command};

use serde_json::Value;

/// The command with these arguments, in an environment that sets nothing of folkmoot's.
pub fn folkmoot(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_folkmoot"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FOLKMOOT_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// Standard output of a run that must succeed.
pub fn succeeds(args: &[&str]) -> String {
    let output = folkmoot(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a run that must not succeed, and must answer nothing.
pub fn fails(args: &[&str]) -> (i32, String) {
    let output = folkmoot(args).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && told.is_empty(), "{args:?}: {told}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The JSON that a run prints.
pub fn json_of(args: &[&str]) -> Value {
    serde_json::from_str(&succeeds(args)).unwrap()
}

/// Ctrl-C.
#[cfg(unix)]
pub fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
