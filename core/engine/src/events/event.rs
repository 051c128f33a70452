//! The event: what changed, once and for ever.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::clock::Time;
use crate::core::Core;
use crate::error::Result;
use crate::id::event_id;
use crate::json::Json;
use crate::principal::Principal;

/// Where an event belongs: what filters look at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// The agent that acted or that changed.
    pub agent_id: Option<String>,
    /// The session it happened in.
    pub session_id: Option<String>,
    /// The task it is about.
    pub task_id: Option<String>,
    /// The agents it is for; `*` stands for all.
    pub target_agents: Vec<String>,
    /// What ties a question to its answer.
    pub correlation_id: Option<String>,
    /// A memory key, the type of a published event, or the task at the top of the tree that a task, or what is said about
    /// it, belongs to.
    pub subject: Option<String>,
}

impl Place {
    /// An event about this agent.
    pub fn agent(agent_id: &str) -> Place {
        Place { agent_id: Some(agent_id.to_owned()), ..Place::default() }
    }
}

/// An event as subscribers get it. Its wire JSON is made once and shared.
#[derive(Debug)]
pub struct Event {
    /// Its place in the hub's one total order.
    pub seq: u64,
    /// What happened, as `noun.verb`.
    pub kind: Cow<'static, str>,
    /// When, by the wall clock of the process that wrote it.
    pub time: Time,
    /// On whose behalf.
    pub principal: Principal,
    /// Where it belongs.
    pub place: Place,
    /// The whole thing that changed.
    pub data: Json,
    /// Whether it is of the relaxed kind, kept for minutes only.
    pub relaxed: bool,
    pub(crate) hub: [u8; 6],
    pub(crate) wire: OnceLock<Arc<str>>,
}

impl Event {
    /// A frame without a `seq`, for subscribers of this process; the newest of its kind and subject replaces the others.
    pub(crate) fn frame(core: &Core, kind: &'static str, subject: Option<&str>, data: Value) -> Event {
        let place = Place { subject: subject.map(str::to_owned), ..Place::default() };
        Event {
            time: core.seams.clock.wall(),
            hub: core.storage.hub_id,
            ..Event::of(kind, place, Json::from(data))
        }
    }

    /// An event that is in no log.
    pub(crate) fn of(kind: &'static str, place: Place, data: Json) -> Event {
        Event {
            seq: 0,
            kind: kind.into(),
            time: Time::default(),
            principal: Principal::Process,
            place,
            data,
            relaxed: true,
            hub: [0; 6],
            wire: OnceLock::new(),
        }
    }

    /// The event's id, which holds its `seq`.
    pub fn id(&self) -> String {
        event_id(self.hub, self.seq).to_string()
    }

    /// The event as JSON, the same bytes for every subscriber.
    pub fn wire(&self) -> Arc<str> {
        self.wire.get_or_init(|| self.encode().into()).clone()
    }

    fn encode(&self) -> String {
        let place = &self.place;
        let wire = Wire {
            seq: self.seq,
            id: self.id(),
            kind: &self.kind,
            time: self.time,
            principal: self.principal.stored(),
            agent_id: place.agent_id.as_deref(),
            session_id: place.session_id.as_deref(),
            task_id: place.task_id.as_deref(),
            target_agents: &place.target_agents,
            correlation_id: place.correlation_id.as_deref(),
            data: &self.data,
        };
        serde_json::to_string(&wire).unwrap_or_else(|e| {
            let mut text = String::new();
            let _ = write!(text, "{{\"seq\":{},\"error\":\"{}\"}}", self.seq, e.to_string().escape_default());
            text
        })
    }
}

/// An event as it is sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(crate) struct Wire<'a> {
    /// Its place in the hub's one total order; 0 for a summary, which has none.
    seq: u64,
    /// Its id, which holds its `seq`.
    id: String,
    /// What happened, as `noun.verb`.
    kind: &'a str,
    /// When, by the wall clock of the process that wrote it.
    time: Time,
    /// On whose behalf: `process`, `agent:<id>` or `operator:<id>`.
    principal: String,
    /// The agent that acted or that changed.
    agent_id: Option<&'a str>,
    /// The session it happened in.
    session_id: Option<&'a str>,
    /// The task it is about.
    task_id: Option<&'a str>,
    /// The agents it is for; `*` stands for all.
    target_agents: &'a [String],
    /// What ties a question to its answer.
    correlation_id: Option<&'a str>,
    /// The whole thing that changed.
    data: &'a Json,
}

/// What stands on an event beside its data, given when it is appended.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The event's `seq`.
    pub seq: u64,
    /// When it happened.
    pub time: Time,
}

/// What an event says, in the engine's own types: how it is written and what it does to the tables.
///
/// `apply` is the fold: it may look at the tables and at itself, at nothing else, so that folding the log again gives the
/// same tables.
pub trait Body: Send {
    /// Writes the data as JSON.
    fn encode(&self, out: &mut Vec<u8>) -> Result<()>;
    /// Makes the tables what the event says. `data` is what `encode` wrote, for tables that keep it as it is.
    fn apply(&self, db: &rusqlite::Connection, stamp: Stamp, data: &str) -> Result<()>;
}

/// An event that a decision proposes: not yet in the log.
pub struct Draft {
    /// What happened.
    pub kind: &'static str,
    /// Where it belongs.
    pub place: Place,
    /// What it says.
    pub body: Box<dyn Body>,
    /// Whether the command answers just what the event says.
    pub answers: bool,
    /// Whether it is kept for minutes only, though its operation is not of that class.
    pub relaxed: bool,
}

/// Encodes a serializable body; the only way that can fail is a defect.
pub fn encode_json<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, value)
        .map_err(|e| crate::Error::internal(format!("an event could not be written: {e}")))
}
