//! The heart of one open hub: its storage, its queue to the writer, its subscribers and its own threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use folkmoot_sys::sync::{Condvar, Mutex};

use crate::agents::relaxed::Relaxed;
use crate::config::HubConfig;
use crate::error::{Error, Result};
use crate::hooks::Hooks;
use crate::keeper::Keeper;
use crate::leases::LeaseWatch;
use crate::memory::cache::Cache;
use crate::past::{LastView, Past};
use crate::pipeline::append::Writer;
use crate::pipeline::command::{Change, Class, Pending};
use crate::pipeline::publish::Publisher;
use crate::pipeline::queue::Queue;
use crate::pool::Pool;
use crate::principal::Principal;
use crate::seams::Seams;
use crate::storage::checkpoint::Checkpoint;
use crate::storage::{Storage, Under};

/// What all handles of one hub in one process share.
pub(crate) struct Core {
    pub config: HubConfig,
    pub seams: Seams,
    pub storage: Storage,
    pub queue: Queue,
    pub publisher: Publisher,
    pub leases: LeaseWatch,
    pub checkpoint: Arc<Checkpoint>,
    pub relaxed: Relaxed,
    pub cache: Cache,
    pub keeper: Keeper,
    pub pool: Arc<Pool>,
    pub hooks: Hooks,
    /// Where it stands, when it is a view of the past.
    pub past: Option<Past>,
    pub last_view: LastView,
    /// This process's incarnation, which holds leases.
    pub holder: String,
    pub handles: AtomicUsize,
    tail: Tail,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closed: AtomicBool,
    fork_generation: u32,
}

/// Where the thread that follows other processes sleeps while nobody listens.
#[derive(Default)]
struct Tail {
    wanted: Mutex<bool>,
    more: Condvar,
}

impl Core {
    pub fn open(path: &std::path::Path, config: HubConfig, seams: Seams) -> Result<Arc<Core>> {
        Core::open_over(path, config, seams, None)
    }

    /// Opens the tables of a view of the past over what lies under it; a hub of its own, where there is neither.
    pub fn open_over(
        path: &std::path::Path,
        config: HubConfig,
        seams: Seams,
        past: Option<(Past, Under)>,
    ) -> Result<Arc<Core>> {
        config.check()?;
        let (past, under) = past.unzip();
        let (storage, mut conn) = Storage::open(path, &config, &seams, under)?;
        let checkpoint = Arc::<Checkpoint>::default();
        let grown = checkpoint.clone();
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            grown.grown(pages);
            Ok(())
        }))?;
        let mut ids = (seams.ids)();
        let holder = ids.next(seams.clock.wall());
        let core = Arc::new(Core {
            storage,
            queue: Queue::new(Writer::new(conn, ids)),
            publisher: Publisher::default(),
            leases: LeaseWatch::default(),
            checkpoint,
            relaxed: Relaxed::new(&config),
            cache: Cache::default(),
            keeper: Keeper::default(),
            pool: Arc::default(),
            hooks: Hooks::default(),
            past,
            last_view: LastView::default(),
            holder,
            handles: AtomicUsize::new(0),
            tail: Tail::default(),
            threads: Mutex::default(),
            closed: AtomicBool::new(false),
            fork_generation: folkmoot_sys::fork_generation(),
            config,
            seams,
        });
        if core.seams.background {
            core.start()?;
        }
        Ok(core)
    }

    fn start(self: &Arc<Core>) -> Result<()> {
        self.spawn("writer", |core| core.queue.serve(&core))?;
        self.spawn("checkpoint", |core| core.checkpoint.serve(&core))?;
        self.spawn("tail", |core| core.follow())?;
        self.spawn("keeper", |core| core.keeper.serve(&core))?;
        if !self.config.read_only {
            self.spawn("flush", |core| core.relaxed.serve(&core))?;
        }
        Ok(())
    }

    /// Starts a thread of the hub's, which closing waits for.
    pub fn spawn(self: &Arc<Core>, name: &str, body: impl FnOnce(Arc<Core>) + Send + 'static) -> Result<()> {
        let core = self.clone();
        let thread =
            std::thread::Builder::new().name(format!("folkmoot-{name}")).spawn(move || body(core))?;
        let mut threads = self.threads.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// Refuses to work in a forked child or after the hub was closed.
    pub fn check_usable(&self) -> Result<()> {
        if self.is_forked() {
            return Err(Error::unavailable(
                "this hub was opened before the process forked and cannot be used in the child",
            )
            .with("reason", "forked")
            .hint("open the hub again in the child"));
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("this hub is closed")
                .with("reason", "closed")
                .hint("open it again"));
        }
        self.storage.check_known_place()
    }

    /// Whether this process is a forked child of the one that opened the hub.
    pub fn is_forked(&self) -> bool {
        folkmoot_sys::fork_generation() != self.fork_generation
    }

    /// Runs a change and waits until it is acknowledged.
    pub fn change<C: Change>(
        &self,
        op: &'static str,
        class: Class,
        by: &Principal,
        input: C,
    ) -> Result<C::Output> {
        let command = self.queue.run(self, op, class, by, Box::new(Pending::new(input)))?;
        match command.into_any().downcast::<Pending<C>>() {
            Ok(pending) => pending.into_output(),
            Err(_) => Err(Error::internal("a command came back as another one")),
        }
    }

    /// Wakes the thread that follows other processes, since someone listens now.
    pub fn listen(&self) {
        let mut wanted = self.tail.wanted.lock();
        if !*wanted {
            *wanted = true;
            self.tail.more.notify_one();
        }
    }

    /// Follows the commits of other processes while anyone listens.
    fn follow(&self) {
        const LOOK: Duration = Duration::from_millis(500);
        folkmoot_sys::set_timer_slack(1_000);
        while !self.is_closed() {
            {
                let mut wanted = self.tail.wanted.lock();
                *wanted = self.publisher.has_subscribers();
                while !*wanted && !self.is_closed() {
                    self.tail.more.wait(&mut wanted);
                }
            }
            // Read before looking whether the hub is closed, so that the wake of a close is not slept through.
            let seen = self.storage.sidecar.wake_word();
            if self.is_closed() {
                return;
            }
            if let Err(error) = self.publisher.catch_up(self) {
                tracing::warn!(%error, "the log could not be read; trying again");
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = self.storage.sidecar.wait(seen, LOOK);
        }
    }

    /// Counts one more handle, unless the last one is being closed.
    pub fn take_handle(&self) -> bool {
        let more = |handles| (handles > 0).then_some(handles + 1);
        self.handles.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends everything in order: what was acknowledged is written, agents of this process leave, threads end.
    pub fn close(&self) {
        if self.is_forked() || self.closed.load(Ordering::Acquire) {
            return;
        }
        self.hooks.close();
        self.last_view.close();
        if !self.config.read_only {
            // First no more are taken, then all that were are written.
            self.relaxed.close();
            if let Err(error) = self.relaxed.flush(self) {
                tracing::warn!(%error, "relaxed updates could not be written on closing");
            }
            if let Err(error) = self.keeper.leave(self) {
                tracing::warn!(%error, "agents of this process could not be taken offline on closing");
            }
        }
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.queue.close();
        self.checkpoint.close();
        self.keeper.close();
        self.pool.close();
        self.publisher.close();
        {
            let _wanted = self.tail.wanted.lock();
            self.tail.more.notify_all();
        }
        self.storage.sidecar.nudge();
        let own = std::thread::current().id();
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.thread().id() != own {
                let _ = thread.join();
            }
        }
        if !self.config.read_only {
            crate::storage::checkpoint::at_close(self);
        }
    }
}
