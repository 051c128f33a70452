//! The engine's log lines, left in a bounded queue that a Python thread empties into `logging`.
//!
//! The engine logs while it holds locks of its own, so nothing here may wait for Python.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

use folkmoot_sys::sync::{Condvar, Mutex, PerProcess};
use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Lines that wait at most; what comes beyond is counted.
const MOST: usize = 1_000;

/// The queue of this process: a forked child has one of its own.
static CURRENT: PerProcess<Queue> = PerProcess::new(Queue::default);

#[derive(Default)]
struct Queue {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<(u8, &'static str, String)>,
    lost: u64,
    stopped: bool,
}

struct ToPython;

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG && metadata.target().starts_with("folkmoot")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let queue = CURRENT.get();
        let mut lines = queue.lines.lock();
        if lines.waiting.len() >= MOST {
            lines.lost += 1;
            return;
        }
        let metadata = event.metadata();
        lines.waiting.push_back((number(*metadata.level()), metadata.target(), line.message + &line.fields));
        queue.more.notify_one();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The level as `logging` counts it.
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG | Level::TRACE => 10,
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Has the engine's lines kept for Python, unless the program has a use for them already.
#[pyfunction]
pub fn log_start() {
    CURRENT.get().lines.lock().stopped = false;
    // An error says that another subscriber was there first: then the lines are that one's.
    let _ = tracing::subscriber::set_global_default(ToPython);
}

/// Waits for lines: `(level, target, text)` each; None once it was stopped.
#[pyfunction]
pub fn log_next(py: Python<'_>) -> Option<Vec<(u8, &'static str, String)>> {
    let queue = CURRENT.get();
    py.detach(|| {
        let mut lines = queue.lines.lock();
        while lines.waiting.is_empty() && !lines.stopped {
            queue.more.wait(&mut lines);
        }
        if lines.waiting.is_empty() {
            return None;
        }
        let lost = std::mem::take(&mut lines.lost);
        let mut taken: Vec<_> = lines.waiting.drain(..).collect();
        if lost > 0 {
            let said = format!("{lost} lines of the engine's log were left out: too many at once");
            taken.push((30, "folkmoot", said));
        }
        Some(taken)
    })
}

/// Ends the wait for lines.
#[pyfunction]
pub fn log_stop() {
    let queue = CURRENT.get();
    queue.lines.lock().stopped = true;
    queue.more.notify_all();
}
