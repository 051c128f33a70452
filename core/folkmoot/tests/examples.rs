//! Each example is a program that ends by itself, and fails loudly when what it shows is not so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::Command;

/// The built example. `cargo test` and nextest build it beside the tests; where only tests were asked for, cargo does it
/// now.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "folkmoot", "--example", name]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
    }
    path
}

/// What an example prints.
fn run(name: &str) -> String {
    let output = Command::new(built(name)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn two_agents_see_and_hear_each_other() {
    let shown = run("two_agents");
    assert!(shown.contains("ana is active, last used web_search"), "{shown}");
    assert!(shown.contains("ana to bob: I found three sources."), "{shown}");
    assert!(shown.contains("the thread has 2 messages"), "{shown}");
}

#[test]
fn a_crash_costs_no_task_and_an_old_token_changes_nothing() {
    let shown = run("task_queue_with_a_crash");
    assert!(shown.contains("killed \"doomed\" at 40 %"), "{shown}");
    assert!(shown.contains("heir took it over: attempt 2"), "{shown}");
    assert!(shown.contains("the old token is refused"), "{shown}");
    assert!(shown.contains("completed by heir"), "{shown}");
}

#[test]
fn shared_memory_loses_no_change() {
    let shown = run("shared_memory");
    assert!(shown.contains("after 101 versions"), "{shown}");
    assert!(shown.contains("visits = 1"), "{shown}");
}

#[test]
fn a_question_is_answered_or_the_time_is_up() {
    let shown = run("ask_and_answer");
    assert!(shown.contains("librarian: On the second shelf."), "{shown}");
    assert!(shown.contains("no answer from the sleeper in time"), "{shown}");
}

#[test]
fn whoever_watches_hears_everything_once() {
    let shown = run("watch_everything");
    assert_eq!(shown.matches("memory.updated").count(), 3, "{shown}");
    assert!(shown.contains("task.created"), "{shown}");
}

#[test]
fn the_readmes_example_is_the_one_that_runs() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let example = std::fs::read_to_string(root.join("examples/rust/readme.rs")).unwrap();
    let (_, code) = example.split_once("\n\n").unwrap();
    assert!(readme.contains(&format!("```rust\n{code}```")), "the README and examples/rust/readme.rs differ");
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(built("readme")).current_dir(folder.path()).status().unwrap();
    assert!(ended.success());
}
