//! An error of the engine as a Python exception: one class for each code, made in `folkmoot._errors`.

use folkmoot_engine::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::from_json;
use crate::shape::Shape;

static FROM_ENGINE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception for an error.
pub fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    as_exception(py, error).map_or_else(|raised| raised, PyErr::from_value)
}

/// The exception for an error, as an object.
pub fn as_exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let make = FROM_ENGINE
        .get_or_try_init(py, || py.import("folkmoot._errors")?.getattr("from_engine").map(Bound::unbind))?;
    let details = serde_json::to_vec(error.details()).unwrap_or_else(|_| b"{}".to_vec());
    let details = from_json::read(py, &details, &Shape::Plain)?;
    make.bind(py).call1((
        error.code().as_str(),
        error.message(),
        error.hint_text(),
        error.code().retryable(),
        details,
    ))
}
