//! Coming and going: join, leave, invite.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::Channel;
use super::commands::{ParticipantInput, check_room, emit};
use super::events::{INVITED, JOINED, LEFT};
use super::rules::JoinRule;
use super::state::SharedState;
use super::{ParticipantState, Session, SessionError, SessionParticipant, access, state, tables};
use crate::error::{Error, Result};
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Input of `session.join`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The session.
    pub session_id: String,
    /// Who joins: a registered agent.
    pub agent_id: String,
    /// Its role; the one it was invited with when left out. An agent cannot take a role that the rules speak of, nor
    /// `owner`, by itself: those are given at the start, by an invitation of an owner, or by the process.
    #[serde(default)]
    pub role: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `session.join`: the session as it stands at `position`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// The session.
    pub session_id: String,
    /// The session with its participants and rules.
    pub session: Session,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// Its shared state.
    pub state: SharedState,
    /// The `seq` at which all this was so. Subscribe with `after` this: nothing is missed and nothing comes twice.
    pub position: u64,
}

impl Join {
    /// The role to join with; refuses one that is not the agent's to take.
    fn role(&self, cx: &Decide<'_>, session: &Session) -> Result<Option<String>> {
        let known = session.participant(&self.agent_id).and_then(|known| known.role.clone());
        let Some(role) = &self.role else { return Ok(known) };
        crate::id::check_name("role", role)?;
        let taken = cx.by.agent_id().is_some() && known.as_ref() != Some(role);
        if taken && is_given(cx, session, role)? {
            let error = SessionError::Rule {
                rule: "role".to_owned(),
                session_id: session.session_id.clone(),
                why: format!("role {role:?} is given and not taken"),
            };
            return Err(Error::from(error)
                .with("field", "role")
                .hint("leave the role out, or have an owner invite the agent with it"));
        }
        Ok(Some(role.clone()))
    }

    /// Whether the agent comes in now; `false` when it is in already, with this role.
    fn enter(
        &self,
        cx: &Decide<'_>,
        session: &mut Session,
        role: Option<String>,
    ) -> Result<Option<&'static str>> {
        let joined = session.joined().count() as u64;
        let at = session.participants.iter().position(|known| known.agent_id == self.agent_id);
        let rules = session.rules.clone();
        match at.and_then(|at| session.participants.get_mut(at)) {
            Some(known) if known.state == ParticipantState::Joined && known.role == role => Ok(None),
            Some(known) if known.state == ParticipantState::Joined => {
                known.role = role;
                Ok(Some("role_changed"))
            }
            Some(invited) => {
                check_room(cx, &rules, joined + 1)?;
                invited.state = ParticipantState::Joined;
                invited.role = role;
                invited.joined_at = Some(cx.now);
                Ok(Some("joined"))
            }
            None if rules.join == JoinRule::Invited && cx.by.agent_id().is_some() => {
                let error = SessionError::Rule {
                    rule: "join".to_owned(),
                    session_id: session.session_id.clone(),
                    why: format!("only those who were invited may join; agent {:?} was not", self.agent_id),
                };
                Err(Error::from(error)
                    .with("field", "agent_id")
                    .hint("have a participant invite the agent (session.invite)"))
            }
            None => {
                check_room(cx, &rules, joined + 1)?;
                session.participants.push(SessionParticipant {
                    agent_id: self.agent_id.clone(),
                    role,
                    state: ParticipantState::Joined,
                    invited_by: None,
                    joined_at: Some(cx.now),
                    status: None,
                });
                Ok(Some("joined"))
            }
        }
    }
}

/// Whether a role is given and not taken: that of the owners, and those that rules or channels speak of.
fn is_given(cx: &Decide<'_>, session: &Session, role: &str) -> Result<bool> {
    let named = |channel: &Channel| channel.roles.iter().flatten().any(|named| named == role);
    Ok(session.rules.speak_of(role) || tables::channels(cx.db, &session.session_id)?.iter().any(named))
}

impl Change for Join {
    type Output = Joined;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Joined> {
        let by = cx.acting("agent_id", Some(&self.agent_id))?;
        crate::messages::tables::registered(cx.db, "agent_id", &self.agent_id)?;
        let mut session = access::active(cx.db, &self.session_id, "nobody can join it any more")?;
        let role = self.role(cx, &session)?;
        let what = self.enter(cx, &mut session, role)?;
        let channels = tables::channels(cx.db, &self.session_id)?;
        let state = state::current(cx.db, &self.session_id)?;
        let agents = [self.agent_id.clone()];
        let position = match what {
            Some(what) => emit(cx, (JOINED, what), &by, &agents, &mut session),
            None => cx.upcoming_seq() - 1,
        };
        Ok(Joined { session_id: self.session_id.clone(), session, channels, state, position })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `session.leave`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The session.
    pub session_id: String,
    /// Who leaves; one who was invited declines so.
    pub agent_id: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Leave {
    type Output = Session;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Session> {
        let by = cx.acting("agent_id", Some(&self.agent_id))?;
        let mut session = access::active(cx.db, &self.session_id, "nobody can leave it any more")?;
        if session.participant(&self.agent_id).is_none() {
            access::participant(&session, "agent_id", &self.agent_id)?;
        }
        session.participants.retain(|known| known.agent_id != self.agent_id);
        let (session_id, agent_id) = (self.session_id.as_str(), self.agent_id.as_str());
        cx.db
            .prepare_cached("DELETE FROM client WHERE session_id = ?1 AND agent_id = ?2")?
            .execute([session_id, agent_id])?;
        emit(cx, (LEFT, "left"), &by, std::slice::from_ref(&self.agent_id), &mut session);
        Ok(session)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `session.invite`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The session.
    pub session_id: String,
    /// Who is to come: registered agents, as ids or as `{"agent_id", "role"}`. Those who are in, or were invited, stay as
    /// they are.
    pub invitees: Vec<ParticipantInput>,
    /// Who invites: a participant; nobody in particular when left out. Only an owner gives a role that the rules speak
    /// of, or `owner`.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for Invite {
    type Output = Session;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Session> {
        ParticipantInput::check(cx, "invitees", &self.invitees)?;
        let (mut session, by) = access::within(
            cx,
            &self.session_id,
            self.agent_id.as_deref(),
            "nobody can be invited to it any more",
        )?;
        let mut invited = Vec::new();
        for (agent_id, role) in ParticipantInput::resolve(cx, "invitees", &self.invitees)? {
            if session.participant(agent_id).is_some() {
                continue;
            }
            if let Some(role) = role
                && is_given(cx, &session, role)?
            {
                access::manages(&session, &by, "give a role that rules speak of in")?;
            }
            session.participants.push(SessionParticipant {
                agent_id: agent_id.to_owned(),
                role: role.map(str::to_owned),
                state: ParticipantState::Invited,
                invited_by: by.agent_id().map(str::to_owned),
                joined_at: None,
                status: None,
            });
            invited.push(agent_id.to_owned());
        }
        let (known, most) = (session.participants.len() as u64, cx.config.max_participants);
        if known > most {
            return Err(Error::field_limit("invitees", "participants and invited of a session", most, known));
        }
        if !invited.is_empty() {
            emit(cx, (INVITED, "invited"), &by, &invited, &mut session);
        }
        Ok(session)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
