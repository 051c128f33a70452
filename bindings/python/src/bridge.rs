//! The way back into an event loop: a queue, and a pipe that the loop watches.
//!
//! Threads of the engine leave answers in the queue and never touch Python. One byte lies in the pipe exactly while the
//! queue holds something that the loop was not told of, so that neither end ever waits and a burst costs one wake-up.

use std::collections::HashMap;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use folkmoot_engine::{Error, Principal, Result};
use folkmoot_sys::sync::Mutex;
use pyo3::prelude::*;

use crate::error::as_exception;
use crate::{from_json, shape};

#[pyclass(frozen, module = "folkmoot._native")]
pub struct Bridge {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<State>,
    reader: PipeReader,
    writer: PipeWriter,
}

#[derive(Default)]
struct State {
    last_ticket: u64,
    /// Calls under way, and whether their callers still want them.
    calls: HashMap<u64, Arc<AtomicBool>>,
    answers: Vec<Answer>,
    /// Tickets of subscriptions that may have something.
    rung: Vec<u64>,
    told: bool,
}

struct Answer {
    ticket: u64,
    operation: String,
    outcome: Result<Vec<u8>>,
}

impl Queue {
    fn ticket(&self) -> u64 {
        let mut state = self.state.lock();
        state.last_ticket += 1;
        state.last_ticket
    }

    fn put(&self, answer: Answer) {
        let mut state = self.state.lock();
        state.calls.remove(&answer.ticket);
        state.answers.push(answer);
        self.wake(&mut state);
    }

    fn ring(&self, ticket: u64) {
        let mut state = self.state.lock();
        if !state.rung.contains(&ticket) {
            state.rung.push(ticket);
            self.wake(&mut state);
        }
    }

    fn wake(&self, state: &mut State) {
        if !std::mem::replace(&mut state.told, true) && (&self.writer).write_all(&[1]).is_err() {
            tracing::error!("an event loop could not be woken");
        }
    }
}

/// Gives an answer even when the thread that worked on it ended in a panic.
struct Promise {
    queue: Arc<Queue>,
    ticket: u64,
    operation: String,
}

impl Promise {
    fn keep(mut self, outcome: Result<Vec<u8>>) {
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: Result<Vec<u8>>) {
        let ticket = std::mem::take(&mut self.ticket);
        if ticket > 0 {
            let operation = std::mem::take(&mut self.operation);
            self.queue.put(Answer { ticket, operation, outcome });
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.answer(Err(Error::internal("the engine stopped in the middle of a call")));
    }
}

impl Bridge {
    pub fn submit(&self, hub: &folkmoot_engine::Hub, by: &Principal, name: &str, input: &[u8]) -> u64 {
        let wanted = Arc::new(AtomicBool::new(true));
        let ticket = self.queue.ticket();
        self.queue.state.lock().calls.insert(ticket, wanted.clone());
        let promise = Promise { queue: self.queue.clone(), ticket, operation: name.to_owned() };
        let of = hub.clone();
        let check = move || match wanted.load(Ordering::Acquire) {
            true => of.check_open(),
            false => Err(Error::unavailable("the call was cancelled")),
        };
        hub.submit(by, name, input, check, move |outcome| promise.keep(outcome));
        ticket
    }

    /// A ticket, and what rings under it.
    pub fn bell(&self) -> (u64, impl Fn() + Send + Sync + 'static) {
        let (queue, ticket) = (self.queue.clone(), self.queue.ticket());
        (ticket, move || queue.ring(ticket))
    }
}

#[pymethods]
impl Bridge {
    #[new]
    fn new() -> PyResult<Bridge> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Bridge { queue: Arc::new(Queue { state: Mutex::default(), reader, writer }) })
    }

    /// What the loop has to watch for reading.
    fn fileno(&self) -> i32 {
        self.queue.reader.as_raw_fd()
    }

    /// Ends the wait of a call; its answer still comes.
    fn cancel(&self, ticket: u64) {
        if let Some(wanted) = self.queue.state.lock().calls.get(&ticket) {
            wanted.store(false, Ordering::Release);
        }
    }

    /// Takes what has come: `(ticket, True, answer)`, `(ticket, False, exception)`, or `(ticket, True, None)` of a bell.
    /// Called only when the pipe has something to read.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, bool, Bound<'py, PyAny>)>> {
        let (answers, rung) = {
            let mut state = self.queue.state.lock();
            if std::mem::take(&mut state.told) {
                (&self.queue.reader).read_exact(&mut [0])?;
            }
            (std::mem::take(&mut state.answers), std::mem::take(&mut state.rung))
        };
        let none = || py.None().into_bound(py);
        let mut items: Vec<_> = rung.into_iter().map(|ticket| (ticket, true, none())).collect();
        for Answer { ticket, operation, outcome } in answers {
            let read = |text: Vec<u8>| from_json::read(py, &text, shape::of_answer(py, &operation)?);
            items.push(match outcome {
                Ok(text) => match read(text) {
                    Ok(answer) => (ticket, true, answer),
                    Err(raised) => (ticket, false, raised.into_value(py).into_bound(py).into_any()),
                },
                Err(error) => (ticket, false, as_exception(py, &error)?),
            });
        }
        Ok(items)
    }
}
