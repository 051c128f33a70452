//! The hub as the Python classes hold it: open, call, submit, subscribe, close.

use std::path::PathBuf;

use folkmoot_engine::activity::{ActivityFilter, Replay};
use folkmoot_engine::error::caught;
use folkmoot_engine::hub::Check;
use folkmoot_engine::input::read_input;
use folkmoot_engine::past::At;
use folkmoot_engine::{Error, Filter, HubConfig, Principal};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridge::Bridge;
use crate::error::to_python;
use crate::guard::{outside, waiting};
use crate::hooks::{self, Desk};
use crate::playback::Playback;
use crate::shape::Shape;
use crate::subscription::{Source, Subscription};
use crate::{from_json, hot, shape, to_json};

/// One handle on a hub, and on whose behalf it acts.
#[pyclass(frozen, module = "folkmoot._native")]
pub struct Hub {
    pub hub: folkmoot_engine::Hub,
    pub by: Principal,
}

#[pymethods]
impl Hub {
    /// Opens a hub. Keys of `config` win over the environment, the environment over the TOML text.
    #[staticmethod]
    #[pyo3(signature = (path, config, toml=None, environment=false))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        config: &Bound<'_, PyAny>,
        toml: Option<&str>,
        environment: bool,
    ) -> PyResult<Hub> {
        let given = to_json::input(config)?;
        let hub =
            outside(py, || folkmoot_engine::Hub::open(path, HubConfig::layered(toml, environment, &given)?))?;
        Ok(Hub { hub, by: Principal::Process })
    }

    /// The same handle, acting as an agent.
    fn acting(&self, agent_id: &str) -> Hub {
        Hub { hub: self.hub.clone(), by: Principal::agent(agent_id) }
    }

    /// Runs an operation.
    #[pyo3(signature = (name, input))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        input: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let input = to_json::input(input)?;
        let depth = hooks::depth(py, &self.hub);
        let call = |check: &mut Check<'_>| self.hub.call_as(&self.by, name, &input, check);
        let answer = waiting(py, || self.hub.check_open(), |check| hooks::deep(depth, || call(check)))?;
        from_json::read(py, &answer, shape::of_answer(py, name)?)
    }

    /// Runs an operation without waiting: the answer arrives at the bridge under the ticket that is returned.
    fn submit(&self, bridge: &Bridge, name: &str, input: &Bound<'_, PyAny>) -> PyResult<u64> {
        let depth = hooks::depth(input.py(), &self.hub);
        let input = to_json::input(input)?;
        Ok(hooks::deep(depth, || bridge.submit(&self.hub, &self.by, name, &input)))
    }

    /// Takes what an agent has just done, at once.
    #[pyo3(signature = (agent_id, event=None, tool_name=None, tokens=None, feature_id=None, task_id=None,
                        session_id=None, status=None, location=None))]
    #[allow(
        clippy::too_many_arguments,
        reason = "the fields of the operation, given without a dict for speed"
    )]
    fn presence_update(
        &self,
        py: Python<'_>,
        agent_id: &Bound<'_, PyAny>,
        event: Option<&Bound<'_, PyAny>>,
        tool_name: Option<&Bound<'_, PyAny>>,
        tokens: Option<&Bound<'_, PyAny>>,
        feature_id: Option<&Bound<'_, PyAny>>,
        task_id: Option<&Bound<'_, PyAny>>,
        session_id: Option<&Bound<'_, PyAny>>,
        status: Option<&Bound<'_, PyAny>>,
        location: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let fields = hot::Fields {
            agent_id,
            event,
            tool_name,
            tokens,
            feature_id,
            task_id,
            session_id,
            status,
            location,
        };
        let update = fields.read().map_err(|error| to_python(py, &error))?;
        if self.hub.hooked("presence.update") {
            let depth = hooks::depth(py, &self.hub);
            return outside(py, || hooks::deep(depth, || self.hub.run_as(&self.by, update)).map(drop));
        }
        // Taken into memory: nothing here waits, so the interpreter's lock is kept.
        caught(|| self.hub.run_as(&self.by, update)).map(drop).map_err(|error| to_python(py, &error))
    }

    /// The newest version of a key.
    fn memory_get<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let shape = shape::of_answer(py, "memory.get")?;
        hot::memory_get(py, self, key, shape)
    }

    /// The newest version of a key when it can be had without waiting, else None.
    fn memory_cached<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let shape = shape::of_answer(py, "memory.get")?;
        hot::memory_cached(py, self, key, shape)
    }

    /// Whether hooks are asked before this operation: then even a quick call waits.
    fn hooked(&self, name: &str) -> bool {
        self.hub.hooked(name)
    }

    /// Registers a hook whose questions are left at a desk.
    fn hook(&self, py: Python<'_>, desk: &Desk, hook: &Bound<'_, PyDict>) -> PyResult<()> {
        hooks::register(py, &self.hub, desk, hook)
    }

    /// Takes a hook away.
    fn unhook(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        outside(py, || self.hub.unhook(name))
    }

    /// Listens from now on, or from after a `seq`.
    #[pyo3(signature = (filter, after=None))]
    fn subscribe(
        &self,
        py: Python<'_>,
        filter: &Bound<'_, PyAny>,
        after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Subscription> {
        let filter = to_json::input(filter)?;
        let after = read_after(after).map_err(|error| to_python(py, &error))?;
        let live = outside(py, || {
            let filter: Filter = read_input(&filter)?;
            self.hub.subscribe_as(&self.by, filter, after)
        })?;
        Ok(Subscription::new(Source::Events(live), self.hub.clone()))
    }

    /// Follows a task with its parts and messages, from its beginning or from after a `seq`.
    #[pyo3(signature = (task_id, after=None))]
    fn follow_task(
        &self,
        py: Python<'_>,
        task_id: &str,
        after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Subscription> {
        let after = read_after(after).map_err(|error| to_python(py, &error))?;
        let live = outside(py, || self.hub.execution_as(&self.by, task_id, after))?;
        Ok(Subscription::new(Source::Execution(Box::new(live)), self.hub.clone()))
    }

    /// The hub as it was at a `seq` or a time.
    fn at(&self, py: Python<'_>, point: &Bound<'_, PyAny>) -> PyResult<Hub> {
        let point = to_json::value(point).map_err(|error| to_python(py, &error.within("at")))?;
        let hub =
            outside(py, || self.hub.at(At::read(&serde_json::from_slice(&point).unwrap_or_default())?))?;
        Ok(Hub { hub, by: self.by.clone() })
    }

    /// Where a view of the past stands: its `seq` and its time.
    #[getter]
    fn past(&self) -> Option<(u64, String)> {
        self.hub.past().map(|(seq, time)| (seq, time.to_string()))
    }

    /// Follows the feed from now on, or from after a `seq`.
    #[pyo3(signature = (filter, after=None))]
    fn follow_feed(
        &self,
        py: Python<'_>,
        filter: &Bound<'_, PyAny>,
        after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Subscription> {
        let filter = to_json::input(filter)?;
        let after = read_after(after).map_err(|error| to_python(py, &error))?;
        let live = outside(py, || {
            let filter: ActivityFilter = read_input(&filter)?;
            self.hub.follow_activity_as(&self.by, filter, after)
        })?;
        Ok(Subscription::new(Source::Activities(Box::new(live)), self.hub.clone()))
    }

    /// Plays back a span or a session.
    fn replay(&self, py: Python<'_>, input: &Bound<'_, PyAny>) -> PyResult<Playback> {
        let input = to_json::input(input)?;
        let playback = outside(py, || {
            let replay: Replay = read_input(&input)?;
            self.hub.replay_as(&self.by, replay)
        })?;
        Ok(Playback::new(playback, self.hub.clone()))
    }

    /// Has this process beat for an agent.
    fn hold_agent(&self, py: Python<'_>, agent_id: &str) -> PyResult<()> {
        outside(py, || self.hub.hold_agent(agent_id))
    }

    /// Writes what was acknowledged from memory.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        outside(py, || self.hub.flush())
    }

    /// Copies the hub into a new file.
    fn backup(&self, py: Python<'_>, to: PathBuf) -> PyResult<()> {
        outside(py, || self.hub.backup(to))
    }

    /// Checks the whole file.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let report = outside(py, || {
            let report = self.hub.check()?;
            serde_json::to_vec(&report).map_err(|error| Error::internal(error.to_string()))
        })?;
        from_json::read(py, &report, &Shape::Plain)
    }

    /// Ends this handle.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        outside(py, || {
            self.hub.close();
            Ok(())
        })
    }

    #[getter]
    fn closed(&self) -> bool {
        self.hub.is_closed()
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.hub.path().to_owned()
    }

    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = serde_json::to_vec(self.hub.config()).unwrap_or_default();
        from_json::read(py, &text, &Shape::Plain)
    }
}

fn read_after(after: Option<&Bound<'_, PyAny>>) -> folkmoot_engine::Result<Option<u64>> {
    let bad = |after| Error::invalid("after", hot::shown(after), "must be a seq, a whole number from 0");
    after.map(|after| after.extract::<u64>().map_err(|_| bad(after))).transpose()
}

/// Every key of a configuration with its default.
#[pyfunction]
pub fn config_keys(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let keys = serde_json::to_vec(&HubConfig::keys()).unwrap_or_default();
    Ok(from_json::read(py, &keys, &Shape::Plain)?.cast_into::<PyDict>()?)
}
