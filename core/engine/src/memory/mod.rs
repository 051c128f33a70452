//! Shared memory: keys, JSON values, versions.
//!
//! Every change of a key makes a new version. The newest one is the head; a deleted key has a head that says so. A
//! value's text is kept as it was given.

pub mod access;
pub(crate) mod cache;
pub mod commands;
pub mod events;
pub mod queries;
pub(crate) mod search;
pub(crate) mod tables;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use access::{Access, SetAccess};
pub use commands::{Delete, Increment, Patch, RecordUpdate, Set, SetEntry, SetMany};
pub use queries::{Diff, Difference, Get, GetMany, History, List, Many, Page, Versions};
pub use search::{Found, Hit, Search};

use crate::clock::Time;
use crate::error::Error;
use crate::json::Json;

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The key, a path such as `plans/q3`.
    pub key: String,
    /// The value; null in the version that a deletion makes.
    pub value: Json,
    /// 1 for the first version of a key, then one more with each change.
    pub version: u64,
    /// Who made the key.
    pub created_by: Option<String>,
    /// When the key was made.
    pub created_at: Time,
    /// Who made this version.
    pub updated_by: Option<String>,
    /// When this version was made.
    pub updated_at: Time,
    /// When the key ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// The `seq` of the event that made this version.
    pub seq: u64,
    /// The `seq` of the event that made the version before; null for the first.
    pub previous_seq: Option<u64>,
    /// Whether this version is a deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// Why a memory operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// No such key, or no such version of it.
    #[error("no memory {0:?} here")]
    Unknown(String),
    /// The expected version is not the newest.
    #[error("{key:?} is at version {current}, not {expected}")]
    VersionMoved {
        /// The key.
        key: String,
        /// The version that was expected; 0 stands for none.
        expected: u64,
        /// The version that is there; 0 stands for none.
        current: u64,
        /// What is there, when the caller may read it.
        entry: Option<Box<Entry>>,
    },
    /// An increment of something that is no number.
    #[error("{0:?} does not hold a number")]
    NotANumber(String),
    /// Access control refused; does not say whether the key exists.
    #[error("{who} may not {what} {key:?}")]
    Denied {
        /// On whose behalf.
        who: String,
        /// `read` or `write`.
        what: &'static str,
        /// The key.
        key: String,
    },
}

impl From<MemoryError> for Error {
    fn from(error: MemoryError) -> Error {
        let message = error.to_string();
        match error {
            MemoryError::Unknown(key) => {
                Error::not_found("memory", &key).hint("memory.list shows which keys there are")
            }
            MemoryError::VersionMoved { current, entry, .. } => Error::conflict(message, &entry)
                .with("field", "expected_version")
                .with("current_version", current)
                .hint("read the key again and decide on its newest version"),
            MemoryError::NotANumber(_) => {
                Error::conflict(message, serde_json::Value::Null).with("field", "key")
            }
            MemoryError::Denied { key, .. } => Error::not_allowed(message).with("key", key),
        }
    }
}
