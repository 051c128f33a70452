//! The hub as JavaScript holds it: submit, subscribe, close.

use std::sync::Arc;

use folkmoot_engine::activity::{ActivityFilter, Replay};
use folkmoot_engine::input::read_input;
use folkmoot_engine::{Error, Filter, Principal};
use napi_derive::napi;

use crate::bridge::Queue;
use crate::hooks::{self, Desk};
use crate::playback::Playback;
use crate::subscription::{Source, Subscription};
use crate::{guarded, hot, thrown};

/// One handle on a hub, and on whose behalf it acts.
#[napi]
pub struct Hub {
    hub: folkmoot_engine::Hub,
    by: Principal,
    queue: Arc<Queue>,
    /// What it is called in the queue's list of what is open; none for a handle that acts as an agent.
    id: Option<u64>,
}

impl Hub {
    pub fn new(hub: folkmoot_engine::Hub, queue: Arc<Queue>, id: u64) -> Hub {
        Hub { hub, by: Principal::Process, queue, id: Some(id) }
    }

    fn away(
        &self,
        work: impl FnOnce(&folkmoot_engine::Hub) -> folkmoot_engine::Result<Vec<u8>> + Send + 'static,
    ) -> f64 {
        let hub = self.hub.clone();
        self.queue.away(move || work(&hub)) as f64
    }
}

impl Hub {
    fn source(
        &self,
        after: Option<f64>,
        open: impl FnOnce(&folkmoot_engine::Hub, Option<u64>) -> folkmoot_engine::Result<Source>,
    ) -> napi::Result<Subscription> {
        let after =
            after.map(|after| hot::whole("after", after)).transpose().map_err(|error| thrown(&error))?;
        let live = guarded(|| open(&self.hub, after))?;
        Ok(Subscription::new(live, self.hub.clone(), &self.queue))
    }
}

#[napi]
impl Hub {
    /// The same handle, acting as an agent.
    #[napi]
    pub fn acting(&self, agent_id: String) -> Hub {
        Hub { hub: self.hub.clone(), by: Principal::agent(&agent_id), queue: self.queue.clone(), id: None }
    }

    /// Hands in an operation; its answer comes to the bridge under the ticket that is returned.
    #[napi]
    pub fn submit(&self, name: String, input: String, depth: u32) -> f64 {
        self.queue.submit(&self.hub, &self.by, &name, input.as_bytes(), depth) as f64
    }

    /// Takes what an agent has just done, at once. Answers false, and does nothing, when hooks are to be asked before:
    /// that may take a while.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "the fields of the operation, given without JSON for speed")]
    pub fn presence_update(
        &self,
        agent_id: String,
        tool_name: Option<String>,
        tokens: Option<f64>,
        event: Option<String>,
        feature_id: Option<String>,
        task_id: Option<String>,
        session_id: Option<String>,
        status: Option<String>,
    ) -> napi::Result<bool> {
        guarded(|| {
            if self.hub.hooked("presence.update") {
                return Ok(false);
            }
            let update =
                hot::update(agent_id, tool_name, tokens, event, feature_id, task_id, session_id, status)?;
            self.hub.run_as(&self.by, update).map(|_| true)
        })
    }

    /// The newest version of a key as JSON, when it can be had without waiting.
    #[napi]
    pub fn memory_cached(&self, key: String) -> napi::Result<Option<hot::Shared>> {
        guarded(|| Ok(self.hub.memory_cached(&self.by, &key)?.map(hot::Shared)))
    }

    /// Listens from now on, or from after a `seq`.
    #[napi]
    pub fn subscribe(&self, filter: String, after: Option<f64>) -> napi::Result<Subscription> {
        self.source(after, |hub, after| {
            let filter: Filter = read_input(filter.as_bytes())?;
            hub.subscribe_as(&self.by, filter, after).map(Source::Events)
        })
    }

    /// Follows the feed from now on, or from after a `seq`.
    #[napi]
    pub fn follow_feed(&self, filter: String, after: Option<f64>) -> napi::Result<Subscription> {
        self.source(after, |hub, after| {
            let filter: ActivityFilter = read_input(filter.as_bytes())?;
            hub.follow_activity_as(&self.by, filter, after).map(|live| Source::Activities(Box::new(live)))
        })
    }

    /// Follows a task with its parts and messages, from its beginning or from after a `seq`.
    #[napi]
    pub fn follow_task(&self, task_id: String, after: Option<f64>) -> napi::Result<Subscription> {
        self.source(after, |hub, after| {
            hub.execution_as(&self.by, &task_id, after).map(|live| Source::Execution(Box::new(live)))
        })
    }

    /// Plays back a span or a session.
    #[napi]
    pub fn replay(&self, input: String) -> napi::Result<Playback> {
        let tape = guarded(|| {
            let replay: Replay = read_input(input.as_bytes())?;
            self.hub.replay_as(&self.by, replay)
        })?;
        Ok(Playback::new(tape, self.hub.clone(), self.queue.clone()))
    }

    /// A desk where questions to hooks wait for this thread of JavaScript.
    #[napi]
    pub fn desk(&self) -> Desk {
        Desk::new(&self.queue)
    }

    /// Registers a hook whose questions are left at a desk.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "the fields of a hook")]
    pub fn hook(
        &self,
        desk: &Desk,
        name: String,
        point: String,
        pattern: String,
        timeout: f64,
        interval: f64,
        on_error: String,
    ) -> napi::Result<()> {
        guarded(|| hooks::register(&self.hub, desk, &name, &point, &pattern, timeout, interval, &on_error))
    }

    /// Takes a hook away.
    #[napi]
    pub fn unhook(&self, name: String) -> napi::Result<()> {
        guarded(|| self.hub.unhook(&name))
    }

    /// Has this process beat for an agent.
    #[napi]
    pub fn hold_agent(&self, agent_id: String) -> f64 {
        self.away(move |hub| hub.hold_agent(&agent_id).map(|()| b"null".to_vec()))
    }

    /// Writes what was acknowledged from memory.
    #[napi]
    pub fn flush(&self) -> f64 {
        self.away(|hub| hub.flush().map(|()| b"null".to_vec()))
    }

    /// Copies the hub into a new file.
    #[napi]
    pub fn backup(&self, to: String) -> f64 {
        self.away(move |hub| hub.backup(to).map(|()| b"null".to_vec()))
    }

    /// Checks the whole file.
    #[napi]
    pub fn check(&self) -> f64 {
        self.away(|hub| serde_json::to_vec(&hub.check()?).map_err(|error| Error::internal(error.to_string())))
    }

    /// Ends this handle.
    #[napi]
    pub fn close(&self) -> f64 {
        let (queue, id) = (self.queue.clone(), self.id);
        self.away(move |_| {
            id.map_or(Ok(()), |id| queue.close(id))?;
            Ok(b"null".to_vec())
        })
    }

    #[napi(getter)]
    pub fn closed(&self) -> bool {
        self.hub.is_closed()
    }

    #[napi(getter)]
    pub fn path(&self) -> String {
        self.hub.path().to_string_lossy().into_owned()
    }

    #[napi(getter)]
    pub fn config(&self) -> napi::Result<String> {
        guarded(|| {
            serde_json::to_string(self.hub.config()).map_err(|error| Error::internal(error.to_string()))
        })
    }
}

impl Drop for Hub {
    /// Nobody in JavaScript holds it any more.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.id.map(|id| self.queue.close(id)) {
            tracing::error!(%error, "a hub could not be closed");
        }
    }
}
