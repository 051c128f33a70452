//! The surroundings of a run: the hub, its clock, its faults, and the record of what happened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot_engine::clock::{Clock, ManualClock, Time};
use folkmoot_engine::id::RandomIds;
use folkmoot_engine::seams::{Point, Seams};
use folkmoot_engine::{Code, Durability, Error, Filter, Hub, HubConfig, Item, Subscription};
use folkmoot_sys::{FaultCode, FaultOp, FaultVfs};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Outcome;

/// Seconds of a lease and of a presence, in the simulation's own time.
pub const LEASE: f64 = 60.0;
pub const PRESENCE: f64 = 30.0;

pub struct World {
    pub dice: StdRng,
    pub clock: Arc<ManualClock>,
    hub: Hub,
    heard: Subscription,
    seq: u64,
    commit_fails: Arc<AtomicBool>,
    disk: Arc<FaultVfs>,
    file: PathBuf,
    seed: u64,
    opened: u64,
    /// How far the wall clock was from the boot clock when the hub was opened, in milliseconds.
    believed: i64,
    record: Sha256,
    outcome: Outcome,
    _folder: tempfile::TempDir,
}

fn say(what: &str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error:?}")
}

impl World {
    pub fn new(seed: u64, lane: &str) -> Result<World, String> {
        let in_memory = Path::new("/dev/shm");
        let folder = if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() };
        let folder = folder.map_err(|error| error.to_string())?;
        let file = folder.path().join("hub.db");
        let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
        let (commit_fails, disk) = (Arc::new(AtomicBool::new(false)), FaultVfs::register(lane));
        disk.clear();
        let hub = open(&file, &clock, &commit_fails, &disk, seed).map_err(say("opening"))?;
        let heard = hub.subscribe(Filter::default(), Some(0)).map_err(say("listening"))?;
        let believed = believed(&clock);
        let outcome = Outcome { hash: String::new(), acknowledged: 0, faults: 0, reopened: 0 };
        Ok(World {
            dice: StdRng::seed_from_u64(seed),
            clock,
            hub,
            heard,
            seq: 0,
            commit_fails,
            disk,
            file,
            seed,
            opened: 0,
            believed,
            record: Sha256::new(),
            outcome,
            _folder: folder,
        })
    }

    /// An agent by the dice.
    pub fn someone(&mut self) -> &'static str {
        crate::AGENTS.get(self.dice.random_range(0..crate::AGENTS.len())).copied().unwrap_or("ana")
    }

    pub fn boot(&self) -> f64 {
        self.clock.boot().as_secs_f64()
    }

    /// The time by which deadlines are judged: the wall clock as it was when the hub was opened, and the time since.
    pub fn steady(&self) -> i64 {
        self.believed + self.clock.boot().as_millis() as i64
    }

    /// Now and then the next commit fails, or the disk is full or broken at one of the next writes.
    pub fn plan_fault(&mut self) {
        match self.dice.random_range(0..40) {
            0 => self.commit_fails.store(true, Ordering::SeqCst),
            1 => {
                let code = [FaultCode::Full, FaultCode::Io, FaultCode::Torn][self.dice.random_range(0..3)];
                self.disk.fail_next(FaultOp::Write, self.dice.random_range(1..8), code);
            }
            _ => {}
        }
    }

    fn no_faults(&self) {
        self.commit_fails.store(false, Ordering::SeqCst);
        self.disk.clear();
    }

    /// Calls an operation. `Err(None)` stands for a fault: nothing may have changed.
    pub fn call(&mut self, name: &str, input: &Value) -> Result<Value, Option<Error>> {
        let outcome = self.hub.call(name, input.to_string().as_bytes());
        self.record.update(name);
        match outcome {
            Ok(answer) => {
                // How the hub is tells of paths and sizes, which differ from run to run.
                if name != "hub.status" {
                    self.record.update(&answer);
                }
                self.outcome.acknowledged += 1;
                Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
            }
            Err(error) => {
                self.record.update(error.code().as_str());
                if error.code() != Code::Storage {
                    return Err(Some(error));
                }
                self.outcome.faults += 1;
                Err(None)
            }
        }
    }

    /// Calls an operation that no fault stands in the way of.
    pub fn look(&mut self, name: &str, input: &Value) -> Result<Value, String> {
        self.no_faults();
        self.call(name, input).map_err(|error| format!("{name} {input}: {error:?}"))
    }

    pub fn flush(&mut self) {
        // What a fault keeps from being written is written the next time.
        let _ = self.hub.flush();
    }

    pub fn advance(&mut self) -> Result<(), String> {
        let seconds = self.dice.random_range(1..40);
        self.clock.advance(Duration::from_secs(seconds));
        Ok(())
    }

    pub fn jump(&mut self) -> Result<(), String> {
        let years = self.dice.random_range(-10.0..10.0);
        self.clock.jump_wall(years * 365.25 * 86_400.0);
        Ok(())
    }

    pub fn tend(&mut self) -> Result<(), String> {
        match self.hub.tend() {
            Err(error) if error.code() != Code::Storage => Err(format!("tending: {error:?}")),
            _ => Ok(()),
        }
    }

    /// Closes the hub and opens it again; a fault may strike the first try.
    pub fn reopen(&mut self) -> Result<(), String> {
        self.no_faults();
        self.settle()?;
        self.hub.close();
        self.heard.close();
        self.opened += 1;
        self.plan_fault();
        let seed = self.seed ^ (self.opened << 40);
        let open = || open(&self.file, &self.clock, &self.commit_fails, &self.disk, seed);
        let hub = open().or_else(|error| {
            self.no_faults();
            if error.code() == Code::Storage { open() } else { Err(error) }
        });
        self.no_faults();
        self.hub = hub.map_err(say("opening again"))?;
        self.believed = believed(&self.clock);
        self.heard = self.hub.subscribe(Filter::default(), Some(self.seq)).map_err(say("listening again"))?;
        self.outcome.reopened += 1;
        Ok(())
    }

    /// Every event is heard once, in order, without a gap.
    pub fn settle(&mut self) -> Result<(), String> {
        self.no_faults();
        self.hub.flush().map_err(say("flushing"))?;
        while let Some(item) = self.heard.try_next().map_err(say("listening"))? {
            match item {
                Item::Event(event) if event.seq == 0 => {}
                Item::Event(event) if event.seq == self.seq + 1 => {
                    self.seq = event.seq;
                    self.record.update(event.wire().as_bytes());
                }
                Item::Position { seq } if seq == self.seq => {}
                other => return Err(format!("after event {} comes {other:?}", self.seq)),
            }
        }
        let status = self.look("hub.status", &json!({}))?;
        if status["seq"] != self.seq {
            return Err(format!("the log ends at {}, {} was heard", status["seq"], self.seq));
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Outcome, String> {
        self.settle()?;
        self.hub.check().map_err(say("the check at the end"))?;
        self.hub.close();
        let digest = std::mem::take(&mut self.record).finalize();
        self.outcome.hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.outcome)
    }
}

fn believed(clock: &ManualClock) -> i64 {
    clock.wall().millis() - clock.boot().as_millis() as i64
}

fn open(
    file: &Path,
    clock: &Arc<ManualClock>,
    commit_fails: &Arc<AtomicBool>,
    disk: &Arc<FaultVfs>,
    seed: u64,
) -> Result<Hub, Error> {
    let config = HubConfig {
        durability: Durability::Normal,
        lease_seconds: LEASE,
        presence_ttl_seconds: PRESENCE,
        status_interval_seconds: 0.0,
        subscription_queue: 3,
        retain_days: 1e6,
        retain_pulse_minutes: 1e8,
        ..HubConfig::default()
    };
    let fails = commit_fails.clone();
    let fault = move |point: Point| match point {
        Point::BeforeCommit if fails.swap(false, Ordering::SeqCst) => {
            Err(Error::storage("as the seed wants it"))
        }
        _ => Ok(()),
    };
    let seams = Seams {
        clock: clock.clone(),
        ids: Arc::new(move || Box::new(RandomIds::seeded(seed))),
        fault: Some(Arc::new(fault)),
        vfs: Some(disk.name().to_owned()),
        background: false,
    };
    Hub::open_with(file, config, seams)
}
