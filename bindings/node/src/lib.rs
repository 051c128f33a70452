//! The native part of the Node package: open, call, subscribe, close.
//!
//! Its size does not grow with the table of operations: whatever is asked goes through [`hub::Hub::submit`] as JSON text,
//! and the typed methods that users see are generated TypeScript. Three rules hold everywhere: what may wait never runs
//! on Node's thread; no thread of the engine ever enters Node (answers and bells are left in a queue, and a weak
//! thread-safe function tells Node to empty it); and a panic of the engine becomes an `internal` error.
#![allow(missing_docs, reason = "what JavaScript sees is documented in node/src/native.ts")]

pub mod bridge;
pub mod cli;
pub mod hooks;
pub mod hot;
pub mod hub;
pub mod playback;
pub mod subscription;

use folkmoot_engine::error::caught;
use folkmoot_engine::{Error, HubConfig, Result};
use napi_derive::napi;

/// An error as JavaScript gets it: its JSON, which `node/src/errors.ts` reads.
pub fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(error.to_json().to_string())
}

/// Runs something of the engine's that does not wait.
pub fn guarded<T>(f: impl FnOnce() -> Result<T>) -> napi::Result<T> {
    caught(f).map_err(|error| thrown(&error))
}

/// The engine's text as a string: it writes nothing but UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| Error::internal(format!("an answer is not UTF-8: {error}")))
}

#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Every key of a configuration with its default, as JSON.
#[napi]
pub fn config_keys() -> napi::Result<String> {
    guarded(|| Ok(serde_json::json!(HubConfig::keys()).to_string()))
}
