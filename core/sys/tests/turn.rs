//! The turn to write, between real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod children;

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use children::{Actor, say, start};
use folkmoot_sys::{Sidecar, TurnGuard};

const LONG: Duration = Duration::from_secs(60);
const PROCESSES: usize = 4;
const ENOUGH: u64 = 100;

fn sidecar(dir: &Path) -> Arc<Sidecar> {
    Sidecar::open(&dir.join("side")).unwrap()
}

fn take(sidecar: &Sidecar) -> TurnGuard<'_> {
    sidecar.take_turn(LONG, &|| false).unwrap().expect("nobody gave the turn away")
}

fn try_take(sidecar: &Sidecar) -> Option<TurnGuard<'_>> {
    sidecar.take_turn(Duration::ZERO, &|| false).unwrap()
}

/// A part played in a process of its own; without a role there is nothing to play.
#[test]
fn child() {
    let Some((role, dir)) = children::role() else { return };
    let sidecar = sidecar(&dir);
    match role.as_str() {
        "owner" => {
            let _turn = take(&sidecar);
            say("owns");
            thread::sleep(LONG);
        }
        "waiter" => {
            say("waits");
            drop(take(&sidecar));
            say("had it");
        }
        number => hammer(&sidecar, &dir, number.parse().unwrap()),
    }
}

/// Takes turns without a pause until each of the processes has had enough. Every turn counts up a sum in a file, by
/// a read and a write that lose counts if two do it at once.
fn hammer(sidecar: &Sidecar, dir: &Path, me: usize) {
    let counts = counts(dir);
    let everybody_had_enough = || (0..PROCESSES).all(|process| get(&counts, process) >= ENOUGH);
    loop {
        let turn = take(sidecar);
        put(&counts, me, get(&counts, me) + 1);
        let sum = get(&counts, PROCESSES);
        thread::yield_now();
        put(&counts, PROCESSES, sum + 1);
        let done = everybody_had_enough();
        drop(turn);
        if done {
            return;
        }
    }
}

fn counts(dir: &Path) -> File {
    let path = dir.join("counts");
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

fn get(file: &File, index: usize) -> u64 {
    let mut value = [0; 8];
    file.read_exact_at(&mut value, index as u64 * 8).unwrap();
    u64::from_ne_bytes(value)
}

fn put(file: &File, index: usize, value: u64) {
    file.write_all_at(&value.to_ne_bytes(), index as u64 * 8).unwrap();
}

#[test]
fn everyone_gets_turns_and_no_two_own_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let counts = counts(dir.path());
    counts.set_len(8 * (PROCESSES as u64 + 1)).unwrap();
    let actors: Vec<Actor> = (0..PROCESSES).map(|number| start(&number.to_string(), dir.path())).collect();
    actors.into_iter().for_each(Actor::finish);
    let turns: u64 = (0..PROCESSES).map(|process| get(&counts, process)).sum();
    assert_eq!(get(&counts, PROCESSES), turns);
}

#[test]
fn a_killed_owner_frees_the_turn() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let mut owner = start("owner", dir.path());
    assert_eq!(owner.hear(), "owns");
    assert!(try_take(&sidecar).is_none());
    owner.kill();
    drop(take(&sidecar));
}

#[test]
fn a_killed_waiter_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let turn = take(&sidecar);
    for _ in 0..3 {
        let mut waiter = start("waiter", dir.path());
        assert_eq!(waiter.hear(), "waits");
        thread::sleep(Duration::from_millis(5));
        waiter.kill();
    }
    let mut survivor = start("waiter", dir.path());
    assert_eq!(survivor.hear(), "waits");
    drop(turn);
    assert_eq!(survivor.hear(), "had it");
    survivor.finish();
    drop(take(&sidecar));
}

#[test]
fn a_waiter_gets_the_turn_from_an_owner_that_keeps_coming_back() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let mut waiter = start("waiter", dir.path());
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            assert_eq!(waiter.hear(), "waits");
            assert_eq!(waiter.hear(), "had it");
            waiter
        });
        while !waiting.is_finished() {
            drop(take(&sidecar));
        }
        waiting.join().unwrap()
    });
    waiting.finish();
}

#[test]
fn who_waits_is_asked_whether_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let mut owner = start("owner", dir.path());
    assert_eq!(owner.hear(), "owns");
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() == 3
    };
    assert!(sidecar.take_turn(LONG, &stop).unwrap().is_none());
    assert_eq!(asked.get(), 3);
    assert!(sidecar.take_turn(Duration::from_millis(10), &|| false).unwrap().is_none());
}

#[test]
fn threads_of_a_process_take_turns_too() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = sidecar(dir.path());
    let counts = counts(dir.path());
    counts.set_len(8).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let _turn = take(&sidecar);
                    put(&counts, 0, get(&counts, 0) + 1);
                }
            });
        }
    });
    assert_eq!(get(&counts, 0), 800);
    let _turn = take(&sidecar);
    thread::scope(|scope| {
        scope.spawn(|| assert!(try_take(&sidecar).is_none()));
    });
}
