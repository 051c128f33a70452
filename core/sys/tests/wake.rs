//! Waking other processes.
#![allow(clippy::unwrap_used, missing_docs)]

mod children;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use children::{say, start};
use folkmoot_sys::Sidecar;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn sidecar(dir: &Path) -> Arc<Sidecar> {
    Sidecar::open(&dir.join("side")).unwrap()
}

/// A part played in a process of its own; without a role there is nothing to play.
#[test]
fn child() {
    let Some((_, dir)) = children::role() else { return };
    let sidecar = sidecar(&dir);
    let mut seen = sidecar.wake_word();
    loop {
        say("sleeps");
        let word = sidecar.wait(seen, LONG);
        assert_ne!(word, seen);
        seen = word;
        say(&format!("woke at commit {}", sidecar.commits().load(Ordering::SeqCst)));
    }
}

#[test]
fn a_wake_reaches_every_sleeping_process() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let mut sleepers = [start("sleeper", dir.path()), start("sleeper", dir.path())];
    for commit in 1..=20 {
        for sleeper in &mut sleepers {
            assert_eq!(sleeper.hear(), "sleeps");
        }
        sidecar.commits().fetch_add(1, Ordering::SeqCst);
        sidecar.wake();
        for sleeper in &mut sleepers {
            assert_eq!(sleeper.hear(), format!("woke at commit {commit}"));
        }
    }
}

#[test]
fn a_killed_sleeper_keeps_nobody_from_being_woken() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let mut doomed = start("sleeper", dir.path());
    assert_eq!(doomed.hear(), "sleeps");
    doomed.kill();
    sidecar.wake();
    let mut sleeper = start("sleeper", dir.path());
    assert_eq!(sleeper.hear(), "sleeps");
    sidecar.wake();
    assert_eq!(sleeper.hear(), "woke at commit 0");
}

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let seen = sidecar.wake_word();
    sidecar.wake();
    assert_ne!(sidecar.wait(seen, LONG), seen);
}

#[test]
fn a_nudge_wakes_the_own_threads() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let seen = sidecar.wake_word();
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| sidecar.wait(seen, LONG));
        sidecar.nudge();
        assert_ne!(sleeper.join().unwrap(), seen);
    });
}

#[test]
fn a_wait_without_a_wake_ends_with_its_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let seen = sidecar.wake_word();
    assert_eq!(sidecar.wait(seen, SHORT), seen);
    assert_eq!(sidecar.wait(seen, Duration::ZERO), seen);
}

#[test]
fn an_endless_timeout_is_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let seen = sidecar.wake_word();
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| sidecar.wait(seen, Duration::MAX));
        thread::sleep(SHORT);
        sidecar.wake();
        assert_ne!(sleeper.join().unwrap(), seen);
    });
}
