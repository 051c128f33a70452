//! The queue of presence updates: taken at once, written some milliseconds later.
//!
//! Each update stays one event of its own while the queue has room. When it is full, updates of one agent and session
//! are folded together and counted; none is lost. Reading presence looks at the tables and at what waits here.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use folkmoot_sys::sync::{Condvar, Mutex, RwLock, RwLockReadGuard};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{AgentChanged, PRESENCE_UPDATED};
use super::presence::UpdatePresence;
use super::{AgentError, Presence, tables};
use crate::clock::Time;
use crate::config::HubConfig;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::Place;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;
use crate::principal::Principal;
use crate::storage::read_only;

/// The most updates that one batch writes: it must stay well under the time of a batch.
const BATCH: usize = 1_000;

/// One update that waits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Delta {
    pub update: UpdatePresence,
    pub at: Time,
    /// How often a tool was used: more than one when updates were folded together.
    pub tools: u64,
}

pub(crate) struct Relaxed {
    state: Mutex<State>,
    more: Condvar,
    flush_after: Duration,
    capacity: usize,
    /// How many updates were folded into others.
    pub coalesced: AtomicU64,
    /// Taken alone while updates move from here into the tables, together by who reads both.
    flushing: RwLock<()>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delta>,
    /// What the flush under way has taken: not in the tables yet.
    in_flight: Arc<Vec<Delta>>,
    /// Agents that are known to be registered.
    known: HashSet<String>,
    closed: bool,
}

impl Relaxed {
    pub fn new(config: &HubConfig) -> Relaxed {
        Relaxed {
            state: Mutex::default(),
            more: Condvar::new(),
            flush_after: Duration::from_millis(config.flush_milliseconds),
            capacity: config.relaxed_queue as usize,
            coalesced: AtomicU64::new(0),
            flushing: RwLock::new(()),
        }
    }

    /// Takes an update.
    pub fn push(&self, core: &Core, update: UpdatePresence) -> Result<()> {
        if core.config.read_only {
            return Err(read_only());
        }
        let at = core.seams.clock.wall();
        let tools = u64::from(update.tool_name.is_some());
        let mut state = self.state.lock();
        if !state.known.contains(&update.agent_id) {
            drop(state);
            if !core.storage.read_one(|reader| tables::exists(reader.db, &update.agent_id))? {
                return Err(AgentError::Unknown(update.agent_id).into());
            }
            state = self.state.lock();
            state.known.insert(update.agent_id.clone());
        }
        if state.closed {
            return Err(Error::unavailable("this hub is closed")
                .with("reason", "closed")
                .hint("open it again"));
        }
        let delta = Delta { update, at, tools };
        if state.waiting.len() >= self.capacity {
            self.fold(&mut state.waiting, delta);
            return Ok(());
        }
        state.waiting.push_back(delta);
        if state.waiting.len() == 1 {
            self.more.notify_one();
        }
        Ok(())
    }

    /// Folds an update into the last one of its agent, unless a new session lies between.
    fn fold(&self, waiting: &mut VecDeque<Delta>, delta: Delta) {
        let last = waiting.iter_mut().rev().find(|other| other.update.agent_id == delta.update.agent_id);
        match last {
            Some(other)
                if delta.update.session_id.is_none()
                    || delta.update.session_id == other.update.session_id =>
            {
                other.tools += delta.tools;
                other.at = delta.at;
                other.update.merge(delta.update);
                self.coalesced.fetch_add(1, Ordering::Relaxed);
            }
            // The first of its agent or session: at most one more for each.
            _ => waiting.push_back(delta),
        }
    }

    /// Holds back the flush while someone reads the tables and then what waits here: between the two an update would be
    /// seen twice or not at all. A flush that hangs (a stopped process has the turn) holds up no reader for long.
    pub fn steady(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.flushing.try_read_for(Duration::from_millis(100))
    }

    /// Lays what waits over a presence from the tables.
    pub fn overlay(&self, presence: &mut Presence) {
        let state = self.state.lock();
        for delta in state.in_flight.iter().chain(&state.waiting) {
            if delta.update.agent_id == presence.agent_id {
                delta.update.apply(presence, delta.tools, delta.at);
            }
        }
    }

    /// Writes all that waits.
    pub fn flush(&self, core: &Core) -> Result<()> {
        loop {
            let _one_at_a_time = self.flushing.write();
            // Copied only after the lock is free: callers must not wait for it.
            let taken = {
                let mut state = self.state.lock();
                if state.in_flight.is_empty() {
                    let count = state.waiting.len().min(BATCH);
                    state.in_flight = Arc::new(state.waiting.drain(..count).collect());
                }
                // What a failed flush had taken is written first.
                state.in_flight.clone()
            };
            if taken.is_empty() {
                return Ok(());
            }
            let deltas = taken.to_vec();
            core.change("presence.flush", Class::Relaxed, &Principal::Process, Flush { deltas })?;
            self.state.lock().in_flight = Arc::default();
        }
    }

    /// The flushing thread.
    pub fn serve(&self, core: &Core) {
        loop {
            {
                let mut state = self.state.lock();
                while state.waiting.is_empty() && state.in_flight.is_empty() && !state.closed {
                    self.more.wait(&mut state);
                }
                if state.closed {
                    return;
                }
            }
            std::thread::sleep(self.flush_after);
            if let Err(error) = self.flush(core) {
                tracing::warn!(%error, "presence updates could not be written; trying again");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    pub fn close(&self) {
        self.state.lock().closed = true;
        self.more.notify_all();
    }
}

/// Writes updates, each as an event of its own.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Flush {
    deltas: Vec<Delta>,
}

impl Change for Flush {
    type Output = ();

    fn decide(&self, cx: &mut Decide<'_>) -> Result<()> {
        let mut touched: std::collections::HashMap<&str, Presence> = std::collections::HashMap::new();
        for delta in &self.deltas {
            let agent_id = delta.update.agent_id.as_str();
            let presence = match touched.entry(agent_id) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => {
                    let presence =
                        tables::presence(cx.db, agent_id)?.unwrap_or_else(|| Presence::new(agent_id));
                    tables::beat(cx.db, agent_id)?;
                    new.insert(presence)
                }
            };
            let was_offline = presence.status == super::Status::Offline;
            delta.update.apply(presence, delta.tools, delta.at);
            let place = Place {
                session_id: presence.session_id.clone(),
                task_id: presence.current_task_id.clone(),
                subject: delta.update.event.clone(),
                ..Place::agent(agent_id)
            };
            let joined = if was_offline { tables::profile(cx.db, agent_id)? } else { None };
            match joined {
                Some(agent) => {
                    let body = AgentChanged { agent, presence: presence.clone(), reason: None };
                    cx.emit(super::events::JOINED, place, body)
                }
                None => cx.emit(PRESENCE_UPDATED, place, presence.clone()),
            };
        }
        Ok(())
    }
}
