//! S1: what was acknowledged survives `kill -9`.
//!
//! Several processes write one file as fast as they can and report each answer after they got it. They are killed at
//! random moments and at named points of a batch (before the commit, after it, before the answer, in a checkpoint) and
//! started again, while another process listens and is killed as well. After each round the file must hold every
//! reported write, in order and without a gap; its chain must hold and the fold of its log must equal its tables; and
//! the listener must have heard every event just once.
//!
//! `FOLKMOOT_TEST_KILLS` says how many (1,000 by default).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "crash/listener.rs"]
mod listener;
mod players;
#[path = "crash/sessions.rs"]
mod sessions;
#[path = "crash/verdict.rs"]
mod verdict;
#[path = "crash/writer.rs"]
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use players::{Player, setting};
use rand::{Rng, SeedableRng, rngs::StdRng};
use verdict::{Acknowledged, verify};

/// Writing processes at once.
const WRITERS: u64 = 4;
/// Kills of one file before it is judged and a new one begins.
const ROUND: u64 = 100;

#[test]
fn child() {
    match players::part() {
        Some((part, file)) if part == "writer" => writer::write(&file),
        Some((part, file)) if part == "listener" => listener::listen(&file),
        _ => {}
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let kills = setting("FOLKMOOT_TEST_KILLS", 1_000);
    let seed = setting("FOLKMOOT_TEST_SEED", rand::random());
    println!("{kills} kills, seed {seed}");
    let (mut killed, mut acknowledged, mut at_points) = (0, 0, 0);
    while killed < kills {
        let round = Round::play(seed + killed, ROUND.min(kills - killed));
        killed += round.killed;
        at_points += round.at_points;
        acknowledged += round.acknowledged;
    }
    assert!(acknowledged > kills, "the writers hardly wrote: {acknowledged}");
    println!("{killed} kills ({at_points} at named points), {acknowledged} acknowledged writes, 0 lost");
}

struct Round {
    killed: u64,
    at_points: u64,
    acknowledged: u64,
}

impl Round {
    fn play(seed: u64, kills: u64) -> Round {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.db");
        let (left, at_points) = (AtomicI64::new(kills as i64), AtomicU64::new(0));
        let (reports, heard) = std::thread::scope(|scope| {
            let listener = listener::Listener::follow(&file);
            let slots: Vec<_> = (0..WRITERS)
                .map(|slot| {
                    let (file, left, at_points) = (&file, &left, &at_points);
                    let mut dice = StdRng::seed_from_u64(seed ^ (slot << 32));
                    scope.spawn(move || {
                        let mut reports = Vec::new();
                        for life in 0.. {
                            if left.fetch_sub(1, Ordering::SeqCst) <= 0 {
                                break;
                            }
                            reports.push(one_life(file, slot, life, &mut dice, at_points));
                        }
                        reports
                    })
                })
                .collect();
            let reports: Vec<Acknowledged> =
                slots.into_iter().flat_map(|slot| slot.join().unwrap()).collect();
            (reports, listener.finish(&file))
        });
        let acknowledged = verify(&file, &reports, &heard).unwrap_or_else(|why| {
            panic!("seed {seed}: {why}\nthe file stays at {}", folder.keep().display())
        });
        Round { killed: reports.len() as u64, at_points: at_points.into_inner(), acknowledged }
    }
}

/// Starts a writer and sees it killed; answers what it had reported.
fn one_life(file: &Path, slot: u64, life: u64, dice: &mut StdRng, at_points: &AtomicU64) -> Acknowledged {
    let name = format!("{slot}.{life}");
    let mut settings = vec![("FOLKMOOT_TEST_LIFE", name.clone())];
    let point = ["before_commit", "after_commit", "before_answer", "in_checkpoint"][dice.random_range(0..4)];
    let at_point = dice.random_bool(0.4) && (point != "in_checkpoint" || dice.random_bool(0.2));
    if at_point {
        settings.push(("FOLKMOOT_TEST_POINT", point.to_owned()));
        let most = if point == "in_checkpoint" { 1 } else { 60 };
        settings.push(("FOLKMOOT_TEST_NTH", dice.random_range(1..=most).to_string()));
    }
    let mut player = Player::start("writer", file, &settings);
    let lines = player.lines();
    let (ready, is_ready) = mpsc::channel();
    let (ended, has_ended) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        for line in lines {
            if line == "ready" { ready.send(()).unwrap_or_default() } else { said.push(line) }
        }
        ended.send(()).unwrap_or_default();
        said
    });
    // A tenth dies while it opens the file.
    if !dice.random_bool(0.1) {
        let _ = is_ready.recv_timeout(Duration::from_secs(20));
    }
    let patience = if at_point { 500_000 } else { dice.random_range(0..60_000) };
    let by_itself = has_ended.recv_timeout(Duration::from_micros(patience)).is_ok();
    player.kill();
    at_points.fetch_add(u64::from(at_point && by_itself), Ordering::Relaxed);
    assert!(at_point || !by_itself, "writer {name} ended by itself");
    Acknowledged::read(name, &reader.join().unwrap())
}
