//! What a subscriber wants to hear.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::error::{Error, Result};
use crate::id;

/// A filter over events. Fields left empty match everything; those given must all match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Kinds by glob: `task.claimed`, `task.*`, `*`.
    pub kinds: Vec<String>,
    /// Types of published events.
    pub event_types: Vec<String>,
    /// Agents, as source or as target.
    pub agents: Vec<String>,
    /// A session.
    pub session_id: Option<String>,
    /// A task.
    pub task_id: Option<String>,
    /// A task that is part of no other, with all of its parts: their events, and messages about them.
    pub execution_id: Option<String>,
    /// The start of memory keys.
    pub key_prefix: Option<String>,
    /// What ties a question to its answer.
    pub correlation_id: Option<String>,
}

/// How many names one filter may list.
const MOST: usize = 100;

impl Filter {
    /// Only these kinds.
    pub fn kinds<S: Into<String>>(kinds: impl IntoIterator<Item = S>) -> Filter {
        Filter { kinds: kinds.into_iter().map(Into::into).collect(), ..Filter::default() }
    }

    /// Refuses patterns and names that can match nothing.
    pub fn check(&self) -> Result<()> {
        for (field, list) in
            [("kinds", &self.kinds), ("event_types", &self.event_types), ("agents", &self.agents)]
        {
            if list.len() > MOST {
                return Err(Error::field_limit(field, "names in a filter", MOST as u64, list.len() as u64));
            }
            id::check_names(field, list)?;
        }
        for (i, kind) in self.kinds.iter().enumerate() {
            let stem = kind.strip_suffix('*').unwrap_or(kind);
            let fits = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            if !stem.chars().all(fits)
                || (stem.len() < kind.len() && !(stem.is_empty() || stem.ends_with('.')))
            {
                let must = "must be a kind such as `task.claimed`, `task.*` or `*`";
                return Err(Error::invalid(&format!("kinds[{i}]"), kind.as_str(), must));
            }
        }
        id::check_optional("session_id", self.session_id.as_deref())?;
        id::check_optional("task_id", self.task_id.as_deref())?;
        id::check_optional("execution_id", self.execution_id.as_deref())?;
        id::check_optional("key_prefix", self.key_prefix.as_deref().filter(|prefix| !prefix.is_empty()))?;
        id::check_optional("correlation_id", self.correlation_id.as_deref())
    }

    /// Whether the event is wanted.
    pub fn matches(&self, event: &Event) -> bool {
        let place = &event.place;
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        same(&self.session_id, &place.session_id)
            && same(&self.task_id, &place.task_id)
            && same(&self.correlation_id, &place.correlation_id)
            && self.execution_id.as_ref().is_none_or(|task| is_of(event, task))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind_matches(kind, &event.kind)))
            && (self.agents.is_empty() || self.agents.iter().any(|agent| concerns(event, agent)))
            && self.key_prefix.as_ref().is_none_or(|prefix| {
                event.kind.starts_with("memory.")
                    && place.subject.as_ref().is_some_and(|key| key.starts_with(prefix))
            })
            && (self.event_types.is_empty()
                || (event.kind == "event.published"
                    && place.subject.as_ref().is_some_and(|subject| self.event_types.contains(subject))))
    }
}

/// Whether a kind or an operation fits a glob.
pub(crate) fn kind_matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => kind.starts_with(stem),
        None => pattern == kind,
    }
}

/// Whether an event is of this task or of one of its parts, or a message about them.
fn is_of(event: &Event, task: &str) -> bool {
    [event.place.task_id.as_deref(), event.place.subject.as_deref()].contains(&Some(task))
        && in_tree(&event.kind)
}

/// Whether events of this kind belong to the tree of a task.
pub(crate) fn in_tree(kind: &str) -> bool {
    kind.starts_with("task.") || kind.starts_with("message.")
}

fn concerns(event: &Event, agent: &str) -> bool {
    event.place.agent_id.as_deref() == Some(agent)
        || event.place.target_agents.iter().any(|target| target == agent || target == "*")
}
