//! The hub as its users hold it: open, call, subscribe, close.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use folkmoot_sys::sync::{Mutex, PerProcess};

use crate::activity::{self, ActivityFilter, Follow, Format, Playback, Replay};
use crate::clock::Time;
use crate::config::HubConfig;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::filter::Filter;
use crate::events::subscription::Subscription;
use crate::hooks;
use crate::operations::{self, Operation, Run};
use crate::pipeline::command::Command;
use crate::principal::Principal;
use crate::seams::Seams;
use crate::tasks::Execution;

/// Asked several times a second by a call that waits: an error ends the wait.
pub type Check<'a> = dyn FnMut() -> Result<()> + 'a;

/// One process's handle on a hub.
///
/// Two handles on one file in one process share everything behind them; a clone is the same handle.
///
/// ```
/// use folkmoot_engine::{Hub, HubConfig, memory};
///
/// let hub = Hub::open(":memory:", HubConfig::default())?;
/// hub.run(memory::Set::new("plans/q3", serde_json::json!({"goal": "ship"})))?;
/// let entry = hub.run(memory::Get::new("plans/q3"))?;
/// assert_eq!(entry.version, 1);
/// hub.close();
/// # Ok::<(), folkmoot_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
    closed: AtomicBool,
    /// The agents that this process beats for on this handle's behalf.
    held: Mutex<HashSet<String>>,
    /// The hooks that go with this handle: their names and numbers.
    hooks: Mutex<Vec<(String, u64)>>,
}

/// The hubs that are open in this process, by device and inode.
type Open = HashMap<(u64, u64), Weak<Core>>;

static OPEN: PerProcess<Mutex<Open>> = PerProcess::new(Mutex::default);

impl Hub {
    /// Opens the hub in this file, creating it when it is not there; `:memory:` for one that lives with the handle.
    ///
    /// # Errors
    ///
    /// `storage` when the file cannot be used (not a hub, a newer schema, a network file system, no permission);
    /// `invalid_input` when the configuration makes no sense.
    pub fn open(path: impl AsRef<Path>, config: HubConfig) -> Result<Hub> {
        Hub::open_with(path, config, Seams::default())
    }

    /// Opens a hub with clock, ids, faults or file system of one's own: for tests and simulations.
    pub fn open_with(path: impl AsRef<Path>, config: HubConfig, seams: Seams) -> Result<Hub> {
        let path = path.as_ref();
        let mut guard = OPEN.get().lock();
        let open = &mut *guard;
        if let Some(core) = find_open(open, path) {
            drop(guard);
            if core.config != config {
                Hub::over(core.clone()).close();
                return Err(Error::conflict(
                    format!("{} is open in this process with another configuration", path.display()),
                    &core.config,
                )
                .hint("open it with the same configuration, or close the other handle first"));
            }
            return Ok(Hub::over(core));
        }
        let core = Core::open(path, config, seams)?;
        core.handles.store(1, Ordering::Release);
        open.retain(|_, core| core.strong_count() > 0);
        open.insert(core.storage.file_id, Arc::downgrade(&core));
        Ok(Hub::over(core))
    }

    /// A handle that is counted already.
    fn over(core: Arc<Core>) -> Hub {
        let handle =
            Handle { core, closed: AtomicBool::new(false), held: Mutex::default(), hooks: Mutex::default() };
        Hub { handle: Arc::new(handle) }
    }

    /// A view of a core that nobody holds yet.
    pub(crate) fn first(core: Arc<Core>) -> Hub {
        core.handles.store(1, Ordering::Release);
        Hub::over(core)
    }

    /// Another handle on the same view, if it is one of this point.
    pub(crate) fn again(&self, seq: u64, time: Time) -> Option<Hub> {
        let core = &self.handle.core;
        let same = core.past.as_ref().is_some_and(|past| past.seq == seq && past.time == time);
        (same && !core.is_forked() && core.take_handle()).then(|| Hub::over(core.clone()))
    }

    /// Refuses what only the present can do.
    pub(crate) fn present(&self, what: &str) -> Result<&Arc<Core>> {
        let core = self.core()?;
        match &core.past {
            Some(past) => Err(past.refuse(what)),
            None => Ok(core),
        }
    }

    pub(crate) fn core(&self) -> Result<&Arc<Core>> {
        if self.handle.closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("this hub is closed")
                .with("reason", "closed")
                .hint("open it again"));
        }
        self.handle.core.check_usable()?;
        Ok(&self.handle.core)
    }

    /// Refuses when this handle cannot be used: it is closed, or its process has forked.
    pub fn check_open(&self) -> Result<()> {
        self.core().map(drop)
    }

    /// Has a hook go with this handle.
    pub(crate) fn note_hook(&self, name: String, order: u64) {
        self.handle.hooks.lock().push((name, order));
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        let core = &self.handle.core;
        core.past.as_ref().map_or(&core.storage.path, |past| &past.path)
    }

    /// The configuration.
    pub fn config(&self) -> &HubConfig {
        &self.handle.core.config
    }

    /// Runs an operation by its name, with its input and answer as JSON text.
    pub fn call(&self, name: &str, input: &[u8]) -> Result<Vec<u8>> {
        self.call_as(&Principal::Process, name, input, &mut || Ok(()))
    }

    /// Runs an operation on someone's behalf; `check` is asked while the call waits.
    pub fn call_as(
        &self,
        by: &Principal,
        name: &str,
        input: &[u8],
        check: &mut Check<'_>,
    ) -> Result<Vec<u8>> {
        let core = self.core()?;
        let operation = operations::find(name)?;
        check_past(core, operation)?;
        match hooks::before(core, operation, by, input, check)? {
            None => run(core, operation, by, input, check),
            Some(changed) => run(core, operation, by, changed.text.as_bytes(), check)
                .map_err(|error| changed.explain(error)),
        }
    }

    /// Runs an operation without waiting: `done` is called with its answer, from a thread of the hub.
    ///
    /// `check` is asked while the call waits for something; an error from it ends the call.
    pub fn submit(
        &self,
        by: &Principal,
        name: &str,
        input: &[u8],
        mut check: impl FnMut() -> Result<()> + Send + 'static,
        done: impl FnOnce(Result<Vec<u8>>) + Send + 'static,
    ) {
        let prepared = self.core().and_then(|core| {
            let operation = operations::find(name)?;
            check_past(core, operation)?;
            Ok((core, operation))
        });
        let (core, operation) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return done(Err(error)),
        };
        if core.hooks.hooked(operation.name) {
            // Whoever must not wait for the operation must not wait for its hooks.
            let (hub, by, input, depth) = (self.clone(), by.clone(), input.to_vec(), hooks::depth());
            return core.pool.run(move || {
                done(hooks::with_depth(depth, || hub.call_as(&by, operation.name, &input, &mut check)));
            });
        }
        match operation.run {
            Run::Change(parse) => match parse(input) {
                Ok(command) => {
                    let callback = move |command: Box<dyn Command>, outcome: Result<()>| {
                        done(outcome.and_then(|()| command.answer_json()));
                    };
                    core.queue.submit(operation.name, operation.class, by, command, Box::new(callback));
                }
                Err(error) => done(Err(error)),
            },
            Run::Relaxed(run) => done(run(core, by, input)),
            Run::Query(_) | Run::Compose(_) => {
                let (hub, by, input) = (self.clone(), by.clone(), input.to_vec());
                core.pool.run(move || done(hub.call_as(&by, operation.name, &input, &mut check)));
            }
        }
    }

    /// Runs an operation with typed input and answer: the input's type says which one.
    pub fn run<O: Operate>(&self, input: O) -> Result<O::Output> {
        self.run_as(&Principal::Process, input)
    }

    /// Runs a typed operation on someone's behalf.
    pub fn run_as<O: Operate>(&self, by: &Principal, input: O) -> Result<O::Output> {
        let core = self.core()?;
        if core.past.is_some() {
            check_past(core, operations::find(O::NAME)?)?;
        }
        hooks::before_typed(core, by, input, |input| input.operate(core, by, &mut || Ok(())))
    }

    /// `memory.get` of a key's newest version as JSON text, without parsing what nobody looks at.
    pub fn memory_text(&self, by: &Principal, key: &str) -> Result<Arc<str>> {
        let core = self.core()?;
        if by.agent_id().is_some() || core.hooks.hooked("memory.get") {
            let entry = self.run_as(by, crate::memory::Get::new(key))?;
            let text = serde_json::to_string(&entry).map_err(|error| Error::internal(error.to_string()))?;
            return Ok(text.into());
        }
        crate::id::check_name("key", key)?;
        core.cache.get(core, key)
    }

    /// Like [`Hub::memory_text`] when that is known without waiting; `None` when it is not.
    pub fn memory_cached(&self, by: &Principal, key: &str) -> Result<Option<Arc<str>>> {
        let core = self.core()?;
        let asks = by.agent_id().is_some() || core.hooks.hooked("memory.get");
        Ok(if asks { None } else { core.cache.hit(core, key) })
    }

    /// Listens from now on, or from after a `seq`.
    pub fn subscribe(&self, filter: Filter, after: Option<u64>) -> Result<Subscription> {
        self.subscribe_as(&Principal::Process, filter, after)
    }

    /// Listens on someone's behalf: what that principal may not see is left out.
    pub fn subscribe_as(&self, by: &Principal, filter: Filter, after: Option<u64>) -> Result<Subscription> {
        Subscription::open(self.core()?, filter, by, after)
    }

    /// Follows a task with its parts and what is said about them, from its beginning or from after a `seq`, to its end.
    ///
    /// # Errors
    ///
    /// `not_found` when there is no such task; `invalid_input` when `after` lies ahead.
    pub fn execution(&self, task_id: &str, after: Option<u64>) -> Result<Execution> {
        self.execution_as(&Principal::Process, task_id, after)
    }

    /// Follows a task on someone's behalf: messages that this principal may not see are left out.
    pub fn execution_as(&self, by: &Principal, task_id: &str, after: Option<u64>) -> Result<Execution> {
        Execution::open(self.core()?, by, task_id, after)
    }

    /// Follows the feed live from now on, or from after a `seq`: first what was, then what comes, nothing twice.
    pub fn follow_activity(&self, filter: ActivityFilter, after: Option<u64>) -> Result<Follow> {
        self.follow_activity_as(&Principal::Process, filter, after)
    }

    /// Follows the feed on someone's behalf: what that principal may not see is left out.
    pub fn follow_activity_as(
        &self,
        by: &Principal,
        filter: ActivityFilter,
        after: Option<u64>,
    ) -> Result<Follow> {
        Follow::open(self.core()?, filter, by, after)
    }

    /// Writes the feed, oldest first, in bounded memory; answers how many activities were written.
    pub fn export_activities(
        &self,
        filter: ActivityFilter,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<u64> {
        self.export_activities_as(&Principal::Process, filter, format, out, &mut || Ok(()))
    }

    /// Writes the feed on someone's behalf; `check` is asked between its parts, and an error of it ends the export.
    pub fn export_activities_as(
        &self,
        by: &Principal,
        filter: ActivityFilter,
        format: Format,
        out: &mut dyn Write,
        check: &mut Check<'_>,
    ) -> Result<u64> {
        activity::export::write_all(self.core()?, by, filter, format, out, check)
    }

    /// Plays back a span or a session: an iterator that gives each event when its turn has come.
    pub fn replay(&self, replay: Replay) -> Result<Playback> {
        self.replay_as(&Principal::Process, replay)
    }

    /// Plays back on someone's behalf: what that principal may not see is left out.
    pub fn replay_as(&self, by: &Principal, replay: Replay) -> Result<Playback> {
        Playback::open(self.present("a view plays nothing back")?, by, &replay)
    }

    /// Has this process beat for the agent until it leaves or this handle is closed. The agent must be registered.
    pub fn hold_agent(&self, agent_id: &str) -> Result<()> {
        let core = self.present("nobody is held")?;
        let mut held = self.handle.held.lock();
        core.keeper.hold(core, agent_id, !held.contains(agent_id))?;
        held.insert(agent_id.to_owned());
        Ok(())
    }

    /// Writes what was acknowledged from memory (relaxed updates).
    pub fn flush(&self) -> Result<()> {
        let core = self.core()?;
        core.relaxed.flush(core)
    }

    /// Does once what the hub's own threads do by the clock: expiry, retention, summaries. For simulations.
    pub fn tend(&self) -> Result<()> {
        let core = self.present("there is nothing to tend")?;
        core.keeper.tend(core)
    }

    /// Copies the hub into a new file while it is in use.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<()> {
        let core = self.present("it is not backed up")?;
        core.relaxed.flush(core)?;
        core.storage.backup(to.as_ref())
    }

    /// Checks the whole file: SQLite's own check, the chain of the log, and that its fold equals the tables.
    pub fn check(&self) -> Result<crate::check::Report> {
        let core = self.present("it is not checked")?;
        // A connection that has checked before remembers how the search index was laid out then, and would call an index
        // that has grown since damaged.
        let conn = core.storage.connect(false)?;
        conn.execute_batch("BEGIN")?;
        crate::check::check(&conn)
    }

    /// Closes this handle and takes the agents offline that it alone held. The last one of the process ends the hub's
    /// threads.
    pub fn close(&self) {
        self.handle.close();
    }

    /// Whether this handle is closed.
    pub fn is_closed(&self) -> bool {
        self.handle.closed.load(Ordering::Acquire)
    }
}

/// Refuses what a view of the past cannot answer.
fn check_past(core: &Core, operation: &Operation) -> Result<()> {
    core.past.as_ref().map_or(Ok(()), |past| past.check(operation))
}

/// Runs an operation whose hooks have been asked.
fn run(
    core: &Arc<Core>,
    operation: &'static Operation,
    by: &Principal,
    input: &[u8],
    check: &mut Check<'_>,
) -> Result<Vec<u8>> {
    match operation.run {
        Run::Change(parse) => {
            core.queue.run(core, operation.name, operation.class, by, parse(input)?)?.answer_json()
        }
        Run::Query(read) => read(core, by, input),
        Run::Compose(run) => run(&Scope { core, by, op: operation }, input, check),
        Run::Relaxed(run) => run(core, by, input),
    }
}

impl Handle {
    fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        if !self.core.is_forked() {
            for (name, order) in std::mem::take(&mut *self.hooks.lock()) {
                self.core.hooks.remove_own(&name, order);
            }
        }
        if self.core.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.core.close();
            let open = OPEN.get().lock();
            // The locks belong to the process: they stay if it has opened the file anew meanwhile.
            let others = open.get(&self.core.storage.file_id).and_then(Weak::upgrade);
            if others.is_none_or(|other| Arc::ptr_eq(&other, &self.core)) {
                self.core.storage.let_go();
            }
            return;
        }
        let held = self.held.lock().drain().collect();
        if let Err(error) = self.core.keeper.let_go(&self.core, held) {
            tracing::warn!(%error, "agents of a handle could not be taken offline on closing");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.core.is_forked() {
            // A child must not close its parent's file: that would drop the parent's locks.
            std::mem::forget(self.core.clone());
            return;
        }
        self.close();
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("path", &self.path()).field("closed", &self.is_closed()).finish()
    }
}

/// The open hub of this file, with one more handle counted: it cannot close meanwhile.
fn find_open(open: &Open, path: &Path) -> Option<Arc<Core>> {
    let id = folkmoot_sys::file_id(path).ok()?;
    open.get(&id)?.upgrade().filter(|core| !core.is_forked() && core.take_handle())
}

/// Where an operation that is made of others runs.
pub struct Scope<'a> {
    pub(crate) core: &'a Arc<Core>,
    /// On whose behalf.
    pub by: &'a Principal,
    pub(crate) op: &'static Operation,
}

/// A typed operation: implemented for every input of the table.
pub trait Operate: serde::Serialize + serde::de::DeserializeOwned {
    /// The operation's name.
    const NAME: &'static str;

    /// What it answers.
    type Output;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn operate(self, core: &Arc<Core>, by: &Principal, check: &mut Check<'_>) -> Result<Self::Output>;
}
