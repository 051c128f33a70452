//! How well processes pass on the turn to write: `cargo run --release -p folkmoot-sys --example turn_race`.
//!
//! One process, then four, each as fast as it can, by our turn and by a plain waiting `fcntl` lock; with three
//! sorts of work under the lock. Prints turns per second, the longest wait for one, and the slowest process's share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, hint, io, thread};

use folkmoot_sys::Sidecar;
use rusqlite::Connection;

const RUN: Duration = Duration::from_secs(2);

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [dir, lock, work] = args.as_slice() {
        return contend(Path::new(dir), lock, work);
    }
    println!(
        "{:8} {:8} {:>6} {:>10} {:>12} {:>14}",
        "work", "lock", "procs", "turns/s", "longest ms", "least share %"
    );
    for work in ["short", "mixed", "sqlite", "nothing"] {
        for lock in ["turn", "setlkw"] {
            for processes in [1, 4] {
                race(work, lock, processes);
            }
        }
    }
}

fn race(work: &str, lock: &str, processes: usize) {
    let dir = tempfile::tempdir().unwrap();
    prepare(&dir.path().join("db"));
    let children: Vec<_> = (0..processes)
        .map(|_| {
            let mut child = Command::new(env::current_exe().unwrap());
            child.arg(dir.path()).args([lock, work]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let (mut total, mut longest, mut least) = (0_u64, 0_f64, u64::MAX);
    for child in children {
        let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let (turns, wait) = said.trim().split_once(' ').expect("a child died");
        let turns: u64 = turns.parse().unwrap();
        total += turns;
        least = least.min(turns);
        longest = longest.max(wait.parse().unwrap());
    }
    let rate = total as f64 / RUN.as_secs_f64();
    let share = 100.0 * least as f64 / total as f64;
    println!("{work:8} {lock:8} {processes:>6} {rate:>10.0} {longest:>12.1} {share:>14.1}");
}

fn prepare(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a, b)").unwrap();
}

fn contend(dir: &Path, lock: &str, work: &str) {
    let db = Connection::open(dir.join("db")).unwrap();
    db.execute_batch("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0").unwrap();
    let mut turns = 0_u64;
    let mut body = || {
        turns += 1;
        match work {
            "sqlite" => {
                let mut insert = db.prepare_cached("INSERT INTO t VALUES(?, 'some row')").unwrap();
                insert.execute([turns.cast_signed()]).unwrap();
            }
            "mixed" if turns.is_multiple_of(10) => thread::sleep(Duration::from_millis(1)),
            "short" | "mixed" => spin(Duration::from_micros(20)),
            _ => {}
        }
    };
    let mut longest = Duration::ZERO;
    let begun = Instant::now();
    match lock {
        "turn" => {
            let sidecar = Sidecar::open(&dir.join("side")).unwrap();
            while begun.elapsed() < RUN {
                let asked = Instant::now();
                let turn = sidecar.take_turn(Duration::from_secs(10), &|| false).unwrap().expect("starved");
                longest = longest.max(asked.elapsed());
                body();
                drop(turn);
            }
        }
        _ => {
            let file = plain(dir.join("plain"));
            while begun.elapsed() < RUN {
                let asked = Instant::now();
                fcntl(&file, libc::F_WRLCK);
                longest = longest.max(asked.elapsed());
                body();
                fcntl(&file, libc::F_UNLCK);
            }
        }
    }
    println!("{turns} {}", longest.as_secs_f64() * 1e3);
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        hint::spin_loop();
    }
}

fn plain(path: PathBuf) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

fn fcntl(file: &File, kind: libc::c_int) {
    // SAFETY: flock is plain integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_len = 1;
    // SAFETY: the descriptor is open, and `lock` outlives the call.
    while unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLKW, &raw const lock) } != 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
}
