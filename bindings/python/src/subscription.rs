//! A cursor on the log, or a task that is followed, read from Python: waiting (threads) or by being told (event loops).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use folkmoot_engine::activity::{Activity, Follow, FollowItem};
use folkmoot_engine::tasks::{Execution, ExecutionUpdate};
use folkmoot_engine::{Error, Event, Item, Result};
use folkmoot_sys::sync::{Mutex, MutexGuard};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use serde::Serialize;

use crate::bridge::Bridge;
use crate::error::to_python;
use crate::from_json;
use crate::guard::{outside, waiting};
use crate::shape::{self, Shape};

/// How long a thread waits at most before it looks whether it should go on.
const SLICE: Duration = Duration::from_millis(50);
const FOR_EVER: Duration = Duration::from_secs(1 << 40);

/// What is read from.
pub enum Source {
    Events(folkmoot_engine::Subscription),
    Activities(Box<Follow>),
    Execution(Box<Execution>),
}

/// What was read.
enum Given {
    Event(Arc<Event>),
    Activity(Box<Activity>),
    Update(Box<ExecutionUpdate>),
    Gap(u64, u64),
    Position(u64),
}

impl Source {
    fn next_until(
        &mut self,
        timeout: Duration,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Option<Given>> {
        Ok(match self {
            Source::Events(live) => live.next_until(timeout, check)?.map(Given::from),
            Source::Activities(live) => live.next_until(timeout, check)?.map(Given::from),
            Source::Execution(live) => {
                live.next_until(timeout, check)?.map(|update| Given::Update(update.into()))
            }
        })
    }

    fn try_next(&mut self) -> Result<Option<Given>> {
        Ok(match self {
            Source::Events(live) => live.try_next()?.map(Given::from),
            Source::Activities(live) => live.try_next()?.map(Given::from),
            Source::Execution(live) => live.try_next()?.map(|update| Given::Update(update.into())),
        })
    }

    fn position(&self) -> u64 {
        match self {
            Source::Events(live) => live.position(),
            Source::Activities(live) => live.position(),
            Source::Execution(live) => live.position(),
        }
    }

    /// Whether nothing more can come.
    fn is_over(&self) -> bool {
        matches!(self, Source::Execution(live) if live.is_over())
    }

    fn on_ready(&self, notify: impl Fn() + Send + Sync + 'static) {
        match self {
            Source::Events(live) => live.on_ready(notify),
            Source::Activities(live) => live.on_ready(notify),
            Source::Execution(live) => live.on_ready(notify),
        }
    }
}

impl From<Item> for Given {
    fn from(item: Item) -> Given {
        match item {
            Item::Event(event) => Given::Event(event),
            Item::Gap { from, to } => Given::Gap(from, to),
            Item::Position { seq } => Given::Position(seq),
        }
    }
}

impl From<FollowItem> for Given {
    fn from(item: FollowItem) -> Given {
        match item {
            FollowItem::Activity(activity) => Given::Activity(activity),
            FollowItem::Gap { from, to } => Given::Gap(from, to),
            FollowItem::Position { seq } => Given::Position(seq),
        }
    }
}

#[pyclass(frozen, module = "folkmoot._native")]
pub struct Subscription {
    /// Taken out when it is closed. Left alone in a forked child, where its locks may be held by nobody.
    live: Mutex<Option<Source>>,
    over: AtomicBool,
    ended: AtomicBool,
    position: AtomicU64,
    hub: folkmoot_engine::Hub,
    process: u32,
}

impl Subscription {
    pub fn new(live: Source, hub: folkmoot_engine::Hub) -> Subscription {
        Subscription {
            position: AtomicU64::new(live.position()),
            live: Mutex::new(Some(live)),
            over: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            hub,
            process: std::process::id(),
        }
    }

    fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }

    fn check(&self) -> Result<()> {
        if self.is_forked() {
            return Err(Error::unavailable(
                "this subscription was opened before the process forked and cannot be used in the child",
            )
            .with("reason", "forked")
            .hint("open the hub again in the child and subscribe there"));
        }
        if self.over.load(Ordering::Acquire) || self.hub.is_closed() {
            return Err(Error::unavailable("this subscription is closed")
                .with("reason", "closed")
                .hint("subscribe again; `after` its last position goes on where it ended"));
        }
        Ok(())
    }

    /// The live subscription, once no other thread reads from it.
    fn lock(
        &self,
        until: Option<Instant>,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Option<MutexGuard<'_, Option<Source>>>> {
        loop {
            check()?;
            if let Some(live) = self.live.try_lock_for(SLICE) {
                return Ok(Some(live));
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
        }
    }

    fn wait(
        &self,
        timeout: Option<Duration>,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Option<Given>> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let Some(mut live) = self.lock(until, check)? else { return Ok(None) };
        let live = live.as_mut().ok_or_else(|| Error::unavailable("this subscription is closed"))?;
        let left = until.map_or(FOR_EVER, |until| until.saturating_duration_since(Instant::now()));
        let given = live.next_until(left, check)?;
        self.note(live);
        Ok(given)
    }

    /// Keeps what can be asked without the lock.
    fn note(&self, live: &Source) {
        self.position.store(live.position(), Ordering::Release);
        self.ended.store(live.is_over(), Ordering::Release);
    }
}

#[pymethods]
impl Subscription {
    /// Waits for the next item: an event, `(from, to)` for a gap, a number for a position, what a followed task tells;
    /// None when the time is up or nothing more can come.
    #[pyo3(signature = (timeout=None))]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let timeout = timeout
            .map(|seconds| {
                Duration::try_from_secs_f64(seconds)
                    .map_err(|_| Error::invalid("timeout", seconds, "must be seconds from 0, or None"))
            })
            .transpose()
            .map_err(|error| to_python(py, &error))?;
        let given = waiting(py, || self.check(), |check| self.wait(timeout, check))?;
        given.map(|given| shown(py, &given)).transpose()
    }

    /// What is there now, at most this many items.
    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let given = outside(py, || {
            self.check()?;
            let mut live = self.live.lock();
            let Some(live) = live.as_mut() else { return Ok(Vec::new()) };
            let mut given = Vec::new();
            while given.len() < most
                && let Some(next) = live.try_next()?
            {
                given.push(next);
            }
            self.note(live);
            Ok(given)
        })?;
        given.iter().map(|given| shown(py, given)).collect()
    }

    /// Has the bridge told under the ticket that is returned whenever something may have come.
    fn tell(&self, bridge: &Bridge) -> u64 {
        let (ticket, ring) = bridge.bell();
        if let Some(live) = self.live.lock().as_ref() {
            live.on_ready(ring);
        }
        ticket
    }

    /// Ends the subscription; whoever waits in it is woken.
    fn close(&self, py: Python<'_>) {
        if self.over.swap(true, Ordering::AcqRel) || self.is_forked() {
            return;
        }
        py.detach(|| drop(self.live.lock().take()));
    }

    #[getter]
    fn closed(&self) -> bool {
        self.over.load(Ordering::Acquire) || self.hub.is_closed()
    }

    /// Whether a task that is followed has ended and its end was given.
    #[getter]
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The last `seq` that was given or passed over.
    #[getter]
    fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.is_forked() {
            std::mem::forget(self.live.get_mut().take());
        }
    }
}

/// An item of events as Python gets it.
pub fn shown_event(py: Python<'_>, item: Item) -> PyResult<Bound<'_, PyAny>> {
    shown(py, &Given::from(item))
}

fn shown<'py>(py: Python<'py>, given: &Given) -> PyResult<Bound<'py, PyAny>> {
    match given {
        Given::Event(event) => {
            let wire: Arc<str> = event.wire();
            from_json::read(py, wire.as_bytes(), shape::of_event(py)?)
        }
        Given::Activity(activity) => record(py, activity, shape::of_answer(py, "activity.record")?),
        Given::Update(update) => record(py, update, shape::of_update(py)?),
        Given::Gap(from, to) => (*from, *to).into_bound_py_any(py),
        Given::Position(seq) => (*seq).into_bound_py_any(py),
    }
}

fn record<'py>(py: Python<'py>, value: &impl Serialize, shape: &Shape) -> PyResult<Bound<'py, PyAny>> {
    let text =
        serde_json::to_vec(value).map_err(|error| to_python(py, &Error::internal(error.to_string())))?;
    from_json::read(py, &text, shape)
}
