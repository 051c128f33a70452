//! The native part of the Python package: open, call, subscribe, close.
//!
//! Its size does not grow with the table of operations: whatever is asked goes through [`hub::Hub::call`], and the typed
//! methods that users see are generated Python. Three rules hold everywhere: whatever may wait runs without the
//! interpreter's lock; no thread of the engine ever takes that lock (answers, items and log lines are left in queues that
//! Python empties); and a panic of the engine becomes an `InternalError`.
#![allow(missing_docs, reason = "what Python sees is documented in the package's stub")]

mod bridge;
mod cli;
mod error;
mod from_json;
mod guard;
mod hooks;
mod hot;
mod hub;
mod log;
mod playback;
mod shape;
mod subscription;
mod to_json;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<hub::Hub>()?;
    module.add_class::<subscription::Subscription>()?;
    module.add_class::<playback::Playback>()?;
    module.add_class::<bridge::Bridge>()?;
    module.add_class::<hooks::Desk>()?;
    module.add_class::<hooks::Asked>()?;
    module.add_function(wrap_pyfunction!(hub::config_keys, module)?)?;
    module.add_function(wrap_pyfunction!(cli::cli_main, module)?)?;
    module.add_function(wrap_pyfunction!(guard::after_fork, module)?)?;
    module.add_function(wrap_pyfunction!(guard::settle, module)?)?;
    module.add_function(wrap_pyfunction!(log::log_start, module)?)?;
    module.add_function(wrap_pyfunction!(log::log_next, module)?)?;
    module.add_function(wrap_pyfunction!(log::log_stop, module)?)
}
