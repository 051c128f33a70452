//! Running the engine from Python: without the interpreter's lock, without a panic, and so that Ctrl-C ends a wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use folkmoot_engine::error::caught;
use folkmoot_engine::{Error, Result};
use pyo3::prelude::*;

use crate::error::to_python;

/// Calls that are in the engine now. Python waits for them before it ends, since a thread that comes back to an
/// interpreter that is gone cannot be saved.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

struct Inside;

impl Inside {
    fn enter() -> Inside {
        INSIDE.fetch_add(1, Ordering::AcqRel);
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs something of the engine's that may wait, without the interpreter's lock.
pub fn outside<T: Send>(py: Python<'_>, f: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let _inside = Inside::enter();
    py.detach(|| caught(f)).map_err(|error| to_python(py, &error))
}

/// Like [`outside`]; what runs is handed a `check` that ends its wait when a signal has come (Ctrl-C) or `over` says so.
pub fn waiting<T: Send>(
    py: Python<'_>,
    over: impl Fn() -> Result<()> + Send + Sync,
    f: impl FnOnce(&mut dyn FnMut() -> Result<()>) -> Result<T> + Send,
) -> PyResult<T> {
    let _inside = Inside::enter();
    let mut signal: Option<PyErr> = None;
    let outcome = py.detach(|| {
        let mut check = || {
            over()?;
            match Python::try_attach(|py| py.check_signals()) {
                Some(Ok(())) => Ok(()),
                Some(Err(raised)) => {
                    signal = Some(raised);
                    Err(Error::unavailable("the wait was interrupted"))
                }
                None => Err(Error::unavailable("Python is ending")),
            }
        };
        caught(|| f(&mut check))
    });
    match (signal, outcome) {
        (Some(raised), _) => Err(raised),
        (None, outcome) => outcome.map_err(|error| to_python(py, &error)),
    }
}

/// In a forked child: the threads that were in the engine are not there.
#[pyfunction]
pub fn after_fork() {
    INSIDE.store(0, Ordering::Release);
}

/// Waits until no call is in the engine any more, at most this long.
#[pyfunction]
pub fn settle(py: Python<'_>, seconds: f64) -> bool {
    let until = Instant::now() + Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| {
        while INSIDE.load(Ordering::Acquire) > 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    })
}
