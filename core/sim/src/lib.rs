//! Seeded simulation over the real engine.
//!
//! One seed decides everything: ids, times, who does what, when a commit fails, when the disk does, when the hub is
//! closed and opened again. Nothing runs by itself: the clock stands until it is moved, and what the hub's own threads
//! would do happens when the simulation says so. After each step the hub is compared with models of a few lines each
//! (memory, tasks, presence, sessions, the log), and at the end the whole file is checked. The same seed gives the same run, event
//! for event: [`Outcome::hash`] shows it.

// Indexing a JSON value answers null where nothing is; lists are indexed by dice that know their length.
#![allow(clippy::indexing_slicing)]

mod memory;
mod messages;
mod presence;
mod sessions;
mod tasks;
mod world;

use rand::Rng;
use world::World;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Over every answer, refusal and event of the run.
    pub hash: String,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Operations that a fault refused.
    pub faults: u64,
    /// How often the hub was closed and opened again.
    pub reopened: u64,
}

/// The agents of a run.
const AGENTS: [&str; 4] = ["ana", "bob", "cem", "dee"];

/// Runs one seed; the error says what was not as promised. `lane` names the file system of runs that go on at once.
pub fn run(seed: u64, lane: &str, steps: u64) -> Result<Outcome, String> {
    let mut world = World::new(seed, lane)?;
    let mut memory = memory::Model::default();
    let mut tasks = tasks::Model::default();
    let mut presence = presence::Model::default();
    let mut messages = messages::Model::default();
    let mut sessions = sessions::Model::default();
    presence.register(&mut world)?;
    for step in 0..steps {
        world.plan_fault();
        let done = match world.dice.random_range(0..100) {
            0..24 => memory.step(&mut world),
            24..34 => sessions.step(&mut world),
            34..66 => tasks.step(&mut world, &mut presence),
            66..78 => presence.step(&mut world, &mut tasks),
            78..88 => messages.step(&mut world),
            88..93 => world.advance(),
            93..95 => world.jump(),
            95..98 => world.tend().and_then(|()| tasks.after_tending(&mut world, &presence)),
            _ => {
                world.reopen().map(|()| tasks.reopened(&world)).and_then(|()| sessions.verify_all(&mut world))
            }
        };
        let settled = done
            .and_then(|()| world.settle())
            .and_then(|()| memory.verify(&mut world))
            .and_then(|()| tasks.verify(&mut world))
            .and_then(|()| presence.verify(&mut world))
            .and_then(|()| sessions.verify(&mut world));
        settled.map_err(|why| format!("step {step}: {why}"))?;
    }
    presence.everyone_lapses(&mut world)?;
    sessions.verify_all(&mut world)?;
    messages.everything_is_there(&mut world, sessions.posted())?;
    world.finish()
}
