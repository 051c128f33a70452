//! A replay read from Python: waiting (threads), or with the time until the next item (event loops).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot_engine::{Error, Result};
use folkmoot_sys::sync::Mutex;
use pyo3::prelude::*;

use crate::guard::waiting;
use crate::subscription::shown_event;

/// How long a thread waits at most before it looks whether it should go on.
const SLICE: Duration = Duration::from_millis(20);

type Ready<'py> = (Vec<Bound<'py, PyAny>>, Option<f64>);

#[pyclass(frozen, module = "folkmoot._native")]
pub struct Playback {
    tape: Mutex<folkmoot_engine::activity::Playback>,
    over: AtomicBool,
    hub: folkmoot_engine::Hub,
}

impl Playback {
    pub fn new(tape: folkmoot_engine::activity::Playback, hub: folkmoot_engine::Hub) -> Playback {
        Playback { tape: Mutex::new(tape), over: AtomicBool::new(false), hub }
    }

    fn check(&self) -> Result<()> {
        if self.over.load(Ordering::Acquire) || self.hub.is_closed() {
            return Err(Error::unavailable("this replay is closed").with("reason", "closed"));
        }
        Ok(())
    }
}

#[pymethods]
impl Playback {
    /// Waits for the turn of the next item: an event, or `(from, to)` for a gap; None at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let item = waiting(
            py,
            || self.check(),
            |check| loop {
                check()?;
                // Another thread may be waiting for its item: so that this one still hears Ctrl-C, it tries in slices.
                if let Some(mut tape) = self.tape.try_lock_for(SLICE) {
                    return tape.next_until(check);
                }
            },
        )?;
        item.map(|item| shown_event(py, item)).transpose()
    }

    /// What may be played now, at most this many items, and the seconds until the next; None at the end.
    fn ready<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Ready<'py>> {
        let (items, left) = waiting(
            py,
            || self.check(),
            |check| {
                check()?;
                self.tape.lock().ready(most, check)
            },
        )?;
        let items = items.into_iter().map(|item| shown_event(py, item)).collect::<PyResult<_>>()?;
        Ok((items, left.map(|left| left.as_secs_f64())))
    }

    /// Ends the replay; whoever waits in it is woken within a moment.
    fn close(&self) {
        self.over.store(true, Ordering::Release);
    }

    #[getter]
    fn closed(&self) -> bool {
        self.over.load(Ordering::Acquire) || self.hub.is_closed()
    }
}
