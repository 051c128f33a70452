//! What changes activities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{COMPLETED, RECORDED};
use super::{Activity, ActivityError, Outcome, tables};
use crate::error::{Error, Result};
use crate::id;
use crate::json::Json;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Input of `activity.record`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its id, if the caller wants to choose it; a new UUIDv7 when left out.
    #[serde(default)]
    pub activity_id: Option<String>,
    /// Who does it; need not be registered.
    pub agent_id: String,
    /// `agent_started`, `agent_completed`, `memory_write`, `memory_read`, `council_debate`, `council_synthesis`,
    /// `council_decision`, `task_assigned`, `task_completed`, `message_sent`, `collaboration_started`,
    /// `collaboration_ended`, or another word.
    pub activity_type: String,
    /// The department it is done for; the agent's own when left out.
    #[serde(default)]
    pub department: Option<String>,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub metadata: Option<Json>,
    /// Other agents that it concerns, at most 1,000.
    #[serde(default)]
    pub related_agents: Option<Vec<String>>,
    /// The session it is done in, here or outside the hub.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The task it is about, here or outside the hub.
    #[serde(default)]
    pub task_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Record {
    /// An activity of this agent and type.
    pub fn new(agent_id: &str, activity_type: &str) -> Record {
        Record { agent_id: agent_id.to_owned(), activity_type: activity_type.to_owned(), ..Record::default() }
    }

    fn check(&self, cx: &Decide<'_>) -> Result<()> {
        cx.acting("agent_id", Some(&self.agent_id))?;
        id::check_name("activity_type", &self.activity_type)?;
        for (field, name) in
            [("department", &self.department), ("session_id", &self.session_id), ("task_id", &self.task_id)]
        {
            id::check_optional(field, name.as_deref())?;
        }
        let related = self.related_agents.as_deref().unwrap_or_default();
        cx.check_count("related_agents", related.len())?;
        id::check_names("related_agents", related)?;
        cx.check_metadata("metadata", self.metadata.as_ref())
    }
}

impl Change for Record {
    type Output = Activity;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Activity> {
        self.check(cx)?;
        let activity_id = cx.id_or_new("activity_id", self.activity_id.as_deref())?;
        if tables::get(cx.db, &activity_id)?.is_some() {
            return Err(Error::already_exists("activity", &activity_id).with("field", "activity_id"));
        }
        let department = match &self.department {
            Some(given) => Some(given.clone()),
            None => tables::department(cx.db, &self.agent_id)?,
        };
        let mut related: Vec<String> = Vec::new();
        for id in self.related_agents.iter().flatten() {
            if !related.contains(id) {
                related.push(id.clone());
            }
        }
        let activity = Activity {
            activity_id,
            seq: cx.upcoming_seq(),
            agent_id: Some(self.agent_id.clone()),
            department,
            activity_type: self.activity_type.clone(),
            metadata: self.metadata.clone().unwrap_or_else(|| Json::from(serde_json::json!({}))),
            related_agents: related,
            session_id: self.session_id.clone(),
            task_id: self.task_id.clone(),
            timestamp: cx.now,
            open: true,
            completed_at: None,
            outcome: None,
            result: Json::null(),
            duration_seconds: None,
            event_kind: None,
        };
        cx.emit(RECORDED, activity.place(), activity.clone());
        Ok(activity)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `activity.complete`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// The activity: one that was recorded and is open.
    pub activity_id: String,
    /// What came out: any JSON, at most 1 MiB.
    #[serde(default)]
    pub result: Option<Json>,
    /// `ok`, `failed` or `cancelled`; `ok` when left out.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Complete {
    /// Completes this activity, well.
    pub fn new(activity_id: &str) -> Complete {
        Complete { activity_id: activity_id.to_owned(), ..Complete::default() }
    }
}

impl Change for Complete {
    type Output = Activity;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Activity> {
        id::check_name("activity_id", &self.activity_id)?;
        let result = self.result.clone().unwrap_or_default();
        cx.check_value("result", &result)?;
        let known = tables::get(cx.db, &self.activity_id)?
            .ok_or_else(|| ActivityError::Unknown(self.activity_id.clone()))?;
        let owner = known.agent_id.as_deref().unwrap_or_default();
        if cx.by.agent_id().is_some_and(|agent| agent != owner) {
            return Err(ActivityError::NotYours {
                who: cx.by.to_string(),
                activity_id: known.activity_id.clone(),
                agent_id: owner.to_owned(),
            }
            .into());
        }
        if !known.open {
            return Err(ActivityError::Completed { current: Box::new(known) }.into());
        }
        let activity = Activity {
            open: false,
            completed_at: Some(cx.now),
            outcome: Some(self.outcome.unwrap_or_default()),
            result,
            // A clock that was set back in the meantime makes no negative span.
            duration_seconds: Some(cx.now.seconds_since(known.timestamp).max(0.0)),
            ..known
        };
        cx.emit(COMPLETED, activity.place(), activity.clone());
        Ok(activity)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
