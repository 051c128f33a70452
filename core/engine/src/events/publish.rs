//! `event.publish`: events of the users' own.
//!
//! They are always of kind `event.published`, so that no one can forge an event of the engine; filters match their type.

use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Body, Place, Stamp, encode_json};
use crate::error::Result;
use crate::id;
use crate::json::Json;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// The kind of every published event.
pub const PUBLISHED: &str = "event.published";

/// Agents by id, or all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be an agent id, `*` for all, or a list of agent ids")]
pub enum Targets {
    /// `*` for everyone, or one agent.
    One(String),
    /// These agents.
    Many(Vec<String>),
}

impl Targets {
    /// The ids, checked.
    pub(crate) fn ids(&self, field: &str) -> Result<Vec<String>> {
        let ids = match self {
            Targets::One(id) => vec![id.clone()],
            Targets::Many(ids) => ids.clone(),
        };
        id::check_names(field, &ids)?;
        Ok(ids)
    }
}

/// Input of `event.publish`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The type, a word of your own such as `build.finished`.
    pub event_type: String,
    /// Who publishes.
    pub source_agent: String,
    /// Whom it is for: agent ids, or `*`; nobody in particular when left out.
    #[serde(default)]
    pub target_agents: Option<Targets>,
    /// Any JSON value, at most 1 MiB.
    #[serde(default)]
    pub payload: Option<Json>,
    /// What ties a request to its response.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// A published event, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PublishedEvent {
    /// The `seq` it was given.
    pub seq: u64,
    /// Its type.
    pub event_type: String,
}

/// What `event.published` says.
#[derive(Debug, Serialize, Deserialize)]
struct Published {
    event_type: String,
    source_agent: String,
    target_agents: Vec<String>,
    payload: Json,
    correlation_id: Option<String>,
}

impl Body for Published {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_json(self, out)
    }

    fn apply(&self, _: &Connection, _: Stamp, _: &str) -> Result<()> {
        Ok(())
    }
}

impl Change for Publish {
    type Output = PublishedEvent;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<PublishedEvent> {
        id::check_name("event_type", &self.event_type)?;
        cx.acting("source_agent", Some(&self.source_agent))?;
        id::check_optional("correlation_id", self.correlation_id.as_deref())?;
        let targets = match &self.target_agents {
            Some(targets) => targets.ids("target_agents")?,
            None => Vec::new(),
        };
        cx.check_count("target_agents", targets.len())?;
        let payload = self.payload.clone().unwrap_or_default();
        cx.check_value("payload", &payload)?;
        let place = Place {
            agent_id: Some(self.source_agent.clone()),
            target_agents: targets.clone(),
            correlation_id: self.correlation_id.clone(),
            subject: Some(self.event_type.clone()),
            ..Place::default()
        };
        let body = Published {
            event_type: self.event_type.clone(),
            source_agent: self.source_agent.clone(),
            target_agents: targets,
            payload,
            correlation_id: self.correlation_id.clone(),
        };
        let seq = cx.emit(PUBLISHED, place, body);
        Ok(PublishedEvent { seq, event_type: self.event_type.clone() })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
