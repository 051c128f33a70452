//! folkmoot's engine: real-time coordination for teams of software agents, in process, on one SQLite file.
//!
//! Two ideas carry everything. *Operations in, events out*: whatever is asked is one named operation, whatever changes
//! is one event on one ordered log, and the tables are the fold of that log. *One table of operations*: each is
//! declared once ([`operations::OPERATIONS`]), and every face comes from that declaration.
//!
//! The path of a change is the order of [`pipeline`]: command → decide → append → apply → publish.

pub mod activity;
pub mod agents;
pub mod check;
pub mod clock;
pub mod config;
pub(crate) mod core;
pub mod error;
pub mod events;
pub mod hooks;
pub mod hub;
pub mod id;
pub mod input;
pub mod json;
pub(crate) mod keeper;
pub mod leases;
pub(crate) mod lists;
pub(crate) mod log;
pub mod memory;
pub mod messages;
pub mod operations;
pub mod past;
pub mod pipeline;
pub(crate) mod pool;
pub mod principal;
pub(crate) mod retention;
pub mod seams;
pub(crate) mod search;
pub mod sessions;
pub mod spreadsheet;
pub(crate) mod steady;
pub mod storage;
pub mod tasks;

pub use config::{Durability, HubConfig};
pub use error::{Code, Error, Result};
pub use events::event::Event;
pub use events::filter::Filter;
pub use events::subscription::{Item, Subscription};
pub use hub::Hub;
pub use json::Json;
pub use principal::Principal;
