//! Real-time coordination for teams of software agents, in process, on one SQLite file.
//!
//! A *hub* keeps who is present, what each is doing, what they say, the tasks they share and what they remember together.
//! Any number of processes open the same file; no server is needed. Whatever is asked is an *operation*
//! (`hub.run(tasks::Claim::new("bob"))`); whatever changes is an *event* on one ordered log, which a *subscription* reads
//! and follows.
//!
//! ```
//! use folkmoot::{Hub, HubConfig, agents, tasks};
//! use serde_json::json;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("team.db");
//! let hub = Hub::open(&path, HubConfig::default())?; // or ":memory:"
//! hub.run(agents::Register::new("ana"))?;
//! hub.run(agents::Register::new("bob"))?;
//! hub.hold_agent("bob")?; // this process beats for bob: his presence and his leases
//!
//! hub.run(tasks::Create::new("ana", "Read the logs"))?;
//! if let Some(task) = hub.run(tasks::Claim::new("bob"))? {
//!     hub.run(tasks::Complete {
//!         task_id: task.task_id,
//!         agent_id: Some("bob".into()),
//!         token: Some(task.token), // whoever comes back late, with an older token, changes nothing
//!         result: Some(json!({ "errors": 3 }).into()),
//!         ..Default::default()
//!     })?;
//! }
//! hub.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! | --- | --- |
//! | opening, calling, subscribing | [`Hub`], [`HubConfig`], [`Subscription`], [`Filter`] |
//! | who takes part and what each is doing | [`agents`] |
//! | what they say | [`messages`]: send, inbox, ask, threads |
//! | working together in a session | [`sessions`]: channels, shared state, decisions, rules |
//! | shared work | [`tasks`]: create, claim, progress, complete |
//! | shared memory | [`memory`]: versions, compare-and-set, access |
//! | what everyone does, on one page: the feed, its figures, export, replay | [`activity`] |
//! | your own events, the log, durable consumers | [`events`] |
//! | functions that the hub calls: hooks, summarizers, collectors | [`hooks`], [`Hub::before`], [`Hub::after`] |
//! | what can go wrong | [`Error`] with its [`Code`], sentence, hint and details |
//! | every operation by its name | [`operations::OPERATIONS`], [`Hub::call`] |
//!
//! Programs to start from are in `examples/rust/`: two agents, a task queue with a crash, shared memory, ask and answer,
//! watch everything. `cargo run -p folkmoot --example two_agents` runs one.

pub use folkmoot_engine::{
    Code, Durability, Error, Event, Filter, Hub, HubConfig, Item, Json, Principal, Result, Subscription,
};
pub use folkmoot_engine::{
    activity, agents, check, clock, config, error, events, hooks, hub, json, memory, messages, operations,
    past, principal, sessions, spreadsheet, tasks,
};

/// The guides' Rust runs as tests.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/guides/agents.md")]
    mod agents {}
    #[doc = include_str!("../../../docs/guides/events.md")]
    mod events {}
    #[doc = include_str!("../../../docs/guides/hooks.md")]
    mod hooks {}
    #[doc = include_str!("../../../docs/guides/memory.md")]
    mod memory {}
    #[doc = include_str!("../../../docs/guides/messages.md")]
    mod messages {}
    #[doc = include_str!("../../../docs/guides/sessions.md")]
    mod sessions {}
    #[doc = include_str!("../../../docs/guides/tasks.md")]
    mod tasks {}
    #[doc = include_str!("../../../docs/guides/time-travel.md")]
    mod time_travel {}
}
