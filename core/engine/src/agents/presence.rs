//! `presence.update`: what an agent has just done.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Location, Presence, Status};
use crate::clock::Time;
use crate::config::HubConfig;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::id;
use crate::operations::Relax;
use crate::principal::Principal;

/// Input of `presence.update`: an operation on the presence, never a copy of it, so that two processes may move the same
/// counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePresence {
    /// The agent; must be registered.
    pub agent_id: String,
    /// What happened, in a word; kept on the event only.
    #[serde(default)]
    pub event: Option<String>,
    /// A tool was used: counts one.
    #[serde(default)]
    pub tool_name: Option<String>,
    /// Tokens that were spent.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// The feature that is worked on.
    #[serde(default)]
    pub feature_id: Option<String>,
    /// The task that is worked on.
    #[serde(default)]
    pub task_id: Option<String>,
    /// The session; a new one starts the totals anew.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The status; `active` when left out.
    #[serde(default)]
    pub status: Option<Status>,
    /// Where the agent runs.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub location: Option<Location>,
}

/// Answer of `presence.update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Updated {
    /// Always true: the update was taken.
    pub accepted: bool,
}

impl UpdatePresence {
    /// Refuses fields that are no names.
    pub fn check(&self) -> Result<()> {
        id::check_name("agent_id", &self.agent_id)?;
        for (field, text) in [
            ("event", &self.event),
            ("tool_name", &self.tool_name),
            ("feature_id", &self.feature_id),
            ("task_id", &self.task_id),
            ("session_id", &self.session_id),
        ] {
            if let Some(text) = text {
                id::check_name(field, text)?;
            }
        }
        const MOST: u64 = 1 << 50;
        if let Some(tokens) = self.tokens.filter(|tokens| *tokens > MOST) {
            return Err(Error::field_limit("tokens", "tokens of an update", MOST, tokens));
        }
        match &self.location {
            Some(location) => check_location(location),
            None => Ok(()),
        }
    }

    /// Moves a presence by what happened at this time. `tools` is how often a tool was used.
    pub(crate) fn apply(&self, presence: &mut Presence, tools: u64, at: Time) {
        if self.session_id.is_some() && self.session_id != presence.session_id {
            presence.session_id.clone_from(&self.session_id);
            presence.total_tools_executed = 0;
            presence.total_cost_tokens = 0;
        }
        let tokens = self.tokens.unwrap_or(0);
        presence.total_tools_executed = presence.total_tools_executed.saturating_add(tools);
        presence.lifetime_tools_executed = presence.lifetime_tools_executed.saturating_add(tools);
        presence.total_cost_tokens = presence.total_cost_tokens.saturating_add(tokens);
        presence.lifetime_cost_tokens = presence.lifetime_cost_tokens.saturating_add(tokens);
        keep(&mut presence.last_tool_name, &self.tool_name);
        keep(&mut presence.current_feature_id, &self.feature_id);
        keep(&mut presence.current_task_id, &self.task_id);
        if self.location.is_some() {
            presence.location.clone_from(&self.location);
        }
        if presence.status == Status::Offline {
            presence.joined_at = Some(at);
        }
        presence.status = self.status.unwrap_or(Status::Active);
        presence.last_activity = Some(at);
        presence.last_seen = Some(at);
    }

    /// Folds a later update of the same agent into this one, when they cannot all be kept. Both must be of one session.
    pub(crate) fn merge(&mut self, later: UpdatePresence) {
        self.tokens = match (self.tokens, later.tokens) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        for (mine, theirs) in [
            (&mut self.event, later.event),
            (&mut self.tool_name, later.tool_name),
            (&mut self.feature_id, later.feature_id),
            (&mut self.task_id, later.task_id),
            (&mut self.session_id, later.session_id),
        ] {
            if theirs.is_some() {
                *mine = theirs;
            }
        }
        self.status = later.status.or(self.status);
        if later.location.is_some() {
            self.location = later.location;
        }
    }
}

fn keep(field: &mut Option<String>, given: &Option<String>) {
    if given.is_some() {
        field.clone_from(given);
    }
}

pub(crate) fn check_location(location: &Location) -> Result<()> {
    id::check_optional("location.host", location.host.as_deref())?;
    id::check_optional("location.workspace", location.workspace.as_deref())
}

impl Presence {
    /// Whether nothing was heard of its work for `idle_after_seconds`.
    pub(crate) fn is_quiet(&self, now: Time, config: &HubConfig) -> bool {
        self.last_activity.is_none_or(|at| now.seconds_since(at) >= config.idle_after_seconds)
    }
}

impl Relax for UpdatePresence {
    type Output = Updated;

    #[allow(private_interfaces)]
    fn relax(self, core: &Arc<Core>, by: &Principal) -> Result<Updated> {
        self.check()?;
        by.may_act_as("agent_id", &self.agent_id)?;
        core.relaxed.push(core, self)?;
        Ok(Updated { accepted: true })
    }
}
