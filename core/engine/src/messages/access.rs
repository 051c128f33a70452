//! Who may see a message: its sender, those it is for by name, everyone when it is for all, and, of a session, its
//! participants; everyone when the hub does not know the session.
//!
//! One rule in two forms: [`may_hear`] judges events on their way to a subscriber, [`VISIBLE`] rows of the table. Events
//! of sessions and channels themselves are judged by the first form too.

use crate::error::Result;
use crate::events::event::Place;

/// The rule as a condition on rows `m` of `message`; `?1` is the agent that looks, null for the trusted.
pub(crate) const VISIBLE: &str = "(?1 IS NULL OR m.open = 2 OR m.sender_id = ?1
    OR EXISTS (SELECT 1 FROM delivery seen WHERE seen.audience = 'agent:' || ?1 AND seen.seq = m.seq)
    OR (m.open = 1 AND (NOT EXISTS (SELECT 1 FROM session s WHERE s.session_id = m.session_id)
        OR EXISTS (SELECT 1 FROM member p WHERE p.session_id = m.session_id AND p.agent_id = ?1 AND p.joined))))";

/// The rule for an event; `in_session` says whether the agent may see what is in a session.
pub(crate) fn may_hear(
    place: &Place,
    agent_id: &str,
    in_session: impl FnOnce(&str) -> Result<bool>,
) -> Result<bool> {
    let named = place.agent_id.as_deref() == Some(agent_id)
        || place.target_agents.iter().any(|target| target == agent_id || target == "*");
    match &place.session_id {
        Some(session_id) if !named => in_session(session_id),
        _ => Ok(named),
    }
}
