//! Who may see a message: its sender, those it is for, and everyone when it is for all or of a session.
//!
//! One rule in two forms: [`may_hear`] judges events on their way to a subscriber, [`VISIBLE`] rows of the table.

use crate::events::event::Place;

/// The rule as a condition on rows `m` of `message`; `?1` is the agent that looks, null for the trusted.
pub(crate) const VISIBLE: &str = "(?1 IS NULL OR m.open OR m.sender_id = ?1
    OR EXISTS (SELECT 1 FROM delivery seen WHERE seen.audience = 'agent:' || ?1 AND seen.seq = m.seq))";

/// The rule for an event.
pub(crate) fn may_hear(place: &Place, agent_id: &str) -> bool {
    place.session_id.is_some()
        || place.agent_id.as_deref() == Some(agent_id)
        || place.target_agents.iter().any(|target| target == agent_id || target == "*")
}
