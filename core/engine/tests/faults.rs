//! S4: a disk that is full or fails, at every call of a short script.
//!
//! The script runs once undisturbed while the calls of SQLite to its file system are counted. Then each call fails in
//! turn, in each way that such a call can. Every step must answer or be refused with a typed error; what was refused
//! left nothing, what was answered is there; once the fault is over, writing goes on and the whole file is sound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot_engine::seams::{Point, Seams};
use folkmoot_engine::{Code, Durability, Error, Hub, HubConfig, memory};
use folkmoot_sys::sync::Mutex;
use folkmoot_sys::{FaultCode, FaultOp, FaultVfs};
use serde_json::{Value, json};
use tempfile::TempDir;

const OPS: [FaultOp; 8] = [
    FaultOp::Read,
    FaultOp::Write,
    FaultOp::Sync,
    FaultOp::Truncate,
    FaultOp::Open,
    FaultOp::Delete,
    FaultOp::Lock,
    FaultOp::ShmMap,
];

fn config() -> HubConfig {
    HubConfig { durability: Durability::Full, write_timeout_seconds: 0.5, ..HubConfig::default() }
}

fn seams(vfs: &FaultVfs) -> Seams {
    Seams { vfs: Some(vfs.name().to_owned()), background: false, ..Seams::default() }
}

/// A folder in memory where there is one: thousands of files are made here.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

/// One step of the script: a key with what it becomes.
fn step(hub: &Hub, number: u64) -> Result<(), Error> {
    let call = |name: &str, input: Value| hub.call(name, input.to_string().as_bytes()).map(drop);
    match number % 4 {
        0 => call("memory.set", json!({"key": format!("k{number}"), "value": "x".repeat(3_000)})),
        1 => call(
            "memory.increment",
            json!({"key": format!("k{number}"), "idempotency_key": format!("i{number}")}),
        ),
        2 => call(
            "memory.set_many",
            json!({"entries": [{"key": format!("k{number}"), "value": 1}, {"key": format!("l{number}"), "value": 1}]}),
        ),
        _ => call(
            "agent.register",
            json!({"name": format!("k{number}"), "idempotency_key": "same words, other agent"}),
        )
        .or_else(|error| if error.code() == Code::Conflict { Ok(()) } else { Err(error) }),
    }
}

const STEPS: u64 = 8;

/// Runs the script; answers which steps were acknowledged.
fn script(file: &Path, vfs: &FaultVfs) -> Result<Vec<u64>, Error> {
    let hub = Hub::open_with(file, config(), seams(vfs))?;
    let mut done = Vec::new();
    for number in 0..STEPS {
        match step(&hub, number) {
            Ok(()) => done.push(number),
            Err(error) => typed(&error),
        }
        let read = hub.call("memory.list", b"{}").and(hub.call("hub.stats", b"{}"));
        read.err().iter().for_each(typed);
    }
    hub.close();
    Ok(done)
}

fn typed(error: &Error) {
    assert!(matches!(error.code(), Code::Storage | Code::Unavailable), "{error:?}");
    assert!(error.message().len() > 10, "{error:?}");
}

/// The file holds just the acknowledged steps, is sound, and takes writes again.
fn verify(file: &Path, vfs: &FaultVfs, done: Option<&[u64]>) -> Result<(), String> {
    let hub =
        Hub::open_with(file, config(), seams(vfs)).map_err(|error| format!("cannot open again: {error}"))?;
    let there = |key: String| hub.run(memory::Get::new(&key)).is_ok();
    for number in 0..STEPS {
        let acknowledged = done.is_some_and(|done| done.contains(&number));
        let keys = match number % 4 {
            2 => vec![format!("k{number}"), format!("l{number}")],
            3 => continue,
            _ => vec![format!("k{number}")],
        };
        for key in keys {
            if there(key.clone()) != acknowledged {
                return Err(format!(
                    "step {number} was acknowledged: {acknowledged}; but {key} says otherwise"
                ));
            }
        }
    }
    (100..104)
        .try_for_each(|number| step(&hub, number))
        .map_err(|error| format!("writes do not resume: {error}"))?;
    hub.check().map_err(|error| format!("the check does not pass: {error}"))?;
    hub.close();
    Ok(())
}

#[test]
fn every_fault_at_every_call_is_a_typed_error_that_leaves_nothing_half_done() {
    let vfs = FaultVfs::register("every-call");
    let counts = {
        let (folder, before) = (folder(), OPS.map(|op| vfs.calls(op)));
        let done = script(&folder.path().join("hub.db"), &vfs).unwrap();
        assert_eq!(done.len() as u64, STEPS);
        let mut counts = OPS.map(|op| vfs.calls(op));
        counts.iter_mut().zip(before).for_each(|(count, before)| *count -= before);
        counts
    };
    let (mut broken, mut runs) = (Vec::new(), 0);
    for (op, count) in OPS.into_iter().zip(counts) {
        let codes: &[FaultCode] = match op {
            FaultOp::Write => &[FaultCode::Full, FaultCode::Io, FaultCode::Torn],
            FaultOp::Open => &[FaultCode::CantOpen, FaultCode::Permission],
            FaultOp::Lock => &[FaultCode::Busy, FaultCode::Io],
            FaultOp::Sync => &[FaultCode::Io, FaultCode::Full],
            _ => &[FaultCode::Io],
        };
        for &code in codes {
            for nth in 1..=count {
                let folder = folder();
                let file = folder.path().join("hub.db");
                vfs.fail_next(op, nth, code);
                let outcome = script(&file, &vfs);
                vfs.clear();
                outcome.as_ref().err().iter().for_each(|error| typed(error));
                if let Err(why) = verify(&file, &vfs, outcome.as_deref().ok()) {
                    broken.push(format!("{op:?} {nth} of {count} with {code:?}: {why}"));
                }
                runs += 1;
            }
        }
    }
    println!("{runs} faults, {} not as promised", broken.len());
    assert!(broken.is_empty(), "{} of {runs}:\n{}", broken.len(), broken.join("\n"));
}

/// A read that fails ends SQLite's transaction on the spot: the rest of the batch must not go on without one.
#[test]
fn a_read_that_fails_in_a_batch_leaves_the_rest_of_it_whole() {
    const KEYS: u64 = 24;
    let vfs = FaultVfs::register("cold-batch");
    let folder = folder();
    let set = |hub: &Hub, key: u64, n: u64| {
        let input = json!({"key": format!("key/{key}"), "value": "x".repeat(5_000), "idempotency_key": format!("{key}/{n}")});
        hub.call("memory.set", input.to_string().as_bytes())
    };
    let mut versions = [0_u64; KEYS as usize];
    let mut refused = 0;
    for nth in 1..60 {
        // Opened anew, everything has to be read from the file.
        let slow = Arc::new(AtomicBool::new(true));
        let is_slow = slow.clone();
        let hold_back = move |point| {
            if point == Point::BeforeCommit && is_slow.swap(false, Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        };
        let seams = Seams { fault: Some(Arc::new(hold_back)), ..seams(&vfs) };
        let hub = Hub::open_with(folder.path().join("hub.db"), config(), seams).unwrap();
        std::thread::scope(|scope| {
            // The first commit takes its time; what comes meanwhile is one batch.
            scope.spawn(|| set(&hub, 1_000, nth).unwrap());
            while slow.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            vfs.fail_next(FaultOp::Read, nth, FaultCode::Io);
            for (key, version) in versions.iter_mut().enumerate() {
                let (hub, set) = (&hub, &set);
                scope.spawn(move || *version += u64::from(set(hub, key as u64, nth).is_ok()));
            }
        });
        vfs.clear();
        for (key, version) in versions.iter_mut().enumerate() {
            let there = hub.run(memory::Get::new(&format!("key/{key}"))).map_or(0, |entry| entry.version);
            assert_eq!(there, *version, "key/{key} after read {nth} failed");
            refused += nth - *version;
        }
        hub.check().unwrap();
        hub.close();
    }
    assert_ne!(refused, 0, "no read failed");
}

#[test]
fn a_full_disk_refuses_writes_and_still_reads_until_it_clears() {
    let vfs = FaultVfs::register("full-disk");
    let folder = folder();
    let hub = Hub::open_with(folder.path().join("hub.db"), config(), seams(&vfs)).unwrap();
    step(&hub, 0).unwrap();
    vfs.fail_all(FaultOp::Write, FaultCode::Full);
    for number in 1..20 {
        if number % 4 == 3 {
            continue;
        }
        let error = step(&hub, number).unwrap_err();
        assert_eq!(error.code(), Code::Storage, "{error}");
        assert!(error.message().contains("disk is full"), "{error}");
        assert!(error.hint_text().unwrap().contains("free some space"), "{error}");
        hub.run(memory::Get::new("k0")).unwrap();
        hub.call("event.read", b"{}").unwrap();
    }
    vfs.clear();
    assert_eq!(hub.run(memory::List::default()).unwrap().entries.len(), 1);
    step(&hub, 1).unwrap();
    hub.check().unwrap();
}

#[test]
fn a_real_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        println!("left out: a file system of its own can be mounted by root only");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let ballast = folder.path().join("ballast");
        std::fs::write(&ballast, vec![1; 300_000]).unwrap();
        let hub = Hub::open(folder.path().join("hub.db"), config()).unwrap();
        let set = |n: usize| hub.run(memory::Set::new(&format!("k{n:04}"), json!("x".repeat(8_000))));
        let full = (0..1_000).find_map(|n| set(n).err().map(|error| (n, error)));
        let (kept, error) = full.expect("a megabyte does not hold eight");
        assert_eq!(error.code(), Code::Storage, "{error}");
        assert!(error.to_string().contains("disk"), "{error}");
        assert!(kept > 10, "only {kept} went in");
        assert_eq!(hub.run(memory::Get::new(&format!("k{:04}", kept - 1))).unwrap().version, 1);
        std::fs::remove_file(&ballast).unwrap();
        assert_eq!(set(kept).unwrap().version, 1);
        assert_eq!(hub.check().unwrap().rows_equal, kept as u64 + 1);
        hub.close();
    });
    let _ = Command::new("umount").arg("-l").arg(folder.path()).status();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn a_file_that_turns_read_only_says_so() {
    let vfs = FaultVfs::register("read-only");
    let folder = folder();
    let hub = Hub::open_with(folder.path().join("hub.db"), config(), seams(&vfs)).unwrap();
    step(&hub, 0).unwrap();
    vfs.fail_all(FaultOp::Write, FaultCode::ReadOnly);
    let error = step(&hub, 1).unwrap_err();
    assert_eq!((error.code(), error.message().contains("read-only")), (Code::Storage, true), "{error}");
    vfs.clear();
    step(&hub, 1).unwrap();
    hub.check().unwrap();
}

#[test]
fn a_commit_that_fails_refuses_its_whole_batch_and_changes_nothing() {
    let broken = Arc::new(Mutex::new(false));
    let is_broken = broken.clone();
    let fault = move |point: Point| match (point, *is_broken.lock()) {
        (Point::BeforeCommit, true) => Err(Error::storage("the disk failed, as the test wanted")),
        _ => Ok(()),
    };
    let seams = Seams { fault: Some(Arc::new(fault)), ..Seams::default() };
    let hub = Hub::open_with(":memory:", config(), seams).unwrap();
    let set = |value: u32| hub.run(memory::Set::new("k", json!(value)));
    set(1).unwrap();
    *broken.lock() = true;
    std::thread::scope(|scope| {
        for value in 10..18 {
            let set = &set;
            scope.spawn(move || assert_eq!(set(value).unwrap_err().code(), Code::Storage));
        }
    });
    assert_eq!(hub.run(memory::Get::new("k")).unwrap().value.to_value(), json!(1));
    *broken.lock() = false;
    // Version and `seq` go on as if nothing had been tried, and the chain holds.
    assert_eq!(set(2).unwrap().version, 2);
    assert_eq!(hub.check().unwrap().events, 2);
}
