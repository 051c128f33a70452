//! S12: many seeds, each a run that can be had again.
//!
//! `FOLKMOOT_TEST_SEEDS` says how many (200 by default), `FOLKMOOT_TEST_SEED=n` runs just that one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use folkmoot_sim::run;

const STEPS: u64 = 120;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_seed_keeps_the_promises() {
    if let Some(seed) = setting("FOLKMOOT_TEST_SEED") {
        let outcome = run(seed, "one-seed", STEPS).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        return println!("seed {seed}: {outcome:?}");
    }
    let seeds = setting("FOLKMOOT_TEST_SEEDS").unwrap_or(200);
    let (next, broken) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let (acknowledged, faults, reopened) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for lane in ["lane-1", "lane-2"] {
            let (next, broken, acknowledged, faults, reopened) =
                (&next, &broken, &acknowledged, &faults, &reopened);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds {
                        break;
                    }
                    match run(seed, lane, STEPS) {
                        Ok(outcome) => {
                            acknowledged.fetch_add(outcome.acknowledged, Ordering::Relaxed);
                            faults.fetch_add(outcome.faults, Ordering::Relaxed);
                            reopened.fetch_add(outcome.reopened, Ordering::Relaxed);
                        }
                        Err(why) => broken.lock().unwrap().push(format!("FOLKMOOT_TEST_SEED={seed}: {why}")),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    println!(
        "{seeds} seeds: {acknowledged:?} calls acknowledged, {faults:?} refused by a fault, {reopened:?} reopened, {} broken",
        broken.len()
    );
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
    assert!(
        faults.into_inner() > seeds / 4 && reopened.into_inner() > seeds / 4,
        "hardly anything went wrong"
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 77, 4_000_000_000] {
        let first = run(seed, "twice", STEPS).unwrap();
        assert_eq!(run(seed, "twice", STEPS).unwrap(), first);
        assert_ne!(run(seed + 1, "twice", STEPS).unwrap().hash, first.hash);
    }
}
