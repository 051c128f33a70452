//! Which events show in the feed by themselves, and as what.
//!
//! One row a kind; a new noun adds its rows here and nothing else. What an entry shows of its event is chosen field by
//! field: values, contents and results stay where they are, since the feed is read by more than those they are for.

use super::{
    AGENT_COMPLETED, AGENT_STARTED, COLLABORATION_ENDED, COLLABORATION_STARTED, COUNCIL_DECISION,
    MEMORY_READ, MEMORY_WRITE, MESSAGE_SENT, Outcome, TASK_ASSIGNED, TASK_COMPLETED,
};
use crate::{agents, memory, messages, sessions, tasks};

/// How the events of one kind show in the feed.
#[derive(Debug)]
pub struct Shown {
    /// The kind of the event.
    pub kind: &'static str,
    /// The type of the activity.
    pub activity_type: &'static str,
    /// Fields of the event's data that become metadata, where they are there and not null. `a.b` stands for `b` in `a`.
    pub fields: &'static [&'static str],
    /// How it ended, where the kind says so.
    pub outcome: Option<Outcome>,
    /// The field of the data that says who did it, where the event itself names no agent.
    pub actor: Option<&'static str>,
    /// The fields of the data that hold its start and its end, where it has a duration.
    pub span: Option<(&'static str, &'static str)>,
}

const fn shown(kind: &'static str, activity_type: &'static str, fields: &'static [&'static str]) -> Shown {
    Shown { kind, activity_type, fields, outcome: None, actor: None, span: None }
}

const fn ended(kind: &'static str, activity_type: &'static str, outcome: Outcome) -> Shown {
    let span = Some(("claimed_at", "ended_at"));
    Shown { outcome: Some(outcome), span, ..shown(kind, activity_type, OF_TASK) }
}

const OF_AGENT: &[&str] = &["agent.name", "agent.type", "agent.role", "reason"];
const OF_TASK: &[&str] = &["title", "status", "priority", "phase", "error"];
const OF_SESSION: &[&str] = &["kind", "name", "state"];
const OF_MEMORY: &[&str] = &["key", "version", "deleted"];
const OF_MESSAGE: &[&str] =
    &["message_id", "message_type", "conversation_thread_id", "importance", "channel"];

/// Every kind that shows in the feed.
pub const SHOWN: &[Shown] = &[
    shown(agents::events::JOINED, AGENT_STARTED, OF_AGENT),
    shown(agents::events::LEFT, AGENT_COMPLETED, OF_AGENT),
    shown(memory::events::UPDATED, MEMORY_WRITE, OF_MEMORY),
    shown(memory::events::DELETED, MEMORY_WRITE, OF_MEMORY),
    shown(memory::events::RECORDED, MEMORY_WRITE, &["operation", "item_id", "metadata"]),
    shown(messages::events::SENT, MESSAGE_SENT, OF_MESSAGE),
    Shown { actor: Some("creator_id"), ..shown(tasks::events::CREATED, "task_created", OF_TASK) },
    shown(tasks::events::ASSIGNED, TASK_ASSIGNED, OF_TASK),
    shown(tasks::events::CLAIMED, "task_claimed", OF_TASK),
    shown(tasks::events::RELEASED, "task_released", OF_TASK),
    shown(tasks::events::LAPSED, "task_lapsed", OF_TASK),
    shown(tasks::events::RETRYING, "task_retrying", OF_TASK),
    ended(tasks::events::COMPLETED, TASK_COMPLETED, Outcome::Ok),
    ended(tasks::events::FAILED, "task_failed", Outcome::Failed),
    ended(tasks::events::CANCELLED, "task_cancelled", Outcome::Cancelled),
    shown(tasks::events::UNASSIGNED, "task_unassigned", OF_TASK),
    shown(tasks::events::OVERDUE, "task_overdue", OF_TASK),
    shown(sessions::events::STARTED, COLLABORATION_STARTED, OF_SESSION),
    shown(sessions::events::JOINED, "collaboration_joined", OF_SESSION),
    shown(sessions::events::LEFT, "collaboration_left", OF_SESSION),
    Shown {
        span: Some(("started_at", "ended_at")),
        ..shown(sessions::events::ENDED, COLLABORATION_ENDED, OF_SESSION)
    },
    shown(sessions::events::DECISION_RECORDED, COUNCIL_DECISION, &["decision_id", "decision", "rationale"]),
];

/// How events of this kind show; `None` for those that do not.
pub fn of(kind: &str) -> Option<&'static Shown> {
    SHOWN.iter().find(|shown| shown.kind == kind)
}

/// The type of an activity recorded for memory that is kept elsewhere, by the operation that is named.
pub(crate) fn elsewhere(operation: &str) -> &'static str {
    match operation {
        "read" | "get" | "list" | "search" => MEMORY_READ,
        _ => MEMORY_WRITE,
    }
}
