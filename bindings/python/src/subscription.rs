//! A cursor on the log, read from Python: waiting (threads) or by being told (event loops).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use folkmoot_engine::activity::{Activity, Follow, FollowItem};
use folkmoot_engine::{Error, Event, Result};
use folkmoot_sys::sync::{Mutex, MutexGuard};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::bridge::Bridge;
use crate::error::to_python;
use crate::guard::{outside, waiting};
use crate::{from_json, shape};

/// How long a thread waits at most before it looks whether it should go on.
const SLICE: Duration = Duration::from_millis(50);
const FOR_EVER: Duration = Duration::from_secs(1 << 40);

/// What is read: events, or the activities that a feed makes of them.
pub enum Live {
    Events(folkmoot_engine::Subscription),
    Activities(Box<Follow>),
}

/// What is given.
enum Item {
    Event(Arc<Event>),
    Activity(Box<Activity>),
    Gap(u64, u64),
    Position(u64),
}

impl Live {
    fn position(&self) -> u64 {
        match self {
            Live::Events(live) => live.position(),
            Live::Activities(live) => live.position(),
        }
    }

    fn next_until(&mut self, left: Duration, check: &mut dyn FnMut() -> Result<()>) -> Result<Option<Item>> {
        Ok(match self {
            Live::Events(live) => live.next_until(left, check)?.map(Item::from),
            Live::Activities(live) => live.next_until(left, check)?.map(Item::from),
        })
    }

    fn try_next(&mut self) -> Result<Option<Item>> {
        Ok(match self {
            Live::Events(live) => live.try_next()?.map(Item::from),
            Live::Activities(live) => live.try_next()?.map(Item::from),
        })
    }

    fn on_ready(&self, ring: impl Fn() + Send + Sync + 'static) {
        match self {
            Live::Events(live) => live.on_ready(ring),
            Live::Activities(live) => live.on_ready(ring),
        }
    }
}

impl From<folkmoot_engine::Item> for Item {
    fn from(item: folkmoot_engine::Item) -> Item {
        match item {
            folkmoot_engine::Item::Event(event) => Item::Event(event),
            folkmoot_engine::Item::Gap { from, to } => Item::Gap(from, to),
            folkmoot_engine::Item::Position { seq } => Item::Position(seq),
        }
    }
}

impl From<FollowItem> for Item {
    fn from(item: FollowItem) -> Item {
        match item {
            FollowItem::Activity(activity) => Item::Activity(activity),
            FollowItem::Gap { from, to } => Item::Gap(from, to),
            FollowItem::Position { seq } => Item::Position(seq),
        }
    }
}

#[pyclass(frozen, module = "folkmoot._native")]
pub struct Subscription {
    /// Taken out when it is closed. Left alone in a forked child, where its locks may be held by nobody.
    live: Mutex<Option<Live>>,
    over: AtomicBool,
    position: AtomicU64,
    hub: folkmoot_engine::Hub,
    process: u32,
}

impl Subscription {
    pub fn new(live: Live, hub: folkmoot_engine::Hub) -> Subscription {
        Subscription {
            position: AtomicU64::new(live.position()),
            live: Mutex::new(Some(live)),
            over: AtomicBool::new(false),
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
    ) -> Result<Option<MutexGuard<'_, Option<Live>>>> {
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

    fn wait(&self, timeout: Option<Duration>, check: &mut dyn FnMut() -> Result<()>) -> Result<Option<Item>> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let Some(mut live) = self.lock(until, check)? else { return Ok(None) };
        let live = live.as_mut().ok_or_else(|| Error::unavailable("this subscription is closed"))?;
        let left = until.map_or(FOR_EVER, |until| until.saturating_duration_since(Instant::now()));
        let item = live.next_until(left, check)?;
        self.position.store(live.position(), Ordering::Release);
        Ok(item)
    }
}

#[pymethods]
impl Subscription {
    /// Waits for the next item: an event, `(from, to)` for a gap, a number for a position; None when the time is up.
    #[pyo3(signature = (timeout=None))]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let timeout = timeout
            .map(|seconds| {
                Duration::try_from_secs_f64(seconds)
                    .map_err(|_| Error::invalid("timeout", seconds, "must be seconds from 0, or None"))
            })
            .transpose()
            .map_err(|error| to_python(py, &error))?;
        let item = waiting(py, || self.check(), |check| self.wait(timeout, check))?;
        item.map(|item| shown(py, &item)).transpose()
    }

    /// What is there now, at most this many items.
    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let items = outside(py, || {
            self.check()?;
            let mut live = self.live.lock();
            let Some(live) = live.as_mut() else { return Ok(Vec::new()) };
            let mut items = Vec::new();
            while items.len() < most
                && let Some(item) = live.try_next()?
            {
                items.push(item);
            }
            self.position.store(live.position(), Ordering::Release);
            Ok(items)
        })?;
        items.iter().map(|item| shown(py, item)).collect()
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
pub fn shown_event<'py>(py: Python<'py>, item: folkmoot_engine::Item) -> PyResult<Bound<'py, PyAny>> {
    shown(py, &Item::from(item))
}

fn shown<'py>(py: Python<'py>, item: &Item) -> PyResult<Bound<'py, PyAny>> {
    match item {
        Item::Event(event) => {
            let wire: Arc<str> = event.wire();
            from_json::read(py, wire.as_bytes(), shape::of_event(py)?)
        }
        Item::Activity(activity) => {
            let text = serde_json::to_vec(activity).unwrap_or_default();
            from_json::read(py, &text, shape::of_answer(py, "activity.record")?)
        }
        Item::Gap(from, to) => (*from, *to).into_bound_py_any(py),
        Item::Position(seq) => (*seq).into_bound_py_any(py),
    }
}
