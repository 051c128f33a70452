//! Hooks whose functions are Python's: questions wait at a desk until a thread or a loop of Python takes them.

use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::hooks::{Ask, Desk as Engines, Hook, OnError, Point, Reply, with_depth};
use folkmoot_engine::json::Json;
use folkmoot_engine::{Error, Hub, Result};
use folkmoot_sys::sync::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::bridge::Bridge;
use crate::error::to_python;
use crate::guard::outside;
use crate::shape::Shape;
use crate::{from_json, shape, to_json};

static DEPTH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// How deep in hooks the caller is: a variable of Python's, which follows tasks as well as threads.
pub fn depth(py: Python<'_>, hub: &Hub) -> u32 {
    if !hub.has_hooks() {
        return 0;
    }
    let variable =
        DEPTH.get_or_try_init(py, || py.import("folkmoot._hooks")?.getattr("DEPTH").map(Bound::unbind));
    let found = variable.and_then(|variable| variable.bind(py).call_method0("get")?.extract());
    found.unwrap_or(0)
}

/// Runs a call as deep in hooks as its caller is.
pub fn deep<T>(depth: u32, f: impl FnOnce() -> T) -> T {
    if depth == 0 { f() } else { with_depth(depth, f) }
}

/// Where the questions to the hooks of one hub wait.
#[pyclass(frozen, module = "folkmoot._native")]
pub struct Desk {
    pub desk: Arc<Engines>,
    /// Under which the bridge is told that something waits; 0 at a desk for threads.
    ticket: u64,
}

#[pymethods]
impl Desk {
    /// A desk for threads, or for the loop of a bridge.
    #[new]
    #[pyo3(signature = (bridge=None))]
    fn new(bridge: Option<&Bridge>) -> Desk {
        match bridge {
            None => Desk { desk: Engines::new(), ticket: 0 },
            Some(bridge) => {
                let (ticket, ring) = bridge.bell();
                Desk { desk: Engines::with_bell(ring), ticket }
            }
        }
    }

    #[getter]
    fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Waits for a question; None once the desk is closed.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Asked>> {
        Ok(outside(py, || Ok(self.desk.next()))?.map(Asked::new))
    }

    /// The questions that wait now.
    fn take(&self) -> Vec<Asked> {
        self.desk.take().into_iter().map(Asked::new).collect()
    }

    /// Takes no more questions.
    fn close(&self) {
        self.desk.close();
    }
}

/// A question to a hook. Dropped unanswered it counts as failed.
#[pyclass(frozen, module = "folkmoot._native")]
pub struct Asked {
    ask: Mutex<Option<Ask>>,
    #[pyo3(get)]
    hook: String,
    #[pyo3(get)]
    point: &'static str,
    #[pyo3(get)]
    subject: String,
    #[pyo3(get)]
    principal: String,
    #[pyo3(get)]
    depth: u32,
    #[pyo3(get)]
    timeout: f64,
    text: Arc<str>,
}

impl Asked {
    fn new(ask: Ask) -> Asked {
        Asked {
            hook: ask.hook().to_owned(),
            point: ask.point().as_str(),
            subject: ask.subject().to_owned(),
            principal: ask.by().stored(),
            depth: ask.depth(),
            timeout: ask.timeout().as_secs_f64(),
            text: ask.text().clone(),
            ask: Mutex::new(Some(ask)),
        }
    }

    fn give(&self, reply: Reply) {
        let ask = self.ask.lock().take();
        if let Some(ask) = ask {
            ask.answer(reply);
        }
    }
}

#[pymethods]
impl Asked {
    /// What the hook is to look at: the input, the event, the messages.
    fn matter<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let shape = if self.point == "after" { shape::of_event(py)? } else { &Shape::Plain };
        from_json::read(py, self.text.as_bytes(), shape)
    }

    /// Answers with what the function returned; None stands for nothing to say.
    fn answer(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let reply = match value.is_none() || self.point == "after" {
            true => Reply::Nothing,
            false => Reply::Value(text_of(value).map_err(|error| to_python(value.py(), &error))?),
        };
        self.give(reply);
        Ok(())
    }

    /// Refuses the operation.
    fn refuse(&self, reason: &str) {
        self.give(Reply::Refused(reason.to_owned()));
    }

    /// Says that the function failed. Of an error of the engine's the details say which limit it met.
    #[pyo3(signature = (message, details=None))]
    fn fail(&self, message: &str, details: Option<&Bound<'_, PyDict>>) {
        let limit = details.and_then(|details| limit_of(details).ok());
        self.give(Reply::Failed(limit.unwrap_or_else(|| Error::unavailable(message))));
    }
}

fn limit_of(details: &Bound<'_, PyDict>) -> PyResult<Error> {
    let item = |name: &str| details.as_any().get_item(name);
    let name: String = item("limit_name")?.extract()?;
    Ok(Error::limit(&name, item("limit")?.extract()?, item("value")?.extract()?))
}

fn text_of(value: &Bound<'_, PyAny>) -> Result<Json> {
    let text = to_json::value(value)?;
    Json::from_text(String::from_utf8(text).map_err(|error| Error::internal(error.to_string()))?)
}

/// Registers a hook whose questions are left at a desk.
pub fn register(py: Python<'_>, hub: &Hub, desk: &Desk, hook: &Bound<'_, PyDict>) -> PyResult<()> {
    let text = |name: &str| -> PyResult<String> { hook.as_any().get_item(name)?.extract() };
    let (name, point, pattern) = (text("name")?, text("point")?, text("pattern")?);
    let on_error = text("on_error")?;
    let seconds = |field: &str| -> PyResult<Result<Duration>> {
        let given: f64 = hook.as_any().get_item(field)?.extract()?;
        Ok(Duration::try_from_secs_f64(given)
            .map_err(|_| Error::invalid(field, given, "must be from 0.001 to 3600 seconds")))
    };
    let (timeout, interval) = (seconds("timeout")?, seconds("interval")?);
    let home = (desk.ticket > 0).then(|| std::thread::current().id());
    outside(py, || {
        let hook = Hook { home, ..Hook::new(&name, Point::parse(&point)?, &pattern) }
            .timeout(timeout?)
            .on_error(OnError::parse(&on_error)?)
            .every(interval?);
        hub.hook(hook, desk.desk.handler())
    })
}
