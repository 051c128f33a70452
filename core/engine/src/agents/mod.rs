//! Agents and their presence: who takes part, and what each is doing now.
//!
//! An agent has a *profile*, which is durable, and a *presence*, which moves with every tool call and is relaxed. An agent
//! is present while it is heard of: by a heartbeat, an update, or the process that holds it.

pub mod commands;
pub mod events;
pub mod presence;
pub mod queries;
pub(crate) mod relaxed;
pub mod summary;
pub(crate) mod tables;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use commands::{Capabilities, Heartbeat, Leave, Register, SetStatus};
pub use presence::{UpdatePresence, Updated};
pub use queries::{AgentPage, AgentView, Get, GetPresence, List, ListPresence, PresenceList};

use crate::clock::Time;
use crate::error::Error;
use crate::json::Json;

/// What an agent is doing, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// At work. `working` is accepted as a synonym.
    #[serde(alias = "working")]
    Active,
    /// Present, without work.
    Idle,
    /// Present, in trouble.
    Error,
    /// Not heard of.
    #[default]
    Offline,
}

impl Status {
    /// The status as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Idle => "idle",
            Status::Error => "error",
            Status::Offline => "offline",
        }
    }
}

/// Who an agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its id, given by its user or its name.
    pub agent_id: String,
    /// Its display name.
    pub name: String,
    /// `llm`, `tool`, `human`, `service`, or another word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its role in the team.
    pub role: Option<String>,
    /// What it is best at.
    pub specialization: Option<String>,
    /// Where it belongs.
    pub department: Option<String>,
    /// What it can do, each with a level from 0 to 1.
    pub capabilities: BTreeMap<String, f64>,
    /// How many tasks it takes at once.
    pub max_load: u32,
    /// A JSON object of the user's own.
    pub metadata: Json,
    /// When it was first registered.
    pub registered_at: Time,
}

/// Where an agent runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The machine.
    #[serde(default)]
    pub host: Option<String>,
    /// The process.
    #[serde(default)]
    pub pid: Option<u32>,
    /// The folder or workspace.
    #[serde(default)]
    pub workspace: Option<String>,
}

/// What an agent has done so far, from the tasks it held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Performance {
    /// Tasks it completed.
    pub tasks_done: u64,
    /// Tasks it failed or let lapse.
    pub tasks_failed: u64,
    /// Done of all that ended, 0 to 1; null before the first.
    pub success_rate: Option<f64>,
    /// Mean seconds from claim to completion; null before the first.
    pub mean_task_seconds: Option<f64>,
}

/// What an agent is doing now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// The agent.
    pub agent_id: String,
    /// Its status.
    pub status: Status,
    /// What it said about its status.
    pub status_detail: Option<String>,
    /// The feature it works on.
    pub current_feature_id: Option<String>,
    /// The task it works on.
    pub current_task_id: Option<String>,
    /// The tool it used last.
    pub last_tool_name: Option<String>,
    /// When it last did something.
    pub last_activity: Option<Time>,
    /// Tools it used in this session.
    pub total_tools_executed: u64,
    /// Tokens it spent in this session.
    pub total_cost_tokens: u64,
    /// The session that the totals are of.
    pub session_id: Option<String>,
    /// Tools it ever used.
    pub lifetime_tools_executed: u64,
    /// Tokens it ever spent.
    pub lifetime_cost_tokens: u64,
    /// Where it runs.
    pub location: Option<Location>,
    /// What it has done so far.
    pub performance: Performance,
    /// When it joined this time.
    pub joined_at: Option<Time>,
    /// When it was last heard of.
    pub last_seen: Option<Time>,
    /// Only in a view of the past: what moved it after this time is no longer kept, so the rest may be older than the
    /// view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertain_since: Option<Time>,
}

impl Presence {
    pub(crate) fn new(agent_id: &str) -> Presence {
        Presence {
            agent_id: agent_id.to_owned(),
            status: Status::Offline,
            status_detail: None,
            current_feature_id: None,
            current_task_id: None,
            last_tool_name: None,
            last_activity: None,
            total_tools_executed: 0,
            total_cost_tokens: 0,
            session_id: None,
            lifetime_tools_executed: 0,
            lifetime_cost_tokens: 0,
            location: None,
            performance: Performance::default(),
            joined_at: None,
            last_seen: None,
            uncertain_since: None,
        }
    }
}

/// Why an agent operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody registered under this id.
    #[error("no agent {0:?} here")]
    Unknown(String),
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Error {
        match error {
            AgentError::Unknown(id) => {
                Error::not_found("agent", &id).hint("register it first (agent.register)")
            }
        }
    }
}
