//! Who may see and change what is in a session: its participants.
//!
//! The process and operators are trusted; agents are judged. What a session *is* (who takes part, by which rules) can
//! also be seen by whoever may join it, so that it can be found; what is said, decided and kept in it only by those who
//! are in.

use rusqlite::Connection;

use super::{OWNER, ParticipantState, Session, SessionError, SessionParticipant, SessionState, tables};
use crate::error::Result;
use crate::id;
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// Whether an agent may see what is in a session: always, when the hub does not know the session.
pub(crate) fn may_see(db: &Connection, session_id: &str, agent_id: &str) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM session WHERE session_id = ?1)
        OR EXISTS (SELECT 1 FROM member WHERE session_id = ?1 AND agent_id = ?2 AND joined)";
    Ok(db.prepare_cached(sql)?.query_row([session_id, agent_id], |row| row.get(0))?)
}

/// The session of this id.
pub(crate) fn known(db: &Connection, session_id: &str) -> Result<Session> {
    id::check_name("session_id", session_id)?;
    Ok(tables::get(db, session_id)?.ok_or_else(|| SessionError::Unknown(session_id.to_owned()))?)
}

/// The session of this id, which must go on.
pub(crate) fn active(db: &Connection, session_id: &str, wanted: &'static str) -> Result<Session> {
    let session = known(db, session_id)?;
    match session.state {
        SessionState::Active => Ok(session),
        SessionState::Ended => Err(SessionError::Ended(Box::new(session), wanted).into()),
    }
}

/// The session of this id, for someone who looks into it.
pub(crate) fn readable(db: &Connection, by: &Principal, session_id: &str) -> Result<Session> {
    let session = known(db, session_id)?;
    if let Some(agent_id) = by.agent_id() {
        participant(&session, "agent_id", agent_id)?;
    }
    Ok(session)
}

/// The participant of this id; the error names the field that asked for it.
pub(crate) fn participant<'a>(
    session: &'a Session,
    field: &str,
    agent_id: &str,
) -> Result<&'a SessionParticipant> {
    let found = session.participant(agent_id).filter(|found| found.state == ParticipantState::Joined);
    Ok(found.ok_or_else(|| SessionError::NotParticipant {
        field: field.to_owned(),
        agent_id: agent_id.to_owned(),
        session_id: session.session_id.clone(),
    })?)
}

/// The session that someone is about to change from within: it goes on, and who acts takes part or is trusted.
pub(crate) fn within(
    cx: &Decide<'_>,
    session_id: &str,
    agent_id: Option<&str>,
    wanted: &'static str,
) -> Result<(Session, Principal)> {
    let by = cx.acting("agent_id", agent_id)?;
    let session = active(cx.db, session_id, wanted)?;
    if let Some(agent_id) = by.agent_id() {
        participant(&session, "agent_id", agent_id)?;
    }
    Ok((session, by))
}

/// Refuses an agent that does not look after the session. Its owners do: those with the role `owner`, such as the agent
/// that started it. Where there is none, every participant does.
pub(crate) fn manages(session: &Session, by: &Principal, verb: &'static str) -> Result<()> {
    let Some(agent_id) = by.agent_id() else { return Ok(()) };
    let who = participant(session, "agent_id", agent_id)?;
    let owners: Vec<&str> = session
        .joined()
        .filter(|participant| participant.role.as_deref() == Some(OWNER))
        .map(|participant| participant.agent_id.as_str())
        .collect();
    if owners.is_empty() || owners.contains(&who.agent_id.as_str()) {
        return Ok(());
    }
    Err(SessionError::NotOwner {
        agent_id: agent_id.to_owned(),
        verb,
        session_id: session.session_id.clone(),
        owners: owners.join(", "),
    }
    .into())
}
