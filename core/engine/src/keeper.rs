//! The keeper: whatever must happen as time passes.
//!
//! One thread of each hub beats for the agents it holds, looks for leases that have lapsed, keys and back-offs that are
//! due, agents that have fallen quiet, and events that retention takes. All of it is done by commands that hold only if
//! what was seen still stands, so that two processes doing the same do no harm. One process at a time is the
//! *housekeeper* (a lock that dies with it) and acts at once; the others act a little later, in case it is stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use folkmoot_sys::Byte;
use folkmoot_sys::sync::{Condvar, Mutex};

use crate::agents;
use crate::core::Core;
use crate::error::Result;
use crate::leases::Lease;
use crate::memory;
use crate::pipeline::command::{Change, Class};
use crate::principal::Principal;
use crate::retention::{self, Counted};
use crate::sessions;
use crate::tasks;

/// How much longer than the housekeeper the other processes wait.
const GRACE: Duration = Duration::from_secs(1);
/// How often the keeper looks, at least and at most.
const SLOWEST: Duration = Duration::from_secs(1);
const QUICKEST: Duration = Duration::from_millis(10);
/// How much longer the keeper waits between two looks for each lease there is.
const PER_LEASE: Duration = Duration::from_micros(20);
/// How often retention, expiry and indexes are looked after.
const SLOW_ROUND: Duration = Duration::from_secs(5);
/// How much is expired in one go.
const AT_ONCE: usize = 200;

/// What the keeper of one hub remembers.
#[derive(Default)]
pub(crate) struct Keeper {
    state: Mutex<State>,
    more: Condvar,
    closed: AtomicBool,
    /// Milliseconds of the shortest lease that is held here; beats come three times as often.
    shortest: AtomicU64,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct State {
    holds: bool,
    /// How many handles of this process hold an agent.
    handles: HashMap<String, usize>,
    beaten: Option<Duration>,
    slow_round: Option<Duration>,
    /// When tasks were last assigned, and the row after which to go on.
    assigned: Option<Duration>,
    assigned_upto: i64,
    summarized: Option<Duration>,
    /// The fingerprint of the last summary.
    summary: Option<u64>,
}

impl Keeper {
    /// Has this process beat for an agent; `newly` when it is a further handle that holds it.
    pub fn hold(&self, core: &Core, agent_id: &str, newly: bool) -> Result<()> {
        system(
            core,
            "agent.hold",
            Class::Shared,
            agents::commands::Hold { agent_id: Some(agent_id.to_owned()) },
        )?;
        let mut state = self.state.lock();
        state.holds = true;
        if newly {
            *state.handles.entry(agent_id.to_owned()).or_default() += 1;
        }
        state.beaten = Some(core.seams.clock.boot());
        self.more.notify_one();
        Ok(())
    }

    /// Has this process beat for the places that its clients take in sessions.
    pub fn hold_places(&self, core: &Core) -> Result<()> {
        if self.state.lock().holds {
            return Ok(());
        }
        system(core, "agent.hold", Class::Shared, agents::commands::Hold { agent_id: None })?;
        let mut state = self.state.lock();
        state.holds = true;
        state.beaten = Some(core.seams.clock.boot());
        self.more.notify_one();
        Ok(())
    }

    /// Notes that a lease of this length is held here, so that beats come often enough.
    pub fn note_lease(&self, ttl: Duration) {
        let millis = ttl.as_millis() as u64;
        let before = self.shortest.load(Ordering::Relaxed);
        if before == 0 || millis < before {
            self.shortest.store(millis.max(1), Ordering::Relaxed);
            self.more.notify_one();
        }
    }

    /// Takes the agents offline that one handle held and no other handle of this process holds.
    pub fn let_go(&self, core: &Core, held: Vec<String>) -> Result<()> {
        let mut state = self.state.lock();
        let alone = held.into_iter().filter(|agent_id| match state.handles.get_mut(agent_id) {
            Some(handles) if *handles > 1 => {
                *handles -= 1;
                false
            }
            _ => state.handles.remove(agent_id).is_some(),
        });
        let agents: Vec<String> = alone.collect();
        drop(state);
        if !agents.is_empty() {
            // What they have just done must not bring them back.
            core.relaxed.flush(core)?;
            let leave = agents::commands::LeaveAll { agents: Some(agents) };
            system(core, "agent.leave_all", Class::Durable, leave)?;
        }
        Ok(())
    }

    /// Takes the agents that this process holds offline.
    pub fn leave(&self, core: &Core) -> Result<()> {
        if std::mem::take(&mut self.state.lock().holds) {
            system(core, "agent.leave_all", Class::Durable, agents::commands::LeaveAll { agents: None })?;
        }
        Ok(())
    }

    /// The keeper's thread.
    pub fn serve(&self, core: &Core) {
        while !self.closed.load(Ordering::Acquire) {
            let wait = match self.round(core) {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "the keeper's round failed; trying again");
                    SLOWEST
                }
            };
            let mut state = self.state.lock();
            if !self.closed.load(Ordering::Acquire) {
                self.more.wait_for(&mut state, wait.clamp(QUICKEST, SLOWEST));
            }
        }
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let _state = self.state.lock();
        self.more.notify_all();
    }

    /// Does everything that is due now, whatever the time of the last round.
    pub fn tend(&self, core: &Core) -> Result<()> {
        self.state.lock().slow_round = None;
        self.round(core).map(drop)
    }

    /// Does what is due; answers how long until something is.
    fn round(&self, core: &Core) -> Result<Duration> {
        core.storage.check_in_place()?;
        let now = core.seams.clock.boot();
        let mut wait = self.summarize(core, now)?;
        if core.config.read_only {
            return Ok(wait);
        }
        wait = wait.min(self.beat(core, now)?);
        let grace = match core.storage.sidecar.try_lock_exclusive(Byte::Housekeeper) {
            Ok(true) => Duration::ZERO,
            Ok(false) | Err(_) => GRACE,
        };
        wait = wait.min(expire_leases(core, now, grace)?);
        wait = wait.min(tasks::keeper::wake_due(core)?);
        self.assign(core, now, grace)?;
        let due = self.state.lock().slow_round.is_none_or(|at| now >= at + SLOW_ROUND);
        if due && grace.is_zero() {
            slow_round(core, &self.counted)?;
            self.state.lock().slow_round = Some(now);
        }
        Ok(wait)
    }

    /// Assigns what waits for the engine's choice: the housekeeper each time, the others now and then.
    fn assign(&self, core: &Core, now: Duration, grace: Duration) -> Result<()> {
        let (last, upto) = {
            let state = self.state.lock();
            (state.assigned, state.assigned_upto)
        };
        if !grace.is_zero() && last.is_some_and(|at| now < at + SLOW_ROUND) {
            return Ok(());
        }
        let upto = tasks::keeper::assign_waiting(core, upto)?;
        let mut state = self.state.lock();
        (state.assigned, state.assigned_upto) = (Some(now), upto);
        Ok(())
    }

    fn beat(&self, core: &Core, now: Duration) -> Result<Duration> {
        let (holds, beaten) = {
            let state = self.state.lock();
            (state.holds, state.beaten.unwrap_or_default())
        };
        if !holds {
            return Ok(SLOWEST);
        }
        let shortest = Duration::from_millis(self.shortest.load(Ordering::Relaxed));
        let ttl = Duration::from_secs_f64(core.config.presence_ttl_seconds);
        let every = if shortest.is_zero() { ttl } else { ttl.min(shortest) } / 4;
        let next = beaten + every;
        if now < next {
            return Ok(next - now);
        }
        system(core, "agent.hold", Class::Shared, agents::commands::Hold { agent_id: None })?;
        self.state.lock().beaten = Some(now);
        Ok(every)
    }

    fn summarize(&self, core: &Core, now: Duration) -> Result<Duration> {
        let every = core.config.status_interval_seconds;
        if every == 0.0 || !core.publisher.has_subscribers() {
            return Ok(SLOWEST);
        }
        let every = Duration::from_secs_f64(every);
        let (last, said) = {
            let state = self.state.lock();
            (state.summarized, state.summary)
        };
        if let Some(next) = last.map(|at| at + every).filter(|next| now < *next) {
            return Ok(next - now);
        }
        let said = agents::summary::announce(core, said)?;
        let mut state = self.state.lock();
        state.summarized = Some(now);
        state.summary = said;
        Ok(every)
    }
}

/// Runs a command of the engine's own.
pub(crate) fn system<C: Change>(
    core: &Core,
    op: &'static str,
    class: Class,
    command: C,
) -> Result<C::Output> {
    core.change(op, class, &Principal::Process, command)
}

/// Ends the leases that have stood still for their time; answers how long until the next may.
fn expire_leases(core: &Core, now: Duration, grace: Duration) -> Result<Duration> {
    let presence_ttl = Duration::from_secs_f64(core.config.presence_ttl_seconds);
    let leases = core.storage.read(|reader| {
        let mut leases = agents::tables::leases(reader.db, presence_ttl)?;
        leases.extend(tasks::tables::leases(reader.db)?);
        leases.extend(tasks::assign::away(reader.db, reader.config)?);
        leases.extend(sessions::clients::leases(reader.db, core.config.presence_ttl_seconds)?);
        Ok(leases)
    })?;
    core.leases.keep_only(&leases);
    // Very many leases end at very many moments: looking at all of them for each would be all this thread does.
    let least = QUICKEST.max(PER_LEASE * leases.len() as u32);
    let mut wait = SLOWEST;
    for lease in leases {
        let over = Lease { ttl: lease.ttl + grace, ..lease };
        let left = core.leases.left(&over, now);
        if left.is_zero() {
            expire(core, &over)?;
        } else {
            wait = wait.min(left);
        }
    }
    Ok(wait.max(least))
}

fn expire(core: &Core, lease: &Lease) -> Result<()> {
    match lease.entity.split_once(':') {
        Some(("agent", agent_id)) => {
            let lapse = agents::commands::Lapse { agent_id: agent_id.to_owned(), count: lease.count };
            system(core, "agent.lapse", Class::Durable, lapse)?;
        }
        Some(("task", task_id)) => {
            let lapse =
                tasks::keeper::Lapse { task_id: task_id.to_owned(), token: lease.token, count: lease.count };
            system(core, "task.lapse", Class::Durable, lapse)?;
        }
        Some(("away", task_id)) => {
            let give_on = tasks::assign::GiveOn { task_id: task_id.to_owned(), count: lease.count };
            system(core, "task.give_on", Class::Durable, give_on)?;
        }
        Some(("client", place)) => {
            let (session_id, client_id) = place.split_once('\t').unwrap_or((place, ""));
            let lapse = sessions::clients::Lapse {
                session_id: session_id.to_owned(),
                client_id: client_id.to_owned(),
                token: lease.token,
                count: lease.count,
            };
            system(core, "session.lapse", Class::Shared, lapse)?;
        }
        _ => {}
    }
    Ok(())
}

/// What need not be exact to the second.
fn slow_round(core: &Core, counted: &Mutex<Counted>) -> Result<()> {
    let (quiet, expired) = core.storage.read(|reader| {
        let quiet = agents::tables::active(reader.db)?
            .into_iter()
            .filter(|presence| presence.is_quiet(reader.now.min(reader.steady), reader.config))
            .collect::<Vec<_>>();
        Ok((quiet, memory::tables::expired(reader.db, reader.steady, AT_ONCE)?))
    })?;
    for presence in quiet {
        let idle = agents::commands::FallIdle { agent_id: presence.agent_id };
        system(core, "presence.fall_idle", Class::Relaxed, idle)?;
    }
    for entry in expired {
        let expire = memory::commands::Expire { key: entry.key, version: entry.version };
        system(core, "memory.expire", Class::Durable, expire)?;
    }
    tasks::keeper::raise_waiting(core)?;
    retention::trim(core, counted)
}
