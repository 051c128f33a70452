//! The life of a session: start, rules, end.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{CHANNEL_CREATED, ENDED, RULES_CHANGED, STARTED, STATE_CHANGED};
use super::rules::SessionRules;
use super::state::SharedState;
use super::{
    OWNER, ParticipantState, Session, SessionChange, SessionParticipant, SessionState, access, channels,
    tables,
};
use crate::agents::AgentError;
use crate::error::{Error, Result};
use crate::id;
use crate::json::Json;
use crate::messages::commands::no_metadata;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// Someone to be in a session: an agent id, or one with a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be an agent id, or an object of agent_id and role")]
pub enum ParticipantInput {
    /// An agent, without a role.
    Id(String),
    /// An agent with a role.
    WithRole {
        /// The agent.
        agent_id: String,
        /// Its role in the session.
        role: Option<String>,
    },
}

impl ParticipantInput {
    fn parts(&self) -> (&str, Option<&str>) {
        match self {
            ParticipantInput::Id(agent_id) => (agent_id, None),
            ParticipantInput::WithRole { agent_id, role } => (agent_id, role.as_deref()),
        }
    }

    /// Refuses what names nobody, or somebody twice.
    pub(crate) fn check(cx: &Decide<'_>, field: &str, given: &[ParticipantInput]) -> Result<()> {
        cx.check_count(field, given.len())?;
        let mut seen = HashSet::new();
        for (i, one) in given.iter().enumerate() {
            let (agent_id, role) = one.parts();
            let here = format!("{field}[{i}]");
            id::check_name(&here, agent_id)?;
            id::check_optional(&format!("{here}.role"), role)?;
            if !seen.insert(agent_id) {
                return Err(Error::invalid(&here, agent_id, "stands twice"));
            }
        }
        Ok(())
    }

    /// The agents that are named, each of them registered, with their roles.
    pub(crate) fn resolve<'a>(
        cx: &Decide<'_>,
        field: &str,
        given: &'a [ParticipantInput],
    ) -> Result<Vec<(&'a str, Option<&'a str>)>> {
        let mut found = Vec::with_capacity(given.len());
        for (i, one) in given.iter().enumerate() {
            let (agent_id, role) = one.parts();
            if !crate::agents::tables::exists(cx.db, agent_id)? {
                let error = Error::from(AgentError::Unknown(agent_id.to_owned()));
                return Err(error.with("field", format!("{field}[{i}]")));
            }
            found.push((agent_id, role));
        }
        Ok(found)
    }
}

/// Input of `session.start`.
///
/// The agent that starts it takes part, as its `owner` unless it is listed with another role. The channels `general`,
/// `coordination`, `code` and `decisions` are made with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Its id, if the caller wants to choose it; a new UUIDv7 when left out.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Who takes part from the start: registered agents, as ids or as `{"agent_id", "role"}`.
    pub participants: Vec<ParticipantInput>,
    /// `collaboration` (when left out), `review`, `execution`, or another word.
    #[serde(default)]
    pub kind: Option<String>,
    /// What it is called.
    #[serde(default)]
    pub name: Option<String>,
    /// The team it is of, outside the hub.
    #[serde(default)]
    pub team_id: Option<String>,
    /// The project it is of, outside the hub.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Who may do what in it; nothing is limited when left out.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub rules: Option<SessionRules>,
    /// The most clients that may be connected at once; the hub's `max_clients` when left out.
    #[serde(default)]
    pub max_clients: Option<u64>,
    /// The shared state to begin with, a JSON object; `{}` when left out.
    #[serde(default)]
    pub state: Option<Json>,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub metadata: Option<Json>,
    /// Who starts it: a registered agent; nobody in particular when left out.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Start {
    /// A session of these agents.
    pub fn new<S: Into<String>>(participants: impl IntoIterator<Item = S>) -> Start {
        let participants = participants.into_iter().map(|id| ParticipantInput::Id(id.into())).collect();
        Start { participants, ..Start::default() }
    }

    fn check(&self, cx: &Decide<'_>) -> Result<()> {
        ParticipantInput::check(cx, "participants", &self.participants)?;
        for (field, name) in [
            ("session_id", &self.session_id),
            ("kind", &self.kind),
            ("name", &self.name),
            ("team_id", &self.team_id),
            ("project_id", &self.project_id),
        ] {
            id::check_optional(field, name.as_deref())?;
        }
        if self.max_clients == Some(0) {
            return Err(Error::invalid("max_clients", 0, "must be at least 1"));
        }
        if let Some(most) = self.max_clients.filter(|most| *most > cx.config.max_items) {
            return Err(Error::field_limit("max_clients", "clients of a session", cx.config.max_items, most));
        }
        if let Some(rules) = &self.rules {
            rules.check(cx)?;
        }
        if let Some(state) = &self.state {
            super::state::check(cx, "state", state)?;
        }
        cx.check_metadata("metadata", self.metadata.as_ref())
    }

    fn participants(&self, cx: &Decide<'_>, by: &Principal) -> Result<Vec<SessionParticipant>> {
        let mut named = ParticipantInput::resolve(cx, "participants", &self.participants)?;
        if let Some(starter) = self.agent_id.as_deref().or(by.agent_id()) {
            crate::messages::tables::registered(cx.db, "agent_id", starter)?;
            match named.iter_mut().find(|(agent_id, _)| *agent_id == starter) {
                Some((_, role)) => *role = role.or(Some(OWNER)),
                None => named.insert(0, (starter, Some(OWNER))),
            }
        }
        let of = |(agent_id, role): (&str, Option<&str>)| SessionParticipant {
            agent_id: agent_id.to_owned(),
            role: role.map(str::to_owned),
            state: ParticipantState::Joined,
            invited_by: None,
            joined_at: Some(cx.now),
            status: None,
        };
        Ok(named.into_iter().map(of).collect())
    }
}

/// Refuses one participant more than the rules or the hub allow.
pub(crate) fn check_room(cx: &Decide<'_>, rules: &SessionRules, count: u64) -> Result<()> {
    let most = rules.max_participants.unwrap_or(cx.config.max_participants).min(cx.config.max_participants);
    if count <= most {
        return Ok(());
    }
    Err(Error::limit("participants of a session", most, count).with("rule", "max_participants"))
}

/// Refuses one active session more than the hub allows.
fn check_hub(cx: &Decide<'_>) -> Result<()> {
    let active: i64 = tables::value(cx.db, "SELECT count(*) FROM session WHERE state = 'active'", [])?;
    let most = cx.config.max_sessions;
    if active as u64 >= most {
        return Err(Error::limit("active sessions of a hub", most, active as u64 + 1)
            .hint("end those that are over (session.end)"));
    }
    Ok(())
}

impl Change for Start {
    type Output = Session;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Session> {
        self.check(cx)?;
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        if let Some(id) = &self.session_id
            && tables::get(cx.db, id)?.is_some()
        {
            return Err(Error::already_exists("session", id).with("field", "session_id"));
        }
        let participants = self.participants(cx, &by)?;
        let rules = self.rules.clone().unwrap_or_default();
        check_room(cx, &rules, participants.len() as u64)?;
        check_hub(cx)?;
        let started_by = self.agent_id.as_deref().or(by.agent_id()).map(str::to_owned);
        let agents: Vec<String> = participants.iter().map(|who| who.agent_id.clone()).collect();
        let session = Session {
            session_id: cx.id_or_new("session_id", self.session_id.as_deref())?,
            kind: self.kind.clone().unwrap_or_else(|| "collaboration".to_owned()),
            name: self.name.clone(),
            team_id: self.team_id.clone(),
            project_id: self.project_id.clone(),
            state: SessionState::Active,
            outcome: Json::null(),
            participants,
            rules,
            max_clients: self.max_clients.unwrap_or(cx.config.max_clients),
            metadata: self.metadata.clone().unwrap_or_else(no_metadata),
            started_by: started_by.clone(),
            started_at: cx.now,
            ended_at: None,
            seq: cx.upcoming_seq(),
            last_change: SessionChange {
                what: "started".to_owned(),
                by: started_by.clone(),
                agents: agents.clone(),
                at: cx.now,
            },
        };
        cx.emit(STARTED, session.place(started_by.as_deref(), &agents), session.clone());
        for channel in channels::defaults(&session) {
            cx.emit(CHANNEL_CREATED, session.place(started_by.as_deref(), &[]), channel);
        }
        if let Some(state) = &self.state {
            let first = SharedState::first(cx, &session.session_id, started_by.clone(), state.clone());
            cx.emit(STATE_CHANGED, session.place(started_by.as_deref(), &[]), first);
        }
        Ok(session)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Notes a change of a session and proposes its event; answers the `seq` of the event.
pub(crate) fn emit(
    cx: &mut Decide<'_>,
    (kind, what): (&'static str, &str),
    by: &Principal,
    agents: &[String],
    session: &mut Session,
) -> u64 {
    session.last_change = SessionChange {
        what: what.to_owned(),
        by: by.agent_id().map(str::to_owned),
        agents: agents.to_vec(),
        at: cx.now,
    };
    cx.emit(kind, session.place(by.agent_id(), agents), session.clone())
}

/// Input of `session.set_rules`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRules {
    /// The session.
    pub session_id: String,
    /// All of its rules from now on: what is left out is no longer limited.
    #[serde(deserialize_with = "crate::input::given_object")]
    pub rules: SessionRules,
    /// Who changes them: an owner of the session, or, where it has none, any participant.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for SetRules {
    type Output = Session;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Session> {
        self.rules.check(cx)?;
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        let mut session = access::active(cx.db, &self.session_id, "its rules can no longer be changed")?;
        access::manages(&session, &by, "change the rules of")?;
        session.rules = self.rules.clone();
        emit(cx, (RULES_CHANGED, "rules_changed"), &by, &[], &mut session);
        Ok(session)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `session.end`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The session.
    pub session_id: String,
    /// How it ended: any JSON value, at most 64 KiB.
    #[serde(default)]
    pub outcome: Option<Json>,
    /// Who ends it: an owner of the session, or, where it has none, any participant.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for End {
    type Output = Session;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Session> {
        let outcome = self.outcome.clone().unwrap_or_default();
        let (bytes, depth) = (cx.config.max_metadata_bytes, cx.config.max_json_depth);
        outcome.check("outcome", "bytes of an outcome", bytes, depth)?;
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        let mut session = access::active(cx.db, &self.session_id, "it cannot be ended again")?;
        access::manages(&session, &by, "end")?;
        session.state = SessionState::Ended;
        session.outcome = outcome;
        session.ended_at = Some(cx.now);
        emit(cx, (ENDED, "ended"), &by, &[], &mut session);
        Ok(session)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
