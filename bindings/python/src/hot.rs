//! The two calls that agents make all day, without a dict and without JSON on the way in.

use folkmoot_engine::agents::{Location, Status, UpdatePresence};
use folkmoot_engine::error::caught;
use folkmoot_engine::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::Value;

use crate::error::to_python;
use crate::guard::outside;
use crate::hub::Hub;
use crate::shape::Shape;
use crate::{from_json, hooks, to_json};

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The fields of `presence.update` as they were given.
pub struct Fields<'a, 'py> {
    pub agent_id: &'a Bound<'py, PyAny>,
    pub event: Given<'a, 'py>,
    pub tool_name: Given<'a, 'py>,
    pub tokens: Given<'a, 'py>,
    pub feature_id: Given<'a, 'py>,
    pub task_id: Given<'a, 'py>,
    pub session_id: Given<'a, 'py>,
    pub status: Given<'a, 'py>,
    pub location: Given<'a, 'py>,
}

impl Fields<'_, '_> {
    /// The typed input; an error names the field and the value.
    pub fn read(&self) -> Result<UpdatePresence> {
        Ok(UpdatePresence {
            agent_id: text("agent_id", self.agent_id)?,
            event: self.event.map(|given| text("event", given)).transpose()?,
            tool_name: self.tool_name.map(|given| text("tool_name", given)).transpose()?,
            tokens: self.tokens.map(tokens).transpose()?,
            feature_id: self.feature_id.map(|given| text("feature_id", given)).transpose()?,
            task_id: self.task_id.map(|given| text("task_id", given)).transpose()?,
            session_id: self.session_id.map(|given| text("session_id", given)).transpose()?,
            status: self.status.map(status).transpose()?,
            location: self.location.map(location).transpose()?,
        })
    }
}

fn text(field: &str, given: &Bound<'_, PyAny>) -> Result<String> {
    let Ok(text) = given.cast::<PyString>() else {
        return Err(Error::invalid(field, shown(given), "must be text"));
    };
    let text = text.to_cow().map_err(|_| Error::invalid(field, shown(given), "must be text in Unicode"))?;
    Ok(text.into_owned())
}

fn tokens(given: &Bound<'_, PyAny>) -> Result<u64> {
    given.extract().map_err(|_| Error::invalid("tokens", shown(given), "must be a whole number from 0"))
}

fn status(given: &Bound<'_, PyAny>) -> Result<Status> {
    let word = text("status", given)?;
    serde_json::from_value(Value::String(word.clone()))
        .map_err(|_| Error::invalid("status", word, "must be one of active, working, idle, error, offline"))
}

fn location(given: &Bound<'_, PyAny>) -> Result<Location> {
    let bad = |must: &dyn std::fmt::Display| Error::invalid("location", shown(given), must);
    let json = to_json::input(given).map_err(|_| bad(&"must be a dict of host, pid and workspace"))?;
    serde_json::from_slice(&json).map_err(|error| bad(&format_args!("has the wrong form: {error}")))
}

/// A value as an error shows it.
pub fn shown(given: &Bound<'_, PyAny>) -> String {
    given.repr().map_or_else(|_| "something that has no repr".to_owned(), |text| text.to_string())
}

/// `memory.get` of the newest version. What is in the cache is answered without giving up the interpreter's lock.
pub fn memory_get<'py>(
    py: Python<'py>,
    hub: &Hub,
    key: &Bound<'py, PyAny>,
    shape: &Shape,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(entry) = memory_cached(py, hub, key, shape)? {
        return Ok(entry);
    }
    let key = text("key", key).map_err(|error| to_python(py, &error))?;
    let depth = hooks::depth(py, &hub.hub);
    let found = outside(py, || hooks::deep(depth, || hub.hub.memory_text(&hub.by, &key)))?;
    from_json::read(py, found.as_bytes(), shape)
}

/// The newest version of a key if it lies in the cache.
pub fn memory_cached<'py>(
    py: Python<'py>,
    hub: &Hub,
    key: &Bound<'py, PyAny>,
    shape: &Shape,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Ok(name) = key.cast::<PyString>() else {
        return Err(to_python(py, &Error::invalid("key", shown(key), "must be text")));
    };
    let found = name.to_cow().ok().map(|name| caught(|| hub.hub.memory_cached(&hub.by, &name)));
    let found = found.transpose().map_err(|error| to_python(py, &error))?.flatten();
    found.map(|text| from_json::read(py, text.as_bytes(), shape)).transpose()
}
